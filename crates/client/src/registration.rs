//! An app by QR code: a device flow in which a person allows a program to have an app, or to add to one.
//!
//! [`Registrar::begin`] gets a code whose address is shown to the person, [`Registrar::wait`] asks until
//! they have answered. Reference: app registration. Nothing of it was tried against the live service,
//! so hosts are settable and refusals keep the server's own words.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use larkline_proto::api::Endpoint;
use larkline_proto::id::{AppId, OpenId};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::api::within;
use crate::api_error::{ApiError, ApiErrorKind};
use crate::call::{Call, Expects, Payload};
use crate::dialer::Dialer;
use crate::meter::Meter;
use crate::secret::Secret;
use crate::{FEISHU, LARK};

/// Where apps of Feishu are registered.
pub const FEISHU_ACCOUNTS: &str = "https://accounts.feishu.cn";
/// Where apps of Lark are.
pub const LARK_ACCOUNTS: &str = "https://accounts.larksuite.com";

/// What the product is called on the page.
const SOURCE: &str = "larkline";
/// The way of authentication that we know.
const METHOD: &str = "client_secret";
/// The kind of app: a bot of its own, with a secret.
const ARCHETYPE: &str = "PersonalAgent";
/// Bound on an answer; each is a handful of short strings.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Between two polls, when the server does not say.
const INTERVAL_S: u64 = 5;
/// Longest wait between two polls; the person has long been done by then.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// More of it for whoever polls too often.
const SLOWER: Duration = Duration::from_secs(5);
/// How long a code can be used, when the server does not say.
const LIFE_S: u64 = 600;
/// Longest life of a code that is believed.
const LIFE_MAX: Duration = Duration::from_hours(1);

/// What the app shall have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Permissions of the app itself.
    pub scopes: Vec<String>,
    /// Events it subscribes.
    pub events: Vec<String>,
    /// Callbacks it subscribes.
    pub callbacks: Vec<String>,
    /// The app that gets them; `None` makes another one.
    pub amends: Option<AppId>,
}

impl Wanted {
    /// Whether there is nothing to ask for.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.events.is_empty() && self.callbacks.is_empty()
    }

    /// The list as the page takes it: base64url of gzip of JSON. Without the platform's preset, so that
    /// the app gets what is asked for and no more.
    fn addons(&self) -> String {
        let none: [&str; 0] = [];
        let json = json!({
            "preset": false,
            "scopes": {"tenant": self.scopes, "user": none},
            "events": {"items": {"tenant": self.events, "user": none}},
            "callbacks": {"items": self.callbacks},
        });
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let packed = gzip.write_all(json.to_string().as_bytes()).and_then(|()| gzip.finish());
        URL_SAFE_NO_PAD.encode(packed.expect("writing to memory does not fail"))
    }

    /// The address behind the code.
    fn page(&self, verification: &Url) -> Url {
        let mut url = verification.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("from", "sdk").append_pair("tp", "sdk").append_pair("source", SOURCE);
        if let Some(app) = &self.amends {
            query.append_pair("clientID", app.as_str());
        }
        if !self.is_empty() {
            query.append_pair("addons", &self.addons());
        }
        drop(query);
        url
    }
}

/// A code that waits for a person.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What the person opens, or scans as a QR code. Whoever has it can answer, and no more than that.
    pub url: Url,
    /// When it stops working.
    pub expires: Instant,
    device_code: Secret,
    interval: Duration,
}

/// What a person allowed.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The app.
    pub app_id: AppId,
    /// Its secret.
    pub app_secret: Secret,
    /// Who scanned the code, by the id that belongs to this app.
    pub owner: Option<OpenId>,
    /// Whether the person turned out to be on Lark.
    pub on_lark: bool,
}

/// Why there is no app.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The person said no.
    #[error("the person refused")]
    Denied,
    /// Nobody answered while the code worked; another one may be had.
    #[error("the code expired before anybody answered")]
    Expired {
        /// Why the last question got no answer, when it got none.
        last: Option<Box<ApiError>>,
    },
    /// The server does not offer what we know.
    #[error("the server offers {offered:?}, and not `client_secret`")]
    Unsupported {
        /// What it offers.
        offered: Vec<String>,
    },
    /// Any other refusal, in the server's words.
    #[error("the server refused: {error}: {description}")]
    Refused {
        /// Its word.
        error: String,
        /// What it says about it.
        description: String,
    },
    /// No answer, or none that can be read.
    #[error(transparent)]
    Call(#[from] ApiError),
}

/// Where apps are registered.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Where it begins.
    pub base: Url,
    /// Where it goes on for people on Lark.
    pub lark: Url,
}

impl Accounts {
    /// The hosts that belong to a platform: a private deployment and the simulator are their own.
    pub fn of(domain: &Url) -> Self {
        let known = |url: &str| Url::parse(url).unwrap_or_else(|_| domain.clone());
        let lark = known(LARK_ACCOUNTS);
        match domain.as_str().trim_end_matches('/') {
            FEISHU => Self { base: known(FEISHU_ACCOUNTS), lark },
            LARK => Self { base: lark.clone(), lark },
            _ => Self { base: domain.clone(), lark: domain.clone() },
        }
    }
}

/// Carries the flow out.
#[derive(Clone, Debug)]
pub struct Registrar {
    dialer: Dialer,
    accounts: Accounts,
    /// How long one question may take.
    timeout: Duration,
}

/// Every answer of the flow; each step reads its own fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply {
    supported_auth_methods: Vec<String>,
    device_code: String,
    verification_uri_complete: String,
    interval: Option<u64>,
    expires_in: Option<u64>,
    client_id: String,
    client_secret: String,
    user_info: Option<UserInfo>,
    error: String,
    error_description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    open_id: String,
    tenant_brand: String,
}

impl Registrar {
    /// Takes note; asks nothing.
    pub fn new(dialer: Dialer, accounts: Accounts, timeout: Duration) -> Self {
        Self { dialer, accounts, timeout }
    }

    /// Gets a code for a person to scan.
    ///
    /// # Errors
    /// [`RegistrationError`], but neither `Denied` nor `Expired`.
    pub async fn begin(&self, wanted: &Wanted) -> Result<Offer, RegistrationError> {
        let base = &self.accounts.base;
        let init = self.ask(base, vec![("action", "init".to_owned())]).await?.accepted()?;
        if !init.supported_auth_methods.iter().any(|method| method == METHOD) {
            return Err(RegistrationError::Unsupported { offered: init.supported_auth_methods });
        }
        let fields = [
            ("action", "begin"),
            ("archetype", ARCHETYPE),
            ("auth_method", METHOD),
            ("request_user_info", "open_id"),
        ];
        let fields = fields.map(|(name, value)| (name, value.to_owned())).to_vec();
        let reply = self.ask(base, fields).await?.accepted()?;
        let url = Url::parse(&reply.verification_uri_complete);
        let (Ok(url), false) = (url, reply.device_code.is_empty()) else {
            return Err(unreadable("the code or its address is missing").into());
        };
        let life = Duration::from_secs(reply.expires_in.unwrap_or(LIFE_S)).min(LIFE_MAX);
        let interval = Duration::from_secs(reply.interval.unwrap_or(INTERVAL_S).max(1));
        Ok(Offer {
            url: wanted.page(&url),
            expires: Instant::now() + life,
            device_code: Secret::new(reply.device_code),
            interval: interval.min(INTERVAL_MAX),
        })
    }

    /// Asks until the person has answered. A question that gets no answer is asked again: the person
    /// is not asked a second time because a packet was lost.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn wait(&self, offer: &Offer) -> Result<Registered, RegistrationError> {
        let Accounts { base, lark } = &self.accounts;
        let (mut host, mut interval, mut on_lark) = (base, offer.interval, false);
        let mut last = None;
        loop {
            sleep(interval.min(offer.expires.saturating_duration_since(Instant::now()))).await;
            let over = Instant::now() >= offer.expires;
            let reply = loop {
                match self.poll(host, offer).await {
                    // Told where to go on: at once, and one time.
                    Ok(reply) if reply.is_of_lark() && !on_lark => (host, on_lark) = (lark, true),
                    other => break other,
                }
            };
            match reply.map_err(RegistrationError::Call).and_then(Reply::answered) {
                Ok(Answered::Yes(done)) => return Ok(Registered { on_lark, ..done }),
                Ok(Answered::Pending) => {}
                Ok(Answered::SlowDown) => interval = (interval + SLOWER).min(INTERVAL_MAX),
                Err(RegistrationError::Call(error)) => last = Some(Box::new(error)),
                Err(error) => return Err(error),
            }
            if over {
                return Err(RegistrationError::Expired { last });
            }
        }
    }

    async fn poll(&self, host: &Url, offer: &Offer) -> Result<Reply, ApiError> {
        let device = offer.device_code.expose().to_owned();
        self.ask(host, vec![("action", "poll".to_owned()), ("device_code", device)]).await
    }

    async fn ask(
        &self,
        host: &Url,
        fields: Vec<(&'static str, String)>,
    ) -> Result<Reply, ApiError> {
        let endpoint = Endpoint::Registration;
        let url = host.join("/oauth/v1/app/registration").map_err(|_| {
            let detail = "the host of accounts is not an http or https address";
            ApiError::new(endpoint, ApiErrorKind::Input { detail })
        })?;
        let expects = Expects::Object { bytes_max: ANSWER_BYTES_MAX };
        let payload = Payload::Form(fields);
        let call = Call { endpoint, method: Method::POST, url, payload, expects };
        // There is no app yet, and with that no quota.
        let meter = Meter::default();
        Ok(within(endpoint, self.timeout, call.send(&self.dialer, &meter, None))
            .await?
            .parse(endpoint)?
            .data)
    }
}

/// What a person has answered so far.
enum Answered {
    Pending,
    SlowDown,
    Yes(Registered),
}

impl Reply {
    /// Whether it only tells that the person is on Lark.
    fn is_of_lark(&self) -> bool {
        self.client_id.is_empty()
            && self.user_info.as_ref().is_some_and(|user| user.tenant_brand == "lark")
    }

    fn accepted(self) -> Result<Self, RegistrationError> {
        if self.error.is_empty() {
            return Ok(self);
        }
        let Self { error, error_description: description, .. } = self;
        Err(RegistrationError::Refused { error, description })
    }

    fn answered(self) -> Result<Answered, RegistrationError> {
        match self.error.as_str() {
            "authorization_pending" => return Ok(Answered::Pending),
            "slow_down" => return Ok(Answered::SlowDown),
            "access_denied" => return Err(RegistrationError::Denied),
            "expired_token" => return Err(RegistrationError::Expired { last: None }),
            _ => {}
        }
        let reply = self.accepted()?;
        if reply.client_id.is_empty() || reply.client_secret.is_empty() {
            return Ok(Answered::Pending);
        }
        let user = reply.user_info.unwrap_or_default();
        Ok(Answered::Yes(Registered {
            app_id: AppId::new(reply.client_id),
            app_secret: Secret::new(reply.client_secret),
            owner: (!user.open_id.is_empty()).then(|| OpenId::new(user.open_id)),
            on_lark: false,
        }))
    }
}

fn unreadable(detail: &str) -> ApiError {
    let detail = detail.to_owned();
    ApiError::new(Endpoint::Registration, ApiErrorKind::Unreadable { detail })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_asked_for_is_compact_json_in_gzip_without_a_date() {
        let wanted = Wanted {
            scopes: vec!["im:message:send_as_bot".to_owned()],
            events: vec!["im.message.receive_v1".to_owned()],
            callbacks: vec!["card.action.trigger".to_owned()],
            amends: Some(AppId::new("cli_a1b2c3d4e5f60718")),
        };
        let packed = URL_SAFE_NO_PAD.decode(wanted.addons()).unwrap();
        assert_eq!(packed[4..8], [0; 4], "the time of day is no part of it");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["preset"], false);
        assert_eq!(json["scopes"]["tenant"], json!(["im:message:send_as_bot"]));
        assert_eq!(json["events"]["items"]["tenant"], json!(["im.message.receive_v1"]));
        assert_eq!(json["callbacks"]["items"], json!(["card.action.trigger"]));
        let page = wanted.page(&Url::parse("https://accounts.feishu.cn/p?user_code=AB").unwrap());
        let pairs: Vec<_> = page.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(pairs, ["user_code", "from", "tp", "source", "clientID", "addons"]);
    }

    #[test]
    fn the_hosts_follow_the_platform() {
        let of = |domain: &str| Accounts::of(&Url::parse(domain).unwrap()).base.to_string();
        assert_eq!(of(FEISHU), format!("{FEISHU_ACCOUNTS}/"));
        assert_eq!(of(LARK), format!("{LARK_ACCOUNTS}/"));
        assert_eq!(of("http://127.0.0.1:7800"), "http://127.0.0.1:7800/");
    }
}
