//! The platform itself fails.

use larkline_sim::{Answer, Fault};

use super::{By, Own, Row, is, row};
use crate::doctor::{BRIEF, Diagnosis};
use crate::rig::{ECHO, Rig};

pub(super) fn rows() -> Vec<Row> {
    let platform = |check, says| is("platform", check, says);
    vec![
        row(
            "a gateway's page for a token",
            "获取令牌返回 503",
            By::Sim(|| token(Answer::Html { status: 503 })),
            platform("credentials", "HTTP 503"),
        ),
        row(
            "too many calls",
            "调用过于频繁（429）",
            By::Sim(|| token(code(429, 99_991_400))),
            platform("credentials", "99991400"),
        ),
        row(
            "1000040343 for the link: an error of its own",
            "长连接返回 1000040343：平台内部错误",
            By::Sim(|| endpoint(code(200, 1_000_040_343))),
            platform("endpoint", "1000040343"),
        ),
        row(
            "1 for the link: busy",
            "长连接返回 1：繁忙",
            By::Sim(|| endpoint(code(200, 1))),
            platform("endpoint", "code 1"),
        ),
        row(
            "a gateway's page for the link",
            "查询长连接地址返回 502",
            By::Sim(|| endpoint(Answer::Html { status: 502 })),
            platform("endpoint", "HTTP 502"),
        ),
        row(
            "an answer without an address",
            "应答中没有长连接地址",
            By::Sim(|| endpoint(Answer::NullData)),
            platform("endpoint", "without an address"),
        ),
        row(
            "a handshake that a gateway refuses",
            "握手返回 502",
            By::Sim(refused),
            platform("upgrade", "HTTP 502"),
        ),
        row(
            "events come, and no pong",
            "有事件，没有 pong",
            By::Own("simulator", no_pong),
            platform("pong", "our ping stays unanswered"),
        ),
        row(
            "a running gateway whose link is refused",
            "运行中的网关的连接被拒绝",
            By::Own("simulator, beside a gateway", down),
            platform("link", "no socket is open"),
        ),
        row(
            "pongs, and no event since the start",
            "有 pong，启动以来没有事件",
            By::Live(|| Fault::Deaf { stolen: false }),
            is("healthy", "silence", "no event came since the start"),
        ),
    ]
}

fn code(status: u16, code: i64) -> Answer {
    Answer::Code { status, code, msg: "so".to_owned(), reset_s: None }
}

fn endpoint(answer: Answer) -> Fault {
    Fault::Endpoint { answer, times: 1000 }
}

fn token(answer: Answer) -> Fault {
    let (path, method) = ("tenant_access_token".to_owned(), String::new());
    Fault::Api { path, method, answer, times: 1000 }
}

fn refused() -> Fault {
    Fault::RefuseHandshake {
        status: 502,
        handshake_status: None,
        autherrcode: None,
        msg: None,
        times: 1000,
    }
}

/// What was pushed to it is not acknowledged, so it comes again.
fn no_pong() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        let said = rig.say(&rig.guest, "waits");
        rig.fault(Fault::NoPong);
        rig.fault(Fault::PushWithUpgrade { times: 1 });
        let diagnosis = Diagnosis::with(&rig, &[], &BRIEF).await;
        let row = rig.sim.platform().read(|l| l.event(&said.event_id).cloned()).unwrap();
        assert!(row.deliveries.iter().any(|d| !d.conn.is_empty()), "it was pushed to the doctor");
        assert_eq!(row.acks(), 0, "and was not acknowledged");
        Some(diagnosis)
    })
}

fn down() -> Own {
    Box::pin(async {
        let mut rig = Rig::new(ECHO).await;
        rig.fault(refused());
        rig.run(&[]).await;
        rig.logged("event=\"reconnecting\"").await;
        Some(Diagnosis::of(&rig, &[]).await)
    })
}
