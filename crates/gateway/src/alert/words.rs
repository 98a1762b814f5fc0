//! What alerts say, in Chinese and in English: what a rule means, and what to do next.
//!
//! No word here is a chat's: names of apps, handlers and ids, figures and faults, and nothing a
//! person wrote.

use super::due::Kind;
use super::engine::Episode;
use super::late::OTHERS;
use super::rule::{Rule, Severity};
use crate::clock::local;
use crate::say_in;
use crate::words::Lang;

/// Where the pages with a section for each rule are.
const PAGES: &str = "docs/errors/";

/// The page that says more about a rule's alerts.
pub fn page(rule: Rule) -> String {
    let page = match rule {
        Rule::CrashLoop | Rule::HighMemory | Rule::HighCpu => "process.md",
        Rule::LinkDown
        | Rule::Deaf
        | Rule::ReconnectsFailing
        | Rule::ReconnectStorm
        | Rule::PongMissing
        | Rule::CertificateRefused
        | Rule::CredentialsRefused
        | Rule::QuotaUsedUp
        | Rule::QuotaRunningOut
        | Rule::Unanswered
        | Rule::QueueFull
        | Rule::DeadLetters
        | Rule::HandlerDown
        | Rule::ChildOverLimit
        | Rule::StoreRefuses
        | Rule::DiskLow
        | Rule::StartFailed
        | Rule::DestinationFailed
        | Rule::HeartbeatFailed => "alerts.md",
    };
    format!("{PAGES}{page}#{}", rule.name())
}

/// What people call a severity.
pub fn severity(lang: Lang, severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => lang.either("警告", "warning"),
        Severity::Critical => lang.either("严重", "critical"),
    }
}

/// What people call a kind of notice.
pub fn kind(lang: Lang, kind: Kind) -> &'static str {
    match kind {
        Kind::Raised => lang.either("告警", "alert"),
        Kind::Reminder => lang.either("告警仍在持续", "still an alert"),
        Kind::Cleared => lang.either("已恢复", "over"),
        Kind::Test => lang.either("测试", "test"),
    }
}

/// One line: the subject of a mail, the first line of a message.
pub fn title(lang: Lang, of: Kind, alert: &Episode) -> String {
    let (of, how) = (kind(lang, of), severity(lang, alert.severity));
    let (rule, what) = (alert.rule.name(), alert.what.text(lang));
    say_in!(lang, zh: "[larkline] {of}（{how}）{rule}：{what}", en: "[larkline] {of} ({how}) {rule}: {what}")
}

/// The whole text of a notice.
pub fn text(lang: Lang, of: Kind, alert: &Episode) -> String {
    if of == Kind::Test {
        return say_in!(lang,
            zh: "[larkline] 测试：这是 `larkline alerts test` 发出的测试消息，没有任何异常。",
            en: "[larkline] test: sent by `larkline alerts test`; nothing is wrong."
        );
    }
    let since = local(alert.since_ms);
    let mut lines = vec![title(lang, of, alert)];
    lines.push(match alert.ended_ms {
        Some(ended) => {
            let ended = local(ended);
            say_in!(lang, zh: "开始：{since}　结束：{ended}", en: "from {since} to {ended}")
        }
        None => say_in!(lang, zh: "开始：{since}", en: "since {since}"),
    });
    if alert.ended_ms.is_none() {
        let (means, next) = (meaning(lang, alert.rule), next(lang, alert.rule, &alert.subject));
        lines.push(say_in!(lang, zh: "含义：{means}", en: "what it means: {means}"));
        lines.push(say_in!(lang, zh: "下一步：{next}", en: "next: {next}"));
    }
    let page = page(alert.rule);
    lines.push(say_in!(lang, zh: "说明：{page}", en: "see {page}"));
    lines.join("\n")
}

/// What a rule's alert means for those who write to the bot.
#[expect(clippy::too_many_lines, reason = "a table of sentences")]
pub fn meaning(lang: Lang, rule: Rule) -> &'static str {
    match rule {
        Rule::LinkDown | Rule::ReconnectsFailing => lang.either(
            "机器人收不到新消息；larkline 会一直重连，平台会补发未确认的消息。",
            "the bot hears nothing new; larkline goes on reconnecting, and the platform redelivers what was not acked.",
        ),
        Rule::Deaf => lang.either(
            "连接看起来正常，但平台没有把消息送到这里。",
            "the connection looks well, and the platform's messages do not arrive here.",
        ),
        Rule::ReconnectStorm => lang.either(
            "连接反复断开重连，回复会变慢。",
            "the connection comes and goes; answers are late.",
        ),
        Rule::PongMissing => lang.either(
            "服务器不回应心跳，连接可能已经失效。",
            "the server does not answer pings; the connection may be dead.",
        ),
        Rule::CertificateRefused => lang.either(
            "证书不受信任、过期或主机名不符，无法建立连接。",
            "a certificate is not trusted, expired or of another host, so no connection is made.",
        ),
        Rule::CredentialsRefused => lang.either(
            "平台拒绝应用的凭证，重连也没有用。",
            "the platform refuses the app's id or secret; reconnecting does not help.",
        ),
        Rule::QuotaUsedUp => lang.either(
            "本月的 API 调用额度已用完，回复发不出去。",
            "this month's API calls are used up: answers cannot be sent.",
        ),
        Rule::QuotaRunningOut => lang.either(
            "本月的 API 调用额度快用完了；用完后平台会拒绝调用。",
            "this month's API calls run out; then the platform refuses more.",
        ),
        Rule::Unanswered => lang.either(
            "有人发了消息，规定时间内没有回复、拒绝或提示。",
            "somebody wrote, and had no answer, refusal or notice in time.",
        ),
        Rule::QueueFull => lang.either(
            "等待的消息太多，新消息不再确认，由平台稍后补发。",
            "too much waits: new messages are not acked, and the platform redelivers them later.",
        ),
        Rule::DeadLetters => lang.either(
            "有任务或回复被放弃，需要人来决定重试或丢弃。",
            "work or answers were given up; a person decides whether to retry or drop them.",
        ),
        Rule::HandlerDown => lang.either(
            "这个处理器连续失败，它的消息得不到回答。",
            "this handler fails again and again; its messages are not answered.",
        ),
        Rule::ChildOverLimit => lang.either(
            "一个子进程超出限制，已被结束。",
            "a child used more than its limits allow and was ended.",
        ),
        Rule::HighMemory | Rule::HighCpu => lang.either(
            "占用过高，可能影响这台机器上的其他程序。",
            "it uses so much that others on this machine may suffer.",
        ),
        Rule::StoreRefuses => lang.either(
            "存储无法写入：不再确认任何消息，平台会补发。",
            "nothing can be written down: nothing is acked, and the platform redelivers.",
        ),
        Rule::DiskLow => lang.either(
            "磁盘快满了；满了之后将不再接收消息。",
            "the disk is nearly full; when it is, no more messages are taken.",
        ),
        Rule::CrashLoop => lang.either(
            "进程反复启动，消息处理不断被打断。",
            "the process starts again and again, and work is cut off each time.",
        ),
        Rule::StartFailed => lang.either(
            "网关没有运行，机器人收不到消息；需要有人处理，重启没有用。",
            "the gateway does not run and the bot hears nothing; somebody has to mend it, starting again does not.",
        ),
        Rule::DestinationFailed => lang.either(
            "发往这个目的地的告警没有送达。",
            "alerts for this destination do not arrive.",
        ),
        Rule::HeartbeatFailed => lang.either(
            "对外心跳发不出去，外部监控会误以为网关已停止。",
            "the heartbeat does not get out; whoever waits for it will think that the gateway is dead.",
        ),
    }
}

/// What to do next.
pub fn next(lang: Lang, rule: Rule, subject: &str) -> String {
    let command = match rule {
        Rule::Unanswered if subject == OTHERS => "larkline status",
        Rule::Unanswered => {
            let id = subject.rsplit('/').next().unwrap_or(subject);
            return say_in!(lang, zh: "larkline explain {id}", en: "larkline explain {id}");
        }
        Rule::DeadLetters => "larkline dead",
        Rule::QueueFull
        | Rule::HandlerDown
        | Rule::ChildOverLimit
        | Rule::HighMemory
        | Rule::HighCpu
        | Rule::ReconnectStorm
        | Rule::QuotaRunningOut => "larkline status",
        Rule::DestinationFailed | Rule::HeartbeatFailed => "larkline alerts",
        Rule::LinkDown
        | Rule::Deaf
        | Rule::ReconnectsFailing
        | Rule::PongMissing
        | Rule::CertificateRefused
        | Rule::CredentialsRefused
        | Rule::QuotaUsedUp
        | Rule::StoreRefuses
        | Rule::DiskLow
        | Rule::CrashLoop
        | Rule::StartFailed => "larkline doctor",
    };
    command.to_owned()
}

/// What others said, on one line and without what steers a terminal or turns a text: it is shown,
/// logged, and told to other destinations.
pub fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let turns = |c: &char| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let parts = text.split(is_break).map(|part| part.chars().filter(turns).collect::<String>());
    let parts: Vec<String> = parts.map(|part| part.trim().to_owned()).collect();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::both::Both;

    #[test]
    fn what_others_said_is_one_line_that_steers_nothing() {
        let said = "no\r\n2026-11-29 ERROR forged\n\n\u{1b}[31mred \u{202e}turned\u{2028}end ";
        assert_eq!(one_line(said), "no 2026-11-29 ERROR forged [31mred turned end");
    }

    #[test]
    fn a_notice_says_what_since_when_what_it_means_and_what_to_do_in_both_languages() {
        for rule in Rule::ALL {
            let alert = Episode {
                rule,
                subject: "main/om_1".to_owned(),
                severity: Severity::Critical,
                since_ms: 0,
                raised_ms: 0,
                good_since_ms: None,
                ended_ms: None,
                level: 0,
                what: Both::of("怎么了", "what it is"),
                told: BTreeMap::new(),
            };
            for (lang, parts) in [
                (Lang::En, ["what it is", "since 1970", "what it means: ", "next: larkline "]),
                (Lang::Zh, ["怎么了", "开始：1970", "含义：", "下一步：larkline "]),
            ] {
                let text = text(lang, Kind::Raised, &alert);
                assert!(parts.iter().all(|part| text.contains(part)), "{text}");
                assert!(text.contains(rule.name()) && text.contains(&page(rule)), "{text}");
            }
            let over = Episode { ended_ms: Some(60_000), ..alert };
            let text = text(Lang::En, Kind::Cleared, &over);
            assert!(text.contains("over") && text.contains("to 1970") && !text.contains("next:"));
        }
    }
}
