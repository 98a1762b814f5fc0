//! The link alone: acknowledges every message at once and keeps nothing.
//!
//! `cargo xtask bench` starts it to see what the journal costs. Reads APP_ID, APP_SECRET and
//! DOMAIN, and ends when its stdin closes.

use larkline_client::link::{self, Answer, LinkConfig, LinkOptions};
use larkline_client::{Dialer, NetOptions, Secret};
use tokio::io::AsyncReadExt as _;

/// As many as the gateway takes at a time.
const BATCH: usize = 256;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (deliveries, mut received) = tokio::sync::mpsc::channel(1024);
    let (handle, driver) = link::start(
        LinkOptions {
            app_id: std::env::var("APP_ID")?.into(),
            app_secret: Secret::new(&std::env::var("APP_SECRET")?),
            domain: std::env::var("DOMAIN")?.parse()?,
            dialer: Dialer::new(&NetOptions::default())?,
            config: LinkConfig::default(),
            seed: 7,
        },
        deliveries,
    )?;
    let acking = async {
        let mut batch = Vec::with_capacity(BATCH);
        while received.recv_many(&mut batch, BATCH).await > 0 {
            handle.answer(batch.drain(..).map(|d| (d.ack, Answer::ok())).collect());
        }
    };
    let mut stdin = tokio::io::stdin();
    let mut rest = Vec::new();
    tokio::select! {
        end = driver => anyhow::bail!("the link ended: {end:?}"),
        () = acking => {}
        _ = stdin.read_to_end(&mut rest) => {}
    }
    Ok(())
}
