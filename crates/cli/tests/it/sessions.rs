//! Conversations as the operator sees them: lists, histories, ends, cleanup, figures.

use serde_json::Value;

use crate::agent::{answered, start, with};
use crate::rig::{ECHO, Rig};

async fn sessions(rig: &Rig) -> Vec<Value> {
    rig.json(&["sessions"]).await.as_array().unwrap().clone()
}

fn states(sessions: &[Value]) -> Vec<&str> {
    sessions.iter().map(|session| session["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_conversation_without_a_turn_is_new_and_one_that_was_put_aside_is_completed() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[say hello]]");
    answered(&rig, &said, "hello").await;
    let said = rig.say(&rig.owner, "/new");
    answered(&rig, &said, "new conversation").await;
    let all = sessions(&rig).await;
    assert_eq!(states(&all), ["new", "completed"]);
    assert_eq!((all[0]["turns"].as_u64(), all[1]["turns"].as_u64()), (Some(0), Some(1)));
    let id = all[1]["id"].to_string();
    let story = rig.json(&["sessions", "show", &id]).await;
    let steps: Vec<_> = story["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["from"] != step["to"])
        .map(|step| {
            assert!(step["at_ms"].as_i64().unwrap() > 0);
            (step["to"].as_str().unwrap(), step["cause"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("new", "message"),
            ("active", "message"),
            ("processing", "message"),
            ("active", "ok"),
            ("completed", "new"),
        ]
    );
}

#[tokio::test]
async fn an_operator_ends_a_turn_and_a_conversation_and_what_is_wrong_is_said() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[hang]]");
    rig.until("a turn", async || states(&sessions(&rig).await) == ["processing"]).await;
    let id = sessions(&rig).await[0]["id"].to_string();
    assert!(rig.cli(&["sessions", "stop", &id]).await.status.success());
    answered(&rig, &said, "Stopped by the operator").await;
    rig.until("its end", async || states(&sessions(&rig).await) == ["active"]).await;
    let again = rig.cli(&["sessions", "stop", &id]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(crate::rig::text(&again.stderr).contains("is in no turn"));
    assert!(rig.cli(&["sessions", "end", &id]).await.status.success());
    assert_eq!(states(&sessions(&rig).await), ["terminated"]);
    for (args, words) in [
        (["sessions", "end", &id], "terminated already"),
        (["sessions", "show", "999"], "no session"),
    ] {
        let refused = rig.cli(&args).await;
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(crate::rig::text(&refused.stderr).contains(words), "{refused:?}");
    }
    // The next message begins another.
    let said = rig.say(&rig.owner, "[[say afresh]]");
    answered(&rig, &said, "afresh").await;
    assert_eq!(states(&sessions(&rig).await), ["active", "terminated"]);
}

#[tokio::test]
async fn starts_clear_nothing_and_a_day_without_use_completes_what_is_kept_for_less() {
    let mut rig = Rig::new(&with("keep = \"12h\"\n")).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.owner, "[[say hello]]");
    answered(&rig, &said, "hello").await;
    for _ in 0..2 {
        rig.stop().await;
        rig.run(&[]).await;
        rig.ready().await;
        assert_eq!(states(&sessions(&rig).await), ["active"]);
    }
    rig.stop().await;
    // Tomorrow, by the clock that a test build reads.
    let clock = rig.path("clock");
    std::fs::write(&clock, (26 * 3_600_000).to_string()).unwrap();
    rig.env.insert("LARKLINE_CLOCK", clock.display().to_string());
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("a cleanup", async || states(&sessions(&rig).await) == ["completed"]).await;
}

#[tokio::test]
async fn how_long_children_ran_how_calls_ended_and_what_was_resumed_are_counted() {
    let mut rig = start("").await;
    let said = rig.say(&rig.owner, "[[say one]]");
    answered(&rig, &said, "one").await;
    rig.stop().await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.owner, "[[say two]]");
    answered(&rig, &said, "two").await;
    let metrics = rig.metrics().await;
    for line in [
        "larkline_session_resumes_total{handler=\"coder\",result=\"ok\"} 1",
        "larkline_handler_seconds_count{handler=\"coder\",result=\"ok\"} 1",
        "larkline_api_calls_total{app=\"main\",endpoint=\"reply\",code=\"0\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn a_cleanup_that_is_skipped_says_when_it_was_and_when_it_is_due() {
    let mut rig = Rig::new(ECHO).await;
    rig.env.insert("TZ", "UTC".to_owned());
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    rig.run(&[]).await;
    rig.logged("idle conversations were looked through").await;
    // The value of a field in the last line that says this.
    let field = |log: &str, what: &str, name: &str| {
        let line = log.lines().rfind(|line| line.contains(what))?.to_owned();
        let value = line.split(&format!("{name}=\"")).nth(1)?.split('"').next()?.to_owned();
        let form = "%Y-%m-%d %H:%M:%S %:z";
        Some(jiff::fmt::strtime::parse(form, value).unwrap().to_timestamp().unwrap())
    };
    let due = field(&rig.log(), "were looked through", "next_due").unwrap();
    let logged = |rig: &Rig| rig.log().matches("are not looked through now").count();
    assert_eq!(logged(&rig), 0, "the first is not skipped");
    rig.kill9().await;
    rig.run(&[]).await;
    rig.logged("are not looked through now").await;
    let skipped = |name| field(&rig.log(), "are not looked through now", name).unwrap();
    assert_eq!(skipped("next_due"), due);
    assert_eq!(due.as_second() - skipped("last_run").as_second(), 24 * 3600);
    // Old events are removed each time, and that line says in how many seconds again.
    let removed = async |times| {
        rig.until("removed", async || rig.log().matches("old events removed").count() == times)
            .await;
    };
    removed(2).await;
    std::fs::write(rig.path("clock"), (61 * 60_000).to_string()).unwrap();
    removed(3).await;
    let log = rig.log();
    let mut lines = log.lines().filter(|line| line.contains("old events removed"));
    assert!(lines.all(|line| line.contains("next_in_s=3600")), "{log}");
    assert_eq!(log.matches("idle conversations were looked through").count(), 1);
    // When it is due, it is not skipped.
    std::fs::write(rig.path("clock"), (25 * 3_600_000).to_string()).unwrap();
    rig.until("the next", async || {
        rig.log().matches("idle conversations were looked through").count() == 2
    })
    .await;
}
