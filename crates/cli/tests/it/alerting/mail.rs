//! Alerts by mail, with a server of ours: encrypted or not at all, and each step's failure named.

use larkline_sim::Fault;

use crate::alerting::mail_server::{MailServer, Manner};
use crate::alerting::{QUICK, cut};
use crate::rig::{ECHO, Rig, text};
use crate::tls::Authority;

/// A mail server, and the way to it.
struct Office {
    authority: Authority,
    server: MailServer,
}

impl Office {
    async fn open(manner: Manner) -> Self {
        let authority = Authority::new();
        let (cert, key) = (authority.file("cert.pem"), authority.file("key.pem"));
        Self { server: MailServer::start(manner, &cert, &key).await, authority }
    }

    /// The configuration of a destination `office`; `smtp` and `to` are its own.
    fn config(&self, smtp: &str, to: &str) -> String {
        let (port, ca) = (self.server.address.port(), self.authority.file("ca.pem"));
        format!(
            "{ECHO}{QUICK}\n[network]\nca_files = [\"{}\"]\n\n[smtp.office]\nhost = \"localhost\"\nport = {port}\nuser = \"bot@example.com\"\npassword = {{ env = \"SMTP_PASSWORD\" }}\n{smtp}\n\n[destination.office]\nkind = \"smtp\"\nsmtp = \"office\"\nto = [{to}]\n",
            ca.display()
        )
    }

    async fn rig(config: &str, password: &str) -> Rig {
        let mut rig = Rig::new(config).await;
        rig.env.insert("SMTP_PASSWORD", password.to_owned());
        rig.run(&[]).await;
        rig.ready().await;
        rig
    }
}

const OPS: &str = "\"Ops <ops@example.com>\"";

/// What `larkline alerts test` says of a failure.
async fn failure(rig: &Rig) -> String {
    let test = rig.cli(&["alerts", "test"]).await;
    assert_eq!(test.status.code(), Some(1), "{test:?}");
    text(&test.stdout)
}

#[tokio::test]
async fn an_alert_and_its_end_are_mails_over_starttls_with_a_login_and_ids_of_their_own() {
    let office = Office::open(Manner::Starttls).await;
    let rig = Office::rig(&office.config("", OPS), "pässwort").await;
    cut(&rig);
    rig.until("a mail", async || {
        office.server.mails().iter().any(|mail| mail.contains("alert (critical) link_down"))
    })
    .await;
    rig.fault(Fault::Clear);
    rig.until("its end", async || {
        office.server.mails().iter().any(|mail| mail.contains("over (critical) link_down"))
    })
    .await;
    let mails = office.server.mails();
    let raised = mails.iter().find(|mail| mail.contains("alert (critical) link_down")).unwrap();
    for part in [
        "From: bot@example.com",
        "To: Ops <ops@example.com>",
        "Auto-Submitted: auto-generated",
        "next: larkline doctor",
    ] {
        assert!(raised.contains(part), "{part} is not in {raised}");
    }
    let id =
        |mail: &String| mail.lines().find(|l| l.starts_with("Message-ID: <")).unwrap().to_owned();
    let mut ids: Vec<String> = mails.iter().map(id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), mails.len(), "{ids:?}");
}

#[tokio::test]
async fn a_wrong_password_a_refused_recipient_and_an_accepted_one_beside_it_are_told_apart() {
    let office = Office::open(Manner::Implicit).await;
    let to = "\"nobody@example.com\", \"ops@example.com\"";
    let config = office.config("tls = \"implicit\"", to);
    let mut rig = Office::rig(&config, "wrong").await;
    let words = failure(&rig).await;
    assert!(words.contains("login failed") && words.contains("authorisation code"), "{words}");
    assert!(!rig.log().contains("wrong"), "the password is in no log");
    rig.kill9().await;
    rig.env.insert("SMTP_PASSWORD", "pässwort".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    let words = failure(&rig).await;
    assert!(words.contains("took it for others and refused nobody@example.com ("), "{words}");
    assert!(words.contains("no such user") && !words.contains("ops@"), "{words}");
    assert_eq!(office.server.mails().len(), 1);
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    assert!(shown.contains("refused nobody@example.com"), "{shown}");
    rig.configure(&office.config("tls = \"implicit\"", "\"nobody@example.com\""));
    assert!(rig.cli(&["reload"]).await.status.success());
    let words = failure(&rig).await;
    assert!(words.contains("every recipient was refused: nobody@example.com"), "{words}");
}

#[tokio::test]
async fn without_encryption_nobody_logs_in_and_an_unknown_authority_is_refused() {
    let office = Office::open(Manner::Plain).await;
    let rig = Office::rig(&office.config("", OPS), "pässwort").await;
    let words = failure(&rig).await;
    assert!(words.contains("no STARTTLS"), "{words}");
    let clear = office.config("tls = \"none\"", OPS);
    rig.configure(&clear);
    let check = rig.cli(&["config", "check"]).await;
    assert!(text(&check.stderr).contains("over the wire in clear"), "{check:?}");
    let open = clear.replace(
        "user = \"bot@example.com\"\npassword = { env = \"SMTP_PASSWORD\" }",
        "from = \"bot@example.com\"",
    );
    rig.configure(&open);
    assert!(rig.cli(&["reload"]).await.status.success(), "{}", rig.log());
    assert!(rig.cli(&["alerts", "test"]).await.status.success(), "asked for in so many words");
    drop(rig);

    let office = Office::open(Manner::Starttls).await;
    let config = office.config("", OPS).replace("[network]\nca_files", "[network]\n# ca_files");
    let rig = Office::rig(&config, "pässwort").await;
    let words = failure(&rig).await;
    assert!(words.contains("TLS failed") && words.contains("network.ca_files"), "{words}");
    assert!(office.server.mails().is_empty());
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_now_is_told_later_and_alone() {
    let office = Office::open(Manner::Starttls).await;
    office.server.greylists(Some("night@example.com"));
    let config = office.config("", "\"ops@example.com\", \"night@example.com\"");
    let rig = Office::rig(&config, "pässwort").await;
    let words = failure(&rig).await;
    assert!(words.contains("refused night@example.com (") && words.contains("grey"), "{words}");
    cut(&rig);
    let raised = || {
        let all = office.server.taken().into_iter();
        let raised = all.filter(|mail| mail.text.contains("alert (critical) link_down"));
        raised.map(|mail| mail.to).collect::<Vec<_>>()
    };
    rig.until("a mail", async || !raised().is_empty()).await;
    rig.logged("could not be told: every recipient was refused: night@example.com").await;
    office.server.greylists(None);
    rig.until("the rest", async || raised().len() == 2).await;
    assert_eq!(raised(), [["ops@example.com"], ["night@example.com"]]);
    rig.fault(Fault::Clear);
    rig.until("its end", async || {
        office.server.mails().iter().any(|mail| mail.contains("over (critical) link_down"))
    })
    .await;
    assert_eq!(raised().len(), 2, "each one time");
}

#[tokio::test]
async fn a_server_without_a_goodbye_has_the_mail_and_any_other_silence_is_named_with_its_step() {
    let office = Office::open(Manner::Plain).await;
    let config = office.config("tls = \"none\"", OPS).replace(
        "user = \"bot@example.com\"\npassword = { env = \"SMTP_PASSWORD\" }",
        "from = \"bot@example.com\"",
    );
    let rig = Office::rig(&format!("{config}timeout = \"1s\"\n"), "").await;
    office.server.silent_at(Some("QUIT"));
    let test = rig.cli(&["alerts", "test"]).await;
    assert!(test.status.success(), "{test:?}");
    assert_eq!(office.server.mails().len(), 1);
    office.server.silent_at(Some("RCPT"));
    let words = failure(&rig).await;
    assert!(words.contains("naming a recipient was not done after 1s"), "{words}");
}
