//! An app that got another name: what waits under the old one is nobody's, and is not lost.

use crate::rig::{Rig, WORK, read};

#[tokio::test]
async fn what_waits_for_an_app_of_before_is_named_untouched_and_goes_on_under_its_name() {
    let mut rig = Rig::new(&format!("{WORK}[limits]\ndrain = \"5m\"\n")).await;
    rig.script("work", "echo x >> starts; until [ -e go ]; do sleep 0.02; done; echo done");
    rig.run(&[]).await;
    let said = rig.say(&rig.guest, "hello");
    let starts = |rig: &Rig| read(&rig.path("starts")).lines().count();
    rig.until("a start", async || starts(&rig) == 1).await;
    rig.until("its ack", async || {
        rig.sim.platform().read(|l| l.event(&said.event_id).unwrap().done)
    })
    .await;
    rig.kill9().await;
    rig.amend("[app.main]", "[app.sales]");
    rig.run(&[]).await;
    rig.logged("wait for an app that is not configured").await;
    std::fs::write(rig.path("go"), "").unwrap();
    let other = rig.say(&rig.owner, "to the new name");
    assert_eq!(rig.answered(&other).await, ["done"]);
    assert_eq!(starts(&rig), 2, "no program for an answer that could not leave");
    // Nor does the stop wait for it.
    assert!(rig.stop().await.success());
    rig.amend("[app.sales]", "[app.main]");
    rig.run(&[]).await;
    assert_eq!(rig.answered(&said).await, ["done"]);
}
