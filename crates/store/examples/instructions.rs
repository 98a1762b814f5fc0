//! The path of one event, over and over, for `cargo xtask instructions` to count.
//!
//! `line N`: bytes of a frame → link → event read → ack's bytes. `journal N`: an event alone in its
//! commit, then its verdict. Everything is fixed, so that two counts differ by the code alone.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use larkline_proto::endpoint::EndpointReply;
use larkline_proto::event::Event;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::link::{Answer, Input, Link, LinkConfig, Output};
use larkline_store::inbox::{
    Accepted, Decision, NewEvent, RouteDecision, Ruling, event_key, message_key,
};
use larkline_store::{SqliteOptions, SqliteStore, Store as _};

const ENDPOINT: &[u8] =
    br#"{"code":0,"data":{"URL":"wss://h.test/ws?device_id=77&service_id=5&ticket=t"}}"#;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let usage = "usage: instructions line|journal N";
    let (mut arguments, mut done) = (std::env::args().skip(1), 0);
    let what = arguments.next().ok_or(usage)?;
    let times: u32 = arguments.next().ok_or(usage)?.parse()?;
    match what.as_str() {
        "line" => done = line(times)?,
        "journal" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            done = runtime.block_on(journal(times))?;
        }
        _ => Err(usage)?,
    }
    // Work that was not done has no instructions to count.
    if done == times { Ok(()) } else { Err(format!("{done} of {times} were done").into()) }
}

/// What the platform sends for the `n`-th message.
fn payload(n: u32) -> String {
    format!(
        r#"{{"schema":"2.0","header":{{"event_id":"{n:032x}","token":"","create_time":"1700000000000","event_type":"im.message.receive_v1","tenant_key":"t","app_id":"cli_a1b2c3d4e5f60718"}},"event":{{"sender":{{"sender_id":{{"open_id":"ou_{n:032x}","union_id":"on_1","user_id":null}},"sender_type":"user","tenant_key":"t"}},"message":{{"message_id":"om_{n:032x}","create_time":"1700000000000","chat_id":"oc_{:032x}","chat_type":"p2p","message_type":"text","content":"{{\"text\":\"what became of my order, please? 你好\"}}"}}}}}}"#,
        n % 16
    )
}

fn line(times: u32) -> Outcome<u32> {
    #[expect(clippy::disallowed_methods, reason = "simulated time begins with some instant")]
    let now = Instant::now();
    let mut link = Link::new(now, LinkConfig::default(), 1)?;
    while link.poll().is_some() {}
    link.handle(
        now,
        Input::Discovered(EndpointReply { status: 200, retry_after: None, body: ENDPOINT }),
    );
    while link.poll().is_some() {}
    link.handle(now, Input::Upgraded);
    while link.poll().is_some() {}
    let mut acks = 0;
    for n in 0..times {
        let now = now + Duration::from_millis(u64::from(n));
        link.handle(now, Input::Binary(frame(n).into()));
        while let Some(output) = link.poll() {
            match output {
                Output::Deliver(delivered) => {
                    Event::parse(&delivered.payload)?.message().ok_or("no message")?;
                    link.handle(now, Input::Answer(delivered.ack, Answer::ok()));
                }
                Output::Send(bytes) => acks += u32::from(!bytes.is_empty()),
                Output::SendWsPing
                | Output::Note(_)
                | Output::Hangup { .. }
                | Output::Dial { .. }
                | Output::Discover { .. }
                | Output::Stopped(_) => {}
            }
        }
    }
    Ok(acks)
}

fn frame(n: u32) -> Vec<u8> {
    let header = |key: &str, value: &str| Header { key: key.into(), value: value.into() };
    let frame = Frame {
        seq_id: u64::from(n),
        log_id: u64::from(n),
        service: 5,
        method: METHOD_DATA,
        headers: vec![
            header("type", "event"),
            header("message_id", &format!("m-{n}")),
            header("sum", "1"),
            header("seq", "0"),
        ],
        payload: Some(Bytes::from(payload(n))),
        ..Frame::default()
    };
    frame.encode()
}

async fn journal(times: u32) -> Outcome<u32> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default())?;
    let mut decided = 0;
    for n in 0..times {
        let (event_id, message_id) = (format!("{n:032x}"), format!("om_{n:032x}"));
        let event = NewEvent {
            app: "main".into(),
            keys: vec![event_key(&event_id), message_key(&message_id)],
            event_id: event_id.into(),
            kind: "im.message.receive_v1".into(),
            message_id: Some(message_id.into()),
            chat_id: Some(format!("oc_{:032x}", n % 16).into()),
            chat_type: Some("p2p".into()),
            received_ms: i64::from(n),
            payload: payload(n).into_bytes(),
            boot_id: "boot".into(),
            ..NewEvent::default()
        };
        if let [Accepted::New(inbox)] = store.accept(vec![event].into()).await?[..] {
            let decision = Decision::Filtered { why: "no_route" };
            let decision = RouteDecision {
                inbox,
                ruling: Ruling { at_ms: i64::from(n), decision, notice: None },
            };
            store.route(vec![decision]).await?;
            decided += 1;
        }
    }
    store.close().await?;
    Ok(decided)
}
