//! `larkline explain TEXT` for somebody who has an error and perhaps nothing else.

use std::process::{Command, Output};

use serde_json::Value;

use crate::rig::{ECHO, LARKLINE, Rig, text};

/// The binary in an empty directory, without any configuration.
fn explain(text: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(LARKLINE);
    command.env_clear().env("HOME", dir.path()).current_dir(dir.path());
    command.args(["explain", text]).args(args).envs(env.iter().copied()).output().unwrap()
}

/// Strings that people have searched for, and words of the meaning that each has to lead to.
const SEEN: &[(&str, &str, &str)] = &[
    ("no close frame received or sent", "without a close frame", "关闭帧"),
    ("keepalive ping timeout", "a ping had no answer", "ping 没有在时限内得到应答"),
    ("ping_timeout", "a ping had no answer", "ping 没有在时限内得到应答"),
    ("sent 1011 (internal error)", "closed with 1011", "1011"),
    ("curl -I https://open.feishu.cn", "any HTTP answer", "任何 HTTP 应答"),
    ("10068", "the platform sees none", "平台没有看到已建立的长连接"),
    (
        "CERTIFICATE_VERIFY_FAILED: self-signed certificate in certificate chain",
        "an authority this machine does not know",
        "根证书不被本机信任",
    ),
    ("python-socks is required to use a SOCKS proxy", "SOCKS5 built in", "内置 SOCKS5"),
    ("407 Proxy Authentication Required", "the proxy wants credentials", "代理要求用户名和密码"),
    ("99991403", "monthly quota", "额度已用完"),
    ("1000040350", "more connections than an app may hold", "可持有的连接数"),
];

#[test]
fn known_strings_are_explained_without_any_configuration() {
    for (seen, english, chinese) in SEEN {
        let output = explain(seen, &[], &[]);
        let told = text(&output.stdout);
        assert!(output.status.success(), "{seen}: {}", text(&output.stderr));
        assert!(told.contains(english) && told.contains("remedy: "), "{seen}: {told}");
        assert!(told.contains("docs/errors/"), "{seen}: {told}");
        let told = text(&explain(seen, &[], &[("LANG", "zh_CN.UTF-8")]).stdout);
        assert!(told.contains(chinese) && told.contains("处理："), "{seen}: {told}");
    }
}

#[test]
fn programs_get_the_same_as_json_in_english() {
    let env = [("LANG", "zh_CN.UTF-8")];
    let output = explain("code=230025", &["--format", "json"], &env);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entry = &found["known_errors"][0];
    assert_eq!(entry["codes"][0], "230025", "{found}");
    assert!(entry["meaning"].as_str().unwrap().contains("too long"), "{found}");
    assert_eq!(entry["page"], "docs/errors/api.md#platform-codes");
}

#[tokio::test]
async fn a_message_comes_first_and_what_is_neither_says_where_to_look() {
    let rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.owner, "what is 99991403");
    rig.answered(&said).await;
    rig.verdicts().await;
    let both = text(&rig.cli(&["explain", "99991403"]).await.stdout);
    let story = both.find(said.message_id.as_str()).unwrap();
    assert!(story < both.find("monthly quota").unwrap(), "{both}");
    let json = rig.json(&["explain", "99991403"]).await;
    assert_eq!(json["message_id"], said.message_id.as_str());
    assert_eq!(json["known_errors"][0]["codes"][0], "99991403", "{json}");
    let only = text(&rig.cli(&["explain", "dns_failed"]).await.stdout);
    assert!(only.starts_with("dns_failed"), "{only}");
    let neither = rig.cli(&["explain", "nobody ever said this"]).await;
    assert_eq!(neither.status.code(), Some(1));
    let told = text(&neither.stderr);
    assert!(told.contains("no known error; see `larkline messages`"), "{told}");
    let nothing = explain("nobody ever said this", &[], &[]);
    assert!(text(&nothing.stderr).contains("is no known error"), "{}", text(&nothing.stderr));
}
