//! Between this machine and the platform: name, route, silence.

use larkline_sim::{Answer, Fault};
use tokio::net::TcpSocket;

use super::{By, Own, Row, is, row};
use crate::doctor::{BRIEF, Diagnosis, PATIENT};
use crate::rig::{ECHO, LARKLINE, Rig, not_run};
use crate::ways::net::{Hole, NameServer, Relay, Weather};

pub(super) const DOMAIN: &str = "LARKLINE__APP__main__DOMAIN";

pub(super) fn rows() -> Vec<Row> {
    [ways(), answers(), links()].into_iter().flatten().collect()
}

fn ways() -> Vec<Row> {
    vec![
        row(
            "a name that nobody has",
            "不存在的域名",
            By::Own("environment", || Box::pin(at("http://no-such-host.invalid"))),
            is("network", "dns", "does not resolve"),
        ),
        row(
            "a name server that does not answer",
            "DNS 服务器不应答",
            By::Own("a name server, mount namespace", mute_names),
            is("network", "dns", "stuck at dns"),
        ),
        row(
            "a port where nobody listens",
            "端口无人监听",
            By::Own("a bound port", closed),
            is("network", "tcp", "Connection refused"),
        ),
        row(
            "a firewall that drops what goes out",
            "防火墙丢弃外发数据包",
            By::Own("a network namespace", dropped),
            is("network", "tcp", "cannot be reached"),
        ),
        row(
            "a port that answers no knock",
            "端口对连接请求毫无应答",
            By::Own("a full queue", full),
            is("network", "tcp", "cannot be reached"),
        ),
        row(
            "an address of IPv6 alone, on a machine without it",
            "只有 IPv6 地址，而本机没有 IPv6",
            By::Own("a network namespace", no_ipv6),
            is("network", "tcp", "Network is unreachable"),
        ),
    ]
}

fn answers() -> Vec<Row> {
    vec![
        row(
            "connections are taken, and no HTTP answer comes",
            "能建立连接，但没有 HTTP 应答",
            By::Own("a relay", || Box::pin(hole("http"))),
            is("network", "http", "no HTTP answer within 3s"),
        ),
        row(
            "connections are taken, and no TLS comes",
            "能建立连接，但没有 TLS 应答",
            By::Own("a relay", || Box::pin(hole("https"))),
            is("network", "tls", "stuck at tls"),
        ),
        row(
            "every connection is reset",
            "每个连接都被重置",
            By::Own("a relay", reset),
            is("network", "http", "no HTTP answer"),
        ),
        row(
            "the upgrade is reset",
            "升级时连接被重置",
            By::Sim(|| Fault::Offline),
            is("network", "upgrade", "Connection reset"),
        ),
        row(
            "calls get no answer",
            "API 调用没有应答",
            By::Sim(|| token(Answer::Hang)),
            is("network", "credentials", "no answer within"),
        )
        .silent(),
        row(
            "calls get their answer too late",
            "API 调用应答过慢",
            By::Sim(|| token(Answer::Slow { ms: 30_000 })),
            is("network", "credentials", "no answer within"),
        )
        .silent(),
        row(
            "calls are cut off",
            "API 调用被中断",
            By::Sim(|| token(Answer::Cut)),
            is("network", "credentials", "token failed"),
        ),
    ]
}

fn links() -> Vec<Row> {
    vec![
        row(
            "the question for the link's address gets no answer",
            "查询长连接地址没有应答",
            By::Sim(|| Fault::Endpoint { answer: Answer::Hang, times: 1000 }),
            is("network", "endpoint", "time"),
        )
        .silent(),
        row(
            "the upgrade gets no answer",
            "升级请求没有应答",
            By::Sim(|| Fault::HangUpgrade { times: 1000 }),
            is("network", "upgrade", "no answer to the upgrade within 3s"),
        )
        .silent(),
        row(
            "an upgrade, and never a frame after it",
            "升级成功，之后没有任何帧",
            By::Sim(|| Fault::NoPong),
            is("network", "pong", "silent after the upgrade"),
        )
        .silent(),
        row(
            "the platform does not see the link that we have",
            "平台看不到我们的连接",
            By::Live(|| Fault::OnlineCount { count: 0 }),
            is("network", "connections", "counts 0, ours are 1"),
        ),
        row(
            "the gateway's own proof of hearing fails",
            "网关自己的收听验证不成立",
            By::Own("simulator, beside a gateway", deaf),
            is("network", "connections", "counts 0, ours are 1"),
        ),
    ]
}

fn token(answer: Answer) -> Fault {
    let (path, method) = ("tenant_access_token".to_owned(), String::new());
    Fault::Api { path, method, answer, times: 1000 }
}

/// A platform at this address.
pub(super) async fn at(domain: &str) -> Option<Diagnosis> {
    let rig = Rig::new(ECHO).await;
    Some(Diagnosis::with(&rig, &[(DOMAIN, domain)], &PATIENT).await)
}

/// The same of one that never answers.
async fn silent(domain: &str) -> Option<Diagnosis> {
    let rig = Rig::new(ECHO).await;
    Some(Diagnosis::with(&rig, &[(DOMAIN, domain)], &BRIEF).await)
}

fn closed() -> Own {
    Box::pin(async {
        // Bound, so that nobody else gets the port, and not listening.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let diagnosis = at(&format!("http://{}", socket.local_addr().unwrap())).await?;
        assert_eq!(diagnosis.outcome("http"), "skip");
        Some(diagnosis)
    })
}

fn full() -> Own {
    Box::pin(async {
        let hole = Hole::dig().await;
        silent(&format!("http://{}", hole.address)).await
    })
}

async fn hole(scheme: &str) -> Option<Diagnosis> {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let relay = Relay::start(nowhere, Weather::Hole).await;
    silent(&format!("{scheme}://{}", relay.address)).await
}

fn reset() -> Own {
    Box::pin(async {
        let relay = Relay::start("127.0.0.1:1".parse().unwrap(), Weather::Reset).await;
        at(&format!("http://{}", relay.address)).await
    })
}

fn mute_names() -> Own {
    Box::pin(async {
        let mut rig = Rig::new(ECHO).await;
        let names = NameServer::start(rig.dir.path()).await?;
        // Longer than the step may take.
        std::fs::write(&names.resolv, crate::rig::read(&names.resolv) + "options timeout:30\n")
            .unwrap();
        rig.resolv = Some(names.resolv.clone());
        let domain = [(DOMAIN, "http://platform.larkline.test")];
        Some(Diagnosis::with(&rig, &domain, &BRIEF).await)
    })
}

/// A network of its own with a wire whose other end answers nothing, not even who it is.
const WIRE: &str = "ip link set lo up && ip link add a type veth peer name b && ip link set b up \
    && ip link set a arp off up && ip addr add 192.0.2.1/24 dev a && exec \"$@\"";
/// A network of its own without any wire.
const ALONE: &str = "ip link set lo up && exec \"$@\"";

/// A diagnosis in a network namespace.
async fn in_namespace(script: &str, domain: &str) -> Option<Diagnosis> {
    let trial = script.replace("exec \"$@\"", "true");
    let mut try_it = std::process::Command::new("unshare");
    if !try_it.args(["-n", "sh", "-c", &trial]).status().is_ok_and(|status| status.success()) {
        not_run("a network namespace is not allowed here");
        return None;
    }
    let rig = Rig::new(ECHO).await;
    let mut command = tokio::process::Command::new("unshare");
    command.args(["-n", "sh", "-c", script, "sh", LARKLINE]);
    Some(Diagnosis::by(&rig, command, &[(DOMAIN, domain)], &BRIEF).await)
}

fn dropped() -> Own {
    Box::pin(in_namespace(WIRE, "http://192.0.2.77"))
}

fn no_ipv6() -> Own {
    Box::pin(in_namespace(ALONE, "http://[2001:db8::1]"))
}

fn deaf() -> Own {
    Box::pin(async {
        let rig = Rig::start(&format!("{ECHO}\n[link]\nsuspect_after = \"1s\"\n")).await;
        rig.fault(Fault::OnlineCount { count: 0 });
        rig.until("the failing proof", async || {
            let status = rig.status().await;
            status.is_some_and(|s| s["not_ready"].to_string().contains("`count` fails"))
        })
        .await;
        Some(Diagnosis::of(&rig, &[]).await)
    })
}
