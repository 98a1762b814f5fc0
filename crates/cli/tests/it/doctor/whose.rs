//! Another bot's gateway in the state directory of this one, and a directory of another user.

use super::bundle::unpacked;
use super::{Diagnosis, is};
use crate::rig::{ECHO, Rig};
use crate::whose::{as_nobody, closed, other_folder};

#[tokio::test]
async fn doctor_tells_the_gateway_of_another_bot_from_its_own() {
    let rig = Rig::start(ECHO).await;
    let other = other_folder(&rig);
    for args in [&["--timeout", "20", "--no-link"][..], &["--post-upgrade", "--timeout", "20"]] {
        let diagnosis = Diagnosis::with(&rig, &[("LARKLINE_CONFIG", &other)], args).await;
        diagnosis.expect("another bot", is("local fault", "instance", "store.path"));
        let line = diagnosis.line("instance");
        assert!(line.contains(&rig.pid().to_string()), "{line}");
        assert_eq!(diagnosis.outcome("link"), "absent", "{}", diagnosis.report);
        assert_eq!(diagnosis.outcome("ready"), "absent", "{}", diagnosis.report);
    }
    let bundle = ["--timeout", "20", "--no-link", "--bundle", "help.tar.gz"];
    Diagnosis::with(&rig, &[("LARKLINE_CONFIG", &other)], &bundle).await;
    let files = unpacked(&rig.path("help.tar.gz"));
    assert!(files["metrics.txt"].contains("unavailable"), "{}", files["metrics.txt"]);
    assert!(files["status.json"].contains("unavailable"), "{}", files["status.json"]);
}

#[tokio::test]
async fn an_app_with_another_name_is_known_by_its_id() {
    let rig = Rig::start(ECHO).await;
    rig.amend("[app.main]", "[app.renamed]");
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("a new name", is("healthy", "connections", "ours are 1"));
    assert_eq!(diagnosis.outcome("link"), "pass", "{}", diagnosis.report);
}

#[tokio::test]
async fn doctor_says_whose_a_closed_directory_is_and_advises_no_other() {
    let Some(rig) = closed().await else { return };
    let args = ["--timeout", "20", "--no-link"];
    let diagnosis = Diagnosis::by(&rig, as_nobody(&rig), &[], &args).await;
    diagnosis.expect("another user", is("local fault", "state", "belongs to root"));
    assert_eq!(diagnosis.outcome("instance"), "fail", "{}", diagnosis.report);
    let said = diagnosis.line("state") + &diagnosis.line("instance");
    assert!(said.contains("sudo") && !said.contains("store.path"), "{said}");
    // A path below it is as closed as the directory itself.
    rig.amend("state\"", "state/below\"");
    let diagnosis = Diagnosis::by(&rig, as_nobody(&rig), &[], &args).await;
    diagnosis.expect("below it", is("local fault", "state", "belongs to root"));
}
