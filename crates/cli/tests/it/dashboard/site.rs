//! A gateway with a dashboard, and a browser without a screen.

use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};

use crate::rig::{ECHO, PATIENCE, Rig};

/// What fails says why; everything else is echoed.
const FAILING: &str = r#"
[[route]]
name = "failing"
senders = "everyone"
match = { keywords = ["fail"] }
handler = "printer"

[handler.printer]
kind = "command"
argv = ["{dir}/printer"]
cwd = "{dir}"
env = { PRINTER_KEY = "very-secret-printer-key" }
retry = { attempts = 1 }
"#;

/// The gateway and where its pages are.
pub(super) struct Site {
    pub(super) rig: Rig,
    pub(super) port: u16,
    client: reqwest::Client,
}

impl Site {
    /// On loopback, with further keys of `[server]`.
    pub(super) async fn start(server: &str) -> Self {
        Self::listening("127.0.0.1", server).await
    }

    /// On an address.
    pub(super) async fn listening(address: &str, server: &str) -> Self {
        let mut site = Self::configured(address, server).await;
        site.rig.run(&[]).await;
        site.rig.ready().await;
        site
    }

    /// One that does not run yet.
    pub(super) async fn configured(address: &str, server: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let port = crate::listener::free_port();
        let server = format!("[server]\nhttp = \"{address}:{port}\"\n{server}\n");
        let link =
            "[link]\nbackoff_first = \"300ms\"\nbackoff_max = \"2s\"\nrecovery_target = \"1s\"\n";
        let alerts = "[alerts]\nclear_after = \"1s\"\n";
        let rig = Rig::new(&format!("{FAILING}{ECHO}\n{server}{link}{alerts}")).await;
        rig.script("printer", "cat > /dev/null; [ -e mended ] && { echo mended; exit; }; exit 3");
        let client = reqwest::Client::builder().redirect(redirect::Policy::none());
        Self { rig, port, client: client.timeout(PATIENCE).build().unwrap() }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A page that is there.
    pub(super) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    /// A message that became a dead letter: its id.
    pub(super) async fn dead(&self) -> String {
        let said = self.rig.say(&self.rig.owner, "please fail");
        self.rig.answered(&said).await;
        let letters = self.rig.json(&["dead"]).await;
        format!("t{}", letters[0]["item"]["task"])
    }

    /// How many dead letters there are.
    pub(super) async fn letters(&self) -> usize {
        self.rig.json(&["dead"]).await.as_array().unwrap().len()
    }

    /// What the forms of a page carry.
    pub(super) fn mark(page: &str) -> String {
        let (_, rest) = page.split_once("name=\"mark\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}
