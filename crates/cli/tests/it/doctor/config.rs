//! Faults of this machine: configuration, disk, lock, clock.

use larkline_sim::Fault;

use super::{Diagnosis, is};
use crate::disk::SmallDisk;
use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn a_configuration_with_problems_ends_the_diagnosis_there() {
    let rig = Rig::new("[nonsense]\nx = 1\n").await;
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("unknown section", is("local fault", "configuration", "config check"));
    assert!(diagnosis.stderr.contains("nonsense"), "{}", diagnosis.stderr);
    let rig = Rig::new(ECHO).await;
    let diagnosis = Diagnosis::of(&rig, &[("TEST_APP_SECRET", "")]).await;
    diagnosis.expect("no secret", is("local fault", "configuration", "config check"));
    assert!(diagnosis.stderr.contains("TEST_APP_SECRET"), "{}", diagnosis.stderr);
    let rig = Rig::new(&format!("{ECHO}\n[network]\nca_files = [\"{{dir}}/none.pem\"]\n")).await;
    Diagnosis::of(&rig, &[])
        .await
        .expect("no CA file", is("local fault", "configuration", "config check"));
    let rig =
        Rig::new(&format!("{ECHO}\n[network]\nca_files = [\"{{dir}}/larkline.toml\"]\n")).await;
    Diagnosis::of(&rig, &[])
        .await
        .expect("no PEM", is("local fault", "settings", "export the CA as PEM"));
}

#[tokio::test]
async fn a_state_directory_that_takes_no_writes_is_a_local_fault() {
    let rig = Rig::new(ECHO).await;
    std::fs::write(rig.path("file"), "").unwrap();
    let path = rig.path("file/state").display().to_string();
    let diagnosis = Diagnosis::of(&rig, &[("LARKLINE__STORE__PATH", &path)]).await;
    diagnosis.expect("below a file", is("local fault", "state", "store.path"));
}

#[tokio::test]
async fn a_full_disk_is_a_local_fault() {
    let rig = Rig::new(ECHO).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else {
        println!("not run: mounting a file system is not allowed here");
        return;
    };
    let small = Diagnosis::of(&rig, &[]).await;
    small.expect("little space", is("local fault", "disk", "nothing can be kept"));
    disk.fill();
    let full = Diagnosis::of(&rig, &[]).await;
    full.expect("full", is("local fault", "state", "cannot write"));
}

#[tokio::test]
async fn an_open_state_directory_and_few_descriptors_are_warnings() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new(ECHO).await;
    std::fs::create_dir(rig.path("state")).unwrap();
    std::fs::set_permissions(rig.path("state"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("open directory", is("healthy", "state", "others may open"));
    assert_eq!(diagnosis.outcome("state"), "warn");
    let binary = env!("CARGO_BIN_EXE_larkline");
    let few = format!("ulimit -n 256; exec {binary} doctor --no-link");
    let mut shell = rig.command();
    let mut limited = tokio::process::Command::new("sh");
    limited.args(["-c", &few]).env_clear().current_dir(rig.dir.path());
    limited.envs(shell.as_std_mut().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().await.unwrap();
    let page = crate::rig::text(&output.stdout);
    assert!(
        page.lines().any(|l| l.starts_with("  WARN  descriptors") && l.ends_with("256")),
        "{page}"
    );
}

#[tokio::test]
async fn a_gateway_with_a_claim_of_ours_is_named_by_pid() {
    let mut rig = Rig::start(ECHO).await;
    let elsewhere = rig.path("other").display().to_string();
    let diagnosis = Diagnosis::of(&rig, &[("LARKLINE__STORE__PATH", &elsewhere)]).await;
    let says = is("other instance", "instance", "run this command with its configuration");
    diagnosis.expect("another directory", says);
    assert!(diagnosis.line("instance").contains(&format!("process {}", rig.pid())));
    std::fs::remove_file(rig.path("state/larkline.sock")).unwrap();
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("no socket", is("local fault", "instance", "does not answer"));
    rig.kill9().await;
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    assert_eq!(diagnosis.outcome("instance"), "pass", "a dead holder holds nothing");
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_local_fault() {
    let rig = Rig::new(ECHO).await;
    rig.fault(Fault::ClockSkew { seconds: 3600 });
    let behind = Diagnosis::of(&rig, &[]).await;
    behind.expect("an hour behind", is("local fault", "clock", "behind the platform's"));
    rig.fault(Fault::ClockSkew { seconds: -120 });
    let ahead = Diagnosis::of(&rig, &[]).await;
    ahead.expect("two minutes ahead", is("healthy", "clock", "ahead of the platform's"));
    assert_eq!(ahead.outcome("clock"), "warn");
}
