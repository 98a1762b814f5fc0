//! An echo bot without the daemon. Against the simulator:
//! `cargo run -p larkline-client --example echo -- http://127.0.0.1:PORT cli_a1b2c3d4e5f60718 simulator-secret`

use anyhow::Context as _;
use larkline_client::link::{self, Answer, LinkConfig, LinkOptions};
use larkline_client::{ApiClient, Dialer, NetOptions, Secret};
use larkline_proto::content::{Outgoing, readable};
use larkline_proto::event::Event;
use larkline_proto::id::AppId;
use tokio::{sync::mpsc, task::JoinSet};
use url::Url;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("usage: echo DOMAIN APP_ID APP_SECRET");
    echo(&next()?, &next()?, &next()?).await
}

/// Answers every message with its own words, until the link ends.
pub(crate) async fn echo(domain: &str, app_id: &str, secret: &str) -> anyhow::Result<()> {
    let (app_id, app_secret) = (AppId::new(app_id), Secret::new(secret));
    let (domain, dialer) = (Url::parse(domain)?, Dialer::new(&NetOptions::default())?);
    let api = ApiClient::new(dialer.clone(), domain.clone(), app_id.clone(), app_secret.clone());
    let bot = api.bot_info().await?.data.open_id;

    let (config, seed) = (LinkConfig::default(), std::process::id().into());
    let options = LinkOptions { app_id, app_secret, domain, dialer, config, seed };
    let (deliveries, mut received) = mpsc::channel(64);
    let (handle, driver) = link::start(options, deliveries)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(driver);

    while let Some(delivery) = received.recv().await {
        // A bot that must not lose a message stores it here, before it acknowledges.
        handle.answer(vec![(delivery.ack, Answer::ok())]);
        let Ok(event) = Event::parse(&delivery.payload) else { continue };
        let Some(message) = event.message() else { continue };
        let words = Outgoing::text(&readable(message, &bot));
        // The event's id as `uuid`: an event that comes again is not answered again.
        if let Err(error) = api.reply(&message.id, &words, false, event.id.as_str()).await {
            tracing::error!(%error, "the answer did not go out");
        }
    }
    Ok(())
}
