//! Proxies and whatever else answers in the platform's place.

use larkline_sim::{Answer, Fault};
use tokio::net::TcpSocket;

use super::network::at;
use super::{By, Own, Row, is, row};
use crate::doctor::{BRIEF, Diagnosis, PATIENT};
use crate::rig::{ECHO, Rig};
use crate::ways::net::{Relay, Weather};
use crate::ways::proxy::{Manner, Proxy};

const PROXY: &str = "LARKLINE__NETWORK__PROXY";

pub(super) fn rows() -> Vec<Row> {
    [refusals(), others(), pages()].into_iter().flatten().collect()
}

fn refusals() -> Vec<Row> {
    let tunnel = |says| is("proxy", "tunnel", says);
    vec![
        row(
            "a proxy that is not there",
            "代理不可达",
            By::Own("a bound port", absent),
            is("proxy", "proxy", "cannot be reached"),
        ),
        row(
            "a proxy that wants another way to log in",
            "代理要求其他认证方式（407）",
            By::Own("a proxy", || {
                says("HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: NTLM\r\n\r\n")
            }),
            tunnel("it offers NTLM"),
        ),
        row(
            "a proxy with a password that was not given",
            "未提供代理的密码（407）",
            By::Own("a proxy", no_password),
            tunnel("407"),
        ),
        row(
            "a proxy that forbids",
            "代理禁止访问（403）",
            By::Own("a proxy", || says("HTTP/1.1 403 Blocked by policy\r\n\r\n")),
            tunnel("403 Blocked by policy"),
        ),
        row(
            "a proxy that knows no way",
            "代理无法到达目标（502）",
            By::Own("a proxy", || says("HTTP/1.1 502 No route\r\n\r\n")),
            tunnel("502 No route"),
        ),
        row(
            "a proxy that does not speak HTTP",
            "代理不使用 HTTP 协议",
            By::Own("a proxy", || says("SSH-2.0-OpenSSH_9.2\r\n\r\n")),
            tunnel("does not answer in HTTP"),
        ),
        row(
            "a proxy that never answers",
            "代理不应答",
            By::Own("a proxy", || Box::pin(through(Manner::Silent, BRIEF))),
            tunnel("stuck at proxy"),
        ),
    ]
}

fn others() -> Vec<Row> {
    let tunnel = |says| is("proxy", "tunnel", says);
    vec![
        row(
            "a SOCKS proxy that refuses",
            "SOCKS 代理拒绝",
            By::Own("a SOCKS5 server", || Box::pin(through(Manner::Socks(2), PATIENT))),
            tunnel("not allowed"),
        ),
        row(
            "a SOCKS proxy with a password that was not given",
            "未提供 SOCKS 代理的密码",
            By::Own("a SOCKS5 server", socks_without_password),
            tunnel("check user and password in the proxy address"),
        ),
        row(
            "an HTTP proxy configured as SOCKS",
            "把 HTTP 代理配置成了 SOCKS",
            By::Own("a proxy", http_as_socks),
            is("proxy", "tunnel", "SOCKS"),
        ),
        row(
            "a proxy that agrees and hangs up",
            "代理接受后立即断开",
            By::Own("a proxy", || Box::pin(through(Manner::HangsUp, PATIENT))),
            is("proxy", "http", "no HTTP answer"),
        ),
        row(
            "a proxy that passes calls and no WebSocket",
            "代理放行 HTTP，但不放行 WebSocket",
            By::Own("a proxy", || Box::pin(through(Manner::NoWebSocket, PATIENT))),
            is("proxy", "upgrade", "WebSocket"),
        ),
    ]
}

fn pages() -> Vec<Row> {
    let asked = |says| is("proxy", "credentials", says);
    vec![
        row(
            "a captive portal that shows its page",
            "强制门户返回登录页面",
            By::Own("a relay", portal),
            asked("HTTP 200"),
        ),
        row(
            "a captive portal that leads to its page",
            "强制门户重定向到登录页面",
            By::Sim(|| token(302)),
            asked("HTTP 302"),
        ),
        row(
            "a filter's page for a token",
            "获取令牌时被过滤器拦截",
            By::Sim(|| token(403)),
            asked("HTTP 403"),
        ),
        row(
            "a page where the link's address should be",
            "查询长连接地址时返回网页",
            By::Sim(|| Fault::Endpoint { answer: Answer::Html { status: 200 }, times: 1000 }),
            is("proxy", "endpoint", "not with the expected JSON"),
        ),
        row(
            "an upgrade that something else refuses",
            "升级请求被其他设备拒绝",
            By::Sim(|| Fault::RefuseHandshake {
                status: 400,
                handshake_status: None,
                autherrcode: None,
                msg: None,
                times: 1000,
            }),
            is("proxy", "upgrade", "HTTP 400"),
        ),
    ]
}

fn token(status: u16) -> Fault {
    let (path, method) = ("tenant_access_token".to_owned(), String::new());
    Fault::Api { path, method, answer: Answer::Html { status }, times: 1000 }
}

async fn through(manner: Manner, limit: [&str; 2]) -> Option<Diagnosis> {
    let proxy = Proxy::start(manner).await;
    by(&proxy.url, limit).await
}

async fn by(url: &str, limit: [&str; 2]) -> Option<Diagnosis> {
    let rig = Rig::new(ECHO).await;
    Some(Diagnosis::with(&rig, &[(PROXY, url)], &limit).await)
}

/// It is there, it resolves, and its answer is its own.
fn says(answer: &'static str) -> Own {
    Box::pin(async move {
        let diagnosis = through(Manner::Says(answer), PATIENT).await?;
        assert_eq!(diagnosis.outcome("proxy"), "pass", "it is there: {:#}", diagnosis.report);
        assert_eq!(diagnosis.outcome("dns"), "skip", "the proxy resolves");
        Some(diagnosis)
    })
}

fn absent() -> Own {
    Box::pin(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        by(&format!("http://{}", socket.local_addr().unwrap()), PATIENT).await
    })
}

fn no_password() -> Own {
    Box::pin(async {
        let proxy = Proxy::start(Manner::Guarded).await;
        let (_, bare) = proxy.url.split_once('@').unwrap();
        by(&format!("http://{bare}"), PATIENT).await
    })
}

fn socks_without_password() -> Own {
    Box::pin(async {
        let proxy = Proxy::start(Manner::Socks(0)).await;
        let (_, bare) = proxy.url.split_once('@').unwrap();
        by(&format!("socks5h://{bare}"), PATIENT).await
    })
}

fn http_as_socks() -> Own {
    Box::pin(async {
        let relay = Relay::start("127.0.0.1:1".parse().unwrap(), Weather::Portal).await;
        by(&format!("socks5h://{}", relay.address), PATIENT).await
    })
}

fn portal() -> Own {
    Box::pin(async {
        let relay = Relay::start("127.0.0.1:1".parse().unwrap(), Weather::Portal).await;
        let diagnosis = at(&format!("http://{}", relay.address)).await?;
        assert_eq!(diagnosis.outcome("http"), "pass", "any answer is reachable");
        Some(diagnosis)
    })
}
