//! A command line that is written wrongly, and the help that says how: both in the reader's language.

use crate::language::{in_chinese, is_chinese};
use crate::rig::{ECHO, Rig, text};

/// One of each mistake that a command of ours can be given, the help that has to be named, and what
/// is said: a line that only has clap's words in Chinese around them is none.
const WRONG: &[(&[&str], &str, &str)] = &[
    (&["stauts"], "larkline", "没有子命令 'stauts'\n  建议：有相近的子命令 'restart'、'status'"),
    (&["status", "--chek"], "larkline status", "没有参数 '--chek'\n  建议：有相近的参数 '--check'"),
    (&["status", "--check=x"], "larkline status", "'--check' 不再接受更多的值，多了 'x'"),
    (
        &["status", "--check", "--watch"],
        "larkline status",
        "参数 '--check' 不能与 '--watch' 同时使用",
    ),
    (&["status", "--check", "--check"], "larkline status", "参数 '--check' 不能多次使用"),
    (
        &["status", "--every", "soon"],
        "larkline status",
        "'--every <TIME>' 的值 'soon' 无效：时间写作 90s、10m 或 2h",
    ),
    (
        &["-c", "run", "status", "--every", "soon"],
        "larkline status",
        "'--every <TIME>' 的值 'soon' 无效：时间写作 90s、10m 或 2h",
    ),
    (
        &["--format", "yaml", "status"],
        "larkline status",
        "'--format <FORMAT>' 的值 'yaml' 无效；可以是：human、json",
    ),
    (
        &["status", "--format"],
        "larkline status",
        "'--format <FORMAT>' 需要一个值；可以是：human、json",
    ),
    (
        &["--", "status"],
        "larkline",
        "没有参数 'status'\n  建议：有子命令 'status'；要用它，请去掉前面的 '--'",
    ),
    (&["probe"], "larkline probe", "缺少必需的参数：--chat <CHAT>"),
    (
        &["probe", "--chat", "oc_1", "--timeout", "0"],
        "larkline probe",
        "'--timeout <SECONDS>' 的值 '0' 无效：请给出秒数，0.1 到 86400",
    ),
    (&["doctor", "--accounts", "https://example.com"], "larkline doctor", "缺少必需的参数：--fix"),
    (
        &["doctor", "--fix", "--accounts", "nowhere"],
        "larkline doctor",
        "'--accounts <URL>' 的值 'nowhere' 无效：应为网址，例如 https://example.com（relative URL without a base）",
    ),
    (
        &["demo", "--port", "70000"],
        "larkline demo",
        "'--port <PORT>' 的值 '70000' 无效：70000 不在 0..=65535 的范围内",
    ),
    (&["demo", "--port", "x"], "larkline demo", "'--port <PORT>' 的值 'x' 无效：应为整数"),
    (&["demo", "--port", ""], "larkline demo", "'--port <PORT>' 的值 '' 无效：缺少数字"),
    (
        &["service", "logs", "--lines", "99999999999999999999999"],
        "larkline service logs",
        "'--lines <LINES>' 的值 '99999999999999999999999' 无效：数字过大",
    ),
    (
        &["service", "logs", "--lines=-99999999999999999999999"],
        "larkline service logs",
        "'--lines <LINES>' 的值 '-99999999999999999999999' 无效：数字过小",
    ),
    (
        &["sim", "--listen", "nowhere"],
        "larkline sim",
        "'--listen <LISTEN>' 的值 'nowhere' 无效：应为 IP 地址和端口，例如 127.0.0.1:7800",
    ),
    (&["sim", "--speed", "fast"], "larkline sim", "'--speed <SPEED>' 的值 'fast' 无效：应为数字"),
    (
        &["messages", "--verdict", "lost"],
        "larkline messages",
        "'--verdict <VERDICT>' 的值 'lost' 无效；可以是：waiting、replied、filtered、failed",
    ),
    (&["sessions", "show", "x"], "larkline sessions show", "'<ID>' 的值 'x' 无效：应为整数"),
    (
        &["sessions", "show", "-5"],
        "larkline sessions show",
        "没有参数 '-5'\n  建议：要把 '-5' 作为值，请写 '-- -5'",
    ),
    (
        &["sessions", "--chat", "oc_1", "show", "1"],
        "larkline sessions",
        "子命令 'show' 不能与其他参数同时使用：--chat <CHAT>",
    ),
    (
        &["send", "--key", "a", "--ask", "b", "hi"],
        "larkline send",
        "参数 '--key <KEY>' 不能与 '--ask <OPTION>' 同时使用",
    ),
    (
        &["job", "run", "--memory", "x", "--", "ls"],
        "larkline job run",
        "'--memory <SIZE>' 的值 'x' 无效：大小写作 512M 或 2G",
    ),
    (&["job", "run"], "larkline job run", "缺少必需的参数：<PROGRAM>..."),
    (
        &["service", "install", "--name", "a b"],
        "larkline service install",
        "'--name <NAME>' 的值 'a b' 无效：请用字母、数字、- 和 _，最多 64 个，不以 - 开头",
    ),
    (
        &["completions", "tcsh"],
        "larkline completions",
        "'<SHELL>' 的值 'tcsh' 无效；可以是：bash、elvish、fish、powershell、zsh\n  建议：有相近的值 'zsh'",
    ),
    (&["init", "--lang", "fr"], "larkline init", "'--lang <LANG>' 的值 'fr' 无效：应为 zh 或 en"),
    (
        &["init", "--domain", "x"],
        "larkline init",
        "'--domain <DOMAIN>' 的值 'x' 无效：应为 feishu、lark，或以 http:// 或 https:// 开头的地址",
    ),
    (
        &["init", "--handler", "x"],
        "larkline init",
        "'--handler <WHAT>' 的值 'x' 无效：应为 echo、agent:claude、agent:codex、llm:qwen、llm:qwen-intl、llm:deepseek、llm:openai（llm 之后可以加 /模型），或 command:程序",
    ),
    (&["reload", "--socket"], "larkline reload", "'--socket <PATH>' 需要一个值"),
];

/// The lines that hold letters and no Chinese.
fn foreign(told: &str) -> Vec<&str> {
    let is_foreign = |line: &&str| line.contains(char::is_alphabetic) && !is_chinese(line);
    told.lines().filter(is_foreign).collect()
}

#[tokio::test]
async fn every_mistake_of_the_command_line_is_told_in_chinese_and_names_the_help_to_read() {
    let rig = Rig::new(ECHO).await;
    for (line, help, said) in WRONG {
        let output = rig.command().args(*line).env("LANG", "zh_CN.UTF-8").output().await.unwrap();
        let (data, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), data.as_str()), (Some(2), ""), "{line:?}: {told}");
        let said = format!("错误：{said}\n");
        assert!(told.starts_with(&said) && foreign(&told).is_empty(), "{line:?}: {told}");
        // Behind what is said comes no other suggestion, one in clap's words for instance.
        let behind = told.trim_start_matches(&said);
        assert!(!behind.contains("建议："), "{line:?}: {told}");
        let next = format!("下一步：运行 `{help} --help`，查看它的参数和写法\n");
        assert!(told.ends_with(&next), "{line:?}: {told}");
        let english = rig.cli(line).await;
        assert_eq!(english.status.code(), Some(2), "{line:?}");
        let told = text(&english.stderr);
        assert!(told.starts_with("error: ") && !is_chinese(&told), "{line:?}: {told}");
    }
    // A program reads one language, whatever it got wrong.
    let told = in_chinese(&rig, &["--format", "json", "nope"]).await;
    assert!(told.starts_with("error: ") && !is_chinese(&told), "{told}");
    // The key's own variable is stronger than the locale.
    let mut english = rig.command();
    english.arg("nope").env("LANG", "zh_CN.UTF-8").env("LARKLINE__LANGUAGE", "en");
    assert!(!is_chinese(&text(&english.output().await.unwrap().stderr)));
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let rows = help.lines().skip_while(|line| *line != "命令:").skip(1);
    let rows = rows.take_while(|line| !line.is_empty());
    rows.filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_command_has_a_chinese_help_and_refuses_an_unknown_flag_in_chinese() {
    let rig = Rig::new(ECHO).await;
    let mut left = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(command) = left.pop() {
        let with =
            |flag| -> Vec<&str> { command.iter().map(String::as_str).chain([flag]).collect() };
        let help = in_chinese(&rig, &with("-h")).await;
        assert!(help.contains("\n用法：larkline"), "{command:?}: {help}");
        // A long flag stands alone, its text below it.
        let names_a_flag = |line: &&str| line.trim_start().starts_with(['-', '<', '[']);
        let foreign_of_help: Vec<_> =
            foreign(&help).into_iter().filter(|line| !names_a_flag(line)).collect();
        assert!(foreign_of_help.is_empty(), "{command:?}: {foreign_of_help:#?}");
        let told = in_chinese(&rig, &with("--nope")).await;
        assert!(told.starts_with("错误：没有参数 '--nope'\n"), "{command:?}: {told}");
        assert!(foreign(&told).is_empty(), "{command:?}: {told}");
        let below = listed(&help).into_iter().filter(|name| name != "help");
        left.extend(below.map(|name| [command.clone(), vec![name]].concat()));
        seen += 1;
    }
    assert!(seen > 40, "the commands are found by the help: {seen}");
}
