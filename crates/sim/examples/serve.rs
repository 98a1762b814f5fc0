//! A simulator for scripts: prints its URL as its only line and serves until its stdin closes.
//!
//! The waits that the platform gives its clients are cut to what a test wants to wait. To try a bot
//! by hand use `larkline sim`, which keeps the platform's own numbers.

use std::time::Duration;

use larkline_sim::{ClientConfig, Limits, Sim, SimError, SimOptions};
use tokio::io::AsyncReadExt;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the URL is what the script that started this waits for")]
async fn main() -> Result<(), SimError> {
    let sim = Sim::start(SimOptions {
        client_config: ClientConfig {
            reconnect_interval: 1,
            reconnect_nonce: 0,
            ping_interval: 1,
            ..ClientConfig::default()
        },
        limits: Limits::unlimited(),
        // A slow machine is not what the scripts judge.
        ack_timeout: Duration::from_secs(10),
        redelivery: vec![Duration::from_secs(1); 30],
        ..SimOptions::default()
    })
    .await?;
    println!("{}", sim.url());
    // Ends with the script, however that ended: a read error means the same as the end.
    drop(tokio::io::stdin().read_to_end(&mut Vec::new()).await);
    sim.stop().await;
    Ok(())
}
