//! A store that answers no question: the reports do, with what was read last.

use reqwest::StatusCode;

use super::site::Site;
use crate::rig::{figure, text};

/// The threads that answer questions stand still from this one on.
const NO_ANSWERS: &str = "query_begins:150";

#[tokio::test]
async fn reports_go_on_with_what_was_read_last_while_the_store_answers_no_question() {
    let mut site = Site::configured("127.0.0.1", "").await;
    site.rig.env.insert("LARKLINE_STALL", NO_ANSWERS.to_owned());
    site.rig.run(&[]).await;
    site.rig.ready().await;
    assert!(!site.page("/").await.contains("the store does not answer"));
    let rig = &mut site.rig;
    let said = rig.say(&rig.owner, "hello");
    rig.answered(&said).await;
    let fresh = rig.status().await.unwrap();
    assert_eq!(fresh["figures_of_ms"], serde_json::Value::Null, "{fresh}");
    // Each asks some questions, until none is answered any more.
    let mut stale = fresh.clone();
    rig.until("figures of before", async || {
        stale = rig.status().await.unwrap();
        stale["figures_of_ms"].is_i64()
    })
    .await;
    assert_eq!((&stale["tally"], &stale["boot_id"]), (&fresh["tally"], &fresh["boot_id"]));
    let shown = text(&rig.cli(&["status"]).await.stdout);
    assert!(shown.contains("the store has not answered since"), "{shown}");
    let page = rig.metrics().await;
    assert!(
        page.contains("larkline_events{app=\"main\",verdict=\"replied\",why=\"\"} 1"),
        "{page}"
    );
    rig.until("an age", async || {
        figure(&rig.metrics().await, "larkline_figures_age_seconds") > Some(0.0)
    })
    .await;
    let page = site.page("/").await;
    assert!(page.contains("messages and figures are those of"), "{page}");
    // What has nothing from before says so in time.
    for path in ["/api/chats", "/dashboard/story?key=x"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.text().await.unwrap().contains("larkline doctor"), "{path}");
    }
    site.rig.kill9().await;
}
