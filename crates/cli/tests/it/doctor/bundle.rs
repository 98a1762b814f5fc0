//! `doctor --bundle`: what is in the archive, and what must not be.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::read::GzDecoder;
use larkline_sim::AppSpec;
use serde_json::Value;

use crate::rig::{ECHO, Rig, WORK, text};

/// The files of an archive, as `tar` unpacks them.
pub(super) fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let mode = std::fs::metadata(archive).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it is its owner's alone");
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("tar");
    let status = command.arg("xzf").arg(archive).arg("-C").arg(dir.path()).status().unwrap();
    assert!(status.success());
    let files = std::fs::read_dir(dir.path().join("larkline-bundle")).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().display().to_string(), crate::rig::read(&path))
        })
        .collect()
}

fn json(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const FILES: [&str; 10] = [
    "README.txt",
    "config.txt",
    "doctor.json",
    "doctor.txt",
    "log.txt",
    "metrics.txt",
    "network.json",
    "status.json",
    "system.json",
    "versions.json",
];

#[tokio::test]
async fn beside_a_gateway_all_is_there_and_nothing_that_people_wrote_or_are() {
    let mut rig = Rig::new(&format!(
        "{WORK}\n[log]\nfile = \"{{dir}}/larkline.log\"\npreviews = true\nlevel = \"debug\"\n\
         [network]\nproxy = \"none\"\n"
    ))
    .await;
    rig.script("work", "cat >/dev/null; echo hidden-output >&2; echo visible-answer; exit 3");
    rig.env.insert("HTTPS_PROXY", "http://ada:p4ssw0rd@proxy.example.com:3128".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    for words in ["classified", "two words of mine", "机密内容"] {
        rig.say(&rig.guest, words);
    }
    rig.until("their failure in the log", async || {
        crate::rig::read(&rig.path("larkline.log")).contains("hidden-output")
    })
    .await;
    let log = crate::rig::read(&rig.path("larkline.log"));
    assert!(log.contains("classified"), "the preview is on: {log}");
    let output = rig.cli(&["doctor", "--timeout", "20", "--bundle", "help.tar.gz"]).await;
    assert!(text(&output.stderr).contains("wrote help.tar.gz"), "{}", text(&output.stderr));
    let archive = rig.path("help.tar.gz");
    let files = unpacked(&archive);
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), FILES);
    let secret = AppSpec::default().app_secret;
    let home = rig.dir.path().display().to_string();
    let gone = [
        secret.as_str(),
        "p4ssw0rd",
        "classified",
        "two words",
        "机密",
        "hidden-output",
        "visible-answer",
        rig.guest.as_str(),
        rig.owner.as_str(),
        home.as_str(),
    ];
    for (name, text) in &files {
        for gone in gone {
            assert!(!text.contains(gone), "{gone} in {name}:\n{text}");
        }
    }
    assert_eq!(json(&files, "doctor.json")["verdict"], json_verdict(&text(&output.stdout)));
    assert_eq!(json(&files, "status.json")["pid"], rig.pid());
    let proofs = json(&files, "status.json")["apps"][0]["proofs"].clone();
    assert!(proofs[0]["detail"].is_string() && !files["status.json"].contains("_zh"), "{proofs}");
    assert!(files["metrics.txt"].contains("larkline_"), "{}", files["metrics.txt"]);
    assert!(
        files["config.txt"].contains("app.main.app_secret = \"<redacted>\""),
        "{}",
        files["config.txt"]
    );
    let lines = files["log.txt"].lines().count();
    assert!((10..=100).contains(&lines) && files["log.txt"].contains("event received"));
    assert!(json(&files, "system.json")["kernel"].is_string());
    assert!(files["network.json"].contains("proxy.example.com"), "{}", files["network.json"]);
    assert!(files["versions.json"].contains(env!("CARGO_PKG_VERSION")));
}

/// The verdict of a page for people.
fn json_verdict(page: &str) -> String {
    let last = page.lines().last().unwrap();
    last.split(':').nth(1).unwrap().trim().split(',').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_nothing_is_asked_in_vain() {
    let rig = Rig::new(ECHO).await;
    std::fs::write(rig.path("mine"), "dear").unwrap();
    let output = rig.cli(&["doctor", "--bundle", "mine"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("name another file"), "{}", text(&output.stderr));
    assert_eq!(crate::rig::read(&rig.path("mine")), "dear");
    assert_eq!(rig.sim.platform().read(|l| l.calls.len()), 0);
    let output = rig.cli(&["doctor", "--timeout", "20", "--bundle", "no/such/folder"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("name another place"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_in_no_file_of_it_and_not_on_the_screen() {
    const LOST: &str = "qTz8wVn3LmXc7RbY2KdF9sHj4GpA6tEu";
    const WORDS: &str = "my-own-passw0rd";
    for (n, (right, wrong, dotenv)) in [
        ("", "", format!("FEISHU_APP_SECRET {LOST}\n")),
        // What comes behind a line that nobody understands is not read at all.
        ("", "", format!("A B\nFEISHU_APP_SECRET={WORDS}\n")),
        (AppSpec::default().app_id.as_str(), LOST, String::new()),
        ("app_secret =", &format!("app_secrt = \"{WORDS}\"\napp_secret ="), String::new()),
        ("[app.main]", &format!("network.proxy = \"me:{WORDS}@h:1\"\n[app.main]"), String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        let rig = Rig::new(ECHO).await;
        if !right.is_empty() {
            rig.amend(right, wrong);
        }
        std::fs::write(rig.path(".env"), dotenv).unwrap();
        let checked = rig.cli(&["config", "check"]).await;
        assert_eq!(checked.status.code(), Some(1), "{n}");
        let args = ["doctor", "--timeout", "20", "--no-link", "--bundle", "lost.tgz"];
        let output = rig.cli(&args).await;
        assert_eq!(output.status.code(), Some(15), "{n}");
        let mut said = unpacked(&rig.path("lost.tgz"));
        for (name, bytes) in [
            ("check", &checked.stdout),
            ("check's stderr", &checked.stderr),
            ("doctor", &output.stdout),
            ("doctor's stderr", &output.stderr),
        ] {
            said.insert(name.to_owned(), text(bytes));
        }
        for (name, text) in said {
            assert!(!text.contains(LOST) && !text.contains(WORDS), "{n}: {name}:\n{text}");
        }
    }
}

#[tokio::test]
async fn without_a_gateway_and_with_a_broken_configuration_it_holds_what_there_is() {
    let mut rig = Rig::new(&format!("{ECHO}\n[nonsense]\nx = 1\n")).await;
    rig.env.insert("HTTPS_PROXY", "http://127.0.0.1:1".to_owned());
    rig.amend("{ env = \"TEST_APP_SECRET\" }", "\"in-place-s3cret\"");
    let args = ["doctor", "--format", "json", "--timeout", "20", "--no-link", "--bundle", "b.tgz"];
    let output = rig.cli(&args).await;
    assert_eq!(output.status.code(), Some(15), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = unpacked(&rig.path("b.tgz"));
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), FILES);
    assert!(files.values().all(|text| !text.contains("in-place-s3cret")));
    assert!(files["config.txt"].contains("nonsense"), "{}", files["config.txt"]);
    assert_eq!(json(&files, "doctor.json")["exit_code"], report["exit_code"]);
    assert!(json(&files, "status.json")["unavailable"].is_string());
    std::fs::remove_file(rig.path("larkline.toml")).unwrap();
    let output = rig.cli(&["doctor", "--timeout", "20", "--bundle", "c.tgz"]).await;
    assert_eq!(output.status.code(), Some(15));
    assert!(unpacked(&rig.path("c.tgz"))["config.txt"].contains("cannot be read"));
}

#[tokio::test]
async fn the_archive_is_gzip_of_plain_tar() {
    let rig = Rig::new(ECHO).await;
    rig.cli(&["doctor", "--timeout", "20", "--no-link", "--bundle", "b.tgz"]).await;
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(rig.path("b.tgz")).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes.len() % 512, 0);
    assert_eq!(&bytes[257..262], b"ustar");
    assert!(bytes[bytes.len() - 1024..].iter().all(|byte| *byte == 0));
}
