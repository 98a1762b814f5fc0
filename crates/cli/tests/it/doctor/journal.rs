//! `doctor --bundle` of a gateway whose log is the journal of its service.

use tokio::process::Command;

use super::Diagnosis;
use super::bundle::unpacked;
use crate::rig::{LARKLINE, Rig, WORK, not_run, read, text};
use crate::service::managed;

/// Stands for `journalctl`: notes how it was called, and shows what a gateway wrote, as often as it takes
/// to be more than was asked for.
const JOURNAL: &str = r#"echo "journalctl $*" >> "$HOME/calls"
[ -e "$HOME/broken" ] && { echo 'No journal files were opened' >&2; exit 1; }
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do cat "$HOME/gateway.log"; done"#;

/// Doctor with a bundle, where the unit is found: root's are the machine's, so root gets another folder in
/// its place, in a mount namespace of its own. `None` where that is not allowed.
async fn bundled(rig: &Rig, file: &str) -> Option<Diagnosis> {
    const NOT_ALLOWED: i32 = 99;
    let args = ["--timeout", "20", "--no-link", "--bundle", file];
    if !rustix::process::geteuid().is_root() {
        return Some(Diagnosis::with(rig, &[], &args).await);
    }
    let script =
        format!("mount --bind \"$0\" /etc/systemd/system || exit {NOT_ALLOWED}; exec \"$@\"");
    let mut program = Command::new("unshare");
    program.args(["-m", "sh", "-c", &script]).arg(rig.path("units")).arg(LARKLINE);
    let report = Diagnosis::by(rig, program, &[], &args).await;
    (report.code != NOT_ALLOWED).then_some(report)
}

#[tokio::test]
async fn the_journal_is_where_the_lines_come_from_when_there_is_no_file() {
    let mut rig = managed(&format!("{WORK}\n[log]\npreviews = true\nlevel = \"debug\"\n")).await;
    rig.script("bin/journalctl", JOURNAL);
    rig.script("work", "cat >/dev/null; echo hidden-output >&2; echo visible-answer; exit 3");
    let root = rustix::process::geteuid().is_root();
    let who: &[&str] =
        if root { &["install", "--system", "--run-as", "root"] } else { &["install", "--user"] };
    let installed = rig.service(who).await;
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    if !root {
        let own = rig.path(".config/systemd/user");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::copy(rig.path("units/larkline.service"), own.join("larkline.service")).unwrap();
    }
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.guest, "classified");
    rig.logged("hidden-output").await;
    assert!(rig.log().contains("classified"), "the preview is on");
    let Some(report) = bundled(&rig, "help.tar.gz").await else {
        return not_run("mounting is not allowed here");
    };
    assert!(report.stderr.contains("wrote help.tar.gz"), "{}", report.stderr);
    let log = unpacked(&rig.path("help.tar.gz"))["log.txt"].clone();
    let unit = if root { "--unit" } else { "--user-unit" };
    let asked = format!("journalctl {unit} larkline.service --lines 100 --output cat");
    assert_eq!(read(&rig.path("calls")).lines().last(), Some(asked.as_str()));
    assert_eq!(log.lines().count(), 100, "{log}");
    assert!(log.contains("event received") && log.contains("larkline starts"), "{log}");
    for gone in ["classified", "hidden-output", "visible-answer", rig.guest.as_str()] {
        assert!(!log.contains(gone), "{gone} in {log}");
    }

    std::fs::write(rig.path("broken"), "").unwrap();
    bundled(&rig, "without.tar.gz").await.unwrap();
    let log = unpacked(&rig.path("without.tar.gz"))["log.txt"].clone();
    assert!(log.starts_with("no log: ") && log.contains("No journal files were opened"), "{log}");
}
