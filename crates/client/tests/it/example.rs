//! The example of the crate works as written.

use std::time::Duration;

use larkline_sim::{DEMO_APP_ID, DEMO_APP_SECRET, Say, Sim, SimOptions};
use tokio::task::JoinSet;

#[path = "../../examples/echo.rs"]
#[expect(dead_code, reason = "its main is for the command line")]
mod echo;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_example_answers_each_message_one_time_however_often_it_comes() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let platform = sim.platform();
    let user = platform.add_user("Lin");
    let url = sim.url();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { echo::echo(&url, DEMO_APP_ID, DEMO_APP_SECRET).await });
    platform.wait_for(|ledger| ledger.open_connections() == 1, PATIENCE).await.unwrap();

    let said = platform.say(Say { user, text: "hello".to_owned(), ..Say::default() }).unwrap();
    platform.wait_for(|ledger| ledger.messages.len() == 1, PATIENCE).await.unwrap();
    let event_id = said.event_id;
    let again = larkline_sim::Fault::Duplicate { event_id, new_event_id: false };
    platform.fault(again).unwrap();
    let replayed = |ledger: &larkline_sim::Ledger| ledger.messages[0].replays == 1;
    platform.wait_for(replayed, PATIENCE).await.unwrap();

    let ledger = platform.ledger();
    assert_eq!(ledger.messages.len(), 1);
    assert_eq!(ledger.messages[0].text.as_deref(), Some("hello"));
    assert_eq!(ledger.messages[0].reply_to.as_ref(), Some(&said.message_id));
    assert!(ledger.violations.is_empty());
}
