//! Why a mail was not taken: the step, and the server's own words.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;

use crate::chain::chain;
use crate::words::Lang;

/// A step of sending a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Name, TCP, and the server's greeting.
    Connect,
    /// The encryption.
    Tls,
    /// User and password.
    Login,
    /// The server is told who writes.
    Sender,
    /// The server is told to whom.
    Recipient,
    /// The mail itself.
    Text,
}

/// A recipient that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// Whom.
    pub mailbox: Mailbox,
    /// The server's words.
    pub reason: String,
    /// Not for good: it may be taken later.
    pub later: bool,
}

/// A mail was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The server, or the way to it, failed at a step.
    #[error("{step} failed: {}; {}", chain(source), step.advice())]
    Server {
        /// Which.
        step: Step,
        /// How.
        source: lettre::transport::smtp::Error,
    },
    /// A step took too long.
    #[error("{step} took longer than {limit:?}; {}", step.advice())]
    Timeout {
        /// Which.
        step: Step,
        /// What it may take.
        limit: Duration,
    },
    /// The mail's own time was over.
    #[error("{step} was not done after {limit:?}, the destination's `timeout`; {}", step.advice())]
    Late {
        /// At which step.
        step: Step,
        /// What all of it may take.
        limit: Duration,
    },
    /// The server does not offer what was demanded.
    #[error(
        "TLS failed: the server offers no STARTTLS; use tls = \"implicit\" and its port, often 465"
    )]
    NoStarttls,
    /// There is no such server.
    #[error("its mail server is not configured; add it as [smtp.<name>]")]
    NoServer,
    /// No recipient was taken.
    #[error("every recipient was refused: {}; correct `to`", listed(.0))]
    Refused(Vec<RefusedRecipient>),
    /// A CA file cannot be read.
    #[error("a CA file cannot be used: {0}; see network.ca_files")]
    Trust(String),
    /// The mail cannot be written as one.
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "TLS",
            Self::Login => "login",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming a recipient",
            Self::Text => "handing over the text",
        })
    }
}

impl Step {
    fn advice(self) -> &'static str {
        match self {
            Self::Connect => "check host and port of [smtp]; proxies do not apply to mail",
            Self::Tls => {
                "check `tls` and `port` of [smtp], and network.ca_files for a CA of your own"
            }
            Self::Login => {
                "check user and password; many providers want an authorisation code instead"
            }
            Self::Sender => "the server may want `from` to be the address that logs in",
            Self::Recipient => "check `to`",
            Self::Text => "the server refused this mail; its words say why",
        }
    }
}

/// Who was refused, and why.
pub(crate) fn listed(refused: &[RefusedRecipient]) -> String {
    let each = |r: &RefusedRecipient| format!("{} ({})", r.mailbox.email, r.reason);
    refused.iter().map(each).collect::<Vec<_>>().join(", ")
}

impl MailError {
    /// It in a language; its `Display` is the English of logs.
    pub fn said(&self, lang: Lang) -> String {
        if lang == Lang::En {
            return self.to_string();
        }
        match self {
            Self::Server { step, source } => {
                format!(
                    "{}失败：{}；{}",
                    step.in_chinese(),
                    chain(source),
                    step.advice_in_chinese()
                )
            }
            Self::Timeout { step, limit } => {
                format!("{}超过 {limit:?}；{}", step.in_chinese(), step.advice_in_chinese())
            }
            Self::Late { step, limit } => format!(
                "{limit:?}（目的地的 `timeout`）后{}仍未完成；{}",
                step.in_chinese(),
                step.advice_in_chinese()
            ),
            Self::NoStarttls => {
                "TLS 失败：服务器不提供 STARTTLS；请用 tls = \"implicit\" 及其端口，通常是 465"
                    .to_owned()
            }
            Self::NoServer => "它的邮件服务器没有配置；请添加 [smtp.<名称>]".to_owned(),
            Self::Refused(refused) => {
                format!("所有收件人都被拒绝：{}；请改正 `to`", listed(refused))
            }
            Self::Trust(what) => format!("CA 文件不能使用：{what}；见 network.ca_files"),
            Self::Message(error) => format!("无法写成邮件：{error}"),
        }
    }
}

impl Step {
    fn in_chinese(self) -> &'static str {
        match self {
            Self::Connect => "连接",
            Self::Tls => "TLS ",
            Self::Login => "登录",
            Self::Sender => "指明发件人",
            Self::Recipient => "指明收件人",
            Self::Text => "交付正文",
        }
    }

    fn advice_in_chinese(self) -> &'static str {
        match self {
            Self::Connect => "请检查 [smtp] 的主机和端口；邮件不经过代理",
            Self::Tls => "请检查 [smtp] 的 `tls` 和 `port`；自己的 CA 写进 network.ca_files",
            Self::Login => "请检查用户名和密码；许多服务商要的是授权码",
            Self::Sender => "服务器可能要求 `from` 就是登录的地址",
            Self::Recipient => "请检查 `to`",
            Self::Text => "服务器拒绝了这封邮件；它的话说明原因",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_that_may_fail_is_told_in_chinese_with_what_to_do() {
        let steps =
            [Step::Connect, Step::Tls, Step::Login, Step::Sender, Step::Recipient, Step::Text];
        let limit = Duration::from_secs(1);
        let slow = steps.map(|step| MailError::Timeout { step, limit });
        let late = steps.map(|step| MailError::Late { step, limit });
        let (mailbox, reason) = ("a@b.c".parse().unwrap(), "gone".to_owned());
        let gone = RefusedRecipient { mailbox, reason, later: false };
        let others = [MailError::NoStarttls, MailError::Refused(vec![gone])];
        for error in slow.iter().chain(&late).chain(&others) {
            let (zh, en) = (error.said(Lang::Zh), error.said(Lang::En));
            assert_eq!(en, error.to_string());
            assert!(zh.contains('；') && !zh.contains("; "), "{zh}");
        }
    }
}
