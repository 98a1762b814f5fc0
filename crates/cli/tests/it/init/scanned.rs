//! An app by QR code, from an empty folder to an answered message.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use larkline_sim::{Scan, SimOptions};
use rcgen::CertificateParams;

use super::{Novice, quick, whole};
use crate::rig::{read, text};
use crate::tls::Authority;
use crate::ways::proxy::{Manner, Proxy};

const BY_SCAN: [&str; 5] = ["--qr", "--handler", "echo", "--format", "json"];

#[tokio::test]
async fn from_nothing_to_an_answered_message_by_one_scan() {
    let mut novice = Novice::new().await;
    novice.begin(&[&BY_SCAN[..], &["--wait", "600"]].concat());
    novice.scan(Scan::Allow).await;
    let app = novice.app().await;
    let platform = novice.rig.sim.platform().clone();
    // The console takes the mode when there is a link, and the assistant has one before it asks.
    novice.until_said("the link is verified").await;
    novice.until_said("事件与回调 > 事件配置 > 订阅方式 > 使用长连接接收事件").await;
    novice.until_said(&format!("/app/{app}/event")).await;
    novice.until_said("the platform sees 1 long connection(s)").await;
    platform.save_subscription(&app).unwrap();
    // The owner is whoever scanned, and gets the first message.
    let owner = novice.owner_of(&app);
    novice.until_said(&format!("the bot wrote its first message to {owner}")).await;
    let said = novice.write(&app, "hello");
    assert_eq!(novice.rig.answered(&said).await, ["hello"]);
    let (code, done, all) = novice.end().await;
    assert_eq!(code, 0, "{all}");
    assert_eq!(done["link"]["heard"], true, "{all}");
    assert_eq!(done["link"]["connections"], 1, "{all}");
    assert!(done["link"]["calls"].as_u64().unwrap() < 10, "the calls are metered: {all}");
    assert_eq!(done["owners"], serde_json::json!([owner]));
    assert!(all.contains("message \"hello\""), "{all}");

    // The secret is in a file of its own, and nowhere else.
    let secret_file = novice.file("larkline.secret");
    let secret = read(&secret_file);
    assert_eq!(secret.trim().len(), 32, "the app's own secret");
    assert_eq!(secret_file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!all.contains(secret.trim()) && !novice.config().contains(secret.trim()));
    assert!(novice.config().contains("app_secret = { file = \"larkline.secret\" }"));

    // What was written works by itself: checked, diagnosed, and run.
    let (code, said) = whole(&novice.typed(&["config", "check"]).await);
    assert_eq!(code, 0, "{said}");
    let (code, said) = whole(&novice.typed(&["doctor", "--timeout", "20"]).await);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("verdict: healthy") && !said.contains("without im:"), "{said}");
    let mut gateway = novice.command(&["run"]).spawn().unwrap();
    novice
        .rig
        .until("ready", async || novice.typed(&["status", "--check"]).await.status.success())
        .await;
    let said = novice.write(&app, "again");
    assert_eq!(novice.rig.answered(&said).await, ["again"]);
    gateway.kill().await.unwrap();
}

#[tokio::test]
async fn the_console_saves_the_subscription_only_while_there_is_a_link() {
    let mut novice = Novice::new().await;
    novice.begin(&[&BY_SCAN[..], &["--no-link"]].concat());
    novice.scan(Scan::Allow).await;
    let app = novice.app().await;
    let (code, done, all) = novice.end().await;
    assert_eq!(code, 0, "{all}");
    assert!(done.get("link").is_none(), "{done}");
    let refused = novice.rig.sim.platform().save_subscription(&app).unwrap_err();
    assert!(refused.to_string().contains("10068"), "{refused}");
    // And without it no event comes: advice after the wait, in the class of the console.
    let said = novice.command(&["run"]).spawn();
    let mut gateway = said.unwrap();
    novice
        .rig
        .until("ready", async || novice.typed(&["status", "--check"]).await.status.success())
        .await;
    novice.write(&app, "unheard");
    novice.rig.sim.platform().save_subscription(&app).unwrap();
    let said = novice.write(&app, "heard");
    assert_eq!(novice.rig.answered(&said).await, ["heard"]);
    let status = text(&novice.typed(&["messages"]).await.stdout);
    assert!(!status.contains("unheard"), "{status}");
    gateway.kill().await.unwrap();
}

#[tokio::test]
async fn the_code_asks_for_exactly_what_the_handler_needs() {
    let echo = Novice::new().await.asked_for("echo").await;
    assert!(
        !echo.contains("cardkit:card:write") && !echo.contains("card.action.trigger"),
        "{echo}"
    );
    assert!(echo.contains("im:message:send_as_bot") && echo.contains("im.message.receive_v1"));
    let agent = Novice::new().await.asked_for("agent:claude").await;
    assert!(
        agent.contains("cardkit:card:write") && agent.contains("card.action.trigger"),
        "{agent}"
    );
}

impl Novice {
    /// What the assistant says that it asks for, with a handler.
    async fn asked_for(mut self, handler: &str) -> String {
        self.begin(&["--qr", "--handler", handler, "--no-link"]);
        self.scan(Scan::Allow).await;
        let app = self.app().await;
        let (code, _, all) = self.end().await;
        assert_eq!(code, 0, "{all}");
        let asked = all.lines().find(|line| line.starts_with("scopes, events")).unwrap().to_owned();
        // The simulator grants what the code holds and nothing else: a doctor finds no gap.
        let (_, told) = whole(&self.typed(&["doctor", "--timeout", "20"]).await);
        assert!(!told.contains("without "), "{app}: {told}");
        asked
    }
}

#[tokio::test]
async fn somebody_on_lark_is_followed_there_through_proxy_and_private_authority() {
    let hosts =
        ["accounts.feishu.cn", "accounts.larksuite.com", "open.feishu.cn", "open.larksuite.com"];
    let names = hosts.map(str::to_owned).to_vec();
    let authority = Authority::of("Test CA", &CertificateParams::new(names).unwrap());
    let options = SimOptions { tls: authority.platform().tls, ..quick() };
    let mut novice = Novice::on(options).await;
    let address = novice.rig.sim.url().replace("https://", "");
    let map: BTreeMap<String, String> = hosts
        .iter()
        // Nothing but the host of accounts is asked at Feishu.
        .filter(|host| **host != "open.feishu.cn")
        .map(|host| (format!("{host}:443"), address.clone()))
        .chain([(address.clone(), address.clone())])
        .collect();
    let proxy = Proxy::start(Manner::Connects(Arc::new(map))).await;
    let ca = authority.file("ca.pem").display().to_string();
    let network = ["--proxy", &proxy.url, "--ca-file", &ca];
    novice.begin_at("feishu", &[&BY_SCAN[..], &network, &["--wait", "1"]].concat());
    let code = novice.scan(Scan::AllowOnLark).await;
    assert!(code.starts_with("https://accounts.feishu.cn/"), "{code}");
    novice.app().await;
    let (_, _, all) = novice.end().await;
    assert!(all.contains("the person is on Lark"), "{all}");
    assert!(all.contains("the platform accepts app id and secret"), "{all}");
    let file = novice.config();
    assert!(file.contains("domain = \"lark\""), "{file}");
    assert!(file.contains(&format!("proxy = \"{}\"", proxy.url)) && file.contains(&ca), "{file}");
}
