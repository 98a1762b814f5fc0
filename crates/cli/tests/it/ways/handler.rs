//! A handler's service behind TLS that a private authority signed, or that is opened on the way.

use std::path::Path;
use std::sync::Arc;

use super::intercept::{Front, Interceptor};
use super::proxy::{Manner, Proxy};
use crate::alerting::receivers::Receiver;
use crate::rig::Rig;
use crate::tls::Authority;

/// Everything goes to a service; it is tried one time.
const SERVICE: &str = r#"
[[route]]
name = "all"
senders = "everyone"
handler = "service"

[handler.service]
kind = "http"
url = "https://{service}/hook"
allow_private = true
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
retry = { attempts = 1 }

[network]
proxy = "{proxy}"
no_proxy = ["127.0.0.1"]
ca_files = ["{ca}"]
"#;

/// A service with a certificate for `localhost`; the platform is reached without TLS and proxy.
struct Desk {
    authority: Authority,
    service: Receiver,
    front: Front,
}

impl Desk {
    async fn open() -> Self {
        let (authority, service) = (Authority::new(), Receiver::start().await);
        service.answers(200, r#"{"text":"from the service"}"#);
        let front = Front::start(&authority, service.address.to_string()).await;
        Self { authority, service, front }
    }

    /// Its name, by which the proxy is asked for it.
    fn host(&self) -> String {
        self.front.address.replace("127.0.0.1", "localhost")
    }

    async fn rig(&self, proxy: &str, ca: &Path) -> Rig {
        let config = SERVICE.replace("{service}", &self.host()).replace("{proxy}", proxy);
        Rig::start(&config.replace("{ca}", &ca.display().to_string())).await
    }
}

#[tokio::test]
async fn a_service_with_a_private_authority_is_reached_when_its_file_is_given() {
    let desk = Desk::open().await;
    let rig = desk.rig("none", &desk.authority.file("ca.pem")).await;
    let said = rig.say(&rig.guest, "hello");
    assert_eq!(rig.answered(&said).await, ["from the service"]);
    assert_eq!(desk.service.got()[0].json()["data"]["text"], "hello");
}

#[tokio::test]
async fn a_service_is_reached_through_a_proxy_that_opens_tls() {
    let desk = Desk::open().await;
    let interceptor = Interceptor::new("Zscaler Root CA", &desk.authority);
    let ca = interceptor.ca();
    let proxy = Proxy::start(Manner::Opens(Arc::new(interceptor))).await;
    let rig = desk.rig(&proxy.url, &ca).await;
    let said = rig.say(&rig.guest, "hello");
    assert_eq!(rig.answered(&said).await, ["from the service"]);
    assert_eq!(proxy.heard(), [desk.host()], "by the proxy, and nothing else");
}

#[tokio::test]
async fn a_service_behind_tls_that_nobody_trusts_gets_nothing_and_its_failure_names_the_authority()
{
    let desk = Desk::open().await;
    let interceptor = Interceptor::new("Zscaler Root CA", &desk.authority);
    let proxy = Proxy::start(Manner::Opens(Arc::new(interceptor))).await;
    // The service's own authority does not help: it is not who is seen.
    let rig = desk.rig(&proxy.url, &desk.authority.file("ca.pem")).await;
    let said = rig.say(&rig.guest, "a secret word");
    let told = rig.answered(&said).await.join("\n");
    assert!(!told.contains("from the service"), "{told}");
    rig.until("a dead letter", async || {
        rig.json(&["dead"]).await.to_string().contains("http_transport")
    })
    .await;
    let dead = rig.json(&["dead"]).await.to_string();
    assert!(dead.contains("Zscaler"), "{dead}");
    assert_eq!(proxy.heard(), [desk.host()]);
    assert!(desk.service.got().is_empty(), "nothing may pass a connection that is not trusted");
}
