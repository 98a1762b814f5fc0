//! What survives: a kill at any moment, redeliveries, bytes no client should trust, more than
//! fits, a state directory that cannot be used.

use larkline_sim::{Fault, Ledger, Limits, Malformed, Said, SimOptions};

use crate::proof::FAST;
use crate::rig::{ECHO, Rig, WORK, read, text};

/// Chats that write at the same time.
const CHATS: usize = 12;
/// Kills of one run.
const ROUNDS: usize = 4;
/// Messages that each chat writes between two kills, each after the one before was acked.
const WAVES: usize = 4;

/// Nobody is told his place in the line.
const PATIENT: &str = "\n[limits]\ntell_position_after = \"1h\"\n";

fn all_acked(ledger: &Ledger, said: &[Said]) -> bool {
    said.iter().all(|s| ledger.event(&s.event_id).is_some_and(|e| e.done))
}

/// Every message answered with its own words, and none twice; each chat in order.
async fn judge(rig: &Rig, chats: &[Vec<(String, Said)>]) {
    let said: Vec<Said> = chats.iter().flatten().map(|(_, said)| said.clone()).collect();
    rig.ledger("an ack and an answer for each", |l| {
        all_acked(l, &said) && said.iter().all(|s| l.replies_to(&s.message_id).next().is_some())
    })
    .await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], said.len() as u64, "{verdicts:?}");
    assert!(verdicts.keys().all(|v| v == "replied" || v == "filtered/duplicate"), "{verdicts:?}");
    rig.sim.platform().read(|l| {
        for chat in chats {
            let id = &chat[0].1.chat_id;
            let answers: Vec<_> = l.in_chat(id).filter_map(|m| m.text.as_deref()).collect();
            let words: Vec<_> = chat.iter().map(|(words, _)| words.as_str()).collect();
            assert_eq!(answers, words, "chat {id}");
        }
        assert!(l.violations.is_empty(), "{:?}", l.violations);
    });
}

#[tokio::test]
async fn kills_under_load_lose_no_acked_message_answer_none_twice_and_keep_each_chat_in_order() {
    let seed = std::env::var("LARKLINE_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    println!("LARKLINE_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rig = Rig::start(ECHO).await;
    let people: Vec<_> =
        (0..CHATS).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let mut chats: Vec<Vec<(String, Said)>> = vec![Vec::new(); CHATS];
    for round in 0..ROUNDS {
        let kill_wave = random.usize(..WAVES);
        for wave in 0..WAVES {
            let mut said = Vec::new();
            for (chat, person) in chats.iter_mut().zip(&people) {
                let words = format!("round {round}, wave {wave}");
                said.push(rig.say(person, &words));
                chat.push((words, said[said.len() - 1].clone()));
            }
            if wave == kill_wave {
                // Between any two of this wave's acks, or of the answers that are still on
                // their way: wherever the count of one of them stands at.
                let acks = random.usize(..=CHATS);
                let sent = rig.sim.platform().read(|l| l.messages.len()) + random.usize(..CHATS);
                let by_acks = random.bool();
                rig.ledger("the moment", |l| {
                    let acked = said.iter().filter(|s| all_acked(l, std::slice::from_ref(s)));
                    if by_acks { acked.count() >= acks } else { l.messages.len() >= sent }
                })
                .await;
                rig.kill9().await;
                rig.run(&[]).await;
            }
            rig.ledger("the wave's acks", |l| all_acked(l, &said)).await;
        }
    }
    judge(&rig, &chats).await;
    assert_eq!(rig.log().matches("larkline starts").count(), ROUNDS + 1);
}

#[tokio::test]
async fn a_hundred_chats_at_once_are_answered_in_parallel_each_in_order_and_no_lock_is_hit() {
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let mut rig = Rig::with(options, &format!("{ECHO}{FAST}{PATIENT}")).await;
    rig.run(&[]).await;
    rig.ready().await;
    let people: Vec<_> =
        (0..100).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let mut chats: Vec<Vec<(String, Said)>> = vec![Vec::new(); people.len()];
    for n in 0..10 {
        for (chat, person) in chats.iter_mut().zip(&people) {
            let words = format!("{n}");
            chat.push((words.clone(), rig.say(person, &words)));
        }
    }
    judge(&rig, &chats).await;
    let log = rig.log();
    assert!(!log.contains("locked") && !log.contains("refuses writes"), "{log}");
}

#[tokio::test]
async fn a_slow_message_holds_up_its_own_chat_in_order_and_no_other() {
    let mut rig = Rig::new(WORK).await;
    rig.script(
        "work",
        "case $(cat) in *'\"text\":\"slow\"'*) until [ -e release ]; do sleep 0.05; done;; esac; echo done",
    );
    rig.run(&[]).await;
    rig.ready().await;
    let held = ["slow", "behind it", "last"].map(|words| rig.say(&rig.guest, words));
    let other = rig.say(&rig.owner, "quick");
    assert_eq!(rig.answered(&other).await, ["done"]);
    rig.ledger("acks that wait for no handler", |l| all_acked(l, &held)).await;
    assert!(held.iter().all(|said| rig.answers(&said.message_id).is_empty()));
    std::fs::write(rig.path("release"), "").unwrap();
    for said in &held {
        assert_eq!(rig.answered(said).await, ["done"]);
    }
    rig.sim.platform().read(|l| {
        let order = l.in_chat(&held[0].chat_id).filter_map(|m| m.reply_to.as_ref());
        assert!(order.eq(held.iter().map(|said| &said.message_id)));
    });
}

#[tokio::test]
async fn every_redelivery_is_recognised_at_once_after_a_reconnect_and_after_a_kill() {
    let mut rig = Rig::start(ECHO).await;
    rig.fault(Fault::DropAcks { times: 3 });
    let said = rig.say(&rig.guest, "hello");
    let delivered = |l: &Ledger, n| {
        let rows = &l.event(&said.event_id).unwrap().deliveries;
        rows.iter().filter(|d| !d.conn.is_empty()).count() >= n
    };
    rig.ledger("a redelivery", |l| delivered(l, 2)).await;
    let pid = rig.pid();
    rig.fault(Fault::Rst);
    rig.ledger("a redelivery after a reconnect", |l| l.connections.len() == 2 && delivered(l, 3))
        .await;
    assert_eq!(rig.status().await.unwrap()["pid"], pid, "a reconnect is no restart");
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ledger("the ack that counts", |l| l.event(&said.event_id).unwrap().done).await;
    let verdicts = rig.verdicts().await;
    assert!(verdicts["filtered/duplicate"] >= 3, "{verdicts:?}");
    assert_eq!((verdicts["replied"], verdicts.len()), (1, 2), "{verdicts:?}");
    assert_eq!(rig.answers(&said.message_id), ["hello"]);
}

/// Frames that cannot be read, and events and payloads that cannot.
const BAD_FRAMES: [Malformed; 7] = [
    Malformed::Garbage,
    Malformed::MissingRequired,
    Malformed::SeqOutOfRange,
    Malformed::SumNotANumber,
    Malformed::SumChanges,
    Malformed::Text,
    Malformed::UnknownMethod,
];
const BAD_EVENTS: [Malformed; 6] = [
    Malformed::NoHeaders,
    Malformed::NotUtf8,
    Malformed::NotJson,
    Malformed::Large,
    Malformed::TypeCard,
    Malformed::UnknownType,
];

#[tokio::test]
async fn bytes_no_client_should_trust_are_counted_and_the_next_message_is_answered() {
    let rig = Rig::start(ECHO).await;
    let seen = async || {
        let status = rig.status().await.unwrap();
        let tally = status["tally"].as_array().unwrap();
        let events: u64 = tally.iter().map(|t| t["count"].as_u64().unwrap()).sum();
        (status["apps"][0]["link"]["malformed"].as_u64().unwrap(), events)
    };
    let pid = rig.pid();
    let mut answered = 0;
    for shape in
        BAD_FRAMES.into_iter().chain(BAD_EVENTS).chain([Malformed::Ping, Malformed::WsPing])
    {
        let (frames, events) = seen().await;
        rig.fault(Fault::Malformed { shape });
        let said = rig.say(&rig.guest, &format!("after {shape:?}"));
        assert_eq!(rig.answered(&said).await, [format!("after {shape:?}")]);
        answered += 1;
        let bad_frame = u64::from(BAD_FRAMES.contains(&shape));
        let bad_event = u64::from(BAD_EVENTS.contains(&shape));
        let now = seen().await;
        println!("{shape:?}: {frames} {events} -> {now:?}");
        assert!(now.0 >= frames + bad_frame, "{shape:?} is not counted: {now:?}");
        assert_eq!(now.1, events + bad_event + 1, "{shape:?}");
    }
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], answered, "{verdicts:?}");
    assert_eq!(rig.status().await.unwrap()["pid"], pid);
    assert!(!rig.log().contains("panic"), "{}", rig.log());
}

#[tokio::test]
async fn a_flood_of_2_mib_payloads_does_not_grow_the_memory() {
    let rig = Rig::start(ECHO).await;
    let peak_after = async |payloads: usize| -> u64 {
        for _ in 0..payloads / 4 {
            for _ in 0..4 {
                rig.fault(Fault::Malformed { shape: Malformed::Large });
            }
            let said = rig.say(&rig.guest, "still there?");
            rig.answered(&said).await;
        }
        let status = read(std::path::Path::new(&format!("/proc/{}/status", rig.pid())));
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // Four at a time are in memory on their way to the disk, and allocators keep some more.
    let (warm, flooded) = (peak_after(24).await, peak_after(96).await);
    assert!(flooded < warm + 48 * 1024, "{warm} kB after 48 MiB, {flooded} kB after 240 MiB");
    println!("{warm} kB, then {flooded} kB");
}

#[tokio::test]
async fn beyond_the_queues_bound_nothing_is_acked_which_is_said_and_all_is_answered_later() {
    for bound in [1, 4] {
        let mut rig = Rig::new(&format!("{WORK}\n[limits]\nqueue_max = {bound}\n")).await;
        rig.script("work", "until [ -e release ]; do sleep 0.05; done; echo done");
        rig.run(&[]).await;
        rig.ready().await;
        let mut said: Vec<Said> = (0..=bound + 1).map(|_| rig.say(&rig.guest, "x")).collect();
        rig.logged("ERROR larkline_gateway::upkeep: more messages wait than the bound allows")
            .await;
        let extra = rig.say(&rig.guest, "one too many");
        rig.logged("queue over its bound: not acked").await;
        let status = rig.status().await.unwrap();
        assert_eq!(status["ready"], false);
        assert!(status["not_ready"].to_string().contains("queue_max"), "{status}");
        assert!(!rig.sim.platform().read(|l| all_acked(l, std::slice::from_ref(&extra))));
        std::fs::write(rig.path("release"), "").unwrap();
        said.push(extra);
        rig.ledger("all acks and answers", |l| {
            let done = |s: &Said| {
                l.replies_to(&s.message_id).filter(|m| m.text.as_deref() == Some("done")).count()
            };
            all_acked(l, &said) && said.iter().all(|s| done(s) == 1)
        })
        .await;
        rig.logged("the queue is back below its bound").await;
        rig.ready().await;
    }
}

#[tokio::test]
async fn a_chat_is_told_when_its_message_has_to_wait_behind_many() {
    let mut rig = Rig::new(&format!("{WORK}\n[limits]\nqueue_max = 400\n")).await;
    rig.script("work", "until [ -e release ]; do sleep 0.05; done");
    rig.run(&[]).await;
    rig.ready().await;
    for _ in 0..=200 {
        rig.say(&rig.guest, "many");
    }
    let notices = |l: &Ledger| {
        l.messages
            .iter()
            .filter(|m| m.text.as_deref().is_some_and(|t| t.contains("waiting before yours")))
            .count()
    };
    // What waits is counted once a second; whoever writes after that is told.
    rig.until("the notice", async || {
        rig.say(&rig.owner, "and one more");
        rig.sim.platform().read(notices) > 0
    })
    .await;
    assert!(rig.sim.platform().read(notices) <= 2, "at most once for each of the two chats");
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_used_is_named_with_what_to_do_and_exit_code_1() {
    let rig = Rig::new(ECHO).await;
    let state = rig.path("state");
    let run = async || {
        let output = rig.cli(&["run"]).await;
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    // A file where the directory should be: refused to every user, root too.
    std::fs::write(&state, "").unwrap();
    let said = run().await;
    assert!(said.contains(state.to_str().unwrap()) && said.contains("store.path"), "{said}");
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    std::fs::write(
        state.join("larkline.db"),
        "no database, but long enough to be read".repeat(200),
    )
    .unwrap();
    let said = run().await;
    assert!(said.contains("larkline.db") && said.contains("restore a backup or move"), "{said}");
    assert!(rig.sim.platform().read(|l| l.connections.is_empty()), "nothing is taken");
}

#[tokio::test]
async fn a_database_that_was_damaged_is_refused_at_start() {
    let mut rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    assert!(rig.stop().await.success());
    let file = rig.path("state").join("larkline.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let output = rig.cli(&["run"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("restore a backup or move"), "{said}");
}
