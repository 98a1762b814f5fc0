//! The mailer: one message to one server, each step with an error of its own.
//!
//! The connection is encrypted before anybody logs in, or it is refused; what is trusted is what
//! everything else trusts. Proxies do not apply: they are for HTTP and WebSocket, and few let mail
//! through. What a mail says is not here; alerts are its first user.

mod error;
mod message;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::{Instant, timeout};

pub(crate) use error::listed;
pub use error::{MailError, RefusedRecipient, Step};
pub use message::Mail;

use crate::chain::chain;
use crate::config::{MailTls, Smtp};

/// Largest CA file read; the whole Mozilla bundle is a quarter of a megabyte.
const CA_FILE_BYTES_MAX: u64 = 8 << 20;

/// A server has so long to say goodbye. The mail is sent or it is not: nothing depends on it.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Whom a mailer trusts.
#[derive(Clone, Debug, Default)]
pub struct MailTrust {
    /// PEM files trusted beside the system's roots.
    pub ca_files: Vec<PathBuf>,
    /// The system has no roots: the bundled ones stand in.
    pub bundled: bool,
}

/// Sends by one server.
#[derive(Clone, Debug)]
pub struct Mailer {
    server: Smtp,
    trust: MailTrust,
}

/// A mail was taken by the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Recipients that the server refused, while it took others.
    pub refused: Vec<RefusedRecipient>,
}

impl Mailer {
    /// A mailer; nothing is read or dialled yet.
    pub fn new(server: Smtp, trust: MailTrust) -> Self {
        Self { server, trust }
    }

    /// Sends one mail on a connection of its own, within `limit` but for a short goodbye.
    ///
    /// # Errors
    /// [`MailError`] with the step that failed, also when every recipient was refused.
    pub async fn send(&self, mail: &Mail, limit: Duration) -> Result<Sent, MailError> {
        let time = Time { step_max: self.server.timeout, limit, until: Instant::now() + limit };
        let bytes = mail.to_bytes(&self.server.from)?;
        let mut connection = self.connect(time).await?;
        let sent = self.converse(&mut connection, mail, &bytes, time).await;
        drop(timeout(GOODBYE_MAX, connection.quit()).await);
        sent
    }

    async fn connect(&self, time: Time) -> Result<AsyncSmtpConnection, MailError> {
        let Smtp { host, port, tls, .. } = &self.server;
        let me = ClientId::default();
        let parameters = match tls {
            MailTls::None => None,
            MailTls::Starttls | MailTls::Implicit => Some(self.parameters().await?),
        };
        let (implicit, later) = match tls {
            MailTls::Implicit => (parameters, None),
            MailTls::Starttls | MailTls::None => (None, parameters),
        };
        let address = (host.as_str(), *port);
        let connected = AsyncSmtpConnection::connect_tokio1(address, None, &me, implicit, None);
        let mut connection = match time.within(Step::Connect, connected).await {
            Err(MailError::Server { source, .. }) if source.is_tls() => {
                return Err(MailError::Server { step: Step::Tls, source });
            }
            connected => connected?,
        };
        if let Some(parameters) = later {
            if !connection.can_starttls() {
                return Err(MailError::NoStarttls);
            }
            time.within(Step::Tls, connection.starttls(parameters, &me)).await?;
        }
        Ok(connection)
    }

    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Mail,
        bytes: &[u8],
        time: Time,
    ) -> Result<Sent, MailError> {
        if let Some((user, password)) = &self.server.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            time.within(Step::Login, connection.auth(DEFAULT_MECHANISMS, &login)).await?;
        }
        let from = From::new(Some(self.server.from.email.clone()), Vec::new());
        time.within(Step::Sender, connection.command(from)).await?;
        let mut refused = Vec::new();
        for to in &mail.to {
            let rcpt = connection.command(Rcpt::new(to.email.clone(), Vec::new()));
            match time.within(Step::Recipient, rcpt).await.map(drop) {
                Ok(()) => {}
                Err(MailError::Server { step: Step::Recipient, source })
                    if source.is_response() || source.status().is_some() =>
                {
                    refused.push(RefusedRecipient {
                        mailbox: to.clone(),
                        reason: chain(&source),
                        later: source.is_transient(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        if refused.len() == mail.to.len() {
            return Err(MailError::Refused(refused));
        }
        time.within(Step::Text, connection.command(Data)).await?;
        time.within(Step::Text, connection.message(bytes)).await?;
        Ok(Sent { refused })
    }

    /// Reading roots takes milliseconds: not on a thread that also answers pings.
    async fn parameters(&self) -> Result<TlsParameters, MailError> {
        let (host, trust) = (self.server.host.clone(), self.trust.clone());
        let made = tokio::task::spawn_blocking(move || trust.parameters(host)).await;
        made.unwrap_or_else(|_| Err(MailError::Trust("the roots cannot be read".to_owned())))
    }
}

impl MailTrust {
    fn parameters(&self, host: String) -> Result<TlsParameters, MailError> {
        let store = match self.bundled {
            true => CertificateStore::WebpkiRoots,
            false => CertificateStore::Default,
        };
        let mut builder = TlsParameters::builder(host).certificate_store(store);
        for file in &self.ca_files {
            let pem =
                read(file).map_err(|e| MailError::Trust(format!("{}: {e}", file.display())))?;
            builder = builder.add_root_certificate(
                Certificate::from_pem(&pem)
                    .map_err(|source| MailError::Server { step: Step::Tls, source })?,
            );
        }
        builder.build_rustls().map_err(|source| MailError::Server { step: Step::Tls, source })
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > CA_FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("larger than {CA_FILE_BYTES_MAX} bytes")));
    }
    std::fs::read(file)
}

/// How long a mail may take.
#[derive(Clone, Copy, Debug)]
struct Time {
    /// Each step.
    step_max: Duration,
    /// All of it.
    limit: Duration,
    until: Instant,
}

impl Time {
    /// The library's own limit is one of each read, so a server that drips would hold for ever.
    async fn within<T>(
        self,
        step: Step,
        work: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, MailError> {
        let left = self.until.saturating_duration_since(Instant::now());
        match timeout(left.min(self.step_max), work).await {
            Ok(done) => done.map_err(|source| MailError::Server { step, source }),
            Err(_) if left < self.step_max => Err(MailError::Late { step, limit: self.limit }),
            Err(_) => Err(MailError::Timeout { step, limit: self.step_max }),
        }
    }
}
