//! `larkline probe`: does what goes out come back? One nonce, one round trip, or the stage that
//! failed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use larkline_gateway::admin::{ProbeRequest, ProbeStarted, ProbeState};
use larkline_gateway::probe::Returned;
use larkline_gateway::words::link_state;
use serde_json::json;
use tokio::time::Instant;

use super::ask::{self, Gateway, with_parts};
use crate::args::{Format, ProbeArgs};
use crate::exit::{ExitStatus, Yours};
use crate::lang::{either, lang};
use crate::output;

/// How long the reaction's own event may take before a person is asked, and how often it is
/// looked for.
const LOOK: Duration = Duration::from_secs(3);

/// Posts the nonce and waits for an event about it.
///
/// # Errors
/// The stage that failed: the link, the post, or the return.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: ProbeArgs,
) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let request = ProbeRequest { app: args.app.clone(), chat: args.chat };
    let mut probe: ProbeStarted = gateway.post("/v1/probe", &request).await?;
    let begun = Instant::now();
    let path = with_parts("/v1/probe", &[args.app.as_deref().unwrap_or("-"), &probe.nonce]);
    let mut asked = false;
    let returned = loop {
        let left = args.timeout.saturating_sub(begun.elapsed());
        let wait = json!({"wait_ms": u64::try_from((left / 2).min(LOOK).as_millis().max(20))?});
        let state: ProbeState = gateway.get(&path, &wait).await?;
        if let Some(returned) = state.returned {
            break returned;
        }
        if begun.elapsed() >= args.timeout {
            return Err(Yours(lost(&probe, &state, args.timeout)).into());
        }
        if !std::mem::replace(&mut asked, true) {
            output::note(&request_of(&probe));
        }
    };
    probe.reaction_error_zh = None;
    let report = json!({"probe": probe, "returned": returned, "round_trip_ms": round_trip(&probe, &returned)});
    output::show(format, &report, |_| told(&probe, &returned))?;
    Ok(ExitStatus::Ok)
}

/// From asking for the reaction to its event; nothing where a person was in between.
fn round_trip(probe: &ProbeStarted, returned: &Returned) -> Option<i64> {
    let own = probe.reaction_error.is_none() && returned.kind.contains("reaction");
    own.then(|| (returned.received_ms - probe.reacted_at_ms).max(0))
}

fn told(probe: &ProbeStarted, returned: &Returned) -> String {
    let Returned { kind, event_id, .. } = returned;
    let posted = probe.posted_ms;
    match round_trip(probe, returned) {
        Some(ms) => say!(
            zh: "往返 {ms} 毫秒：发送用时 {posted} 毫秒，随后收到 {kind}（{event_id}）",
            en: "round trip {ms} ms: posted in {posted} ms, then {kind} came back ({event_id})"
        ),
        None => say!(
            zh: "能收到事件：发送用时 {posted} 毫秒，随后收到 {kind}（{event_id}）",
            en: "it hears: posted in {posted} ms, and {kind} came back ({event_id})"
        ),
    }
}

fn request_of(probe: &ProbeStarted) -> String {
    let error_zh = probe.reaction_error_zh.as_ref().or(probe.reaction_error.as_ref());
    let why = match either(error_zh, probe.reaction_error.as_ref()) {
        Some(error) => say!(
            zh: "机器人无法给自己的消息添加表情回复（{error}）",
            en: "the bot cannot react to its own message ({error})"
        ),
        None => say!(
            zh: "没有收到机器人自己的表情回复事件（未订阅或未推送）",
            en: "the bot's own reaction did not come back (not subscribed, or not sent)"
        ),
    };
    say!(
        zh: "已发送 {message}，正在等待：{why}。请给它添加表情回复，或在该会话中发送 {nonce}（群聊中请 @机器人）",
        en: "posted {message} and waiting: {why}. Please react to it, or write {nonce} into that chat (in a group, mention the bot)",
        message = probe.message_id, nonce = probe.nonce
    )
}

fn lost(probe: &ProbeStarted, state: &ProbeState, within: Duration) -> String {
    say!(
        zh: "返回：{message} 已发送，{within:?} 内没有收到相关事件；连接状态：{link}；请运行 `larkline doctor`",
        en: "return: {message} was posted, and no event about it came within {within:?}; the link is {link}; run `larkline doctor`",
        message = probe.message_id, link = link_state(lang(), &state.link)
    )
}
