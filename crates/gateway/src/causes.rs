//! Errors of our own crates below, in the language of whoever reads them; their `Display` is English.
//!
//! What they quote (the system, a proxy, the platform) stays as it came. A Chinese text ends in the next
//! step as the English one does, behind a `；`; where that would only be to look a code up, it names
//! none, so that the command line adds what it knows about the code.

use larkline_client::link::NoEndpoint;
use larkline_client::{
    ApiError, ApiErrorKind, CertificateProblem, CertificateRefused, DialError, NetError,
    ProxyRefusal,
};
use larkline_proto::api::{Disposition, Endpoint};
use larkline_proto::refusal::{self, Refusal};
use larkline_store::StoreError;

use crate::words::Lang;

/// A call that failed.
pub fn api(lang: Lang, error: &ApiError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    let mut text = format!("{} 失败：{}", error.endpoint.as_str(), api_kind(&error.kind));
    if let Some(log_id) = &error.log_id {
        text += &format!("，log id {log_id}");
    }
    if let Some(reset) = error.reset {
        text += &format!("，{} 秒后恢复", reset.as_secs());
    }
    match api_advice(error) {
        Some(advice) => format!("{text}；{advice}"),
        None => text,
    }
}

fn api_kind(kind: &ApiErrorKind) -> String {
    match kind {
        ApiErrorKind::Transport { detail, .. } => detail.clone(),
        ApiErrorKind::Timeout { after } => format!("{after:?} 内没有应答"),
        ApiErrorKind::Http { status } => format!("HTTP {status}，没有平台的错误码"),
        ApiErrorKind::Platform { status, failure } => {
            let words = match failure.msg.as_str() {
                "" => String::new(),
                words => format!(" {words:?}"),
            };
            format!("code {}{words}，HTTP {status}", failure.code)
        }
        ApiErrorKind::Unreadable { detail } => format!("应答无法理解：{detail}"),
        ApiErrorKind::TooLarge { bytes_max } => format!("超过 {bytes_max} 字节"),
        ApiErrorKind::Input { detail } => (*detail).to_owned(),
        _ => "原因未知".to_owned(),
    }
}

fn api_advice(error: &ApiError) -> Option<String> {
    let disposition = error.disposition();
    if error.endpoint == Endpoint::Token && disposition == Disposition::Fatal {
        return Some("请检查 app_id、app_secret，以及 domain 是否是应用所在的".to_owned());
    }
    if let ApiErrorKind::Platform { failure, .. } = &error.kind
        && !failure.scopes.is_empty()
    {
        let link = failure.help.as_deref().unwrap_or("开发者后台");
        return Some(format!("请在 {link} 授予其中一个权限：{}", failure.scopes.join("、")));
    }
    let advice = match disposition {
        Disposition::Retry { .. } if is_known_by_its_words(&error.kind) => return None,
        Disposition::Retry { .. } => "请稍后再试",
        Disposition::Reauthenticate => "请确认应用已启用",
        Disposition::MessageGone => "请改为新发一条",
        Disposition::Simplify => "请发送更简单的形式",
        Disposition::TooLong => "请拆分内容",
        Disposition::Permanent | Disposition::Fatal => return None,
    };
    Some(advice.to_owned())
}

/// Of these the catalogue of `explain` says more than when to try again.
fn is_known_by_its_words(kind: &ApiErrorKind) -> bool {
    matches!(kind, ApiErrorKind::Platform { .. } | ApiErrorKind::Transport { .. })
}

/// Settings of the network that are wrong.
pub fn net(lang: Lang, error: &NetError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        NetError::ProxyAddress { setting, reason } => format!(
            "{setting} 不是代理地址：{reason}；请写成 http://host:port 或 socks5h://host:port"
        ),
        NetError::CaFile { path, .. } => {
            format!("无法读取 CA 文件 {}；请检查路径和权限", path.display())
        }
        NetError::CaBundle { path, reason } => {
            format!("CA 文件 {} 不是 PEM：{reason}；请把 CA 导出为 PEM", path.display())
        }
        NetError::Tls { reason } => {
            format!("无法建立 TLS：{reason}；请把 network.ca_files 或 SSL_CERT_FILE 设为 PEM 文件")
        }
        NetError::Http(_) => "无法建立 HTTP 客户端；这是程序的错误，请报告".to_owned(),
        other => format!("网络设置有误：{other}"),
    }
}

/// A connection that did not come to be.
pub fn dial(lang: Lang, error: &DialError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        error if error.is_out_of_files() => {
            "文件描述符用尽，无法建立连接；请提高上限（LimitNOFILE=4096，或 ulimit -n）".to_owned()
        }
        DialError::Address { url } => {
            format!("无法连接 {url}；请用带主机的 http、https、ws 或 wss 地址")
        }
        DialError::Dns { host, .. } => {
            format!("无法解析 {host}；请检查名称和 DNS 服务器，或设置代理")
        }
        DialError::Tcp { to, .. } => format!("无法到达 {to}；请检查路由和防火墙，或设置代理"),
        DialError::ProxyUnreachable { proxy, .. } => {
            format!("无法到达 {proxy}；请检查它的地址，或设置 proxy = \"none\"")
        }
        DialError::ProxyRefused { proxy, to, refusal } => {
            format!("{proxy} 不肯连接到 {to}：{}", proxy_refusal(refusal))
        }
        DialError::Certificate(refused) => certificate(refused),
        DialError::Tls { host, .. } => {
            format!("与 {host} 的 TLS 失败；途中可能有防火墙，或者那是明文端口")
        }
        DialError::Timeout { to, stage, after } => {
            format!("{after:?} 内没有连接到 {to}，停在 {}；请检查路由和防火墙", stage.as_str())
        }
        other => format!("无法连接：{other}"),
    }
}

fn proxy_refusal(refusal: &ProxyRefusal) -> String {
    match refusal {
        ProxyRefusal::Credentials { detail } => {
            format!("{detail}；请把用户名和密码写进代理地址：http://user:password@host:port")
        }
        ProxyRefusal::Target { detail } => {
            format!("{detail}；请让管理代理的人放行平台的主机")
        }
        ProxyRefusal::Socks { detail } => {
            format!("{detail}；请检查代理地址中的用户名和密码，以及它是否放行平台的主机")
        }
        ProxyRefusal::Protocol { detail } => {
            format!("{detail}；请检查代理地址的协议是否正确")
        }
        other => other.to_string(),
    }
}

fn certificate(refused: &CertificateRefused) -> String {
    let CertificateRefused { host, issuer, problem } = refused;
    let of_authority =
        "若这是公司的 CA，或打开 TLS 的代理的 CA，请把它的 PEM 文件加入 network.ca_files";
    let elsewhere = "请检查地址，以及途中有什么打开了 TLS";
    let clock = "请检查本机的时钟，然后检查服务器";
    let (why, advice) = match problem {
        CertificateProblem::SelfSigned => ("链中有自签名证书".to_owned(), of_authority),
        CertificateProblem::UnknownIssuer => ("签发者不受信任".to_owned(), of_authority),
        CertificateProblem::AuthorityAsServer => (
            "自签名的 CA 被用作服务器证书".to_owned(),
            "请用它签发服务器证书，并把这个 CA 加入 network.ca_files",
        ),
        CertificateProblem::Expired => ("已过期".to_owned(), clock),
        CertificateProblem::NotYetValid => ("尚未生效".to_owned(), clock),
        CertificateProblem::Hostname { presented } => {
            (format!("主机名不符，证书属于 {}", presented.join("、")), elsewhere)
        }
        other @ (CertificateProblem::Other(_) | _) => (other.to_string(), elsewhere),
    };
    let is_untrusted =
        matches!(problem, CertificateProblem::SelfSigned | CertificateProblem::UnknownIssuer);
    let intercepted = refused.interceptor().filter(|_| is_untrusted);
    let advice = intercepted.map_or_else(
        || advice.to_owned(),
        |name| {
            format!(
                "{name} 在途中打开了 TLS：请把它的 CA 导出为 PEM 并加入 network.ca_files，或让它放行平台的主机"
            )
        },
    );
    format!("{host} 的证书被拒绝：{why}（签发者 {issuer}）；{advice}")
}

/// No address for the link. What did not get through is a chain of causes, as it came.
pub fn no_endpoint(lang: Lang, error: &NoEndpoint) -> String {
    if let (Lang::Zh, NoEndpoint::Refused(refusal)) = (lang, error) {
        return format!("{}；{}", refused_link(refusal), link_advice(refusal));
    }
    error.to_string()
}

fn refused_link(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Http { status, message, .. } => {
            format!("询问长连接地址的应答是 HTTP {status}（{message}）")
        }
        Refusal::Code { code, message } => format!("平台以 code {code} 拒绝长连接：{message}"),
        Refusal::BadReply { what } => format!("询问长连接地址有应答，但不可用：{what}"),
        Refusal::Handshake { http_status, message, .. } => {
            format!("升级请求被以 HTTP {http_status} 拒绝：{message}")
        }
        other => format!("平台拒绝长连接：{other}"),
    }
}

fn link_advice(refused: &Refusal) -> &'static str {
    if let Refusal::BadReply { .. } = refused {
        return "请检查 `domain` 是否是平台的地址，以及没有代理改写它的应答";
    }
    match refused.platform_code() {
        Some(refusal::NO_CREDENTIAL | refusal::BAD_CREDENTIAL) => {
            "请从后台“凭证与基础信息”重新复制 app id 和 secret"
        }
        Some(refusal::WRONG_DOMAIN) => {
            "Lark 应用请把 `domain` 设为 \"lark\"，飞书应用设为 \"feishu\""
        }
        Some(refusal::TOO_MANY_CONNECTIONS) => "请停止使用此应用的其他程序；连接会继续重试",
        Some(refusal::FORBIDDEN) => "请在后台确认应用已启用，且是自建应用",
        Some(refusal::AUTH_FAILED) => "连接会取新的凭证；若持续如此，请检查应用的 secret",
        Some(_) | None => "连接会继续重试；若持续如此，请运行 `larkline status`",
    }
}

/// What the store refused.
pub fn store(lang: Lang, error: &StoreError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        StoreError::Full => "磁盘已满；请释放空间".to_owned(),
        StoreError::ReadOnly => "存储不可写；请恢复文件及其目录的写权限".to_owned(),
        StoreError::Corrupt { detail } => {
            format!("存储已损坏：{detail}；请先留一份文件副本，再恢复备份，或移走文件从空白开始")
        }
        StoreError::Newer { found, known } => format!(
            "存储的格式是 {found}，此版本只认识到 {known}；请重新安装较新的 larkline，或恢复它第一次启动之前的备份"
        ),
        StoreError::Fenced => "租约已不在手中".to_owned(),
        StoreError::SessionStep { session, from, to } => {
            format!("对话 {} 处于 {from}，不能从那里变为 {to}", session.0)
        }
        StoreError::NoSession { session } => format!("没有对话 {}", session.0),
        StoreError::Closed => "存储已关闭".to_owned(),
        StoreError::Io { during, detail } => format!("存储在 {during} 时失败：{detail}"),
        other => format!("存储失败：{other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use larkline_client::DialStage;
    use larkline_store::session::{SessionId, SessionState};

    use super::*;

    /// Chinese where the English is, with a next step where the English has one.
    fn check<E: std::fmt::Display>(said: fn(Lang, &E) -> String, errors: &[E]) {
        for error in errors {
            let (zh, en) = (said(Lang::Zh, error), said(Lang::En, error));
            assert_eq!(en, error.to_string());
            assert!(zh.contains(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{zh}");
            assert_eq!(zh.contains('；'), en.contains("; "), "{zh} and {en}");
        }
    }

    fn broken() -> io::Error {
        io::Error::other("broken")
    }

    fn refused(problem: CertificateProblem, issuer: &str) -> DialError {
        let (host, issuer) = ("open.example".to_owned(), issuer.to_owned());
        DialError::Certificate(CertificateRefused { host, issuer, problem })
    }

    fn proxied(refusal: fn(String) -> ProxyRefusal) -> DialError {
        let (proxy, to) = ("proxy http://p:1".to_owned(), "h:443".to_owned());
        DialError::ProxyRefused { proxy, to, refusal: refusal("HTTP 407".to_owned()) }
    }

    #[test]
    fn every_failure_of_a_dial_is_told_with_its_next_step() {
        let (to, host) = ("h:443".to_owned(), "h".to_owned());
        let names = vec!["other.example".to_owned()];
        check(
            dial,
            &[
                DialError::Address { url: "x:".to_owned() },
                DialError::Dns { host: host.clone(), source: broken() },
                DialError::Tcp { to: to.clone(), source: broken() },
                DialError::Tcp { to: to.clone(), source: io::Error::from_raw_os_error(24) },
                DialError::ProxyUnreachable { proxy: "proxy".to_owned(), source: broken() },
                proxied(|detail| ProxyRefusal::Credentials { detail }),
                proxied(|detail| ProxyRefusal::Target { detail }),
                proxied(|detail| ProxyRefusal::Socks { detail }),
                proxied(|detail| ProxyRefusal::Protocol { detail }),
                DialError::Tls { host, source: broken() },
                DialError::Timeout { to, stage: DialStage::Tcp, after: Duration::from_secs(1) },
                refused(CertificateProblem::SelfSigned, "CN=x"),
                refused(CertificateProblem::UnknownIssuer, "CN=mitmproxy"),
                refused(CertificateProblem::AuthorityAsServer, "CN=x"),
                refused(CertificateProblem::Expired, "CN=x"),
                refused(CertificateProblem::NotYetValid, "CN=x"),
                refused(CertificateProblem::Hostname { presented: names }, "CN=x"),
                refused(CertificateProblem::Other("odd".to_owned()), "CN=x"),
            ],
        );
        let told = dial(Lang::Zh, &refused(CertificateProblem::UnknownIssuer, "CN=mitmproxy"));
        assert!(told.contains("mitmproxy 在途中打开了 TLS"), "{told}");
    }

    #[test]
    fn what_settings_and_the_store_refuse_is_told_with_its_next_step() {
        let (path, reason) = (std::path::PathBuf::from("ca.pem"), "no certificate".to_owned());
        check(
            net,
            &[
                NetError::ProxyAddress { setting: "proxy", reason: reason.clone() },
                NetError::CaFile { path: path.clone(), source: broken() },
                NetError::CaBundle { path, reason: reason.clone() },
                NetError::Tls { reason },
            ],
        );
        let detail = "odd".to_owned();
        check(
            store,
            &[
                StoreError::Full,
                StoreError::ReadOnly,
                StoreError::Corrupt { detail: detail.clone() },
                StoreError::Newer { found: 9, known: 5 },
                StoreError::Fenced,
                StoreError::SessionStep {
                    session: SessionId(1),
                    from: SessionState::New,
                    to: SessionState::Completed,
                },
                StoreError::NoSession { session: SessionId(1) },
                StoreError::Closed,
                StoreError::Io { during: "a read", detail },
            ],
        );
    }

    #[test]
    fn every_refusal_of_the_link_is_told_with_its_next_step() {
        let code = |code| Refusal::Code { code, message: "no".to_owned() };
        let http = Refusal::Http {
            status: 502,
            code: None,
            message: "bad gateway".to_owned(),
            retry_after: None,
        };
        let refusals = [
            http,
            code(refusal::BAD_CREDENTIAL),
            code(refusal::WRONG_DOMAIN),
            code(refusal::TOO_MANY_CONNECTIONS),
            code(refusal::FORBIDDEN),
            code(refusal::AUTH_FAILED),
            Refusal::BadReply { what: "without an address" },
            Refusal::handshake(403, |_| None),
        ];
        for refusal in refusals {
            let told = no_endpoint(Lang::Zh, &NoEndpoint::Refused(refusal));
            let (what, next) = told.split_once('；').unwrap();
            let is_han = |text: &str| text.contains(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(is_han(what) && is_han(next), "{told}");
        }
    }

    #[test]
    fn a_call_that_failed_is_told_and_what_explain_knows_better_is_left_to_it() {
        let failed = |endpoint, kind| ApiError { endpoint, kind, log_id: None, reset: None };
        let told = |endpoint, kind| api(Lang::Zh, &failed(endpoint, kind));
        let detail = "Connection refused".to_owned();
        let transport = ApiErrorKind::Transport { code: "connect_failed", detail };
        assert_eq!(told(Endpoint::Send, transport), "send 失败：Connection refused");
        let after = Duration::from_secs(5);
        let told = |kind| told(Endpoint::Send, kind);
        assert_eq!(told(ApiErrorKind::Timeout { after }), "send 失败：5s 内没有应答；请稍后再试");
        assert_eq!(
            told(ApiErrorKind::Http { status: 502 }),
            "send 失败：HTTP 502，没有平台的错误码；请稍后再试"
        );
        let large = ApiErrorKind::TooLarge { bytes_max: 9 };
        assert_eq!(told(large), "send 失败：超过 9 字节");
    }
}
