//! `larkline sim`: the platform in a box, for testing any bot.

use std::time::Duration;

use anyhow::{Context, Result};
use larkline_sim::{AppSpec, ClientConfig, Limits, Sim, SimOptions};

use crate::args::SimArgs;
use crate::exit::{ExitStatus, Yours};
use crate::output;

/// Serves until Ctrl-C. The URL is the one line on stdout.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) async fn run(args: SimArgs) -> Result<ExitStatus> {
    if !(args.speed.is_finite() && args.speed > 0.0) {
        return Err(Yours("--speed needs a number above 0".to_owned()).into());
    }
    let defaults = SimOptions::default();
    let fast = |d: Duration| d.div_f64(args.speed);
    let sim = Sim::start(SimOptions {
        listen: args.listen,
        seed: args.seed,
        redelivery: defaults.redelivery.iter().copied().map(fast).collect(),
        ack_timeout: fast(defaults.ack_timeout),
        client_config: ClientConfig {
            reconnect_interval: args.reconnect_interval,
            reconnect_nonce: args.reconnect_nonce,
            ..defaults.client_config
        },
        limits: if args.no_limits { Limits::unlimited() } else { defaults.limits },
        ..defaults
    })
    .await
    .with_context(|| {
        format!("cannot serve on {}; choose another address with --listen", args.listen)
    })?;
    let app = AppSpec::default();
    output::note(&format!("app_id = {}, app_secret = {}", app.app_id, app.app_secret));
    output::note("the chat page is at this address, the admin API under /_sim; Ctrl-C ends");
    output::data(&sim.url());
    tokio::signal::ctrl_c().await.context("cannot receive signals")?;
    sim.stop().await;
    Ok(ExitStatus::Ok)
}
