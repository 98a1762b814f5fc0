//! How a notice gets to a destination: by mail, to a service, to a program, to a chat.

mod hook;

use std::sync::Arc;
use std::time::Duration;

use larkline_client::Dialer;
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_proto::id::ChatId;
use lettre::message::Mailbox;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::due::{Kind, Notice};
use super::words;
use crate::both::{Both, both};
use crate::causes;
use crate::clock;
use crate::config::{Config, Destination, Way};
use crate::delivery::hint;
use crate::governor::Hint;
use crate::handler::Resources;
use crate::handler::tell::Tell;
use crate::mail::{Mail, MailError, MailTrust, Mailer, RefusedRecipient, listed};
use crate::shared::{AppRuntime, Shared};

/// Said of a chat whose app is gone.
const NO_APP: Both = Both::of("它的应用没有配置", "its app is not configured");

/// A destination took a notice.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Whom it did not reach, and why.
    pub(super) refused: Option<Both>,
    /// Those of them who may be reached later.
    pub(super) later: Vec<Mailbox>,
}

/// A mail that was taken for all but these.
fn taken(refused: Vec<RefusedRecipient>) -> Taken {
    let list = listed(&refused);
    let later = refused.into_iter().filter(|r| r.later).map(|r| r.mailbox).collect();
    let refused = both!(
        zh: "邮件服务器接受了其他收件人，拒绝了 {list}；请检查 `to`",
        en: "the mail server took it for others and refused {list}; check `to`"
    );
    Taken { refused: (!list.is_empty()).then_some(refused), later }
}

/// What ways need.
pub(super) struct Means<'a> {
    pub(super) shared: &'a Shared,
    pub(super) config: &'a Config,
    pub(super) apps: &'a [Arc<AppRuntime>],
    pub(super) resources: &'a Resources,
}

impl Means<'_> {
    /// Tells a destination, or of a mail's recipients `only` these; nothing here waits for ever, and the
    /// caller has a limit besides.
    pub(super) async fn send(
        &self,
        name: &str,
        to: &Destination,
        notice: &Notice,
        only: &[Mailbox],
    ) -> Result<Taken, Both> {
        let limit = to.timeout;
        match &to.way {
            Way::Smtp { smtp, to } => {
                return match only {
                    [] => self.mail(smtp, to.clone(), notice, limit).await.map(taken),
                    only => {
                        let to = to.iter().filter(|to| only.contains(to)).cloned().collect();
                        self.mail_rest(smtp, to, notice, limit).await
                    }
                }
                .map_err(|error| Both::each(|lang| error.said(lang)));
            }
            Way::Http(hook) => {
                let text = self.text(notice);
                let body = self.body(notice);
                hook::post(self.dialer(), hook, &notice.id, &text, &body, limit).await
            }
            Way::Command { argv, cwd, pass_env } => {
                let mut input = self.body(notice).to_string().into_bytes();
                input.push(b'\n');
                let tell = Tell {
                    argv: argv.clone(),
                    cwd: cwd.clone(),
                    pass_env: pass_env.clone(),
                    name: format!("alert:{name}"),
                    input,
                    timeout: limit,
                };
                tell.run(self.resources)
                    .await
                    .map_err(|error| both!(zh: "程序失败：{error}", en: "{error}"))
            }
            Way::App { app, chat } => self.chat(app, chat, notice, limit).await,
        }
        .map(|()| Taken::default())
    }

    async fn mail(
        &self,
        server: &str,
        to: Vec<Mailbox>,
        notice: &Notice,
        limit: Duration,
    ) -> Result<Vec<RefusedRecipient>, MailError> {
        let server = self.config.smtp.get(server).ok_or(MailError::NoServer)?;
        let trust = MailTrust {
            ca_files: self.config.network.ca_files.clone(),
            bundled: self.dialer().trust().bundled > 0,
        };
        let subject = match notice.kind {
            Kind::Test => self.text(notice),
            Kind::Raised | Kind::Reminder | Kind::Cleared => {
                words::title(self.config.language, notice.kind, &notice.alert)
            }
        };
        let mail = Mail { id: notice.id.clone(), to, subject, text: self.text(notice) };
        Mailer::new(server.clone(), trust).send(&mail, limit).await.map(|sent| sent.refused)
    }

    /// To those whom the server refused for now, while it took others.
    async fn mail_rest(
        &self,
        server: &str,
        to: Vec<Mailbox>,
        notice: &Notice,
        limit: Duration,
    ) -> Result<Taken, MailError> {
        if to.is_empty() {
            return Ok(Taken::default());
        }
        match self.mail(server, to, notice, limit).await {
            // The others have it, and trying again would not mend this.
            Err(MailError::Refused(list)) if !list.iter().any(|r| r.later) => Ok(taken(list)),
            sent => sent.map(taken),
        }
    }

    /// By the platform's API, so a link that is down is no matter.
    async fn chat(
        &self,
        app: &str,
        chat: &ChatId,
        notice: &Notice,
        limit: Duration,
    ) -> Result<(), Both> {
        let until = Instant::now() + limit;
        let app = self.apps.iter().find(|known| known.name == app).ok_or(NO_APP)?;
        let permit =
            timeout_at(until, app.governor.acquire(chat.as_str())).await.map_err(|_| {
                both!(
                    zh: "{limit:?} 内没有轮到它调用平台",
                    en: "its turn to call the platform did not come within {limit:?}"
                )
            })?;
        let to = ReceiveId::Chat(chat.clone());
        let text = Outgoing::text(&self.text(notice));
        let sent = timeout_at(until, app.api.send(&to, &text, &notice.id)).await.map_err(|_| {
            both!(
                zh: "平台在 {limit:?} 内没有应答 `send`",
                en: "the platform did not answer `send` within {limit:?}"
            )
        })?;
        permit.complete(sent.as_ref().map_or_else(hint, |_| Hint::Fine));
        self.shared.answered(&app.name, "send", &sent);
        sent.map(drop).map_err(|error| {
            let (code, error) = (error.code(), Both::each(|lang| causes::api(lang, &error)));
            both!(zh: "{error}（{code}）", en: "{error} ({code})"; error = error)
        })
    }

    fn dialer(&self) -> &Dialer {
        &self.resources.dialer
    }

    fn text(&self, notice: &Notice) -> String {
        words::text(self.config.language, notice.kind, &notice.alert)
    }

    /// What services and programs read: `{"id", "type", "timestamp", "data"}`.
    fn body(&self, notice: &Notice) -> Value {
        let Notice { id, kind, alert } = notice;
        let lang = self.config.language;
        let at = jiff::Timestamp::from_millisecond(clock::now_ms()).unwrap_or_default();
        json!({
            "id": id,
            "type": format!("alert.{}", serde_json::to_value(kind).ok().as_ref().and_then(Value::as_str).unwrap_or_default()),
            "timestamp": at.to_string(),
            "data": {
                "rule": alert.rule.name(),
                "subject": alert.subject,
                "severity": alert.severity,
                "since_ms": alert.since_ms,
                "raised_ms": alert.raised_ms,
                "ended_ms": alert.ended_ms,
                "title": words::title(lang, *kind, alert),
                "text": self.text(notice),
                "next": words::next(lang, alert.rule, &alert.subject),
                "page": words::page(alert.rule),
                "boot_id": self.shared.boot_id,
            },
        })
    }
}
