//! What the binary says of itself, and what it never says.

use std::collections::BTreeSet;
use std::path::Path;

use larkline_sim::{Answer, AppSpec, Fault};

use crate::rig::{ECHO, Rig, text};

#[tokio::test]
async fn a_start_prints_version_mode_policy_and_every_route() {
    let config = r#"
[[route]]
name = "ops"
chats = ["{group}"]
deny_senders = ["{guest}"]
mention = "never"
match = { keywords = ["P0", "故障"] }
events = ["im.message.receive_v1", "card.action.trigger"]
handler = "echo"
also = true

[[route]]
name = "rest"
handler = "echo"
"#;
    let rig = Rig::start(config).await;
    let log = rig.log();
    let line = |part: &str| {
        log.lines().find(|l| l.contains(part)).unwrap_or_else(|| panic!("no {part:?} in\n{log}"))
    };
    assert!(line("larkline starts").contains(env!("CARGO_PKG_VERSION")));
    assert!(line("larkline listens").contains("mode=\"long connection\" reconnect=\"always\""));
    let policy = line("policy: 2 routes");
    for part in ["need no mention: 1", "2 keywords", "unknown chats: heard", "card.action.trigger"]
    {
        assert!(policy.contains(part), "{part:?} is missing in {policy}");
    }
    let ops = line("route 1 ops:");
    for part in [rig.group.as_str(), &format!("never from {}", rig.guest), "no mention", "-> echo"]
    {
        assert!(ops.contains(part), "{part:?} is missing in {ops}");
    }
    assert!(line("route 2 rest:").contains("groups need a mention"));
    for line in log.lines().filter(|l| !l.is_empty()) {
        assert!(is_rfc3339(line), "no time with offset at the start of {line:?}");
    }
}

/// `2026-01-31T08:00:00.123+08:00 …`
fn is_rfc3339(line: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.ddd±dd:dd ";
    line.chars().count() > form.chars().count()
        && form.chars().zip(line.chars()).all(|(f, c)| match f {
            'd' => c.is_ascii_digit(),
            '±' => c == '+' || c == '-',
            other => c == other,
        })
}

#[tokio::test]
async fn status_and_messages_tell_this_run_from_earlier_ones() {
    let mut rig = Rig::start(ECHO).await;
    let boot = |s: serde_json::Value| s["boot_id"].as_str().unwrap().to_owned();
    let early = boot(rig.status().await.unwrap());
    rig.answered(&rig.say(&rig.guest, "before")).await;
    rig.verdicts().await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.answered(&rig.say(&rig.guest, "after")).await;
    let late = boot(rig.status().await.unwrap());
    assert_ne!(early, late);
    for record in rig.json(&["messages"]).await.as_array().unwrap() {
        let expected = if record["preview"] == "before" { &early } else { &late };
        assert_eq!(record["boot_id"], expected.as_str(), "{record}");
    }
    let list = text(&rig.cli(&["messages"]).await.stdout);
    for line in list.lines().skip(1) {
        let run = if line.contains("before") { " earlier " } else { " this " };
        assert!(line.contains(run), "{list}");
    }
    let status = text(&rig.cli(&["status"]).await.stdout);
    let process = format!("version {}, boot {late}", env!("CARGO_PKG_VERSION"));
    assert!(status.contains(&process) && status.contains("started   2"), "{status}");
}

#[tokio::test]
async fn with_defaults_no_tcp_socket_listens() {
    let rig = Rig::start(ECHO).await;
    rig.answered(&rig.say(&rig.guest, "hello")).await;
    assert_eq!(listening(rig.pid()), 0);

    let mut rig = rig;
    rig.stop().await;
    rig.configure(&format!("{ECHO}[server]\nhttp = \"127.0.0.1:0\"\n"));
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(listening(rig.pid()), 1, "the look itself works");
}

/// TCP sockets of a process in state LISTEN.
fn listening(pid: u32) -> usize {
    let proc = Path::new("/proc").join(pid.to_string());
    let links = std::fs::read_dir(proc.join("fd")).unwrap().filter_map(|fd| {
        let target = std::fs::read_link(fd.unwrap().path()).ok()?.display().to_string();
        Some(target.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
    });
    let inodes: BTreeSet<String> = links.collect();
    let tables = ["net/tcp", "net/tcp6"].map(|t| crate::rig::read(&proc.join(t)));
    let rows = tables.iter().flat_map(|t| t.lines().skip(1));
    rows.filter(|row| {
        let cells: Vec<&str> = row.split_whitespace().collect();
        // State 0A is LISTEN; the tenth cell is the inode.
        cells[3] == "0A" && inodes.contains(cells[9])
    })
    .count()
}

#[tokio::test]
async fn no_secret_token_or_text_is_in_metrics_and_no_secret_or_token_in_the_log() {
    let rig = Rig::start(&format!("{ECHO}[log]\nlevel = \"debug\"\n")).await;
    let words = "confidential-words";
    rig.answered(&rig.say(&rig.guest, words)).await;
    rig.fault(Fault::Api {
        path: "/reply".to_owned(),
        method: String::new(),
        answer: Answer::Code { status: 400, code: 230_001, msg: "no".to_owned(), reset_s: None },
        times: 1,
    });
    rig.say(&rig.guest, words);
    rig.until("a failure", async || rig.metrics().await.contains("code=\"230001\"")).await;
    let (page, log) = (rig.metrics().await, rig.log());
    assert!(page.contains("larkline_events") && page.trim_end().ends_with("# EOF"), "{page}");
    let secret = AppSpec::default().app_secret;
    let ids = [rig.guest.as_str(), rig.owner.as_str(), "oc_", "om_", words];
    for part in ids.iter().copied().chain([secret.as_str(), "t-g", "Bearer"]) {
        assert!(!page.contains(part), "{part:?} is in\n{page}");
    }
    for part in [secret.as_str(), "Bearer", "tenant_access_token\":", "ticket=", "access_key="] {
        assert!(!log.contains(part), "{part:?} is in\n{log}");
    }
}

#[tokio::test]
async fn previews_are_in_the_log_until_switched_off() {
    for (previews, shown) in [(true, true), (false, false)] {
        let rig = Rig::start(&format!("{ECHO}[log]\npreviews = {previews}\n")).await;
        let said = rig.say(&rig.guest, "private words");
        rig.answered(&said).await;
        rig.logged("delivered").await;
        let log = rig.log();
        let line = log.lines().find(|l| l.contains("event received")).unwrap();
        assert!(line.contains(rig.guest.as_str()) && line.contains(said.chat_id.as_str()));
        assert_eq!(log.contains("private words"), shown, "{log}");
        let list = text(&rig.cli(&["messages"]).await.stdout);
        assert_eq!(list.contains("private words"), shown, "{list}");
    }
}

#[tokio::test]
async fn version_names_build_commit_protocol_and_tls() {
    let rig = Rig::new(ECHO).await;
    let version = rig.json(&["version"]).await;
    assert_eq!(version["larkline"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["protocol"], "pbbp2");
    assert!(version["tls"].as_str().unwrap().contains("rustls"));
    assert!(is_known(version["commit"].as_str().unwrap()), "{version}");
    let words = text(&rig.cli(&["version"]).await.stdout);
    for name in ["larkline", "commit", "protocol", "tls"] {
        assert!(words.contains(name), "{words}");
    }
}

/// True for a commit of this checkout (perhaps not its newest by now); outside of one nobody
/// can tell.
fn is_known(commit: &str) -> bool {
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        let output = git.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        output.is_ok_and(|o| o.status.success())
    };
    let object = format!("{commit}^{{commit}}");
    !git(&["rev-parse", "HEAD"]) || (!commit.is_empty() && git(&["cat-file", "-e", &object]))
}

/// Ten mistakes of ten kinds.
const MISTAKES: &str = r#"
[app.main]
app_id = "cli_xxx"
app_secret = { env = "NOT_SET_ANYWHERE" }
domian = "feishu"
[[route]]
handler = "nobody"
mention = "sometimes"
match = { regex = "(" }
stale_after = "soon"
[handler.sh]
kind = "comand"
[governor]
chat_per_second = "five"
[log]
level = 3
colour = true
"#;

#[tokio::test]
async fn config_check_finds_ten_mistakes_at_once_and_exits_1() {
    let rig = Rig::new(ECHO).await;
    let check = rig.cli(&["config", "check"]).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");

    std::fs::write(rig.path("larkline.toml"), MISTAKES).unwrap();
    let check = rig.cli(&["config", "check"]).await;
    let said = text(&check.stderr);
    assert_eq!(check.status.code(), Some(1), "{said}");
    let mistakes = MISTAKES.lines().enumerate().filter_map(|(n, line)| {
        let key = line.split(" = ").next()?;
        (line.contains(" = ") && key != "kind" || line.contains("comand")).then_some(n + 1)
    });
    for line in mistakes {
        assert!(
            said.contains(&format!("larkline.toml:{line}:")),
            "line {line} is missing:\n{said}"
        );
    }
    assert!(said.contains("did you mean `domain`"), "{said}");
    assert!(!rig.path("state").exists(), "a check changes nothing");
}

#[tokio::test]
async fn two_variables_and_no_route_are_enough_for_an_answer() {
    let mut rig = Rig::new("").await;
    let app = AppSpec::default();
    let file = rig.path("larkline.toml");
    let left_out = ["app_id =", "app_secret =", "owners ="];
    let kept = crate::rig::read(&file)
        .lines()
        .filter(|line| !left_out.iter().any(|key| line.starts_with(key)))
        .fold(String::new(), |text, line| text + line + "\n");
    std::fs::write(&file, kept).unwrap();
    let variables = format!("FEISHU_APP_ID={}\nFEISHU_APP_SECRET={}\n", app.app_id, app.app_secret);
    std::fs::write(rig.path(".env"), variables).unwrap();
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "who am I?");
    assert_eq!(rig.answered(&said).await, ["who am I?"]);
    let log = rig.log();
    assert!(log.contains(rig.guest.as_str()), "the log shows the sender's id: {log}");
}
