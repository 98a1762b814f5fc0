//! `[app.<name>]`: one app of the platform.

use std::collections::BTreeMap;

use larkline_client::Secret;
use larkline_proto::id::{AppId, OpenId};
use serde_json::{Value as Json, json};
use url::Url;

use super::decoder::Spot;
use super::field::{A_STRING, Field, choices};
use super::section::Section;
use super::{Config, MAIN_APP};
use crate::both::{Both, both};

/// The platform in China.
const FEISHU: &str = "https://open.feishu.cn";
/// The platform elsewhere.
const LARK: &str = "https://open.larksuite.com";

/// Calls a month, as free tenants had them at first.
const QUOTA: u32 = 10_000;

/// One app of the platform.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name in the configuration.
    pub name: String,
    /// Its id.
    pub app_id: AppId,
    /// Its secret.
    pub app_secret: Secret,
    /// Where its platform is.
    pub domain: Url,
    /// How events arrive.
    pub transport: Transport,
    /// Who owns it: the people who reach commands by default.
    pub owners: Vec<OpenId>,
    /// Calls of a month that the tenant may make; `None` is no quota.
    pub quota: Option<u32>,
}

impl Config {
    /// Calls of a month that the tenant of this app may make.
    pub fn quota_of(&self, app: &str) -> Option<u64> {
        self.apps.iter().find(|known| known.name == app)?.quota.map(u64::from)
    }
}

/// How events of an app arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// We dial the platform and hold the connection.
    LongConnection,
    /// The platform calls us: understood and checked, not offered by this version.
    Webhook,
}

choices!(Transport, "long-connection or webhook", {
    "long-connection" => Self::LongConnection,
    "webhook" => Self::Webhook,
});

/// The platform's base URL, by name or in full.
struct Domain(Url);

impl Field for Domain {
    const KIND: &'static str = "feishu, lark or a URL";
    const HINT: Both = Both::of(
        "写 \"feishu\"、\"lark\"，或自己平台的 URL",
        "write \"feishu\", \"lark\", or the URL of a platform of your own",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let url = match spot.text(&A_STRING, Self::HINT)? {
            "feishu" => FEISHU,
            "lark" => LARK,
            text if text.contains("://") => return Url::read(spot).map(Self),
            other => {
                return spot.refuse(
                    both!(zh: "未知的域 `{other}`", en: "unknown domain `{other}`"),
                    Self::HINT,
                );
            }
        };
        Url::parse(url).ok().map(Self)
    }

    fn shown(&self) -> Json {
        match self.0.as_str().trim_end_matches('/') {
            FEISHU => json!("feishu"),
            LARK => json!("lark"),
            _ => self.0.shown(),
        }
    }
}

/// Reads one app; `None` after problems were noted. `ids` are those of the apps before it.
pub(super) fn read(
    name: String,
    mut section: Section<'_>,
    ids: &mut BTreeMap<AppId, String>,
) -> Option<App> {
    // The two variables fill this app and no other.
    let hint = |main, other| if name == MAIN_APP { main } else { other };
    let app_id = section
        .key("app_id", "developer console, Credentials: `cli_` and 16 characters")
        .required_or::<AppId>(hint(
        Both::of(
            "设置 FEISHU_APP_ID，或写 app_id = \"cli_…\"",
            "set FEISHU_APP_ID, or write app_id = \"cli_…\"",
        ),
        AppId::HINT,
    ));
    let app_secret = section.key("app_secret", "beside it").required_or::<Secret>(hint(
        Both::of(
            "设置 FEISHU_APP_SECRET，或写 app_secret = { env = \"NAME\" } 或 { file = \"path\" }",
            "set FEISHU_APP_SECRET, or write app_secret = { env = \"NAME\" } or { file = \"path\" }",
        ),
        Secret::HINT,
    ));
    let default = Url::parse(FEISHU).ok().map(Domain)?;
    let Domain(domain) =
        section.key("domain", "`lark` outside of China; a URL for the simulator").or(default);
    let transport = section
        .key("transport", "needs no public address; webhooks are not in this version")
        .or(Transport::LongConnection);
    let owners = section
        .key(
            "owners",
            "who reaches commands; ids belong to one app, so copy them from this \
            app's messages",
        )
        .or(Vec::new());
    let quota = section
        .key(
            "quota",
            "calls a month before the platform refuses: what free tenants had at first; 0 is no \
            quota, for tenants that pay",
        )
        .within(QUOTA, 0..=1_000_000_000);
    let quota = Some(quota).filter(|quota| *quota > 0);
    check_transport(&mut section, transport);
    check_id(&section, &name, app_id.as_ref(), ids);
    Some(App { name, app_id: app_id?, app_secret: app_secret?, domain, transport, owners, quota })
}

/// Two links of one app would take each other's events, and the lock of the app refuses the second one.
fn check_id(
    section: &Section<'_>,
    name: &str,
    app_id: Option<&AppId>,
    ids: &mut BTreeMap<AppId, String>,
) {
    let Some(app_id) = app_id else { return };
    let first = ids.entry(app_id.clone()).or_insert_with(|| name.to_owned());
    if first != name {
        section.refuse(
            "app_id",
            both!(zh: "`app.{first}` 已经是这个应用", en: "`app.{first}` has this id already"),
            Both::of(
                "每个应用只写一个 [app.<名称>]：改正 app_id，或删除这一节（其路由改用前一个名称）",
                "an app is one section: correct the app_id, or remove this section and name the other one in its routes",
            ),
        );
    }
}

/// The two keys of webhooks are needed there, and useless leftovers on a long connection.
fn check_transport(section: &mut Section<'_>, transport: Transport) {
    for name in ["verification_token", "encrypt_key"] {
        let key =
            section.key(name, "webhooks only; with a long connection a warning says \"remove\"");
        match transport {
            Transport::Webhook => drop(key.required::<Secret>()),
            Transport::LongConnection => {
                key.tolerate::<Secret>();
                if section.has(name) {
                    section.warn(
                        name,
                        Both::of("长连接不使用它", "a long connection does not use it"),
                        both!(zh: "删除 `{name}`", en: "remove `{name}`"),
                    );
                }
            }
        }
    }
    if transport == Transport::Webhook {
        section.refuse(
            "transport",
            Both::of("这个版本没有 webhook", "webhooks are not in this version"),
            Both::of(
                "用 transport = \"long-connection\"；它不需要公网地址",
                "use transport = \"long-connection\"; it needs no public address",
            ),
        );
    }
}
