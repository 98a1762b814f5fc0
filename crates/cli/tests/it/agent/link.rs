//! Agents that take all the machine has do not cost the link a beat.

use larkline_sim::Ledger;

use super::{answered, growing, start};

/// Pings and acks of a busy machine are late by milliseconds, not by seconds.
const QUICK: &str = "concurrency = 8\n\n[link]\nprobe_interval = \"1s\"\nping_max = \"1s\"\n";
/// Beats that the link has to keep while every core burns.
const BEATS: u64 = 4;

fn beats(ledger: &Ledger) -> u64 {
    ledger.connections.iter().map(|c| c.pings + c.ws_pings).sum()
}

#[tokio::test]
async fn agents_that_burn_all_cores_cost_the_link_no_beat_and_no_ack() {
    let rig = start(QUICK).await;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut burning = Vec::new();
    for n in 0..2 * cores {
        let who = rig.sim.platform().add_user(&format!("person {n}"));
        burning.push((rig.say(&who, "[[tell begun]][[burn]]"), who));
    }
    for (said, _) in &burning {
        growing(&rig, said, "begun").await;
    }
    let before = rig.sim.platform().read(beats);
    let mut others = Vec::new();
    while rig.sim.platform().read(beats) < before + BEATS {
        let said = rig.say(&rig.guest, "/status");
        answered(&rig, &said, "").await;
        others.push(said);
    }
    for (said, who) in &burning {
        rig.say(who, "/stop");
        answered(&rig, said, "Stopped by").await;
    }
    rig.sim.platform().read(|l| {
        assert_eq!(l.connections.len(), 1, "the link was lost");
        for event in l.events.iter() {
            let [delivery] = &event.deliveries[..] else { panic!("delivered again: {event:?}") };
            assert!(!delivery.late && delivery.acked_ms.is_some(), "{event:?}");
        }
        assert!(l.violations.is_empty(), "{:?}", l.violations);
    });
    assert!(others.len() > 1, "others were not served meanwhile");
}
