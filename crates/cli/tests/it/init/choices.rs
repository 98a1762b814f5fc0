//! Each kind of handler, each language: what is written is read by the real loader.

use larkline_sim::AppSpec;

use super::{Novice, whole};

/// The owner of every file here.
const OWNER: &str = "ou_7d8a6e6df7621556ce0d21922b676706";

async fn written(novice: &Novice, name: &str, more: &[&str]) -> String {
    let url = novice.rig.sim.url();
    let id = AppSpec::default().app_id.to_string();
    let known = ["--app-id", &id, "--app-secret-env", "SECRET", "--owner", OWNER, "--no-link"];
    let args = [&["init", "--domain", &url, "--output", name], &known[..], more].concat();
    let mut command = novice.command(&args);
    let secret = AppSpec::default().app_secret;
    let (code, all) = whole(&command.env("SECRET", &secret).output().await.unwrap());
    assert_eq!(code, 0, "{name}: {all}");
    assert!(!all.contains(&secret), "{all}");
    let mut check = novice.command(&["config", "check", "--config", name]);
    let (code, all) = whole(&check.env("SECRET", &secret).output().await.unwrap());
    assert_eq!(code, 0, "{name}: {all}");
    assert!(!all.contains("codex exec"), "the loader has nothing to say of it: {all}");
    crate::rig::read(&novice.file(name))
}

#[tokio::test]
async fn every_kind_of_handler_and_both_languages_pass_the_loader() {
    let novice = Novice::new().await;
    for lang in ["zh", "en"] {
        let kinds = [
            ("echo", "kind = \"echo\""),
            ("agent:claude", "agent = \"claude\""),
            ("agent:codex", "agent = \"codex\""),
            ("llm:qwen", "model = \"qwen-plus\""),
            ("llm:deepseek/deepseek-reasoner", "model = \"deepseek-reasoner\""),
            ("command:/bin/cat -u", "argv = [\"/bin/cat\", \"-u\"]"),
        ];
        for (nth, (kind, line)) in kinds.into_iter().enumerate() {
            let name = format!("{lang}{nth}.toml");
            let file = written(&novice, &name, &["--lang", lang, "--handler", kind]).await;
            assert!(file.contains(line), "{kind}: {file}");
            assert!(file.contains(&format!("language = \"{lang}\"")), "{file}");
            assert!(file.contains(&format!("owners = [\"{OWNER}\"]")), "{file}");
            let chinese = file.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert_eq!(chinese, lang == "zh", "{file}");
            // Closed by default: programs and agents are for the owners unless the file says more.
            let open = file.contains("\nsenders = \"everyone\"");
            assert_eq!(open, kind.starts_with("echo") || kind.starts_with("llm"), "{file}");
        }
    }
}

#[tokio::test]
async fn flags_reach_the_file_and_a_missing_one_is_asked_for_by_name() {
    let novice = Novice::new().await;
    let more = ["--handler", "llm:openai", "--key-env", "MY_KEY"];
    let file = written(&novice, "a.toml", &more).await;
    assert!(file.contains("api_key = { env = \"MY_KEY\" }"), "{file}");
    let work = novice.file("work").display().to_string();
    std::fs::create_dir(&work).unwrap();
    let file = written(&novice, "b.toml", &["--handler", "agent:claude", "--cwd", &work]).await;
    assert!(file.contains(&format!("cwd = \"{work}\"")), "{file}");
    let (code, all) = whole(&novice.init(&["--handler", "echo"]).await);
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("--qr") && all.contains("--app-secret-file"), "{all}");
    let (code, all) = whole(&novice.init(&["--qr", "--owner", "someone"]).await);
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("ou_"), "{all}");
}

#[tokio::test]
async fn what_is_wrong_with_a_flag_is_not_told_of_a_file_that_has_gone() {
    let novice = Novice::new().await;
    let id = AppSpec::default().app_id.to_string();
    for (more, told) in [
        (["--app-secret-file", "none.key"].as_slice(), "none.key cannot be read"),
        (&["--app-secret-env", "SECRET", "--ca-file", "none.pem"], "none.pem is not there"),
        (&["--app-secret-env", "SECRET", "--proxy", "a:b:c"], "network.proxy: not a proxy"),
    ] {
        let args = [&["--app-id", &id, "--no-link", "--lang", "en"], more].concat();
        let (code, all) = whole(&novice.init(&args).await);
        assert_eq!(code, 1, "{all}");
        assert!(all.contains(told) && all.contains("larkline.toml (not written)"), "{all}");
        assert!(!all.contains("draft-"), "{all}");
    }
}

#[tokio::test]
async fn a_secret_file_is_referred_to_where_it_is() {
    let novice = Novice::new().await;
    let path = novice.file("app.key");
    std::fs::write(&path, AppSpec::default().app_secret).unwrap();
    let id = AppSpec::default().app_id.to_string();
    let file = path.display().to_string();
    let args = ["--app-id", &id, "--app-secret-file", &file, "--no-link"];
    let (code, all) = whole(&novice.init(&args).await);
    assert_eq!(code, 0, "{all}");
    assert!(novice.config().contains(&format!("file = \"{file}\"")), "{}", novice.config());
    // A file that others may read is worth a word of the loader's.
    assert!(!all.contains(&AppSpec::default().app_secret), "{all}");
}
