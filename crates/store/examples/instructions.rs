//! The path of one event, over and over, for `cargo xtask instructions` to count.
//!
//! `line N`: bytes of a frame → link → event read → ack's bytes. `journal N`: events with their verdicts,
//! each alone in its commit. `burst N`: the same, many in a commit. Everything is fixed, so that two
//! counts differ by the code alone.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use larkline_proto::endpoint::EndpointReply;
use larkline_proto::event::Event;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::link::{Answer, Input, Link, LinkConfig, Output};
use larkline_store::inbox::{
    Accepted, AckTimes, Decision, NewEvent, Ruling, event_key, message_key,
};
use larkline_store::{SqliteOptions, SqliteStore, Store as _};

const ENDPOINT: &[u8] =
    br#"{"code":0,"data":{"URL":"wss://h.test/ws?device_id=77&service_id=5&ticket=t"}}"#;

/// Events that a burst commits together.
const BURST: u32 = 64;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let usage = "usage: instructions line|journal|burst N";
    let (mut arguments, mut done) = (std::env::args().skip(1), 0);
    let what = arguments.next().ok_or(usage)?;
    let times: u32 = arguments.next().ok_or(usage)?.parse()?;
    match what.as_str() {
        "line" => done = line(times)?,
        "journal" => done = on_runtime(journal(times, 1))?,
        "burst" => done = on_runtime(journal(times, BURST))?,
        _ => Err(usage)?,
    }
    // Work that was not done has no instructions to count.
    if done == times { Ok(()) } else { Err(format!("{done} of {times} were done").into()) }
}

fn on_runtime(work: impl Future<Output = Outcome<u32>>) -> Outcome<u32> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
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

/// Commits events with their decisions, `together` in each commit.
async fn journal(times: u32, together: u32) -> Outcome<u32> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default())?;
    let mut accepted = 0;
    for first in (0..times).step_by(together as usize) {
        let batch: Vec<_> = (first..times.min(first + together)).map(event).collect();
        let now_ms = i64::from(first);
        let new = store.accept(batch.into()).await?.into_iter().filter_map(|one| match one {
            Accepted::New(inbox) => {
                Some(AckTimes { inbox, journaled_ms: now_ms, acked_ms: now_ms })
            }
            Accepted::Undecided(_) | Accepted::Duplicate { .. } => None,
        });
        let acks: Vec<_> = new.collect();
        accepted += u32::try_from(acks.len())?;
        store.mark_acked(acks).await?;
    }
    store.close().await?;
    Ok(accepted)
}

/// The `n`-th event, as intake offers one that no route wants.
fn event(n: u32) -> NewEvent {
    // Ids are without order, as the platform's are.
    let id = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (event_id, message_id) = (format!("{id:032x}"), format!("om_{id:032x}"));
    NewEvent {
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
        ruling: Some(Ruling {
            at_ms: i64::from(n),
            decision: Decision::Filtered { why: "no_route" },
            notice: None,
        }),
        ..NewEvent::default()
    }
}
