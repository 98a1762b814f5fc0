//! Which class a failure belongs to.

use crate::exit::Class;
use crate::lang::either;
use larkline_client::link::NoEndpoint;
use larkline_client::{ApiError, ApiErrorKind, DialError, DialStage};
use larkline_proto::api::{Disposition, Endpoint};
use larkline_proto::refusal::{self, Refusal};

impl Class {
    /// The word of the last line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Network => "network",
            Self::Tls => "TLS",
            Self::Proxy => "proxy",
            Self::PlatformConfig => "platform config",
            Self::OtherInstance => "other instance",
            Self::LocalFault => "local fault",
            Self::Platform => "platform",
        }
    }

    /// The same as people read it.
    pub(crate) fn shown(self) -> &'static str {
        let zh = match self {
            Self::Credentials => "凭据",
            Self::Network => "网络",
            Self::Tls => "TLS",
            Self::Proxy => "代理",
            Self::PlatformConfig => "平台配置",
            Self::OtherInstance => "其他实例",
            Self::LocalFault => "本机故障",
            Self::Platform => "平台",
        };
        either(zh, self.word())
    }

    /// By a code of a dial, of the link or of a call that got no answer.
    pub(crate) fn of_code(code: &str, proxied: bool) -> Self {
        match code {
            "dial_address" => Self::LocalFault,
            _ if code.starts_with("proxy_") => Self::Proxy,
            _ if code.starts_with("tls_") => Self::Tls,
            "upgrade_failed" if proxied => Self::Proxy,
            // The socket answers, the service behind it does not, or not in its protocol.
            "websocket" | "peer_not_reading" | "frame_too_large" => Self::Platform,
            _ => Self::Network,
        }
    }

    /// By an answer's status, when the answer is not the platform's JSON.
    fn of_status(status: u16) -> Self {
        match status {
            408 | 429 | 500..=599 if status != 511 => Self::Platform,
            // A login page, a filter's page, a redirect to one: not the platform's words.
            _ => Self::Proxy,
        }
    }

    pub(crate) fn of_dial(error: &DialError) -> Self {
        match error.stage() {
            DialStage::Proxy => Self::Proxy,
            DialStage::Address | DialStage::Dns | DialStage::Tcp | DialStage::Tls => {
                Self::of_code(error.code(), false)
            }
        }
    }

    /// By a refusal of discovery or of the upgrade.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Http { status, code: None, .. } => Self::of_status(*status),
            Refusal::BadReply { what } if what.contains("JSON") => Self::Proxy,
            Refusal::BadReply { .. } => Self::Platform,
            Refusal::Handshake { status: None, auth_code: None, http_status, .. } => {
                Self::of_status(*http_status)
            }
            Refusal::Http { .. } | Refusal::Code { .. } | Refusal::Handshake { .. } => {
                Self::of_platform_code(refusal.platform_code().unwrap_or_default())
            }
            _ => Self::Platform,
        }
    }

    /// By the platform's number for a refused link.
    fn of_platform_code(code: i64) -> Self {
        match code {
            refusal::NO_CREDENTIAL
            | refusal::BAD_CREDENTIAL
            | refusal::WRONG_DOMAIN
            | refusal::AUTH_FAILED => Self::Credentials,
            refusal::TOO_MANY_CONNECTIONS => Self::OtherInstance,
            refusal::BUSY | refusal::INTERNAL | 408 | 429 | 500..=513 => Self::Platform,
            refusal::FORBIDDEN => Self::PlatformConfig,
            // A plain HTTP status, without the platform's number beside it.
            300..=499 => Self::Proxy,
            _ => Self::PlatformConfig,
        }
    }

    /// By why a link was lost, or did not come up.
    pub(crate) fn of_link(code: &str, platform_code: Option<i64>, proxied: bool) -> Self {
        match (code, platform_code) {
            ("refused", Some(number)) => Self::of_platform_code(number),
            ("bad_reply", _) => Self::Proxy,
            _ => Self::of_code(code, proxied),
        }
    }

    pub(crate) fn of_no_endpoint(error: &NoEndpoint) -> Self {
        match error {
            NoEndpoint::Refused(refusal) => Self::of_refusal(refusal),
            NoEndpoint::Unreachable { code, .. } => Self::of_code(code, false),
            _ => Self::Platform,
        }
    }

    /// By a failed call.
    pub(crate) fn of_api(error: &ApiError) -> Self {
        match &error.kind {
            ApiErrorKind::Transport { code, .. } => Self::of_code(code, false),
            ApiErrorKind::Timeout { .. } => Self::Network,
            ApiErrorKind::Http { status } => Self::of_status(*status),
            ApiErrorKind::Platform { .. } => {
                if let Disposition::Retry { .. } = error.disposition() {
                    Self::Platform
                } else if error.endpoint == Endpoint::Token {
                    Self::Credentials
                } else {
                    Self::PlatformConfig
                }
            }
            ApiErrorKind::Unreadable { .. }
            | ApiErrorKind::TooLarge { .. }
            | ApiErrorKind::Input { .. }
            | _ => Self::Platform,
        }
    }
}
