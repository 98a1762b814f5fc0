//! `docs/getting-started.md`, walked: its files, its commands, what it says one sees.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use larkline_proto::id::{AppId, OpenId};
use larkline_sim::{AppSpec, Say, Scan, SimOptions};
use tokio::process::{Child, Command};

use crate::rig::{Rig, read, text};

const GUIDE: &str = "docs/getting-started.md";
const CHINESE: &str = "docs/getting-started.zh-CN.md";
/// They show a shorter transcript of the same run.
const FRONT: &str = "README.md";
const FRONT_CHINESE: &str = "README.zh-CN.md";

/// The fenced blocks of a page that are in this language.
pub(crate) fn fences(page: &str, language: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join(page)).unwrap();
    let opening = format!("\n```{language}\n");
    page.split(&opening)
        .skip(1)
        .map(|rest| rest.split_once("\n```").unwrap().0.to_owned())
        .collect()
}

/// A folder with nothing but what the guide puts there.
struct Reader {
    rig: Rig,
    folder: PathBuf,
    gateway: Option<Child>,
}

impl Reader {
    async fn with(options: SimOptions) -> Self {
        let rig = Rig::with(options, "").await;
        let folder = rig.path("bot");
        std::fs::create_dir(&folder).unwrap();
        Self { rig, folder, gateway: None }
    }

    /// What the reader types in that folder.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.rig.command();
        command.env_remove("LARKLINE_CONFIG").env_remove("TEST_APP_SECRET");
        command.current_dir(&self.folder).args(args).kill_on_drop(true);
        command
    }

    async fn said(&self, args: &[&str]) -> String {
        let output = self.command(args).output().await.unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        said
    }

    fn run(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn();
        self.gateway = Some(child.unwrap());
    }

    fn log(&self) -> String {
        read(&self.folder.join("log"))
    }
}

/// Whether the pieces between a line's dots stand in a line of what was said, in order.
fn is_said(line: &str, said: &str) -> bool {
    said.lines().any(|heard| {
        let mut rest = heard;
        line.trim_end().split('…').all(|piece| match rest.split_once(piece) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    })
}

/// Runs the assistant as the guide does, with somebody who scans and writes; all that it said.
async fn assisted(reader: &Reader, lang: &str) -> String {
    let (rig, said) = (&reader.rig, reader.folder.join("said"));
    let url = rig.sim.url();
    let args = ["init", "--lang", lang, "--domain", &url, "--qr", "--handler", "echo", "--yes"];
    let mut command = reader.command(&args);
    command.args(["--wait", "600"]).stderr(std::fs::File::create(&said).unwrap());
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let heard = || read(&said);
    let code = || heard().lines().find(|line| line.contains("user_code=")).map(str::to_owned);
    rig.until("a code", async || code().is_some()).await;
    let platform = rig.sim.platform();
    platform.visit(&code().unwrap(), &rig.owner, Scan::Allow).unwrap();
    rig.until("the count", async || heard().contains("/callback") && heard().contains(" 1 ")).await;
    let file = read(&reader.folder.join("larkline.toml"));
    let id: AppId = file.split("app_id = \"").nth(1).unwrap().split('"').next().unwrap().into();
    platform.save_subscription(&id).unwrap();
    let user = platform.open_id_for(&rig.owner, &id).unwrap();
    rig.write(Say { user, text: "hello".to_owned(), ..Say::default() });
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", heard());
    heard() + &text(&output.stdout)
}

#[tokio::test]
async fn the_assistant_says_what_the_guide_shows_and_leads_to_a_program() {
    let mut reader = Reader::with(crate::init::quick()).await;
    for (page, front, lang) in [(CHINESE, FRONT_CHINESE, "zh"), (GUIDE, FRONT, "en")] {
        let said = assisted(&reader, lang).await;
        let [shown] = &fences(page, "text")[..] else { panic!("one transcript") };
        let [short] = &fences(front, "console")[..] else { panic!("one transcript") };
        // The first line of the short one is the command.
        for line in shown.lines().chain(short.lines().skip(1)) {
            assert!(is_said(line, &said), "{line}\nis not in\n{said}");
        }
    }

    // Step 5: the lines that the guide shows are the lines that come.
    reader.run();
    for line in fences(GUIDE, "log").concat().lines() {
        let (_, message) = line.rsplit_once(": ").unwrap();
        let words: Vec<&str> = message.split(' ').take_while(|w| !w.contains('=')).collect();
        let words = words.join(" ");
        reader.rig.until(&words, async || reader.log().contains(&words)).await;
    }

    // Step 6: the guide's routes in the place of the assistant's.
    let file = read(&reader.folder.join("larkline.toml"));
    let id = file.split("app_id = \"").nth(1).unwrap().split('"').next().unwrap();
    let (head, _) = file.split_once("[[route]]").unwrap();
    let [routes] = &fences(GUIDE, "toml")[..] else { panic!("one piece of larkline.toml") };
    std::fs::write(reader.folder.join("larkline.toml"), format!("{head}{routes}")).unwrap();
    reader.said(&["config", "check"]).await;
    assert!(reader.said(&["reload"]).await.contains("reloaded"));
    let ask = |person: &OpenId| {
        let user = reader.rig.sim.platform().open_id_for(person, &id.into()).unwrap();
        let text = "what date is it?".to_owned();
        reader.rig.write(Say { user, text, ..Say::default() })
    };
    let [answer] = &reader.rig.answered(&ask(&reader.rig.owner)).await[..] else { panic!("one") };
    assert!(answer.starts_with("20") && answer.len() == "2026-11-20".len(), "{answer}");
    let passed_over = ask(&reader.rig.guest);
    assert_eq!(reader.rig.answered(&passed_over).await, ["you said: what date is it?"]);
}

#[tokio::test]
async fn by_hand_two_variables_lead_to_an_echo() {
    let mut reader = Reader::with(SimOptions::default()).await;
    let app = AppSpec::default();
    let [credentials, rehearsal] = &fences(GUIDE, "ini")[..] else { panic!("two .env files") };
    let domain = rehearsal.lines().find(|line| line.contains("DOMAIN=")).unwrap();
    let domain = domain.replace("http://127.0.0.1:7800", &reader.rig.sim.url());
    let credentials = credentials
        .replace("the secret from the console", &app.app_secret)
        .replace("cli_a1b2c3d4e5f60718", app.app_id.as_str());
    std::fs::write(reader.folder.join(".env"), format!("{credentials}\n{domain}\n")).unwrap();
    reader.said(&["config", "check"]).await;
    reader.run();
    let ready = "connected and verified";
    reader.rig.until(ready, async || reader.log().contains(ready)).await;
    let said = reader.rig.say(&reader.rig.owner, "hello");
    assert_eq!(reader.rig.answered(&said).await, ["hello"]);
    reader
        .rig
        .until("replied", async || reader.said(&["messages"]).await.contains("replied"))
        .await;
    assert!(reader.said(&["explain", "hello"]).await.contains("delivered"));
    assert!(reader.said(&["status"]).await.starts_with("ready"));
    // The id for `owners` is in the log, as the guide says.
    let owner = reader.rig.owner.as_str();
    assert!(reader.log().contains(&format!("sender=\"{owner}\"")), "{}", reader.log());
}

#[test]
fn both_languages_show_the_same_files_and_the_same_lines() {
    for language in ["toml", "log"] {
        let plain = |page| -> Vec<String> {
            let blocks = fences(page, language).concat();
            blocks.lines().map(|l| l.split(" #").next().unwrap().trim_end().to_owned()).collect()
        };
        assert_eq!(plain(GUIDE), plain(CHINESE), "{language}");
        assert!(!plain(GUIDE).is_empty());
    }
    for language in ["sh", "text", "ini"] {
        assert_eq!(fences(GUIDE, language).len(), fences(CHINESE, language).len(), "{language}");
    }
}
