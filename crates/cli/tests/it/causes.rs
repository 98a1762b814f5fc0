//! Why something failed, told in Chinese from the platform's call up to the destination of an alert.

use crate::language::{in_chinese, is_chinese};
use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn errors_of_the_crates_below_are_told_in_chinese() {
    let rig = Rig::start(ECHO).await;
    let told = in_chinese(&rig, &["probe", "--chat", "oc_none"]).await;
    assert!(told.starts_with("错误：发送：send 失败：code 230001 "), "{told}");
    assert!(told.lines().last().unwrap().starts_with("  下一步："), "{told}");
    let taken = rig.sim.address().to_string();
    let told = in_chinese(&rig, &["sim", "--listen", &taken]).await;
    assert!(told.contains("请换一个地址，或用端口 0") && told.lines().all(is_chinese), "{told}");
    std::fs::write(rig.path("ca.pem"), "no certificate").unwrap();
    std::fs::write(rig.path("secret"), "s").unwrap();
    let told = in_chinese(
        &rig,
        &[
            "init",
            "--app-id",
            "cli_a1b2c3d4e5f60718",
            "--ca-file",
            "ca.pem",
            "--app-secret-file",
            "secret",
            "--yes",
            "--output",
            "new.toml",
        ],
    )
    .await;
    assert!(told.contains(" 不是 PEM：") && told.lines().all(is_chinese), "{told}");
    let nobody = format!("http://127.0.0.1:{}", crate::listener::free_port());
    let known = ["init", "--app-id", "cli_a1b2c3d4e5f60718", "--app-secret-file", "secret"];
    let there = ["--domain", &nobody, "--yes", "--output", "new.toml"];
    let told = in_chinese(&rig, &[known.as_slice(), &there].concat()).await;
    assert!(told.starts_with("错误：token 失败："), "{told}");
    let next = told.lines().find_map(|line| line.strip_prefix("下一步：")).expect(&told);
    assert!(is_chinese(next.split('；').next().unwrap()), "{told}");
    let told = in_chinese(&rig, &["version"]).await;
    assert!(told.lines().all(is_chinese), "{told}");
    let told = in_chinese(&rig, &["config", "check"]).await;
    assert!(told.lines().all(is_chinese), "{told}");
}

#[tokio::test]
async fn why_an_alert_did_not_get_out_is_chinese_and_its_json_is_not() {
    let closed = crate::listener::free_port();
    let ways = format!(
        "{ECHO}\n[destination.script]\nkind = \"command\"\nargv = [\"{{dir}}/tell\"]\n\
         [destination.service]\nkind = \"http\"\nurl = \"http://127.0.0.1:{closed}/\"\n\
         [destination.chat]\nkind = \"app\"\napp = \"main\"\nchat = \"oc_none\"\n\
         [destination.mail]\nkind = \"smtp\"\nsmtp = \"mail\"\nto = [\"ops@example.com\"]\n\
         [smtp.mail]\nhost = \"127.0.0.1\"\nport = {closed}\ntls = \"none\"\nfrom = \"bot@example.com\"\n"
    );
    let mut rig = Rig::new(&ways).await;
    rig.script("tell", "exit 3");
    rig.run(&[]).await;
    rig.ready().await;
    let told = in_chinese(&rig, &["alerts", "test"]).await;
    for part in [
        "失败  chat：send 失败：code 230001",
        "失败  mail：连接失败：",
        "请检查 [smtp] 的主机和端口",
        "失败  script：程序失败：exit code 3",
        "失败  service：服务没有应答：",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = in_chinese(&rig, &["alerts"]).await;
    assert!(told.contains("目的地 script（command）") && told.contains("程序失败："), "{told}");
    for command in [["alerts", "test"].as_slice(), &["alerts"]] {
        let json = in_chinese(&rig, &[command, &["--format", "json"]].concat()).await;
        assert!(json.contains("\"exit code 3\"") && !json.contains("error_zh"), "{json}");
    }
}
