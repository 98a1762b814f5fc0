//! What the reasons of verdicts mean, for people who ask why a message was not answered.

use crate::words::Lang;

/// The meaning of a verdict's reason; `None` for codes of handlers and of the platform, whose
/// meaning is in the step that failed.
pub fn sentence(lang: Lang, why: &str) -> Option<&'static str> {
    lang.either(chinese(why), english(why))
}

fn chinese(why: &str) -> Option<&'static str> {
    Some(match why {
        "self" => "机器人自己的消息",
        "unsupported_type" => "没有路由需要这类事件",
        "no_route" => "没有路由涉及这个会话、这些文字或这个条件",
        "chat_not_allowed" => "会话在最接近的路由的 `deny_chats` 中",
        "sender_not_allowed" => "发送者不在最接近的路由的 `senders` 中，或在其 `deny_senders` 中",
        "from_bot" => "由另一个机器人发送，而路由不接受机器人",
        "bot_loop" => "机器人在此会话中连续发了十条消息，其间没有人发言",
        "not_mentioned" => "在群聊中没有 @机器人",
        "stale" => "到达时已超过路由的 `stale_after`；已告知发送者",
        "rate_limited" => "发送者超过 `governor.user_per_minute`",
        "probe" => "`larkline probe` 的一部分",
        "recalled" => "处理之前发送者撤回了消息",
        "repair_off" => "连接中断期间发送，从会话历史读回，而路由的 `repair` 为 \"off\"",
        "repair_ask" => "连接中断期间发送，从会话历史读回；会话中已询问是否还要处理",
        "decode" => "内容不是此版本能读取的事件；已保存",
        "no_reply" => "处理器许诺稍后回答，而没有回答",
        "handler_removed" => "它等待的处理器已不在配置中",
        _ => return None,
    })
}

fn english(why: &str) -> Option<&'static str> {
    Some(match why {
        "self" => "the bot's own message",
        "unsupported_type" => "no route asks for this type of event",
        "no_route" => "no route is about this chat, these words, this condition",
        "chat_not_allowed" => "the chat is in `deny_chats` of the nearest route",
        "sender_not_allowed" => {
            "the sender is not in `senders` of the nearest route, or in its `deny_senders`"
        }
        "from_bot" => "another bot wrote it, and the route does not want bots",
        "bot_loop" => "bots wrote ten messages in a row in this chat without a person in between",
        "not_mentioned" => "written in a group without @bot",
        "stale" => "older than the route's `stale_after` when it arrived; the sender was told",
        "rate_limited" => "the sender is over `governor.user_per_minute`",
        "probe" => "part of a `larkline probe`",
        "recalled" => "its writer took it back before anybody worked on it",
        "repair_off" => {
            "written while the link was down and read back; the route has repair = \"off\""
        }
        "repair_ask" => {
            "written while the link was down and read back; its chat was asked about it"
        }
        "decode" => "the payload is no event this version can read; it is kept",
        "no_reply" => "the handler promised a later answer that did not come",
        "handler_removed" => "it waited for a handler that is not configured any more",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_explained_in_both_languages_or_in_none() {
        for why in [
            "recalled",
            "repair_off",
            "repair_ask",
            "self",
            "no_route",
            "not_mentioned",
            "stale",
            "handler_removed",
            "exit",
        ] {
            assert_eq!(chinese(why).is_some(), english(why).is_some(), "{why}");
        }
    }
}
