//! A mail server for tests: it greets, encrypts, lets one user in, and keeps what it got.

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

/// A mail server on a port of this machine, until it is dropped.
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl MailServer {
    /// `certificates` is the folder with `cert.pem` and `key.pem`.
    pub(crate) async fn start(manner: Manner, cert: &Path, key: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mails) = (listener.local_addr().unwrap(), Arc::default());
        let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let kept = Arc::clone(&mails);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut visits = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                visits.spawn(visit(stream, manner, acceptor.clone(), Arc::clone(&kept)));
            }
        });
        Self { address, mails, _serving: serving }
    }

    /// The mails so far, each as it came.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

/// A peer that hangs up in the middle ends its visit.
async fn visit(stream: TcpStream, manner: Manner, tls: TlsAcceptor, kept: Arc<Mutex<Vec<String>>>) {
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
    kept: Arc<Mutex<Vec<String>>>,
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
        let mut recipients = 0;
        while let Some(line) = self.line().await {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
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
                "RCPT" => {
                    recipients += 1;
                    self.say("250 ok").await;
                }
                "DATA" if recipients == 0 => self.say("554 no valid recipients").await,
                "DATA" => {
                    self.say("354 go on").await;
                    self.mail().await;
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

    async fn mail(&mut self) {
        let mut mail = String::new();
        while let Some(line) = self.line().await.filter(|line| line != ".") {
            mail.push_str(&line);
            mail.push('\n');
        }
        self.kept.lock().unwrap().push(mail);
        self.say("250 taken").await;
    }
}
