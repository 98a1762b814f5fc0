//! `larkline sim`: the platform in a box, for testing any bot.

use std::path::Path;

use anyhow::{Context, Result};
use larkline_gateway::words::Lang;
use larkline_sim::{AppSpec, ClientConfig, Limits, Script, Sim, SimError, SimOptions};

use crate::args::SimArgs;
use crate::exit::{ExitStatus, Yours};
use crate::lang::{either, lang};
use crate::output;

/// Serves until Ctrl-C, or until a script has ended. Without a script the URL is the one line on
/// stdout, with one it is the script's report.
///
/// # Errors
/// When the address cannot be bound, or the script cannot be read.
pub(crate) async fn run(args: SimArgs) -> Result<ExitStatus> {
    let script = args.script.as_deref().map(read).transpose()?;
    let sim = start(&args, script.as_ref()).await?;
    let app = AppSpec::default();
    output::note(&format!("app_id = {}, app_secret = {}", app.app_id, app.app_secret));
    let Some(script) = script else {
        output::note(either(
            "聊天页面在此地址，管理 API 在 /_sim 下；按 Ctrl-C 结束",
            "the chat page is at this address, the admin API under /_sim; Ctrl-C ends",
        ));
        output::data(&sim.url());
        tokio::signal::ctrl_c()
            .await
            .with_context(|| say!(zh: "无法接收信号", en: "cannot receive signals"))?;
        sim.stop().await;
        return Ok(ExitStatus::Ok);
    };
    output::note(&format!("domain = {}", sim.url()));
    let report = tokio::select! {
        report = script.run(sim.platform()) => report,
        end = tokio::signal::ctrl_c() => {
            end.with_context(|| say!(zh: "无法接收信号", en: "cannot receive signals"))?;
            let words = say!(
                zh: "脚本在最后一步之前被结束",
                en: "the script was ended before its last step"
            );
            return Err(Yours(words).into());
        }
    };
    sim.stop().await;
    output::data(&serde_json::to_string_pretty(&report)?);
    if let (Some(line), Some(why)) = (report.line, &report.why) {
        output::note(&say!(zh: "第 {line} 行：{why}", en: "line {line}: {why}"));
    }
    Ok(if report.ok { ExitStatus::Ok } else { ExitStatus::Yours })
}

fn read(path: &Path) -> Result<Script> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Yours(say!(
            zh: "无法读取 {path}：{e}；请提供 JSON 行文件",
            en: "cannot read {path}: {e}; give a file of JSON lines",
            path = path.display()
        ))
    })?;
    Script::parse(&text).map_err(|e| {
        let path = path.display();
        let text = match lang() {
            Lang::Zh => {
                format!("{path} 第 {} 行：{}；脚本的写法见 docs/simulator.md", e.line, e.what)
            }
            Lang::En => format!("{path}: {e}"),
        };
        Yours(text).into()
    })
}

async fn start(args: &SimArgs, script: Option<&Script>) -> Result<Sim> {
    let defaults = SimOptions::default();
    let defaults = script.map_or_else(|| defaults.clone(), |s| s.setup.options(defaults.clone()));
    let options = SimOptions {
        listen: args.listen,
        seed: args.seed.unwrap_or(defaults.seed),
        speed: args.speed.unwrap_or(defaults.speed),
        client_config: ClientConfig {
            reconnect_interval: args.reconnect_interval,
            reconnect_nonce: args.reconnect_nonce,
            ..defaults.client_config
        },
        limits: if args.no_limits { Limits::unlimited() } else { defaults.limits },
        ..defaults
    };
    match Sim::start(options).await {
        Err(error @ SimError::Speed(_)) => Err(Yours(output::said(&error)).into()),
        started => started.with_context(|| {
            say!(
                zh: "无法在 {address} 上提供服务；请用 --listen 换一个地址",
                en: "cannot serve on {address}; choose another address with --listen",
                address = args.listen
            )
        }),
    }
}
