//! `/_sim/…`: the platform's handle over HTTP, for scripts in any language.
//!
//! Every body is the JSON form of the Rust type the handle takes. Forms: `docs/simulator.md`.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use larkline_proto::id::{AppId, ChatId, MessageId, OpenId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::json_response;
use crate::console::Console;
use crate::fault::Fault;
use crate::hook::NewHook;
use crate::http::Call;
use crate::load::Load;
use crate::options::AppSpec;
use crate::platform::{Platform, PlatformError};
use crate::press::Press;
use crate::registration::Scan;
use crate::talk::Say;

/// Longest wait of `/_sim/wait`.
const WAIT_MAX: Duration = Duration::from_secs(60);

type Outcome = Result<Value, PlatformError>;

/// Answers one request of a script: 200, or 400 with `{"error"}`.
pub(crate) async fn handle(platform: &Platform, call: Call) -> Response<Bytes> {
    let path = call.path.trim_start_matches("/_sim/");
    let outcome = match (&call.method, path) {
        (&Method::GET, "ledger") => Ok(to_value(&platform.ledger())),
        (&Method::GET, "world") => Ok(platform.describe()),
        (&Method::POST, "say") => read(&call).and_then(|say| say_it(platform, say)),
        (&Method::POST, "press") => match read::<Press>(&call) {
            Ok(press) => platform.press(press).await.map(|result| to_value(&result)),
            Err(error) => Err(error),
        },
        (&Method::POST, "event") => read(&call).and_then(|event| send_event(platform, event)),
        (&Method::POST, "fault") => {
            read::<Fault>(&call).and_then(|f| platform.fault(f)).map(|()| json!({}))
        }
        (&Method::POST, "users") => read::<NewUser>(&call).map(|new| {
            let open_id = platform.add_user(&new.name);
            json!({ "open_id": open_id })
        }),
        (&Method::POST, "groups") => read::<NewGroup>(&call).map(|new| {
            let chat_id = match new.topics {
                true => platform.add_topic_group(&new.name, &new.members),
                false => platform.add_group(&new.name, &new.members),
            };
            json!({ "chat_id": chat_id })
        }),
        (&Method::POST, "p2p") => read::<OfUser>(&call)
            .and_then(|of| platform.p2p(&of.user))
            .map(|chat_id| json!({ "chat_id": chat_id })),
        (&Method::POST, "hooks") => read::<NewHook>(&call)
            .and_then(|new| platform.add_hook(new))
            .map(|token| json!({"path": format!("/open-apis/bot/v2/hook/{token}")})),
        (&Method::POST, "console") => read::<NewConsole>(&call)
            .and_then(|new| platform.console(&new.app.clone(), |spec| new.change(spec)))
            .map(|()| json!({})),
        (&Method::POST, "act") => read(&call).and_then(|act| carry_out(platform, act)),
        (&Method::POST, "wait") => match read::<Wait>(&call) {
            Ok(wait) => wait_for(platform, wait).await,
            Err(error) => Err(error),
        },
        (&Method::POST, "load") => match read::<Load>(&call) {
            Ok(load) => platform.load(load).await.map(|report| to_value(&report)),
            Err(error) => Err(error),
        },
        (&Method::POST, "reset") => {
            platform.reset();
            Ok(json!({}))
        }
        _ => Err(PlatformError::unknown("admin call", format!("{} {}", call.method, call.path))),
    };
    match outcome {
        Ok(value) => json_response(200, &value),
        Err(error) => json_response(400, &json!({"error": error.to_string()})),
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, PlatformError> {
    serde_json::from_slice(&call.body)
        .map_err(|e| PlatformError::Refused(format!("the body does not fit: {e}")))
}

fn to_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    name: String,
    #[serde(default)]
    members: Vec<OpenId>,
    /// A topic group.
    #[serde(default)]
    topics: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfUser {
    user: OpenId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    app: AppId,
    event_type: String,
    event: Value,
}

/// What changes in the console; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewConsole {
    app: AppId,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    callbacks: Option<bool>,
    #[serde(default)]
    console: Option<Console>,
}

impl NewConsole {
    fn change(self, spec: &mut AppSpec) {
        let Self { app: _, scopes, callbacks, console } = self;
        spec.scopes = scopes.or_else(|| spec.scopes.take());
        spec.callbacks = callbacks.unwrap_or(spec.callbacks);
        if let Some(console) = console {
            spec.console = console;
        }
    }
}

/// Things people do that are not speech.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    Recall { message: MessageId },
    React { user: OpenId, message: MessageId, emoji: String },
    Unreact { user: OpenId, message: MessageId, emoji: String },
    Read { user: OpenId, message: MessageId },
    Enter { user: OpenId },
    Menu { user: OpenId, event_key: String },
    AddMember { chat: ChatId, user: OpenId },
    RemoveMember { chat: ChatId, user: OpenId },
    Rename { chat: ChatId, name: String },
    Scan { device_code: String, user: OpenId, answer: Scan, app: Option<AppId> },
    Visit { url: String, user: OpenId, answer: Scan },
    SaveSubscription { app: AppId },
    AddBot { chat: ChatId, app: AppId },
    RemoveBot { chat: ChatId, app: AppId },
    Mute { chat: ChatId, muted: bool },
    Dissolve { chat: ChatId },
    SetAvailable { user: OpenId, available: bool },
}

/// Waits until the ledger holds at least so many of each.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wait {
    messages: usize,
    connections: usize,
    open_connections: usize,
    acks: usize,
    pings: u64,
    timeout_ms: u64,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            messages: 0,
            connections: 0,
            open_connections: 0,
            acks: 0,
            pings: 0,
            timeout_ms: 10_000,
        }
    }
}

fn say_it(platform: &Platform, say: Say) -> Outcome {
    platform.say(say).map(|said| to_value(&said))
}

fn send_event(platform: &Platform, new: NewEvent) -> Outcome {
    let event_id = platform.send_event(&new.app, &new.event_type, &new.event)?;
    Ok(json!({ "event_id": event_id }))
}

/// Carries out an act in its JSON form.
pub(crate) fn act(platform: &Platform, act: Value) -> Outcome {
    let act = serde_json::from_value(act)
        .map_err(|e| PlatformError::Refused(format!("the act does not fit: {e}")))?;
    carry_out(platform, act)
}

fn carry_out(platform: &Platform, act: Act) -> Outcome {
    let event_ids = match act {
        Act::Recall { message } => platform.recall(&message)?,
        Act::React { user, message, emoji } => platform.react(&user, &message, &emoji)?,
        Act::Unreact { user, message, emoji } => {
            platform.with(|w, now| w.unreact_by_user(now, &user, &message, &emoji))?
        }
        Act::Read { user, message } => {
            platform.with(|w, now| w.read_by_user(now, &user, &message))?
        }
        Act::Enter { user } => platform.with(|w, now| w.enter(now, &user))?,
        Act::AddMember { chat, user } => {
            platform.with(|w, now| w.change_member(now, &chat, &user, true))?
        }
        Act::RemoveMember { chat, user } => {
            platform.with(|w, now| w.change_member(now, &chat, &user, false))?
        }
        Act::Rename { chat, name } => platform.with(|w, now| w.rename(now, &chat, &name))?,
        Act::Scan { device_code, user, answer, app } => {
            platform.with(|w, _| w.scan(&device_code, &user, answer, app.as_ref()))?;
            Vec::new()
        }
        Act::Visit { url, user, answer } => {
            platform.visit(&url, &user, answer)?;
            Vec::new()
        }
        Act::SaveSubscription { app } => {
            platform.save_subscription(&app)?;
            Vec::new()
        }
        Act::Menu { user, event_key } => vec![platform.menu(&user, &event_key)?],
        Act::AddBot { chat, app } => vec![platform.add_bot(&chat, &app)?],
        Act::RemoveBot { chat, app } => vec![platform.remove_bot(&chat, &app)?],
        Act::Dissolve { chat } => platform.dissolve(&chat)?,
        Act::Mute { chat, muted } => {
            platform.mute(&chat, muted)?;
            Vec::new()
        }
        Act::SetAvailable { user, available } => {
            platform.set_available(&user, available)?;
            Vec::new()
        }
    };
    Ok(json!({ "event_ids": event_ids }))
}

async fn wait_for(platform: &Platform, wait: Wait) -> Outcome {
    let deadline = Duration::from_millis(wait.timeout_ms).min(WAIT_MAX);
    let seen = |ledger: &crate::Ledger| {
        ledger.messages.len() >= wait.messages
            && ledger.connections.len() >= wait.connections
            && ledger.open_connections() >= wait.open_connections
            && ledger.connections.iter().map(|c| c.pings).sum::<u64>() >= wait.pings
            && (wait.acks == 0
                || ledger.events.iter().map(crate::EventRow::acks).sum::<usize>() >= wait.acks)
    };
    platform.wait_for(seen, deadline).await.map(|()| json!({}))
}
