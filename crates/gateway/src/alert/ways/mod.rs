//! How a notice gets to a destination: by mail, to a service, to a program, to a chat.

mod hook;

use std::sync::Arc;

use larkline_client::Dialer;
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_proto::id::ChatId;
use serde_json::{Value, json};

use super::engine::{Kind, Notice};
use super::words;
use crate::both::{Both, both};
use crate::causes;
use crate::clock;
use crate::config::{Config, Destination, Way};
use crate::delivery::hint;
use crate::governor::Hint;
use crate::handler::Resources;
use crate::handler::tell::Tell;
use crate::mail::{Mail, MailTrust, Mailer};
use crate::shared::{AppRuntime, Shared};

/// Said of a chat whose app is gone.
const NO_APP: Both = Both::of("它的应用没有配置", "its app is not configured");

/// What ways need.
pub(super) struct Means<'a> {
    pub(super) shared: &'a Shared,
    pub(super) config: &'a Config,
    pub(super) apps: &'a [Arc<AppRuntime>],
    pub(super) resources: &'a Resources,
}

impl Means<'_> {
    /// Tells a destination; nothing here waits for ever, and the caller has a limit besides.
    pub(super) async fn send(
        &self,
        name: &str,
        to: &Destination,
        notice: &Notice,
    ) -> Result<(), Both> {
        match &to.way {
            Way::Smtp { smtp, to } => self.mail(smtp, to.clone(), notice).await,
            Way::Http(hook) => {
                let text = self.text(notice);
                let body = self.body(notice);
                hook::post(self.dialer(), hook, &notice.id, &text, &body, to.timeout).await
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
                    timeout: to.timeout,
                };
                tell.run(self.resources)
                    .await
                    .map_err(|error| both!(zh: "程序失败：{error}", en: "{error}"))
            }
            Way::App { app, chat } => self.chat(app, chat, notice).await,
        }
    }

    async fn mail(
        &self,
        server: &str,
        to: Vec<lettre::message::Mailbox>,
        notice: &Notice,
    ) -> Result<(), Both> {
        let server = self
            .config
            .smtp
            .get(server)
            .ok_or(Both::of("它的邮件服务器没有配置", "its mail server is not configured"))?;
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
        let sent = Mailer::new(server.clone(), trust).send(&mail).await;
        let sent = sent.map_err(|error| Both::each(|lang| error.said(lang)))?;
        for refused in sent.refused {
            tracing::warn!(
                address = refused.address,
                "the mail server refuses one of several recipients: {}",
                refused.reason
            );
        }
        Ok(())
    }

    /// By the platform's API, so a link that is down is no matter.
    async fn chat(&self, app: &str, chat: &ChatId, notice: &Notice) -> Result<(), Both> {
        let app = self.apps.iter().find(|known| known.name == app).ok_or(NO_APP)?;
        let permit = app.governor.acquire(chat.as_str()).await;
        let to = ReceiveId::Chat(chat.clone());
        let sent = app.api.send(&to, &Outgoing::text(&self.text(notice)), &notice.id).await;
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
