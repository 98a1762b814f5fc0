//! The binary behind proxies that others wrote: an HTTP proxy with a password, and a SOCKS5 server.
//!
//! Both come from Debian and listen on loopback while this runs. The conversation is judged by
//! `tests/sdk/laws.py`, as that of the SDKs; here is checked that it went through the proxy, and that
//! `doctor` and `init` go through it too.
//! Refusals and name rules of proxies are tests of the client crate.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{self, Logged};
use crate::test::Tally;
use crate::workspace::{Workspace, line};
use crate::{installed, sdk};

/// Longest time until a proxy accepts connections.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two looks at a port or a log.
const POLL: Duration = Duration::from_millis(20);
/// Account of the proxies.
const USER: &str = "ada";
/// Its password; letters and digits, as tinyproxy's grammar wants.
const PASSWORD: &str = "p4ssw0rd";
/// The simulator's app, the variable of its secret, and somebody to own what `init` writes.
const APP: &str = "cli_a1b2c3d4e5f60718";
const SECRET: &str = "FEISHU_APP_SECRET";
const OWNER: &str = "ou_7d8a6e6df7621556ce0d21922b676706";
/// What an echo bot must keep to; the other laws are about the SDKs' own calls.
const LAWS: &str = "a_text_is_heard_acknowledged_and_answered,one_token_serves_many_sends,\
    after_a_reset_the_bot_is_back,the_platform_has_nothing_to_object";
/// Links that these laws make: one, and one after the reset.
const LINKS: usize = 2;

/// A proxy that runs.
struct Proxy {
    /// With account, as configured in larkline.
    url: String,
    /// Holds the process; its log tells whom it connected.
    process: Logged,
    /// What its log says before the target of a connection that it tunnels.
    tunnelled: &'static str,
}

/// Starts a proxy with its files in a folder of its own.
type Start = fn(&Workspace, &Path) -> Result<Proxy>;

/// Both proxies, one after the other, each with a simulator and a larkline of its own.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let mut tally = Tally::default();
    for (name, start) in [("proxy::http", http as Start), ("proxy::socks5", socks5)] {
        if sdk::chosen(LAWS.split(','), name, filter) {
            tally = tally.and(conversation(workspace, name, start)?);
        }
    }
    Ok(tally)
}

/// One conversation through one proxy.
fn conversation(workspace: &Workspace, name: &str, start: Start) -> Result<Tally> {
    let home = workspace.cache().join("run").join(name.replace("::", "-"));
    installed::clear(&home)?;
    let program = sdk::built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?;
    let simulator = sdk::simulator(workspace)?;
    let proxy = start(workspace, &home)?;
    fs::write(home.join("larkline.toml"), config(&simulator.said, &proxy.url))?;
    let mut bot = Command::new(&program);
    bot.args(["--config", "larkline.toml", "run"]).current_dir(&home);
    bot.env(SECRET, "simulator-secret").env("STATE_DIRECTORY", home.join("state"));
    let bot = Logged::start(&mut bot, &home.join("larkline.log"))?;
    let mut judge = Command::new(installed::python(workspace)?);
    judge.arg(workspace.root.join(sdk::LAWS));
    judge.args(["--sim", &simulator.said, "--name", name, "--only", LAWS]);
    let talked = sdk::verdicts(&mut judge)?;
    let others = others(&program, &home, name, &simulator.said, &proxy.url)?;
    let target = simulator.said.trim_start_matches("http://");
    let carried = proxy.process.log()?.matches(&format!("{}{target}", proxy.tunnelled)).count();
    let carried = carried >= LINKS;
    let word = if carried { "ok" } else { "FAILED" };
    println!("{word:<6}          {name}::every_link_went_through_the_proxy");
    let tally = talked.and(others).and(Tally::one(carried));
    if tally.failed > 0 {
        println!("larkline said:\n{}\nthe proxy said:\n{}", bot.log()?, proxy.process.log()?);
    }
    Ok(tally)
}

/// The other commands that need the network, through the same proxy: `doctor`, and `init` with a link.
fn others(program: &Path, home: &Path, name: &str, platform: &str, proxy: &str) -> Result<Tally> {
    let doctor = ["--config", "larkline.toml", "doctor", "--timeout", "30"];
    let mut init = vec!["init", "--domain", platform, "--app-id", APP, "--app-secret-env", SECRET];
    init.extend(["--owner", OWNER, "--handler", "echo", "--output", "new.toml"]);
    init.extend(["--proxy", proxy, "--wait", "1", "--timeout", "30"]);
    let mut tally = Tally::default();
    for (command, args, proof) in
        [("doctor", &doctor[..], "verdict: healthy"), ("init", &init, "the link is verified")]
    {
        let mut command_line = Command::new(program);
        command_line.args(args).current_dir(home).env(SECRET, "simulator-secret");
        // The assistant's gateway runs beside the other, which holds state and app.
        let state = if command == "init" { "novice" } else { "state" };
        command_line.env("STATE_DIRECTORY", home.join(state));
        if command == "init" {
            command_line.env("LARKLINE_LOCK_DIR", home.join("locks"));
        }
        let output = command_line.output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let passed = said.contains(proof);
        let word = if passed { "ok" } else { "FAILED" };
        println!("{word:<6}          {name}::{command}_goes_through_the_proxy");
        if !passed {
            println!("{said}");
        }
        tally = tally.and(Tally::one(passed));
    }
    Ok(tally)
}

/// The smallest larkline.toml that goes through a proxy.
fn config(platform: &str, proxy: &str) -> String {
    format!(
        "[app.main]\napp_id = \"{APP}\"\napp_secret = {{ env = \"{SECRET}\" }}\n\
         domain = \"{platform}\"\n\n[network]\nproxy = \"{proxy}\"\nno_proxy = []\n\n\
         [[route]]\nname = \"echo\"\nhandler = \"echo\"\n\n[handler.echo]\nkind = \"echo\"\n"
    )
}

/// Tinyproxy with a password.
fn http(workspace: &Workspace, home: &Path) -> Result<Proxy> {
    let program = installed::debian(workspace, "tinyproxy-bin", "tinyproxy")?;
    let port = free_port()?;
    let settings = home.join("tinyproxy.conf");
    fs::write(
        &settings,
        format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 600\nLogLevel Connect\nBasicAuth {USER} {PASSWORD}\n"
        ),
    )?;
    let mut command = Command::new(program);
    command.arg("-d").arg("-c").arg(settings);
    started(&mut command, home, port, "http", "CONNECT ")
}

/// Microsocks with a password.
fn socks5(workspace: &Workspace, home: &Path) -> Result<Proxy> {
    let program = installed::debian(workspace, "microsocks", "microsocks")?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command.args(["-i", "127.0.0.1", "-u", USER, "-P", PASSWORD, "-p", &port.to_string()]);
    started(&mut command, home, port, "socks5", "connected to ")
}

/// Starts a proxy and waits until it accepts connections.
fn started(
    command: &mut Command,
    home: &Path,
    port: u16,
    scheme: &str,
    tunnelled: &'static str,
) -> Result<Proxy> {
    let process = Logged::start(command, &home.join("proxy.log"))?;
    let end = process::now() + START_DEADLINE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if process::now() > end {
            anyhow::bail!("`{}` does not listen: {}", line(command), process.log()?);
        }
        std::thread::sleep(POLL);
    }
    Ok(Proxy { url: format!("{scheme}://{USER}:{PASSWORD}@127.0.0.1:{port}"), process, tunnelled })
}

/// A port that nobody had a moment ago; neither proxy can be told to choose one.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
