//! The demo's own handler: what cards look like, on the whole real path.
//!
//! It is a program like any command handler: a turn on stdin, an answer on stdout. The gateway
//! starts this same binary for it. It speaks the language of the command it was given.

use std::io::Read as _;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::output;

/// The language of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// 中文
    Chinese,
    /// English
    English,
}

impl Language {
    /// The words of this language.
    pub(super) fn pick<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }
}

/// Answers the turn on stdin.
///
/// # Errors
/// When stdin holds no turn.
pub(super) fn answer_stdin() -> Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).context("cannot read the turn")?;
    let turn: Value = serde_json::from_str(&input).context("stdin holds no turn")?;
    output::data(&answer(&turn).to_string());
    Ok(())
}

fn answer(turn: &Value) -> Value {
    use Language::{Chinese, English};
    if !turn["card"].is_null() {
        return pressed(turn);
    }
    let text = turn["text"].as_str().unwrap_or_default();
    match text.split_whitespace().next().unwrap_or_default() {
        "/card" => json!({"messages": [{"card": card(turn, English, None)}]}),
        "/卡片" => json!({"messages": [{"card": card(turn, Chinese, None)}]}),
        "/post" => json!({"messages": [{"markdown": POST.0}]}),
        "/富文本" => json!({"messages": [{"markdown": POST.1}]}),
        other if other.is_ascii() => json!({ "text": HELP.0 }),
        _ => json!({ "text": HELP.1 }),
    }
}

/// English, Chinese.
const HELP: (&str, &str) = (
    "/card: a card with buttons\n/post: a formatted post\ndate: a program's answer\n\
     /stream: an agent whose answer grows in a card\n\
     write a report: an agent that asks for leave and sends a file\n\
     /status, /new, /stop, /resume: its conversation\nEverything else is echoed.",
    "/卡片：带按钮的卡片\n/富文本：带格式的消息\n日期：由一个程序回答\n\
     /流式：一个代理，回答在卡片里逐步生成\n写一份报告：代理先征求许可，再发来文件\n\
     /状态、/新对话、/停止、/恢复：它的对话\n其他文字原样返回。",
);

const POST: (&str, &str) = (
    "**A post** with *emphasis*, ~~an error~~ and `code`:\n- received, then on disk\n\
     - acknowledged after that\n\n```bash\nlarkline explain om_…\n```",
    "**富文本**，有*强调*、~~删除线~~和 `代码`：\n- 先收到，再落盘\n- 之后才确认\n\n\
     ```bash\nlarkline explain om_…\n```",
);

/// A press is answered inside its own acknowledgement: a toast, and the card's next state.
fn pressed(turn: &Value) -> Value {
    let value = &turn["card"]["action"]["value"];
    let language = if value["language"] == "zh" { Language::Chinese } else { Language::English };
    let choice = value["choice"].as_str().unwrap_or_default();
    let (kind, words) = match choice {
        "approve" => ("success", language.pick("Approved", "已批准")),
        "reject" => ("warning", language.pick("Rejected", "已拒绝")),
        _ => return json!({"callback": {"toast": {"type": "info", "content": "OK"}}}),
    };
    json!({"callback": {
        "toast": {"type": kind, "content": words},
        "card": {"type": "raw", "data": card(turn, language, Some(choice))},
    }})
}

/// A request for a decision, open or decided.
fn card(turn: &Value, language: Language, decided: Option<&str>) -> Value {
    let say = |english, chinese| language.pick(english, chinese);
    let (template, label) = match decided {
        None => ("blue", say("waiting for you", "等待审批")),
        Some("approve") => ("green", say("approved", "已批准")),
        Some(_) => ("red", say("rejected", "已拒绝")),
    };
    let title = say("Deploy checkout v2.5.0?", "发布 checkout v2.5.0？");
    let mut elements = facts(language);
    elements.push(match decided {
        None => json!({"tag": "column_set", "flex_mode": "none", "columns": [
            button(language, say("Approve", "批准"), "primary", "approve"),
            button(language, say("Reject", "拒绝"), "danger", "reject"),
        ]}),
        Some(_) => {
            let person = turn["sender_id"].as_str().unwrap_or_default();
            let words = format!("<at id={person}></at> {label}");
            json!({"tag": "markdown", "text_size": "notation", "content": words})
        }
    });
    let plain = |text: &str| json!({"tag": "plain_text", "content": text});
    json!({
        "schema": "2.0",
        "config": {"update_multi": true, "summary": {"content": title}},
        "header": {
            "title": plain(title),
            "template": template,
            "text_tag_list": [{"tag": "text_tag", "color": template, "text": plain(label)}],
        },
        "body": {"elements": elements},
    })
}

fn facts(language: Language) -> Vec<Value> {
    let say = |english, chinese| language.pick(english, chinese);
    let column = |title: &str, text: &str| {
        json!({"tag": "column", "width": "weighted", "weight": 1, "background_style": "grey",
            "elements": [{"tag": "markdown", "content": format!("<font color='grey'>{title}</font>\n{text}")}]})
    };
    let table = say(
        "| check | result |\n|---|---:|\n| tests | **412 passed** |\n| canary | 5 % for 30 min |\n\
         | errors | <font color='green'>0.02 %</font> |",
        "| 检查 | 结果 |\n|---|---:|\n| 测试 | **412 项通过** |\n| 灰度 | 5 %，30 分钟 |\n\
         | 错误率 | <font color='green'>0.02 %</font> |",
    );
    let changes = say(
        "- retries carry the same `uuid`\n- answers wait on disk\n\n```diff\n- send(text)\n+ outbox.put(text)\n```",
        "- 重试沿用同一个 `uuid`\n- 回复先落盘再发送\n\n```diff\n- send(text)\n+ outbox.put(text)\n```",
    );
    let title = json!({"tag": "plain_text", "content": say("What changes", "变更内容")});
    vec![
        json!({"tag": "column_set", "flex_mode": "stretch", "columns": [
            column(say("Service", "服务"), "`checkout`"),
            column(say("Version", "版本"), "`v2.4.1 → v2.5.0`"),
        ]}),
        json!({"tag": "markdown", "content": table}),
        json!({"tag": "collapsible_panel", "header": {"title": title},
            "elements": [{"tag": "markdown", "content": changes}]}),
        json!({"tag": "hr"}),
    ]
}

fn button(language: Language, text: &str, kind: &str, choice: &str) -> Value {
    let value = json!({"choice": choice, "language": language.pick("en", "zh")});
    json!({"tag": "column", "width": "auto", "elements": [{
        "tag": "button", "type": kind, "text": {"tag": "plain_text", "content": text},
        "behaviors": [{"type": "callback", "value": value}],
    }]})
}
