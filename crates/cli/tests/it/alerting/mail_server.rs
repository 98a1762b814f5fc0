//! A mail server for tests: it greets, encrypts, lets one user in, and keeps what it got.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::{TlsAcceptor, rustls};

/// AUTH PLAIN of `bot@example.com` and `pässwort`.
const LOGIN: &str = "AUTH PLAIN AGJvdEBleGFtcGxlLmNvbQBww6Rzc3dvcnQ=";

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Encrypts on demand, and lets nobody in before.
    Starttls,
    /// Encrypts from the first byte.
    Implicit,
    /// Does not encrypt.
    Plain,
}

/// What it got, and whom it treats how.
#[derive(Default)]
struct Kept {
    mails: Vec<Mail>,
    /// It does not answer this command.
    silent_at: Option<String>,
    /// It takes nothing for this recipient now.
    greylisted: Option<String>,
}

/// A mail, and for whom it was taken.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

/// A mail server on a port of this machine, until it is dropped.
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    _serving: JoinSet<()>,
}

impl MailServer {
    /// `certificates` is the folder with `cert.pem` and `key.pem`.
    pub(crate) async fn start(manner: Manner, cert: &Path, key: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Arc::default());
        let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let keeps = Arc::clone(&kept);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut visits = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                visits.spawn(visit(stream, manner, acceptor.clone(), Arc::clone(&keeps)));
            }
        });
        Self { address, kept, _serving: serving }
    }

    /// The mails so far, each as it came.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.taken().into_iter().map(|mail| mail.text).collect()
    }

    /// The same, with those for whom it took them.
    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.kept.lock().unwrap().mails.clone()
    }

    /// Does not answer this command from here on, or all again.
    pub(crate) fn silent_at(&self, verb: Option<&str>) {
        self.kept.lock().unwrap().silent_at = verb.map(str::to_owned);
    }

    /// Takes nothing for this recipient for now, or for all again.
    pub(crate) fn greylists(&self, address: Option<&str>) {
        self.kept.lock().unwrap().greylisted = address.map(str::to_owned);
    }
}

/// A peer that hangs up in the middle ends its visit.
async fn visit(stream: TcpStream, manner: Manner, tls: TlsAcceptor, kept: Arc<Mutex<Kept>>) {
    if manner == Manner::Implicit {
        let Ok(stream) = tls.accept(stream).await else { return };
        let mut talk =
            Talk { stream: BufReader::new(stream), secure: true, offers_tls: false, kept };
        talk.say("220 mail.test ESMTP").await;
        talk.run().await;
        return;
    }
    let offers_tls = manner == Manner::Starttls;
    let mut talk =
        Talk { stream: BufReader::new(stream), secure: false, offers_tls, kept: Arc::clone(&kept) };
    talk.say("220 mail.test ESMTP").await;
    if talk.run().await {
        let Ok(stream) = tls.accept(talk.stream.into_inner()).await else { return };
        let stream = BufReader::new(stream);
        Talk { stream, secure: true, offers_tls: false, kept }.run().await;
    }
}

struct Talk<S> {
    stream: BufReader<S>,
    secure: bool,
    offers_tls: bool,
    kept: Arc<Mutex<Kept>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn say(&mut self, words: &str) {
        let line = format!("{words}\r\n");
        // Whoever has hung up hears nothing.
        self.stream.get_mut().write_all(line.as_bytes()).await.ok();
        self.stream.get_mut().flush().await.ok();
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// Talks until the end; true when the encryption is to begin.
    async fn run(&mut self) -> bool {
        let mut recipients = Vec::new();
        while let Some(line) = self.line().await {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            if self.kept.lock().unwrap().silent_at.as_ref() == Some(&verb) {
                return pending().await;
            }
            match verb.as_str() {
                "EHLO" if self.secure => self.say("250-mail.test\r\n250 AUTH PLAIN").await,
                "EHLO" if self.offers_tls => self.say("250-mail.test\r\n250 STARTTLS").await,
                "EHLO" => self.say("250 mail.test").await,
                "STARTTLS" => {
                    self.say("220 go on").await;
                    return true;
                }
                "AUTH" if line == LOGIN => self.say("235 welcome").await,
                "AUTH" => self.say("535 5.7.8 authentication failed").await,
                "RCPT" if line.contains("nobody@") => self.say("550 5.1.1 no such user").await,
                "RCPT" if self.greylists_line(&line) => self.say("450 4.2.0 greylisted").await,
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    recipients.push(address.to_owned());
                    self.say("250 ok").await;
                }
                "DATA" if recipients.is_empty() => self.say("554 no valid recipients").await,
                "DATA" => {
                    self.say("354 go on").await;
                    self.mail(std::mem::take(&mut recipients)).await;
                }
                "QUIT" => {
                    self.say("221 bye").await;
                    return false;
                }
                _ => self.say("250 ok").await,
            }
        }
        false
    }

    fn greylists_line(&self, line: &str) -> bool {
        let kept = self.kept.lock().unwrap();
        kept.greylisted.as_ref().is_some_and(|address| line.contains(address))
    }

    async fn mail(&mut self, to: Vec<String>) {
        let mut text = String::new();
        while let Some(line) = self.line().await.filter(|line| line != ".") {
            text.push_str(&line);
            text.push('\n');
        }
        self.kept.lock().unwrap().mails.push(Mail { to, text });
        self.say("250 taken").await;
    }
}
