//! The assistant at a terminal: a pseudo-terminal with somebody who reads and types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use larkline_sim::{AppSpec, Scan};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::Child;

use super::Novice;
use crate::rig::{PATIENCE, text};

const ENTER: &str = "\r";
/// What stands where something is typed that is not shown.
const HIDDEN: &str = "(not shown): ";
const DOWN: &str = "\u{1b}[B";

/// A terminal with a program on it.
struct Terminal {
    master: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
    /// How much of what is shown was waited for already.
    read: usize,
}

impl Terminal {
    fn start(novice: &Novice, args: &[&str], columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: 60, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).unwrap();
        let child = novice
            .command(args)
            .env("TERM", "xterm-256color")
            // Nobody's agents: what is on the path is part of the questions.
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reads, screen) = (master.try_clone().unwrap(), Arc::clone(&shown));
        // Ends by itself with the last program on the terminal.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reads.read(&mut bytes) {
                screen.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Self { master, shown, child, read: 0 }
    }

    fn shown(&self) -> String {
        text(&self.shown.lock().unwrap())
    }

    /// Waits until something is shown behind what was read before.
    async fn sees(&mut self, words: &str) {
        let seen = |this: &Self| {
            let shown = text(&this.shown.lock().unwrap()[this.read..]);
            shown.find(words).map(|at| at + words.len())
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while seen(self).is_none() {
            assert!(tokio::time::Instant::now() < deadline, "{words}: {}", self.shown());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.read += seen(self).unwrap_or_default();
    }

    /// Waits until what is typed is not shown.
    async fn is_silent(&self) {
        let echoes = || {
            let modes = tcgetattr(&self.master).unwrap().local_modes;
            modes.contains(LocalModes::ECHO)
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while echoes() {
            assert!(tokio::time::Instant::now() < deadline, "{}", self.shown());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    async fn end(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn at_a_terminal_every_question_is_asked_and_the_secret_is_not_shown() {
    let novice = Novice::new().await;
    let mut terminal = Terminal::start(&novice, &["init", "--no-link"], 100);
    let url = novice.rig.sim.url();
    let (id, secret) = (AppSpec::default().app_id.to_string(), AppSpec::default().app_secret);
    let answers = [
        ("语言 / Language", ENTER.to_owned()),
        ("Where is the app?", format!("{DOWN}{DOWN}{ENTER}")),
        ("Address", format!("\u{15}{url}{ENTER}")),
        ("What answers?", format!("{DOWN}{DOWN}{DOWN}{ENTER}")),
        ("Whose model?", ENTER.to_owned()),
        ("Model", ENTER.to_owned()),
        ("Which variable holds the key?", ENTER.to_owned()),
        ("Which app?", format!("{DOWN}{ENTER}")),
        ("App ID: ", format!("{id}{ENTER}")),
        // A wrong one is asked for again.
        (HIDDEN, format!("not-the-secret{ENTER}")),
        ("copy app_secret again", String::new()),
        ("App ID: ", format!("{id}{ENTER}")),
        (HIDDEN, format!("{secret}{ENTER}")),
        ("Your open id", format!("{}{ENTER}", novice.rig.owner)),
    ];
    for (question, keys) in answers {
        terminal.sees(question).await;
        if question == HIDDEN {
            terminal.is_silent().await;
        }
        terminal.types(&keys);
    }
    terminal.sees("Next:").await;
    assert!(terminal.end().await.success(), "{}", terminal.shown());
    let shown = terminal.shown();
    assert!(!shown.contains(&secret) && !shown.contains("not-the-secret"), "{shown}");
    assert!(shown.contains("no claude on the PATH"), "{shown}");
    let file = novice.config();
    for part in ["provider = \"qwen\"", "api_key = { env = \"DASHSCOPE_API_KEY\" }", &id, &url] {
        assert!(file.contains(part), "{part}: {file}");
    }
    assert!(file.contains(novice.rig.owner.as_str()), "{file}");
}

#[tokio::test]
async fn a_code_is_drawn_with_white_around_it_and_the_time_left_runs() {
    let novice = Novice::new().await;
    let url = novice.rig.sim.url();
    let args =
        ["init", "--lang", "zh", "--domain", &url, "--qr", "--handler", "echo", "--wait", "600"];
    let mut terminal = Terminal::start(&novice, &args, 120);
    terminal.sees("user_code=").await;
    terminal.sees("此码还有").await;
    let shown = terminal.shown();
    assert!(shown.contains("\u{1b}[30;107m") && shown.contains('▀'), "{shown}");
    let code =
        shown.split_whitespace().find(|word| word.contains("user_code=")).unwrap().to_owned();
    let platform = novice.rig.sim.platform();
    platform.visit(&code, &novice.rig.owner, Scan::Allow).unwrap();
    terminal.sees("长连接已验证").await;
    terminal.sees("使用长连接接收事件").await;
    terminal.sees("还没有事件").await;
    let id = novice.config().split("app_id = \"").nth(1).unwrap().split('"').next().unwrap().into();
    platform.save_subscription(&id).unwrap();
    novice.write(&id, "你好");
    terminal.sees("收到了第一个事件").await;
    assert!(terminal.end().await.success(), "{}", terminal.shown());
}

#[tokio::test]
async fn a_terminal_that_is_too_narrow_gets_the_address_alone() {
    let novice = Novice::new().await;
    let url = novice.rig.sim.url();
    let args = ["init", "--lang", "en", "--domain", &url, "--qr", "--handler", "echo", "--no-link"];
    let mut terminal = Terminal::start(&novice, &args, 40);
    terminal.sees("Open this address").await;
    terminal.sees("user_code=").await;
    assert!(!terminal.shown().contains("\u{1b}[30;107m"), "{}", terminal.shown());
    terminal.child.kill().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_when_somebody_says_yes() {
    let novice = Novice::new().await;
    std::fs::write(novice.file("larkline.toml"), "# mine\n").unwrap();
    let url = novice.rig.sim.url();
    let args = ["init", "--lang", "en", "--domain", &url, "--qr"];
    let mut terminal = Terminal::start(&novice, &args, 100);
    terminal.sees("Replace it").await;
    terminal.types("n");
    assert_eq!(terminal.end().await.code(), Some(1), "{}", terminal.shown());
    assert_eq!(novice.config(), "# mine\n");
}
