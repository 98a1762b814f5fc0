//! `docs/getting-started.md`, walked: its files, its commands, what it says one sees.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use larkline_sim::AppSpec;
use tokio::process::{Child, Command};

use crate::rig::{Rig, read, text};

const GUIDE: &str = "docs/getting-started.md";
const CHINESE: &str = "docs/getting-started.zh-CN.md";
/// The owner's id in the guide.
const OWNER: &str = "ou_7d8a6e6df7621556ce0d21922b676706";

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
    async fn new() -> Self {
        let rig = Rig::new("").await;
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

#[tokio::test]
async fn the_guide_leads_to_an_echo_and_then_to_a_program() {
    let mut reader = Reader::new().await;
    let app = AppSpec::default();

    // Step 3, with the platform's address as its last section says.
    let [credentials, rehearsal] = &fences(GUIDE, "ini")[..] else { panic!("two .env files") };
    let domain = rehearsal.lines().find(|line| line.contains("DOMAIN=")).unwrap();
    let domain = domain.replace("http://127.0.0.1:7800", &reader.rig.sim.url());
    let credentials = credentials
        .replace("the secret from the console", &app.app_secret)
        .replace("cli_a1b2c3d4e5f60718", app.app_id.as_str());
    std::fs::write(reader.folder.join(".env"), format!("{credentials}\n{domain}\n")).unwrap();
    reader.said(&["config", "check"]).await;

    // Step 4: the lines that the guide shows are the lines that come.
    reader.run();
    let shown = fences(GUIDE, "text").concat();
    for line in shown.lines() {
        let (_, message) = line.rsplit_once(": ").unwrap();
        let words: Vec<&str> = message.split(' ').take_while(|w| !w.contains('=')).collect();
        let words = words.join(" ");
        reader.rig.until(&words, async || reader.log().contains(&words)).await;
    }

    // Step 7.
    let said = reader.rig.say(&reader.rig.owner, "hello");
    assert_eq!(reader.rig.answered(&said).await, ["hello"]);
    reader
        .rig
        .until("replied", async || reader.said(&["messages"]).await.contains("replied"))
        .await;
    assert!(reader.said(&["explain", "hello"]).await.contains("delivered"));
    assert!(reader.said(&["status"]).await.starts_with("ready"));

    // Step 8: the id is in the log, as the guide says; the file is the guide's.
    let owner = reader.rig.owner.as_str();
    assert!(reader.log().contains(&format!("sender=\"{owner}\"")), "{}", reader.log());
    let [file] = &fences(GUIDE, "toml")[..] else { panic!("one larkline.toml") };
    assert!(file.contains(OWNER));
    std::fs::write(reader.folder.join("larkline.toml"), file.replace(OWNER, owner)).unwrap();
    reader.said(&["config", "check"]).await;
    assert!(reader.said(&["reload"]).await.contains("reloaded"));

    let asked = reader.rig.say(&reader.rig.owner, "what date is it?");
    let [answer] = &reader.rig.answered(&asked).await[..] else { panic!("one answer") };
    assert!(answer.starts_with("20") && answer.len() == "2026-11-20".len(), "{answer}");
    let passed_over = reader.rig.say(&reader.rig.guest, "what date is it?");
    assert_eq!(reader.rig.answered(&passed_over).await, ["you said: what date is it?"]);
}

#[test]
fn both_languages_show_the_same_files_and_the_same_lines() {
    for language in ["toml", "text"] {
        let plain = |page| -> Vec<String> {
            let blocks = fences(page, language).concat();
            blocks.lines().map(|l| l.split(" #").next().unwrap().trim_end().to_owned()).collect()
        };
        assert_eq!(plain(GUIDE), plain(CHINESE), "{language}");
        assert!(!plain(GUIDE).is_empty());
    }
    assert_eq!(fences(GUIDE, "sh").len(), fences(CHINESE, "sh").len());
}
