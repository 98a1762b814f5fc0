//! People read Chinese or English by setting; programs and logs read English.

use crate::rig::{ECHO, Rig, text};

const CHINESE: (&str, &str) = ("LANG", "zh_CN.UTF-8");

/// What a command prints in an environment of a Chinese locale.
async fn in_chinese(rig: &Rig, args: &[&str]) -> String {
    let output = rig.command().args(args).env(CHINESE.0, CHINESE.1).output().await.unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test]
async fn status_speaks_the_locale_unless_the_configuration_says_otherwise() {
    let rig = Rig::start(ECHO).await;
    let chinese = in_chinese(&rig, &["status"]).await;
    assert!(chinese.starts_with("就绪\n"), "{chinese}");
    assert!(chinese.contains("\n连接      已验证，已 "), "{chinese}");
    let english = text(&rig.cli(&["status"]).await.stdout);
    assert!(english.starts_with("ready\n"), "{english}");
    assert!(english.contains("\nlink      verified for "), "{english}");
    // Programs read one language.
    let json = in_chinese(&rig, &["status", "--format", "json"]).await;
    assert!(json.is_ascii(), "{json}");
    // What is configured is stronger than the locale.
    configure(&rig, "en");
    assert!(in_chinese(&rig, &["status"]).await.starts_with("ready\n"));
    configure(&rig, "zh");
    assert!(text(&rig.cli(&["status"]).await.stdout).starts_with("就绪\n"));
}

/// Puts the language at the top of the configuration.
fn configure(rig: &Rig, language: &str) {
    rig.configure(ECHO);
    let file = rig.path("larkline.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("language = \"{language}\"\n{text}")).unwrap();
}

/// Whether somebody who reads Chinese alone finds something in a line.
fn is_chinese(line: &str) -> bool {
    line.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[tokio::test]
async fn a_diagnosis_is_chinese_line_by_line_and_its_json_is_not() {
    let mut rig = Rig::start(ECHO).await;
    for step in ["beside a gateway", "alone"] {
        let told = in_chinese(&rig, &["doctor", "--timeout", "20"]).await;
        let foreign: Vec<&str> = told.lines().filter(|line| !is_chinese(line)).collect();
        assert!(foreign.is_empty(), "{step}: {foreign:#?} in\n{told}");
        assert!(told.lines().any(|line| line.starts_with("结论：")), "{told}");
        let json = in_chinese(&rig, &["doctor", "--timeout", "20", "--format", "json"]).await;
        assert!(!json.lines().any(is_chinese), "{step}: {json}");
        if step == "beside a gateway" {
            rig.kill9().await;
        }
    }
}

#[tokio::test]
async fn an_english_error_is_followed_by_its_meaning_and_the_next_step_in_chinese() {
    let rig = Rig::new(ECHO).await;
    let told = in_chinese(&rig, &["status"]).await;
    assert!(told.starts_with("错误：no gateway listens on "), "{told}");
    assert!(told.contains("\n  含义：没有网关在运行"), "{told}");
    assert!(told.contains("\n  下一步：用 `larkline run` 启动"), "{told}");
    let english = text(&rig.cli(&["status"]).await.stderr);
    assert_eq!(english.lines().count(), 1, "its own next step is enough: {english}");
    let mut wrong = rig.command();
    wrong.arg("doctor").env(CHINESE.0, CHINESE.1).env("TEST_APP_SECRET", "no");
    let told = text(&wrong.output().await.unwrap().stdout);
    let verdict = told.lines().last().unwrap();
    assert!(verdict.starts_with("结论：凭据："), "{told}");
    assert!(is_chinese(verdict.rsplit_once('；').unwrap().1), "{verdict}");
}

#[tokio::test]
async fn a_story_is_told_in_chinese() {
    let rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.owner, "hello");
    rig.answered(&said).await;
    rig.verdicts().await;
    let told = in_chinese(&rig, &["explain", said.message_id.as_str()]).await;
    let steps: Vec<&str> = told.lines().skip(2).collect();
    assert!(steps.len() > 5, "{told}");
    assert!(steps.iter().all(|step| is_chinese(step)), "{told}");
    assert!(told.contains("路由 all 把它交给 echo"), "{told}");
    let json = in_chinese(&rig, &["explain", said.message_id.as_str(), "--format", "json"]).await;
    assert!(!is_chinese(&json), "{json}");
}

#[tokio::test]
async fn the_demo_plays_in_chinese_with_the_buttons_of_its_chat() {
    let rig = Rig::new(ECHO).await;
    let told = in_chinese(&rig, &["demo", "--once"]).await;
    assert!(told.contains("7. 不需要密钥的智能体"), "{told}");
    assert!(told.contains("按下“允许”"), "{told}");
    let sums = told.lines().last().unwrap();
    assert!(sums.starts_with("收到      ") && sums.contains(" = 已回复 "), "{told}");
}

#[tokio::test]
async fn help_is_chinese_for_commands_and_flags() {
    let rig = Rig::new(ECHO).await;
    let told = in_chinese(&rig, &["send", "--help"]).await;
    assert!(told.starts_with("通过运行中的网关发送消息或文件，或提问"), "{told}");
    assert!(told.contains("只发一次") && told.contains("配置文件；"), "{told}");
    let told = in_chinese(&rig, &["--help"]).await;
    assert!(told.contains("在前台运行网关"), "{told}");
    let english = text(&rig.cli(&["--help"]).await.stdout);
    assert!(english.contains("Run the gateway in the foreground"), "{english}");
    assert!(!is_chinese(&english), "{english}");
}

#[tokio::test]
async fn the_policy_and_the_origins_of_values_are_chinese_and_the_log_is_not() {
    let rig = Rig::new(ECHO).await;
    configure(&rig, "zh");
    let told = text(&rig.cli(&["config", "check"]).await.stdout);
    assert!(told.starts_with("策略：1 条路由"), "{told}");
    assert!(told.contains("全部会话，来自任何人，群聊需要 @ -> echo（echo）"), "{told}");
    let told = text(&rig.cli(&["config", "show"]).await.stdout);
    assert!(told.contains("# 默认") && told.contains("# 第 1 行"), "{told}");
    let mut rig = rig;
    rig.run(&[]).await;
    rig.ready().await;
    assert!(rig.log().contains("policy: 1 route"), "{}", rig.log());
    assert!(!is_chinese(&rig.log()), "{}", rig.log());
}
