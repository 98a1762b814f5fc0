//! An app by QR code: a device flow in which a person allows a program to have one.
//!
//! Reference: app registration. What the person does is an act: `visit` follows the address of a QR
//! code with all that it asks for, `scan` answers a code by its number. There is no page.

use std::collections::{HashMap, VecDeque};

use larkline_proto::id::{AppId, OpenId};
use serde_json::{Value, json};
use url::Url;

use crate::addons::Addons;
use crate::console::{Console, LONG_CONNECTION};
use crate::options::AppSpec;
use crate::platform::PlatformError;
use crate::world::{AppIx, UserIx, World};

/// How long a code can be used.
const LIFE_MS: u64 = 600 * 1000;
/// Seconds between two polls, to begin with.
const INTERVAL_S: u64 = 5;
/// Seconds more for whoever polls too soon.
const SLOWER_S: u64 = 5;
/// Codes kept; the oldest goes.
const CODES_MAX: usize = 1_000;

/// What became of a code.
enum State {
    Pending,
    Denied,
    /// The app is there; a person on the other brand is told of apart, before.
    Allowed {
        app: AppIx,
        by: UserIx,
        tell_brand: bool,
    },
}

struct Code {
    state: State,
    /// What the address of the code names it by.
    user_code: String,
    until_ms: u64,
    interval_s: u64,
    polled_ms: Option<u64>,
}

/// The codes given out.
#[derive(Default)]
pub(crate) struct Registrations {
    codes: HashMap<String, Code>,
    order: VecDeque<String>,
}

/// How the person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scan {
    /// Allows it.
    Allow,
    /// Allows it, from the other brand: the program has to ask there from now on.
    AllowOnLark,
    /// Refuses.
    Deny,
}

impl World {
    /// One call of the flow: HTTP status and body.
    pub(crate) fn register(&mut self, now_ms: u64, host: &str, form: &[u8]) -> (u16, Value) {
        let form: HashMap<_, _> = url::form_urlencoded::parse(form).into_owned().collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        match field("action") {
            "init" => (200, json!({"supported_auth_methods": ["client_secret"]})),
            "begin" if field("auth_method") != "client_secret" => {
                refused("invalid_request", "auth_method must be client_secret")
            }
            "begin" => (200, self.begin(now_ms, host)),
            "poll" => self.poll(now_ms, field("device_code")),
            _ => refused("invalid_request", "action must be init, begin or poll"),
        }
    }

    fn begin(&mut self, now_ms: u64, host: &str) -> Value {
        let (device, user) = (self.hex(40), self.hex(8).to_uppercase());
        let registrations = &mut self.registrations;
        if registrations.order.len() >= CODES_MAX
            && let Some(oldest) = registrations.order.pop_front()
        {
            registrations.codes.remove(&oldest);
        }
        registrations.order.push_back(device.clone());
        let code = Code {
            state: State::Pending,
            user_code: user.clone(),
            until_ms: now_ms + LIFE_MS,
            interval_s: INTERVAL_S,
            polled_ms: None,
        };
        registrations.codes.insert(device.clone(), code);
        let scheme = if self.tls { "https" } else { "http" };
        json!({
            "device_code": device,
            "verification_uri_complete": format!("{scheme}://{host}/page/launcher?user_code={user}"),
            "interval": self.options.real_s(INTERVAL_S * 1000),
            "expires_in": self.options.real_s(LIFE_MS),
        })
    }

    fn poll(&mut self, now_ms: u64, device: &str) -> (u16, Value) {
        let known = self.registrations.codes.get_mut(device);
        let Some(code) = known.filter(|code| now_ms < code.until_ms) else {
            return refused("expired_token", "the code has expired, begin again");
        };
        let early = code.polled_ms.is_some_and(|before| now_ms < before + code.interval_s * 1000);
        // The program is told the interval in seconds of its own, which are rounded up.
        code.polled_ms = Some(now_ms);
        match &mut code.state {
            State::Denied => refused("access_denied", "the person refused"),
            State::Pending if early => {
                code.interval_s += SLOWER_S;
                refused("slow_down", "the program polls too often")
            }
            State::Pending => refused("authorization_pending", "nobody has answered yet"),
            State::Allowed { tell_brand, .. } if *tell_brand => {
                *tell_brand = false;
                (200, json!({"user_info": {"tenant_brand": "lark"}}))
            }
            State::Allowed { app, by, .. } => {
                let (app, by) = (*app, *by);
                let spec = &self.apps[app.0].spec;
                let open_id = self.users[by.0].open_ids.get(app.0);
                let user = json!({"open_id": open_id, "tenant_brand": "feishu"});
                let body = json!({
                    "client_id": spec.app_id,
                    "client_secret": spec.app_secret,
                    "user_info": user,
                });
                (200, body)
            }
        }
    }

    /// A person scans a code by its number and answers; an app that is there already can be named.
    pub(crate) fn scan(
        &mut self,
        device: &str,
        user: &OpenId,
        answer: Scan,
        app: Option<&AppId>,
    ) -> Result<(), PlatformError> {
        self.answer(device, user, answer, app, None)
    }

    /// A person follows the address of a code, sees what is asked for, and answers.
    pub(crate) fn visit(
        &mut self,
        address: &str,
        user: &OpenId,
        answer: Scan,
    ) -> Result<(), PlatformError> {
        let refuse = |why: &str| PlatformError::Refused(why.to_owned());
        let url = Url::parse(address).map_err(|_| refuse("the address is no URL"))?;
        let named = |name: &str| {
            url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
        };
        let code = named("user_code").unwrap_or_default();
        let device = self.registrations.codes.iter().find(|(_, known)| known.user_code == code);
        let device = device.map(|(device, _)| device.clone());
        let device = device.ok_or_else(|| PlatformError::unknown("code", code))?;
        let addons = named("addons").map(|packed| Addons::read(&packed)).transpose();
        let addons = addons.map_err(PlatformError::Refused)?;
        let app = named("clientID").map(AppId::new);
        self.answer(&device, user, answer, app.as_ref(), addons)
    }

    fn answer(
        &mut self,
        device: &str,
        user: &OpenId,
        answer: Scan,
        app: Option<&AppId>,
        addons: Option<Addons>,
    ) -> Result<(), PlatformError> {
        let (by, _) = self.person(user)?;
        if !self.registrations.codes.contains_key(device) {
            return Err(PlatformError::unknown("device code", device));
        }
        let state = match (answer, app) {
            (Scan::Deny, _) => State::Denied,
            (Scan::Allow | Scan::AllowOnLark, known) => {
                let app = match known {
                    Some(id) => {
                        self.app_ix(id.as_str()).ok_or_else(|| PlatformError::unknown("app", id))?
                    }
                    None => self.registered(addons.is_some()),
                };
                if let Some(addons) = addons {
                    addons.add_to(&mut self.apps[app.0].spec);
                }
                State::Allowed { app, by, tell_brand: answer == Scan::AllowOnLark }
            }
        };
        if let Some(code) = self.registrations.codes.get_mut(device) {
            code.state = state;
        }
        Ok(())
    }

    /// Another app. One that was asked for item by item has nothing else, and nobody has chosen yet how
    /// its events come.
    fn registered(&mut self, by_item: bool) -> AppIx {
        let app_id = AppId::new(format!("cli_{}", self.hex(16)));
        let (app_secret, name) = (self.hex(32), "Registered".to_owned());
        let spec = AppSpec { app_id, app_secret, name, ..AppSpec::default() };
        self.add_app(match by_item {
            false => spec,
            true => AppSpec {
                scopes: Some(Vec::new()),
                callbacks: false,
                console: Console {
                    events: Vec::new(),
                    event_mode: String::new(),
                    ..Console::default()
                },
                ..spec
            },
        })
    }

    /// Somebody saves the long connection as the way events come, which the console refuses while
    /// the app has none.
    pub(crate) fn save_subscription(&mut self, app: &AppId) -> Result<(), PlatformError> {
        let ix = self.app_ix(app.as_str()).ok_or_else(|| PlatformError::unknown("app", app))?;
        if self.conns.values().all(|conn| conn.app != ix) {
            return Err(PlatformError::Refused(NO_CONNECTION.to_owned()));
        }
        let console = &mut self.apps[ix.0].spec.console;
        LONG_CONNECTION.clone_into(&mut console.event_mode);
        LONG_CONNECTION.clone_into(&mut console.callback_type);
        Ok(())
    }
}

/// What people report that the console says.
const NO_CONNECTION: &str = "10068: the app has no long connection";

fn refused(error: &str, description: &str) -> (u16, Value) {
    (400, json!({"error": error, "error_description": description}))
}
