//! People read Chinese or English by setting; programs and logs read English.

use larkline_sim::{Answer, Fault};

use crate::rig::{ECHO, Rig, WORK, text};

const CHINESE: (&str, &str) = ("LANG", "zh_CN.UTF-8");

/// What a command prints in an environment of a Chinese locale.
pub(crate) async fn in_chinese(rig: &Rig, args: &[&str]) -> String {
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
pub(crate) fn is_chinese(line: &str) -> bool {
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
async fn an_error_names_its_meaning_and_the_next_step_in_chinese() {
    let rig = Rig::new(ECHO).await;
    let told = in_chinese(&rig, &["status"]).await;
    assert!(told.starts_with("错误：没有网关在 "), "{told}");
    assert!(told.ends_with("监听；请用 `larkline run` 启动\n"), "{told}");
    let english = text(&rig.cli(&["status"]).await.stderr);
    assert_eq!(english.lines().count(), 1, "its own next step is enough: {english}");
    assert!(english.starts_with("error: no gateway listens on "), "{english}");
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
    assert!(told.contains("，运行 ") && told.contains(" 毫秒"), "{told}");
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

#[tokio::test]
async fn how_far_a_late_message_came_is_chinese_and_its_json_is_not() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let site = format!("127.0.0.1:{}", crate::listener::free_port());
    let config = WORK.replace("senders", "answer_within = \"1s\"\nsenders");
    let mut rig = Rig::new(&format!("{config}\n[server]\nhttp = \"{site}\"\n")).await;
    rig.script("work", "until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "hello?");
    rig.until("the alert", async || in_chinese(&rig, &["alerts"]).await.contains("unanswered"))
        .await;
    let stage = "处理器 work 正在处理，第 1 次尝试";
    let status = in_chinese(&rig, &["status"]).await;
    let late = format!("超时      {}，会话 {}，已 ", said.message_id, said.chat_id);
    let line = status.lines().find(|line| line.starts_with(&late)).expect(&status);
    assert!(line.ends_with(&format!("：{stage}")), "{line}");
    for command in ["alerts", "doctor"] {
        let told = in_chinese(&rig, &[command]).await;
        assert!(told.contains(stage), "{command}: {told}");
    }
    let page = reqwest::get(format!("http://{site}/?lang=zh")).await.unwrap().text().await.unwrap();
    assert!(page.contains(stage), "{page}");
    let json = rig.json(&["status"]).await;
    assert_eq!(json["unanswered"][0]["stage"], "handler work is at work, attempt 1");
    assert!(json["unanswered"][0].get("stage_zh").is_none(), "{json}");
    std::fs::write(rig.path("go"), "").unwrap();
}

#[tokio::test]
async fn why_the_running_link_is_down_is_chinese_in_a_diagnosis() {
    let rig = Rig::start(ECHO).await;
    let busy = Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    rig.fault(Fault::Endpoint { answer: busy, times: 1000 });
    rig.fault(Fault::Rst);
    rig.until("the refusal", async || {
        let told = in_chinese(&rig, &["doctor", "--timeout", "20"]).await;
        told.lines().any(|line| {
            line.contains("网关的连接")
                && line.contains("：平台拒绝了连接")
                && line.contains("busy")
        })
    })
    .await;
}

#[tokio::test]
async fn what_a_proof_of_the_link_saw_is_chinese_and_its_json_is_not() {
    let quick =
        "[link]\nsuspect_after = \"1s\"\nbackoff_quick = \"100ms\"\nbackoff_first = \"100ms\"\n";
    let rig = Rig::start(&format!("{ECHO}{quick}")).await;
    rig.fault(Fault::OnlineCount { count: 0 });
    let saw = "证明 `count` 不成立：平台没有统计到此应用的任何连接";
    rig.until("the failing proof", async || in_chinese(&rig, &["status"]).await.contains(saw))
        .await;
    rig.until("the diagnosis", async || {
        let told = in_chinese(&rig, &["doctor", "--timeout", "20"]).await;
        told.contains("`count` 不成立：平台没有统计到此应用的任何连接")
    })
    .await;
    rig.until("the alert", async || {
        in_chinese(&rig, &["alerts"]).await.contains("平台没有统计到此应用的任何连接")
    })
    .await;
    rig.until("the English one", async || {
        let json = in_chinese(&rig, &["status", "--format", "json"]).await;
        json.contains("the platform counts no connection of this app") && !json.contains("_zh")
    })
    .await;
}

/// One of each mistake, as many as one file can hold.
const MISTAKES: &str = r#"[app.main]
app_id = "cli_xxxxxxxxxxxxxxxx"
app_secret = { env = "NOT_SET" }
domian = "lark"
owners = ["ou_1", "Zhang San"]
transport = "webhook"
[app.second]
app_id = 5
app_secret = ""
domain = "larkk"
[app."bad name"]
[feishu]
[adapter]
[[route]]
name = "one"
app = "mian"
handler = "opsmail"
chats = ["all"]
senders = "anybody"
mention = "sometimes"
when = "chat_tipe == 'group'"
events = []
[[route]]
name = "one"
handler = "nobody"
when = "text in"
match = { regex = "(" }
[[route]]
match = { keywords = [""] }
[[route]]
handler = "echo"
match = {}
[handler.larkline]
kind = "echo"
[handler.ops-mail]
kind = "comand"
[handler.later]
kind = "report"
[handler.cmd]
kind = "command"
argv = "ls -l"
timeout = "5 weeks"
output_max = "big"
concurrency = "many"
reaction = "no such"
retry = { first = "10m", max = "1s" }
[handler.empty]
kind = "command"
argv = []
[handler.line]
kind = "command"
shell = true
argv = ["ls"]
[handler.web]
kind = "http"
url = "http://127.0.0.1/hook"
secret = { vault = "x" }
[handler.web2]
kind = "http"
url = "ftp://example.com"
secret = "whsec_no"
[handler.model]
kind = "llm"
model = "m"
base_url = "not a url"
extra = "[]"
system = "{{ oops"
[handler.nameless]
kind = "llm"
model = "m"
[handler.agent]
kind = "agent"
agent = "acp"
[governor]
chat_per_second = 1000
chat = { points = 5 }
[link]
ping_min = "1m"
ping_max = "1s"
backoff_max = "1s"
[network]
proxy = "proxy:3128:99"
ca_files = ["none.pem"]
[limits]
drain = 30
[log]
level = "=="
keep_total = "4K"
[server]
http = "0.0.0.0:8420"
public_url = "https://your_host"
[store]
path = ""
[alerts]
quiet = "night"
rule.link_dwon = {}
heartbeat = {}
[smtp.mail]
host = "mail"
user = "somebody"
tls = "none"
[destination.a]
kind = "smtp"
smtp = "male"
to = []
[destination.b]
kind = "http"
url = "nowhere"
[destination.c]
kind = "app"
app = "main"
chat = "oc_"
"#;

#[tokio::test]
async fn every_problem_of_the_configuration_is_chinese_and_its_json_is_not() {
    let rig = Rig::new(ECHO).await;
    std::fs::write(rig.path("larkline.toml"), MISTAKES).unwrap();
    let told = in_chinese(&rig, &["config", "check"]).await;
    let said = |line: &&str| {
        ["错误: ", "警告: ", "  = 建议: "]
            .iter()
            .any(|level| line.trim_start().starts_with(level.trim_start()))
    };
    let sentences: Vec<&str> = told.lines().filter(said).collect();
    assert!(sentences.len() > 100, "{} in\n{told}", sentences.len());
    let foreign: Vec<&&str> =
        sentences.iter().filter(|line| !is_chinese(line.split_once(": ").unwrap().1)).collect();
    assert!(foreign.is_empty(), "{foreign:#?} in\n{told}");
    let english = ["error: ", "warning: ", "= help: "];
    let marked = |line: &str| english.iter().any(|level| line.trim_start().starts_with(level));
    assert!(!told.lines().any(marked) && !told.contains("did you mean"), "{told}");
    assert!(told.contains("是不是想写 `domain`？"), "{told}");
    assert!(told.ends_with("个问题；没有启动或更改任何东西\n"), "{told}");
    let json = in_chinese(&rig, &["config", "check", "--format", "json"]).await;
    assert!(!is_chinese(&json), "{json}");
    assert!(json.contains("did you mean `domain`?"), "{json}");
}

#[tokio::test]
async fn problems_are_told_in_the_language_that_the_broken_file_names() {
    let rig = Rig::new(ECHO).await;
    let file = rig.path("larkline.toml");
    std::fs::write(&file, "language = \"zh\"\nlimits = 5\n").unwrap();
    let told = text(&rig.cli(&["config", "check"]).await.stderr);
    assert!(told.contains("limits：应为表，实际是整数"), "{told}");
    let told = text(&rig.cli(&["run"]).await.stderr);
    assert!(told.contains("limits：应为表，实际是整数"), "{told}");
    std::fs::write(&file, "language = \"en\"\nlimits = 5\n").unwrap();
    let told = in_chinese(&rig, &["config", "check"]).await;
    assert!(told.contains("limits: expected a table, found an integer"), "{told}");
    assert!(!is_chinese(&told), "{told}");
    std::fs::write(&file, "limits = \n").unwrap();
    let told = in_chinese(&rig, &["config", "check"]).await;
    assert!(told.starts_with("错误: TOML 语法错误："), "{told}");
}

#[tokio::test]
async fn a_second_instance_and_what_the_gateway_refuses_are_told_in_chinese() {
    let rig = Rig::start(ECHO).await;
    let told = in_chinese(&rig, &["run"]).await;
    let (log, error): (Vec<&str>, Vec<&str>) = told.lines().partition(|l| !l.starts_with("错误："));
    assert!(error.len() == 1 && error[0].contains(" 正被本机的进程 "), "{told}");
    assert!(
        error[0].contains("；请停止它，或用 --takeover 启动；")
            && error[0].contains("`store.path`"),
        "{told}"
    );
    assert!(log.iter().all(|line| !is_chinese(line)), "{told}");
    assert!(log.iter().any(|line| line.contains("is in use by process")), "{told}");
    for (args, wanted) in [
        (["dead", "retry", "t99"].as_slice(), "错误：t99 不是死信；见 `larkline dead`\n"),
        (&["send", "--to", "nobody", "hi"], "错误：\"nobody\" 不是会话（oc_…）、用户"),
        (&["job", "show", "j99"], "错误：这里没有任务 j99；见 `larkline job list`\n"),
    ] {
        let told = in_chinese(&rig, args).await;
        assert!(told.starts_with(wanted), "{args:?}: {told}");
    }
    std::fs::write(rig.path("larkline.toml"), "limits = 5\n").unwrap();
    let english = text(&rig.cli(&["reload"]).await.stderr);
    assert!(!is_chinese(&english), "{english}");
}
