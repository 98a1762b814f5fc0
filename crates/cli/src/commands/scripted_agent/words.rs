//! What the agent says when nobody scripts it: all its texts, in both languages.

use std::time::Duration;

use serde_json::json;

use super::script::{Act, Answer, Pace, Script, Tool};

/// The pieces in which the long answer arrives, and the time between two.
const REPORT_PACE: (usize, Duration) = (30, Duration::from_millis(60));
/// The same for what one may want to interrupt.
const TOLD_PACE: (usize, Duration) = (24, Duration::from_millis(160));
/// The same for a short one.
const SHORT_PACE: (usize, Duration) = (4, Duration::from_millis(30));
/// Characters of a message that are repeated; more would be a copy of it.
const QUOTED_CHARS_MAX: usize = 200;
/// Where the report goes.
const REPORT: &str = "report.md";
/// A command that harms nobody: how many things are in the working directory.
const COMMAND: &str = "ls -1 | wc -l";

/// The texts of one language. `{…}` is filled in.
struct Words {
    /// One of these in a message asks for a file.
    file: &'static [&'static str],
    /// Before it asks for leave.
    first: &'static str,
    /// What the command is for.
    about: &'static str,
    /// When it gets no leave.
    denied: &'static str,
    /// The long answer, and the file.
    report: &'static str,
    /// One of these in a message asks what happens to a message.
    path: &'static [&'static str],
    /// The answer to that.
    told: &'static str,
    /// The short one.
    echo: &'static str,
    /// How a message without text is called.
    nothing: &'static str,
}

const ENGLISH: Words = Words {
    file: &["file", "files", "report", "document"],
    first: "I will look into the working directory first. For that I need your leave.",
    about: "Count what is in the working directory",
    denied: "All right: nothing was run and nothing was written. Ask again whenever you like.",
    report: "# Report\n\n\
        This is turn {turn} of our conversation. What happened:\n\n\
        - you were asked, and the command ran after that\n\
        - this answer came in pieces, in one card\n\
        - the same text is in `report.md`\n\n\
        ```bash\n{command}\n{output}\n```\n\n\
        | what | value |\n|---|---|\n| entries in the directory | {output} |\n| turn | {turn} |\n\n\
        I am a scripted agent: no model was called, and no key was needed.\n",
    path: &["stream", "journey"],
    told: "**What happens to a message?**\n\n\
        1. The platform pushes it over the long connection.\n\
        2. It is committed to disk, and acknowledged only after that.\n\
        3. A handler answers; the answer is committed to an outbox.\n\
        4. It is sent within the platform's limits, with one `uuid` for every attempt.\n\n\
        ```text\nreceived = replied + filtered + failed + waiting\n```\n\n\
        Kill the gateway at any step: nothing it acknowledged is lost. Kill it now: this answer \
        goes on when it is back.\n",
    echo: "Turn {turn}: I heard “{words}”. I am a scripted agent and call no model. Ask me to \
        write a file: I will ask for your leave, then send you report.md.",
    nothing: "a message without text",
};

const CHINESE: Words = Words {
    file: &["文件", "报告", "文档"],
    first: "我先看一下工作目录，需要你的许可。",
    about: "数一数工作目录里有多少项",
    denied: "好的：没有运行任何命令，也没有写文件。需要时再说一声。",
    report: "# 报告\n\n\
        这是我们对话的第 {turn} 轮。经过如下：\n\n\
        - 先征得你的许可，之后才运行命令\n\
        - 这个回答分段到达，在同一张卡片里逐步生成\n\
        - 同样的内容写进了 `report.md`\n\n\
        ```bash\n{command}\n{output}\n```\n\n\
        | 项目 | 值 |\n|---|---|\n| 目录里的条目 | {output} |\n| 轮次 | {turn} |\n\n\
        我是脚本代理：没有调用模型，也不需要密钥。\n",
    path: &["流式", "经过"],
    told: "**一条消息会经过什么？**\n\n\
        1. 平台经长连接把它推送过来。\n\
        2. 先提交到磁盘，然后才确认。\n\
        3. 处理器给出回复，回复提交到发件箱。\n\
        4. 按平台的限额发送，每次尝试都用同一个 `uuid`。\n\n\
        ```text\n收到 = 已回复 + 已过滤 + 失败 + 等待\n```\n\n\
        在任何一步杀掉网关，确认过的消息都不会丢。现在就杀掉它试试：恢复之后，这个回答会继续。\n",
    echo: "第 {turn} 轮：收到「{words}」。我是脚本代理，不调用模型。让我写一个文件试试：我会先征求你的许可，\
        再把 report.md 发给你。",
    nothing: "一条没有文字的消息",
};

/// What the agent does about a message without directives, in the message's language.
pub(super) fn unscripted(message: &str, turn: u32) -> Script {
    let words = if is_chinese(message) { &CHINESE } else { &ENGLISH };
    let lower = message.to_lowercase();
    // An English word stands alone; a Chinese one stands between others.
    let asked = |word: &str| match word.is_ascii() {
        true => lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|other| other == word),
        false => lower.contains(word),
    };
    if words.file.iter().copied().any(asked) {
        return report(words, turn);
    }
    if words.path.iter().copied().any(asked) {
        let answer = Answer::Say(words.told.to_owned());
        return Script { answer, pace: pace(TOLD_PACE), ..Script::default() };
    }
    let quoted: String = message.chars().take(QUOTED_CHARS_MAX).collect();
    let quoted = if quoted.is_empty() { words.nothing } else { &quoted };
    let echo = words.echo.replace("{turn}", &turn.to_string()).replace("{words}", quoted);
    Script { answer: Answer::Say(echo), pace: pace(SHORT_PACE), ..Script::default() }
}

fn report(words: &Words, turn: u32) -> Script {
    let report = words.report.replace("{turn}", &turn.to_string()).replace("{command}", COMMAND);
    let ask = Tool {
        name: "Bash".to_owned(),
        input: json!({"command": COMMAND, "description": words.about}),
        asks: true,
    };
    let write = Tool {
        name: "Write".to_owned(),
        input: json!({"file_path": REPORT, "content": report}),
        asks: false,
    };
    Script {
        acts: vec![Act::Tell(words.first.to_owned()), Act::Tool(ask), Act::Tool(write)],
        answer: Answer::Say(report),
        otherwise: Some((words.denied.to_owned(), pace(SHORT_PACE))),
        pace: pace(REPORT_PACE),
        ..Script::default()
    }
}

fn pace((chunks, delay): (usize, Duration)) -> Pace {
    Pace { chunks, delay, ..Pace::default() }
}

/// Whether there is a Chinese character in it.
fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &str) -> String {
        let Answer::Say(text) = unscripted(message, 2).answer else { panic!("{message}") };
        text
    }

    #[test]
    fn an_answer_is_in_the_language_of_the_question_and_counts_turns() {
        assert!(answer("hello").starts_with("Turn 2: I heard “hello”."));
        assert!(answer("你好").starts_with("第 2 轮：收到「你好」。"));
        assert!(answer("").contains("without text"));
    }

    #[test]
    fn a_word_that_only_contains_another_asks_for_nothing() {
        assert!(answer("my profile").starts_with("Turn 2"));
    }

    #[test]
    fn a_report_shows_what_a_card_can_show() {
        for message in ["please write a file", "写一个文件"] {
            let report = answer(message);
            for part in ["# ", "\n- ", "```bash\n", "|---|---|"] {
                assert!(report.contains(part), "{part} in {report}");
            }
            assert!(unscripted(message, 1).otherwise.is_some());
        }
    }
}
