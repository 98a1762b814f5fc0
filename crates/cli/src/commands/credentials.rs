//! Which of an app's credentials is wrong, and what to do: for `doctor`, which reads them from a
//! configuration, and for `init`, which is about to write one.

use std::time::Duration;

use larkline_client::{ApiClient, ApiError, ApiErrorKind, Dialer, FEISHU, LARK, Secret};
use larkline_gateway::causes;
use larkline_proto::api::Endpoint;
use larkline_proto::id::AppId;
use url::Url;

use crate::exit::Class;
use crate::lang::{either, lang};

/// Credentials, and where they are tried.
pub(crate) struct Trial<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) domain: &'a Url,
    pub(crate) app_id: &'a AppId,
    pub(crate) secret: &'a Secret,
    /// How long one call may take.
    pub(crate) limit: Duration,
}

/// Why they are not accepted.
pub(crate) struct Refused {
    pub(crate) class: Class,
    pub(crate) what: String,
    /// What to do; without one, `what` says it after its last semicolon.
    pub(crate) next: Option<String>,
}

impl Trial<'_> {
    /// A client with these credentials; calls nothing.
    pub(crate) fn client(&self) -> ApiClient {
        self.client_at(self.domain)
    }

    fn client_at(&self, domain: &Url) -> ApiClient {
        let (dialer, limit) = (self.dialer.clone(), self.limit);
        let (id, secret) = (self.app_id.clone(), self.secret.clone());
        ApiClient::with_timeouts(dialer, domain.clone(), id, secret, limit, limit)
    }

    /// What a refused token means; `domain_key` is how the domain is set.
    pub(crate) async fn explain(&self, error: &ApiError, domain_key: &str) -> Refused {
        let (class, next) = match which(error) {
            Some(Wrong::Secret) => (
                Class::Credentials,
                say!(
                    zh: "app id 存在，secret 不是它的：请从 {console} 重新复制 app_secret",
                    en: "the app id is known and the secret is not its own: copy app_secret again from {console}",
                    console = page(self.domain, self.app_id, "baseinfo")
                ),
            ),
            Some(Wrong::Id) => return self.wrong_id(error, domain_key).await,
            Some(Wrong::Form) => (
                Class::Credentials,
                either(
                    "app_id 是 `cli_` 加 16 位数字或字母 a-f；请从后台重新复制两者",
                    "app_id is `cli_` and 16 digits or letters a-f; copy both again from the console",
                )
                .to_owned(),
            ),
            None => {
                let class = Class::of_api(error);
                return Refused { class, what: causes::api(lang(), error), next: None };
            }
        };
        Refused { class, what: said(error), next: Some(next) }
    }

    /// An app of the other brand is unknown here: asks there, one time.
    async fn wrong_id(&self, error: &ApiError, domain_key: &str) -> Refused {
        let here = self.domain.as_str().trim_end_matches('/');
        let other = match here {
            FEISHU => Some(("lark", LARK)),
            LARK => Some(("feishu", FEISHU)),
            _ => None,
        };
        let class = Class::Credentials;
        if let Some((name, url)) = other
            && let Ok(url) = Url::parse(url)
            && self.client_at(&url).verify().await.is_ok()
        {
            let what = say!(
                zh: "domain 错误：{here} 不认识此应用，而 {url} 认识",
                en: "wrong domain: the app is unknown at {here} and known at {url}"
            );
            let next = say!(
                zh: "请设置 {domain_key} = \"{name}\"",
                en: "set {domain_key} = \"{name}\""
            );
            return Refused { class, what, next: Some(next) };
        }
        let next = either(
            "这里没有这个 app id：请从后台重新复制 app_id，并确认 `domain` 是应用所在的（feishu 或 lark）",
            "nobody here knows this app id: copy app_id again from the console, and check that \
             `domain` is the app's own (feishu or lark)",
        );
        Refused { class, what: said(error), next: Some(next.to_owned()) }
    }
}

/// What to do about an error of a call that names no step itself, and of which nothing is known.
pub(crate) fn look_up() -> &'static str {
    either(
        "请稍后再试；若持续如此，把这一行交给 `larkline explain`，或见 docs/errors/api.md",
        "try again later; if it lasts, give this line to `larkline explain`, or see docs/errors/api.md",
    )
}

/// A page of an app in the developer console.
pub(crate) fn page(domain: &Url, app_id: &AppId, page: &str) -> String {
    format!("{}/app/{app_id}/{page}", domain.as_str().trim_end_matches('/'))
}

/// Which of the credentials the platform complains about.
enum Wrong {
    Id,
    Secret,
    Form,
}

/// Codes are shared (reference 1.4), so the platform's words are looked at, for a hint alone:
/// the class does not depend on them.
fn which(error: &ApiError) -> Option<Wrong> {
    let ApiErrorKind::Platform { failure, .. } = &error.kind else { return None };
    if error.endpoint != Endpoint::Token {
        return None;
    }
    match failure.code {
        10_003 => Some(Wrong::Form),
        10_015 => Some(Wrong::Secret),
        10_014 if failure.msg.contains("secret") => Some(Wrong::Secret),
        10_014 => Some(Wrong::Id),
        _ => None,
    }
}

fn said(error: &ApiError) -> String {
    let text = causes::api(lang(), error);
    let step = either("；", "; ");
    text.rsplit_once(step).map_or_else(|| text.clone(), |(what, _)| what.to_owned())
}
