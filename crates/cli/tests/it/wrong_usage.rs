//! A command line that is written wrongly, and the help that says how: both in the reader's language.

use crate::language::{in_chinese, is_chinese};
use crate::rig::{ECHO, Rig, text};

/// One of each mistake that a command of ours can be given, and the help that has to be named.
const WRONG: &[(&[&str], &str)] = &[
    (&["stauts"], "larkline"),
    (&["status", "--chek"], "larkline status"),
    (&["status", "--check", "--watch"], "larkline status"),
    (&["status", "--check", "--check"], "larkline status"),
    (&["status", "--every", "soon"], "larkline status"),
    (&["--format", "yaml", "status"], "larkline status"),
    (&["status", "--format"], "larkline status"),
    (&["--", "status"], "larkline"),
    (&["probe"], "larkline probe"),
    (&["probe", "--chat", "oc_1", "--timeout", "0"], "larkline probe"),
    (&["doctor", "--accounts", "https://example.com"], "larkline doctor"),
    (&["doctor", "--fix", "--accounts", "nowhere"], "larkline doctor"),
    (&["demo", "--port", "70000"], "larkline demo"),
    (&["demo", "--port", "x"], "larkline demo"),
    (&["sim", "--listen", "nowhere"], "larkline sim"),
    (&["sim", "--speed", "fast"], "larkline sim"),
    (&["messages", "--verdict", "lost"], "larkline messages"),
    (&["sessions", "show", "x"], "larkline sessions show"),
    (&["sessions", "--chat", "oc_1", "show", "1"], "larkline sessions"),
    (&["send", "--key", "a", "--ask", "b", "hi"], "larkline send"),
    (&["job", "run", "--memory", "x", "--", "ls"], "larkline job run"),
    (&["job", "run"], "larkline job run"),
    (&["service", "install", "--name", "a b"], "larkline service install"),
    (&["completions", "tcsh"], "larkline completions"),
    (&["init", "--lang", "fr"], "larkline init"),
    (&["init", "--domain", "x"], "larkline init"),
    (&["init", "--handler", "x"], "larkline init"),
    (&["reload", "--socket"], "larkline reload"),
];

/// The lines that hold letters and no Chinese.
fn foreign(told: &str) -> Vec<&str> {
    let is_foreign = |line: &&str| line.contains(char::is_alphabetic) && !is_chinese(line);
    told.lines().filter(is_foreign).collect()
}

#[tokio::test]
async fn every_mistake_of_the_command_line_is_told_in_chinese_and_names_the_help_to_read() {
    let rig = Rig::new(ECHO).await;
    for (line, help) in WRONG {
        let output = rig.command().args(*line).env("LANG", "zh_CN.UTF-8").output().await.unwrap();
        let (data, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), data.as_str()), (Some(2), ""), "{line:?}: {told}");
        assert!(told.starts_with("错误：") && foreign(&told).is_empty(), "{line:?}: {told}");
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
