//! `larkline init`: the real binary, the simulator as console and platform, and a person who scans.

mod choices;
mod failures;
mod scanned;
mod terminal;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use larkline_proto::id::{AppId, OpenId};
use larkline_sim::{Said, Say, Scan, SimOptions};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::rig::{PATIENCE, Rig, read, text};

/// A platform whose codes are polled each second and work for half a minute.
pub(crate) fn quick() -> SimOptions {
    SimOptions { speed: 20.0, ..SimOptions::default() }
}

/// An empty folder, a platform, and the assistant at work.
struct Novice {
    rig: Rig,
    folder: PathBuf,
    assistant: Option<Child>,
}

impl Novice {
    async fn new() -> Self {
        Self::on(quick()).await
    }

    async fn on(options: SimOptions) -> Self {
        let rig = Rig::with(options, "").await;
        let folder = rig.path("bot");
        std::fs::create_dir(&folder).unwrap();
        Self { rig, folder, assistant: None }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn config(&self) -> String {
        read(&self.file("larkline.toml"))
    }

    /// What is typed in the folder, with nothing configured.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.rig.command();
        command.env_remove("LARKLINE_CONFIG").env_remove("TEST_APP_SECRET");
        command.current_dir(&self.folder).args(args).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    async fn typed(&self, args: &[&str]) -> Output {
        let output = self.command(args).output();
        tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap()
    }

    /// `init` on this platform, to its end.
    async fn init(&self, args: &[&str]) -> Output {
        let url = self.rig.sim.url();
        self.typed(&[&["init", "--domain", &url], args].concat()).await
    }

    /// Starts `init` on this platform; what it says goes to a file.
    fn begin(&mut self, args: &[&str]) {
        let url = self.rig.sim.url();
        self.begin_at(&url, args);
    }

    fn begin_at(&mut self, domain: &str, args: &[&str]) {
        let said = std::fs::File::create(self.file("said")).unwrap();
        let mut command = self.command(&[&["init", "--domain", domain], args].concat());
        command.stdout(Stdio::piped()).stderr(said);
        self.assistant = Some(command.spawn().unwrap());
    }

    /// What it has said so far.
    fn said(&self) -> String {
        read(&self.file("said"))
    }

    async fn until_said(&self, words: &str) {
        let hears = async || self.said().contains(words);
        let waited = tokio::time::timeout(PATIENCE, self.rig.until(words, hears));
        assert!(waited.await.is_ok(), "{words} was not said:\n{}", self.said());
    }

    /// The address of the nth code it has offered.
    async fn code(&self, nth: usize) -> String {
        let offered = || {
            let said = self.said();
            said.lines().filter(|line| line.contains("user_code=")).nth(nth).map(str::to_owned)
        };
        self.rig.until("a code", async || offered().is_some()).await;
        offered().unwrap()
    }

    /// The owner scans the code and answers.
    async fn scan(&self, answer: Scan) -> String {
        let code = self.code(0).await;
        self.rig.sim.platform().visit(&code, &self.rig.owner, answer).unwrap();
        code
    }

    /// The id of the app that was made.
    async fn app(&self) -> AppId {
        self.until_said("the app is cli_").await;
        let said = self.said();
        let id = said.split("the app is ").nth(1).unwrap().split(';').next().unwrap();
        AppId::new(id)
    }

    /// The owner by the id that belongs to an app.
    fn owner_of(&self, app: &AppId) -> OpenId {
        self.rig.sim.platform().open_id_for(&self.rig.owner, app).unwrap()
    }

    /// The owner writes to the bot of an app.
    fn write(&self, app: &AppId, words: &str) -> Said {
        let user = self.owner_of(app);
        self.rig.write(Say { user, text: words.to_owned(), ..Say::default() })
    }

    /// Waits for its end: exit code, and the JSON of stdout if there is any.
    async fn end(&mut self) -> (i32, Value, String) {
        let ended = self.assistant.take().unwrap().wait_with_output();
        let output = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), json, text(&output.stdout) + &self.said())
    }
}

/// All that a command printed, and its code.
fn whole(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}
