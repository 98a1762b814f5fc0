//! Every way to the platform that an office or a café offers: the daemon, `init`, `doctor` and the
//! handler of models through each, in front of a simulator with TLS.

mod boot;
mod handler;
pub(crate) mod intercept;
pub(crate) mod net;
pub(crate) mod proxy;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use larkline_sim::{AppSpec, SimOptions};

use self::intercept::{Front, Interceptor};
use self::proxy::{Manner, Proxy};
use crate::llm::{KEY, LLM, Model};
use crate::rig::{PATIENCE, Rig, text};
use crate::tls::Authority;

/// A platform and a model's service with TLS, and a proxy in front of both.
struct Office {
    rig: Rig,
    proxy: Proxy,
    ca: PathBuf,
    /// Addresses of platform and service.
    hosts: [String; 2],
    _servers: (Model, Front, Authority),
}

impl Office {
    /// `trusted` is the authority's file that the configuration names.
    async fn new(manner: impl FnOnce(&Authority) -> (Manner, PathBuf)) -> Self {
        let authority = Authority::new();
        let (manner, ca) = manner(&authority);
        let model = Model::start().await;
        let bare = model.url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
        let front = Front::start(&authority, bare).await;
        let proxy = Proxy::start(manner).await;
        let service = format!("https://{}/v1", front.address);
        let llm = LLM.replace("{model}", &service);
        let (url, file) = (&proxy.url, ca.display());
        let rest = format!(
            "{llm}\n[network]\nproxy = \"{url}\"\nno_proxy = []\nca_files = [\"{file}\"]\n"
        );
        let mut rig = Rig::with(SimOptions { ..authority.platform() }, &rest).await;
        rig.env.insert("MODEL_KEY", KEY.to_owned());
        let hosts = [rig.sim.url().replace("https://", ""), front.address.clone()];
        Self { rig, proxy, ca, hosts, _servers: (model, front, authority) }
    }

    /// How often the proxy was asked for platform and service.
    fn asked(&self) -> [usize; 2] {
        let heard = self.proxy.heard();
        self.hosts.each_ref().map(|host| heard.iter().filter(|target| *target == host).count())
    }

    /// `init` in a folder of its own, until its link is verified; what it says.
    async fn init(&self) -> String {
        let folder = self.rig.path("novice");
        std::fs::create_dir(&folder).unwrap();
        let app = AppSpec::default();
        let mut command = self.rig.command();
        command.env_remove("LARKLINE_CONFIG").env("SECRET", app.app_secret).current_dir(&folder);
        command.args(["init", "--domain", &self.rig.sim.url(), "--app-id", app.app_id.as_str()]);
        command.args(["--app-secret-env", "SECRET", "--owner", self.rig.owner.as_str()]);
        command.args(["--handler", "echo", "--wait", "1", "--timeout", "20"]);
        command.args(["--proxy", &self.proxy.url, "--ca-file"]).arg(&self.ca);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    }

    async fn doctor(&self) -> (Option<i32>, String) {
        let output = self.rig.cli(&["doctor", "--timeout", "20"]).await;
        (output.status.code(), text(&output.stdout))
    }

    /// The four of them, one after the other.
    async fn everything_goes_through(mut self, route: &str, issuer: &str) {
        let said = self.init().await;
        assert!(said.contains("the link is verified"), "{said}");
        let [after_init, _] = self.asked();
        assert!(after_init >= 2, "calls and link of init: {:?}", self.proxy.heard());
        self.rig.ledger("the end of init's link", |l| l.open_connections() == 0).await;
        let (code, page) = self.doctor().await;
        assert_eq!(code, Some(0), "{page}");
        for part in [route, issuer, "pass  tunnel", "pass  pong"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        self.rig.ledger("the end of doctor's link", |l| l.open_connections() == 0).await;
        let [before, _] = self.asked();
        self.rig.run(&[]).await;
        self.rig.ready().await;
        let said = self.rig.say(&self.rig.guest, "[[say through it all]]");
        let rows = crate::agent::answered(&self.rig, &said, "through it all").await;
        assert!(!rows.is_empty());
        let [after, models] = self.asked();
        assert!(after > before && models > 0, "{:?}", self.proxy.heard());
        let status = self.rig.status().await.unwrap();
        let link = &status["apps"][0]["link"];
        assert!(link["route"].as_str().unwrap().contains(route), "{link}");
        assert!(link["tls"].as_str().unwrap().contains(issuer), "{link}");
    }
}

fn real(authority: &Authority) -> PathBuf {
    authority.file("ca.pem")
}

#[tokio::test]
async fn all_commands_and_a_model_go_through_an_http_proxy_with_a_password() {
    let office = Office::new(|authority| (Manner::Guarded, real(authority))).await;
    office.everything_goes_through("http proxy", "Office Proxy CA").await;
}

#[tokio::test]
async fn all_commands_and_a_model_go_through_a_socks_proxy_with_a_password() {
    let office = Office::new(|authority| (Manner::Socks(0), real(authority))).await;
    office.everything_goes_through("socks5 proxy", "Office Proxy CA").await;
}

fn opened(authority: &Authority) -> (Manner, PathBuf) {
    let interceptor = Interceptor::new("Zscaler Root CA", authority);
    let ca = interceptor.ca();
    (Manner::Opens(Arc::new(interceptor)), ca)
}

#[tokio::test]
async fn all_commands_and_a_model_go_through_a_proxy_that_opens_tls() {
    let office = Office::new(opened).await;
    office.everything_goes_through("http proxy", "Zscaler Root CA").await;
}

#[tokio::test]
async fn a_proxy_that_opens_tls_and_is_not_trusted_is_named_by_all_and_told_nothing() {
    let (mut office, nobody) = (Office::new(opened).await, Authority::new());
    // Somebody else's authority instead of the proxy's.
    let text = crate::rig::read(&office.rig.path("larkline.toml"));
    let file = |path: &Path| path.display().to_string();
    let other = text.replace(&file(&office.ca), &file(&nobody.file("ca.pem")));
    std::fs::write(office.rig.path("larkline.toml"), other).unwrap();
    office.ca = nobody.file("ca.pem");
    let said = office.init().await;
    assert!(said.contains("Zscaler") && said.contains("network.ca_files"), "{said}");
    let (code, page) = office.doctor().await;
    assert_eq!(code, Some(11), "{page}");
    assert!(page.contains("Zscaler opens TLS on the way"), "{page}");
    office.rig.run(&[]).await;
    office.rig.logged("Zscaler").await;
    let seen = office.rig.sim.platform().read(|l| l.connections.len() + l.calls.len());
    assert_eq!(seen, 0, "nothing may pass a connection that is not trusted");
}
