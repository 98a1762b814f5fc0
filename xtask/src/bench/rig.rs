//! What a measurement is made with: a simulator of its own, a bot, and the kernel's word on both.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::installed;
use crate::process::{self, Logged, Server};
use crate::workspace::{self, Workspace};

/// Longest time until a program that was started says so.
const START: Duration = Duration::from_secs(60);
/// Longest time for one call of the simulator; a load run is one call.
const CALL: Duration = Duration::from_secs(300);
/// Ticks in a second of `/proc/PID/stat`: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Everything that was built or installed for the runs.
pub(super) struct Tools {
    pub(super) larkline: PathBuf,
    link: PathBuf,
    /// Times the store alone.
    pub(super) crowded: PathBuf,
    python: PathBuf,
    modules: PathBuf,
    scripts: PathBuf,
    /// State and logs of the bots, on the disk of the checkout.
    pub(super) scratch: PathBuf,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The gateway.
    Ours,
    /// Our link alone, which acks at once and keeps nothing.
    Link,
    /// The official Node SDK.
    Node,
    /// The official Python SDK.
    Python,
}

impl Who {
    /// As a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "larkline",
            Self::Link => "link alone",
            Self::Node => "Node SDK",
            Self::Python => "Python SDK",
        }
    }
}

/// What the bot does with a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job<'a> {
    /// Nothing: ours journals it, routes it and finds no handler.
    Nothing,
    /// Replies with the same words.
    Echo,
    /// Ours: a handler of these lines, and more settings.
    Handler(&'a str),
}

impl Tools {
    /// Builds and installs.
    pub(super) fn get(workspace: &Workspace) -> Result<Self> {
        let release = |which: &[&str]| {
            let mut arguments = vec!["--release"];
            arguments.extend(which);
            crate::sdk::built(workspace, &arguments)
        };
        println!("building the release");
        let scratch = workspace.cache().join("bench");
        installed::clear(&scratch)?;
        Ok(Self {
            larkline: release(&["-p", "larkline-cli", "--bin", "larkline"])?,
            link: release(&["-p", "larkline-client", "--example", "ack"])?,
            crowded: release(&["-p", "larkline-store", "--example", "crowded"])?,
            python: installed::python(workspace)?,
            modules: installed::node_modules(workspace, "sdk")?,
            scripts: workspace.root.join("tests/sdk"),
            scratch,
        })
    }

    /// A platform without limits.
    pub(super) fn sim(&self) -> Result<Sim> {
        self.sim_with(&["--no-limits"])
    }

    /// A platform.
    pub(super) fn sim_with(&self, flags: &[&str]) -> Result<Sim> {
        let mut command = Command::new(&self.larkline);
        command.args(["sim", "--listen", "127.0.0.1:0"]).args(flags).stderr(Stdio::null());
        let server = Server::start(&mut command, START).context("the simulator")?;
        Ok(Sim { server })
    }

    /// A bot, started and not yet connected.
    pub(super) fn bot(&self, who: Who, job: Job<'_>, sim: &Sim) -> Result<Bot> {
        let home = self.scratch.join("bot");
        installed::clear(&home)?;
        self.bot_in(who, job, sim, &home)
    }

    /// As [`Self::bot`], in a folder of its own.
    pub(super) fn bot_in(&self, who: Who, job: Job<'_>, sim: &Sim, home: &Path) -> Result<Bot> {
        fs::create_dir_all(home)?;
        let mut command = match who {
            Who::Ours => {
                let config = home.join("larkline.toml");
                fs::write(&config, settings(job, sim.url(), home))?;
                let mut command = Command::new(&self.larkline);
                command.arg("run").arg("--config").arg(config);
                command
            }
            Who::Link => Command::new(&self.link),
            Who::Node => {
                let mut command = Command::new("node");
                command.arg(self.scripts.join("bench.js")).env("NODE_PATH", &self.modules);
                command
            }
            Who::Python => {
                let mut command = Command::new(&self.python);
                command.arg(self.scripts.join("bench.py"));
                command
            }
        };
        command
            .env("APP_ID", "cli_a1b2c3d4e5f60718")
            .env("APP_SECRET", "simulator-secret")
            .env("DOMAIN", sim.url())
            .env("MODE", if matches!(job, Job::Echo) { "echo" } else { "empty" })
            .env("XDG_RUNTIME_DIR", home);
        Ok(Bot { process: Logged::start(&mut command, &home.join("out"))? })
    }

    /// A bot that is connected and has answered events, so that what starts late has started.
    pub(super) fn ready(&self, who: Who, job: Job<'_>, sim: &Sim) -> Result<Bot> {
        let bot = self.bot(who, job, sim)?;
        // A ping says that it listens: what comes with the upgrade, Node may not hear.
        let listens = json!({"connections": 1, "pings": 1});
        sim.wait(&listens, START).with_context(|| bot.said())?;
        let replies = matches!(job, Job::Echo);
        let warm = json!({"events": 300, "outstanding": 30, "replies": replies, "text": "warm"});
        let report = sim.load(&warm)?;
        if report["missing"] != 0 {
            bail!("{} left {} events unanswered; {}", who.name(), report["missing"], bot.said());
        }
        Ok(bot)
    }
}

/// The gateway's configuration.
fn settings(job: Job<'_>, url: &str, home: &Path) -> String {
    let (route, handler, more) = match job {
        Job::Nothing => ("match = { keywords = [\"no message says this\"] }", ECHO, RATES),
        Job::Echo => ("", ECHO, RATES),
        Job::Handler(text) => ("", text, ""),
    };
    let state = home.join("state");
    format!(
        "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = {{ env = \"APP_SECRET\" }}\n\
         domain = \"{url}\"\n[store]\npath = \"{}\"\n[[route]]\nhandler = \"h\"\n\
         senders = \"everyone\"\n{route}\n[handler.h]\n{handler}\n{more}\n",
        state.display()
    )
}

const ECHO: &str = "kind = \"echo\"\nconcurrency = 64";
/// The simulator has no limits, so ours are as far away as they go.
const RATES: &str =
    "[governor]\napp_per_second = 10000\napp_per_minute = 600000\nchat_per_second = 100";

/// A simulator.
pub(super) struct Sim {
    server: Server,
}

impl Sim {
    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.server.said
    }

    /// One call of its admin API; without a body it is a GET.
    pub(super) fn call(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        let host = self.url().trim_start_matches("http://");
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(CALL))?;
        let length = body.len();
        write!(
            stream,
            "{method} /_sim/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("the simulator refuses {path}: {body}");
        }
        Ok(serde_json::from_str(body)?)
    }

    /// A connection that is kept, for calls whose own time counts.
    pub(super) fn line(&self) -> Result<Line> {
        let host = self.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CALL))?;
        Ok(Line { host, stream })
    }

    /// A load run.
    pub(super) fn load(&self, load: &Value) -> Result<Value> {
        self.call("load", Some(load))
    }

    /// Waits until so many connections were accepted since it started.
    pub(super) fn connected(&self, connections: usize, patience: Duration) -> Result<()> {
        self.wait(&json!({"connections": connections}), patience)
    }

    /// Waits for something in the ledger.
    pub(super) fn wait(&self, what: &Value, patience: Duration) -> Result<()> {
        let end = process::now() + patience;
        loop {
            let left = end.saturating_duration_since(process::now());
            let mut body = what.clone();
            body["timeout_ms"] = json!(u64::try_from(left.as_millis())?.min(50_000));
            match self.call("wait", Some(&body)) {
                Err(error) if left.is_zero() => return Err(error),
                Err(_) => {}
                Ok(_) => return Ok(()),
            }
        }
    }

    /// A person, known by an open id.
    pub(super) fn person(&self, name: &str) -> Result<Value> {
        Ok(self.call("users", Some(&json!({ "name": name })))?["open_id"].clone())
    }
}

/// A kept connection to a simulator.
pub(super) struct Line {
    host: String,
    stream: TcpStream,
}

impl Line {
    /// One call of the admin API whose answer does not matter.
    pub(super) fn call(&mut self, path: &str, body: &Value) -> Result<()> {
        let (host, body) = (&self.host, body.to_string());
        let length = body.len();
        let request = format!(
            "POST /_sim/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes())?;
        // Small answers come in one piece, and one is under way at a time.
        let mut answer = [0; 16 * 1024];
        let read = self.stream.read(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer[..read]);
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("the simulator refuses {path}: {answer}");
        }
        Ok(())
    }
}

/// A bot under measurement; dropping it kills it.
pub(super) struct Bot {
    process: Logged,
}

impl Bot {
    /// Processor time it has used, seconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        cpu(&self.process.pid().to_string())
    }

    /// A line of `/proc/PID/status` in MB: `VmRSS`, `VmHWM`.
    pub(super) fn memory(&self, line: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let value = status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next());
        Ok(value.context("no such line in the status")?.parse::<f64>()? / 1024.0)
    }

    /// The end of what it printed, for an error.
    pub(super) fn said(&self) -> String {
        let log = self.process.log().unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        format!("the bot's last lines, newest on top: {}", tail.join(" | "))
    }
}

/// Processor time that this program has used, seconds.
pub(super) fn own_cpu() -> Result<f64> {
    cpu("self")
}

fn cpu(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after = stat.rsplit_once(')').context("a stat line without a name")?.1;
    let ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
}

/// Seconds since.
pub(super) fn since(start: Instant) -> f64 {
    process::now().saturating_duration_since(start).as_secs_f64()
}

/// The versions of what took part.
pub(super) fn versions(tools: &Tools) -> String {
    let said = |program: &Path, flag: &str| {
        let said = workspace::output(Command::new(program).arg(flag)).unwrap_or_default();
        said.lines().next().unwrap_or_default().trim().to_owned()
    };
    let node = tools.scripts.join("package.json");
    let pinned = |text: String, name: &str| {
        let line = text.lines().find(|l| l.contains(name)).unwrap_or_default().to_owned();
        line.trim().trim_matches(',').replace('"', "")
    };
    format!(
        "{}, {}, node {} with {}, {} with {}",
        said(&tools.larkline, "version"),
        said(Path::new("rustc"), "--version"),
        said(Path::new("node"), "--version"),
        pinned(fs::read_to_string(node).unwrap_or_default(), "node-sdk"),
        said(&tools.python, "--version"),
        pinned(
            fs::read_to_string(tools.scripts.join("requirements.txt")).unwrap_or_default(),
            "lark-oapi"
        ),
    )
}
