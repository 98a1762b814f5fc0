//! Another program with connections, or claims, of the same app.

use larkline_sim::{Answer, Fault};

use super::{By, Own, Row, is, row};
use crate::doctor::Diagnosis;
use crate::rig::{ECHO, Rig};
use crate::whose::other_folder;

pub(super) fn rows() -> Vec<Row> {
    let other = |check, says| is("other instance", check, says);
    vec![
        row(
            "more connections than the gateway's own",
            "平台记录的连接比网关自己的多",
            By::Live(|| Fault::OnlineCount { count: 3 }),
            other("connections", "another instance takes part of the events"),
        ),
        row(
            "a connection while no gateway runs here",
            "本机没有网关，平台却记有连接",
            By::Sim(|| Fault::OnlineCount { count: 1 }),
            other("connections", "counts 1, ours are 0"),
        ),
        row(
            "1000040350 for the link: too many connections",
            "长连接返回 1000040350：连接过多",
            By::Sim(|| Fault::Endpoint {
                answer: Answer::Code {
                    status: 200,
                    code: 1_000_040_350,
                    msg: "limit".to_owned(),
                    reset_s: None,
                },
                times: 1000,
            }),
            other("endpoint", "1000040350"),
        ),
        row(
            "1000040350 at the handshake",
            "握手返回 1000040350",
            By::Sim(|| Fault::RefuseHandshake {
                status: 400,
                handshake_status: Some(514),
                autherrcode: Some(1_000_040_350),
                msg: None,
                times: 1000,
            }),
            other("upgrade", "1000040350"),
        ),
        row(
            "a gateway with another configuration holds the app",
            "另一个配置的网关占有此应用",
            By::Own("a gateway", elsewhere),
            other("instance", "run this command with its configuration"),
        ),
        row(
            "another bot's gateway has the state directory",
            "状态目录被另一个机器人的网关使用",
            By::Own("a gateway", another_bot),
            is("local fault", "instance", "a `store.path` of its own"),
        ),
    ]
}

fn another_bot() -> Own {
    Box::pin(async {
        let rig = Rig::start(ECHO).await;
        let other = other_folder(&rig);
        Some(Diagnosis::with(&rig, &[("LARKLINE_CONFIG", &other)], &["--no-link"]).await)
    })
}

fn elsewhere() -> Own {
    Box::pin(async {
        let rig = Rig::start(ECHO).await;
        let other = rig.path("other").display().to_string();
        let diagnosis = Diagnosis::of(&rig, &[("LARKLINE__STORE__PATH", &other)]).await;
        assert!(diagnosis.line("instance").contains(&format!("process {}", rig.pid())));
        Some(diagnosis)
    })
}
