//! What the reasons of verdicts mean, for people who ask why a message was not answered.

/// The meaning of a verdict's reason; `None` for codes of handlers and of the platform, whose
/// meaning is in the step that failed.
pub fn sentence(why: &str) -> Option<&'static str> {
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
        "decode" => "the payload is no event this version can read; it is kept",
        "no_reply" => "the handler promised a later answer that did not come",
        "handler_removed" => "it waited for a handler that is not configured any more",
        _ => return None,
    })
}
