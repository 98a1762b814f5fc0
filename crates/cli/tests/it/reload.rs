//! A changed file is applied to the running process; its link does not notice.

use rustix::process::Signal;

use crate::rig::{ECHO, Rig, WORK, read, text};

/// One route to an echo with this prefix, under this handler's name.
fn echo(handler: &str, prefix: &str) -> String {
    format!(
        "[[route]]\nname = \"all\"\nhandler = \"{handler}\"\n[handler.{handler}]\nkind = \"echo\"\nprefix = \"{prefix}\"\n"
    )
}

async fn answer(rig: &Rig) -> Vec<String> {
    rig.answered(&rig.say(&rig.guest, "hello")).await
}

fn connections(rig: &Rig) -> usize {
    rig.sim.platform().read(|l| l.connections.len())
}

#[tokio::test]
async fn a_reload_changes_routes_and_handlers_and_keeps_the_link() {
    let rig = Rig::start(&echo("a", "one ")).await;
    assert_eq!(answer(&rig).await, ["one hello"]);

    // The same handler, changed; by signal.
    rig.configure(&echo("a", "two "));
    rig.signal(Signal::HUP);
    rig.logged("configuration reloaded").await;
    assert_eq!(answer(&rig).await, ["two hello"]);

    // A handler that was not there at the start; by command.
    rig.configure(&echo("b", "three "));
    let output = rig.cli(&["reload"]).await;
    assert_eq!((output.status.code(), text(&output.stderr).trim()), (Some(0), "reloaded"));
    assert_eq!(answer(&rig).await, ["three hello"]);
    assert!(rig.log().contains("no longer configured"), "{}", rig.log());

    assert_eq!(connections(&rig), 1, "the link was dropped");
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
    assert!(!rig.log().contains("worker failed"), "{}", rig.log());
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_configuration_and_says_why() {
    let rig = Rig::start(&echo("a", "old ")).await;
    rig.configure(&format!(
        "{}handlr = \"a\"\n[[route]]\nhandler = \"nobody\"\n",
        echo("a", "new ")
    ));
    let output = rig.cli(&["reload"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("handlr") && said.contains("nobody"), "all problems at once: {said}");

    rig.signal(Signal::HUP);
    rig.logged("configuration not reloaded, the old one stays").await;
    rig.logged("handlr").await;
    assert_eq!(answer(&rig).await, ["old hello"]);
    assert_eq!(connections(&rig), 1);
}

#[tokio::test]
async fn a_reload_lets_running_work_finish() {
    let slow = "[[route]]\nsenders = \"everyone\"\nhandler = \"slow\"\n[handler.slow]\nkind = \"command\"\nargv = [\"{dir}/slow.sh\"]\n";
    let mut rig = Rig::new(slow).await;
    rig.script("slow.sh", "touch started; until test -e go; do sleep 0.05; done; echo finished");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "work");
    rig.until("the handler's start", async || rig.path("started").exists()).await;
    rig.configure(&echo("a", "new "));
    assert!(rig.cli(&["reload"]).await.status.success());
    std::fs::write(rig.path("go"), "").unwrap();
    assert_eq!(rig.answered(&said).await, ["finished"]);
    assert_eq!(answer(&rig).await, ["new hello"]);
}

#[tokio::test]
async fn a_reload_changes_the_level_and_names_what_needs_a_restart() {
    let rig = Rig::start(ECHO).await;
    assert!(!rig.log().contains("DEBUG"), "{}", rig.log());
    rig.configure(&format!("{ECHO}[log]\nlevel = \"debug\"\n[link]\nprobe = \"off\"\n"));
    let output = rig.cli(&["reload"]).await;
    assert!(text(&output.stderr).contains("after a restart: link.probe"), "{output:?}");
    answer(&rig).await;
    rig.logged("DEBUG").await;
}

#[tokio::test]
async fn a_reload_changes_who_owns_the_bot_at_once() {
    let rig = Rig::start("[[route]]\nsenders = \"owners\"\nhandler = \"echo\"\n").await;
    assert_eq!(rig.answered(&rig.say(&rig.owner, "hello")).await, ["hello"]);
    let file = rig.path("larkline.toml");
    let moved = read(&file).replace(rig.owner.as_str(), rig.guest.as_str());
    std::fs::write(&file, moved).unwrap();
    let output = rig.cli(&["reload"]).await;
    assert_eq!(text(&output.stderr).trim(), "reloaded");
    let former = rig.say(&rig.owner, "hello");
    assert_eq!(answer(&rig).await, ["hello"]);
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts.get("filtered/sender_not_allowed"), Some(&1), "{verdicts:?}");
    assert_eq!(rig.answers(&former.message_id), Vec::<String>::new());
}

#[tokio::test]
async fn a_reload_that_renames_an_app_is_refused_and_loses_none_of_its_events() {
    let rig = Rig::start(ECHO).await;
    let file = rig.path("larkline.toml");
    std::fs::write(&file, read(&file).replace("[app.main]", "[app.work]")).unwrap();
    let output = rig.cli(&["reload"]).await;
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("restart"), "{}", text(&output.stderr));
    let said = rig.say(&rig.guest, "still heard");
    assert_eq!(rig.answered(&said).await, ["still heard"]);
}

#[tokio::test]
async fn reloads_do_not_lift_the_cap_of_a_handler_whose_work_goes_on() {
    let mut rig = Rig::new(&format!("{WORK}concurrency = 1\n")).await;
    let script = "mkdir -p hands; touch hands/$LARKLINE_TASK_ID; ls hands | wc -l >> together
until [ -e go ]; do sleep 0.02; done; rm hands/$LARKLINE_TASK_ID; echo done";
    rig.script("work", script);
    rig.run(&[]).await;
    let people: Vec<_> =
        (0..4).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let said: Vec<_> = people.iter().map(|person| rig.say(person, "my turn?")).collect();
    rig.until("a start", async || !read(&rig.path("together")).is_empty()).await;
    for reloads in 1..=3 {
        rig.signal(Signal::HUP);
        let reloaded = || rig.log().matches("configuration reloaded").count();
        rig.until("a reload", async || reloaded() == reloads).await;
    }
    std::fs::write(rig.path("go"), "").unwrap();
    for said in &said {
        assert_eq!(rig.answered(said).await, ["done"]);
    }
    assert_eq!(read(&rig.path("together")), "1\n".repeat(4));
}

#[tokio::test]
async fn what_waits_of_somebody_who_may_no_longer_is_not_run() {
    let owned = WORK.replace("senders = \"everyone\"\n", "senders = \"owners\"\n");
    let mut rig = Rig::new(&owned).await;
    rig.script("work", "echo x >> starts; until [ -e go ]; do sleep 0.02; done; echo done");
    rig.run(&[]).await;
    let first = rig.say(&rig.owner, "the first");
    let starts = || read(&rig.path("starts")).lines().count();
    rig.until("a start", async || starts() == 1).await;
    let second = rig.say(&rig.owner, "the second");
    rig.until("both", async || rig.status().await.unwrap()["depths"]["tasks"] == 2).await;
    rig.amend(&format!("owners = [\"{}\"]", rig.owner), "owners = []");
    let output = rig.cli(&["reload"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::write(rig.path("go"), "").unwrap();
    assert_eq!(rig.answered(&first).await, ["done"], "what runs goes on");
    rig.until("a dead letter", async || !rig.json(&["dead"]).await.as_array().unwrap().is_empty())
        .await;
    let letter = &rig.json(&["dead"]).await[0];
    assert_eq!((&letter["code"], starts()), (&"sender_not_allowed".into(), 1));
    assert!(rig.answers(&second.message_id).is_empty(), "as a new one of theirs");
    let story = text(&rig.cli(&["explain", second.event_id.as_ref()]).await.stdout);
    assert!(story.contains("sender_not_allowed"), "{story}");
}
