//! One instance an app on a host, and the way one takes over from another.

use crate::rig::{ECHO, Rig, read, text};

#[tokio::test]
async fn a_second_instance_is_refused_by_pid_with_exit_code_1_whatever_its_state_directory() {
    let rig = Rig::start(ECHO).await;
    let (same, other) = (rig.path("larkline.toml"), rig.path("other.toml"));
    let moved = read(&same).replace("/state\"", "/elsewhere\"");
    assert!(moved.contains("/elsewhere\""));
    std::fs::write(&other, moved).unwrap();
    for config in [same, other] {
        let output = rig.cli(&["run", "--config", config.to_str().unwrap()]).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("process {}", rig.pid())), "{said}");
        assert!(said.contains("--takeover"), "{said}");
    }
    let said = rig.say(&rig.guest, "still here");
    assert_eq!(rig.answered(&said).await, ["still here"]);
    assert_eq!(rig.sim.platform().read(|l| l.connections.len()), 1);
}

#[tokio::test]
async fn a_takeover_lets_the_running_instance_finish_and_then_serves() {
    let mut rig = Rig::new(
        "[limits]\ndrain = \"5m\"\n\n[[route]]\nname = \"all\"\nsenders = \"everyone\"\nhandler = \"work\"\n\n\
         [handler.work]\nkind = \"command\"\nargv = [\"{dir}/work\"]\ncwd = \"{dir}\"\n",
    )
    .await;
    rig.script("work", "echo x >> starts; until [ -e release ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "hello");
    rig.until("the start of the work", async || !read(&rig.path("starts")).is_empty()).await;
    let mut before = rig.run_beside(&["--takeover"]).await;
    rig.logged("waiting for running tasks").await;
    let late = rig.say(&rig.guest, "late");
    assert_eq!(rig.log().matches("larkline starts").count(), 1, "it waits for the other to go");
    std::fs::write(rig.path("release"), "").unwrap();
    assert!(before.wait().await.unwrap().success());
    assert_eq!(rig.answers(&said.message_id), ["done"]);
    assert_eq!(rig.answered(&late).await, ["done"]);
    rig.ready().await;
    assert_eq!(rig.status().await.unwrap()["pid"], rig.pid());
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
    assert_eq!(read(&rig.path("starts")), "x\nx\n", "each message had one run");
}

#[tokio::test]
async fn a_state_directory_has_one_instance_wherever_the_locks_of_apps_live() {
    let rig = Rig::start(ECHO).await;
    let output = rig.command().arg("run").env("LARKLINE_LOCK_DIR", rig.path("elsewhere")).output();
    let output = output.await.unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the state directory"), "{said}");
    assert!(said.contains(&format!("process {}", rig.pid())), "{said}");
}
