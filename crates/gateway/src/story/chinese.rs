//! The sentences of a story in Chinese. The English ones come with the steps, as programs get them.

use super::{Step, Story};
use crate::reason;
use crate::words::{self, Lang};

/// A step's sentence; words that were written down as they came (an error, a preview) stay so.
pub(super) fn sentence(story: &Story, step: &Step) -> String {
    let Step { item, handler, route, attempt, code, detail, .. } = step;
    let (kind, app) = (&story.kind, &story.app);
    match step.step.as_str() {
        "received" => {
            // A gateway of an earlier version does not tell the run apart.
            let run = if detail.is_empty() { String::new() } else { format!("，运行 {detail}") };
            format!("{kind} 到达，应用 {app}{run}")
        }
        "journaled" => "已写入磁盘，不会丢失".to_owned(),
        "acked" => match story.steps.iter().find(|step| step.step == "received") {
            Some(received) => {
                format!("已向平台确认，到达后 {} 毫秒", step.at_ms - received.at_ms)
            }
            None => "已向平台确认".to_owned(),
        },
        "redelivered" => format!("平台第 {attempt} 次重复推送：已按编号识别并确认，不再处理"),
        "unreadable" => format!("已原样保存，但无法读取：{detail}"),
        "routed" => format!("路由 {route} 把它交给 {handler}，任务 {item}"),
        "attempt" => format!("{handler}：第 {attempt} 次尝试开始"),
        "attempt_failed" => {
            format!("{handler}：第 {attempt} 次尝试失败，{code}：{detail}；将重试")
        }
        "attempt_cut_off" => format!("{handler}：第 {attempt} 次尝试被打断，进程已结束或停住"),
        "promised" => format!("{handler} 许诺稍后回答"),
        "handled" => format!("{handler} 已完成"),
        "queued" => format!("{item} 在发件箱中{}", quoted(detail)),
        "send" => format!("{item}：第 {attempt} 次发送开始"),
        "send_failed" => format!("{item}：第 {attempt} 次发送失败，{code}：{detail}{}", log(step)),
        "send_cut_off" => {
            format!("{item}：第 {attempt} 次发送被打断；平台是否已收到，不得而知")
        }
        "looked" => format!("{item}：平台已忘记其 uuid，查看了会话：{detail}"),
        "delivered" => format!("{item} 已成为消息 {}{}", step.message_id, log(step)),
        "dead" => format!(
            "{item} 在第 {attempt} 次尝试后放弃，{code}：{detail}{}；见 `larkline dead`",
            log(step)
        ),
        "retried" => format!("{item} 由人工设为重试"),
        "dropped" => format!("{item} 由人工关闭"),
        "merged" => match detail.strip_prefix("merged into task ") {
            Some(head) => format!("{item} 已并入任务 t{head}，由它一并回答"),
            None => format!("{item}：{detail}，由它一并回答"),
        },
        "withdrawn" => format!("{item} 在完成之前被撤回"),
        "recalled" => "发送者撤回了消息".to_owned(),
        "verdict" => verdict(story, code),
        // A step that this version does not know, or has no words for.
        _ => step.text.clone(),
    }
}

fn quoted(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!("：{detail}") }
}

/// The platform's log id, unless the words before it hold it already.
fn log(step: &Step) -> String {
    match step.log_id.as_str() {
        "" => String::new(),
        id if step.detail.contains(id) => String::new(),
        id => format!("（log id {id}）"),
    }
}

fn verdict(story: &Story, why: &str) -> String {
    let word = words::outcome(Lang::Zh, &story.verdict);
    match (why, reason::sentence(Lang::Zh, why)) {
        ("", _) => word.to_owned(),
        (why, None) => format!("{word}，{why}"),
        (why, Some(reason)) => format!("{word}，{why}：{reason}"),
    }
}
