//! The crash matrix: the process dies at every step of a message's path, and at random.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use larkline_failpoint::POINTS;
use larkline_sim::{Ledger, Limits};
use rustix::process::Signal;
use tokio::time::timeout;

use super::town::{Kind, Town};
use super::{DAY, FAST, WEEK, seed, wanted};

/// How long a kill at random waits for its moment.
const QUIET: Duration = Duration::from_secs(5);

/// Waves after which a place that was not reached never will be.
const WAVES_MAX: usize = 40;

/// What leads to a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Messages and presses.
    Load,
    /// A database that is not there yet.
    Birth,
    /// A service that breaks its promise.
    BrokenPromise,
    /// A clock that is a week further.
    Age,
    /// SIGHUP.
    Reload,
    /// SIGTERM in the middle of work.
    Stop,
    /// A second instance that wants to have the app.
    Takeover,
}

fn way(point: &str) -> Way {
    match point {
        "migration_begun" | "migrated" => Way::Birth,
        "awaiting_expired" | "reaction_added" => Way::BrokenPromise,
        "pruned" => Way::Age,
        "reloading" => Way::Reload,
        "stop_begins" | "intake_stopped" | "work_stopped" | "outbox_empty" | "leases_released"
        | "checkpointed" => Way::Stop,
        "takeover_asked" => Way::Takeover,
        _ => Way::Load,
    }
}

impl Town {
    /// Lets the process die at a place, on its n-th visit. Whoever ran before is gone after.
    async fn die_at(&mut self, point: &str, visit: u32) {
        let during = format!("{point}:{visit}");
        let way = way(point);
        if way == Way::Takeover {
            self.rig.run(&[]).await;
            self.settled().await;
            self.wave(&during);
        }
        self.rig.env.insert("LARKLINE_FAILPOINT", during.clone());
        if way == Way::Takeover {
            let mut before = self.rig.run_beside(&["--takeover"]).await;
            self.must_die(&during).await;
            assert!(before.wait().await.unwrap().success(), "{}", self.rig.log());
        } else {
            self.rig.run(&[]).await;
            if matches!(way, Way::Reload | Way::Stop) {
                self.settled().await;
            }
            self.drive(way, &during).await;
        }
        self.rig.env.remove("LARKLINE_FAILPOINT");
    }

    /// Does what leads to the place until the process is dead.
    async fn drive(&mut self, way: Way, during: &str) {
        for _ in 0..WAVES_MAX {
            if way == Way::BrokenPromise {
                self.write(during, |kind| kind == Kind::Never);
            }
            self.wave(during);
            if way == Way::Stop {
                let acked = self.newest_acked();
                if fastrand::bool() {
                    self.rig.ledger("acks before the stop", acked).await;
                }
                self.rig.signal(Signal::TERM);
            } else if way == Way::Reload {
                self.rig.signal(Signal::HUP);
            }
            if matches!(way, Way::Stop | Way::BrokenPromise) {
                return self.must_die(during).await;
            }
            let acked = self.newest_acked();
            if let Some(status) = self.rig.ledger_or_end(acked).await {
                return assert_eq!(status.signal(), Some(9), "{during}: {}", self.rig.log());
            }
        }
        panic!("{during} was not reached; log:\n{}", self.rig.log());
    }

    /// Waits until the gateway obeys signals and everybody may write again.
    pub(super) async fn settled(&mut self) {
        self.rig.ready().await;
        let acked = self.newest_acked();
        self.rig.ledger("acks of what was written before", acked).await;
    }

    async fn must_die(&mut self, during: &str) {
        let status = self.rig.exit().await;
        assert_eq!(status.signal(), Some(9), "{during}: {status}, log:\n{}", self.rig.log());
    }

    /// Kills from outside, at a moment that the ledger shows: so many acks, or so many answers.
    async fn die_at_random(&mut self, random: &mut fastrand::Rng) {
        self.rig.run(&[]).await;
        self.wave("a kill at random");
        let (acks, answers) = self.rig.sim.platform().read(|l| (acked(l), l.messages.len()));
        let (acks, answers) = (acks + random.usize(..8), answers + random.usize(..12));
        let by_acks = random.bool();
        let moment = |l: &Ledger| {
            if by_acks { acked(l) >= acks } else { l.messages.len() >= answers }
        };
        // Where few had leave to write, so many answers never come: then it dies in the quiet.
        let ended = timeout(QUIET, self.rig.ledger_or_end(moment)).await;
        assert!(!matches!(ended, Ok(Some(_))), "{}", self.rig.log());
        self.rig.kill9().await;
    }

    /// A gateway that finishes what is left before it is killed.
    async fn peace(&mut self) {
        self.finish().await;
        self.rig.kill9().await;
    }

    /// A gateway that nobody kills finishes what is left; then the books are opened.
    async fn finish(&mut self) -> usize {
        self.rig.run(&[]).await;
        self.rig.ready().await;
        self.wave("peace");
        let judgement = self.judge().await;
        judgement.must_be_clean(&self.rig.log());
        assert_eq!(judgement.failed, 0, "a kill is no reason to fail; log:\n{}", self.rig.log());
        judgement.messages
    }
}

/// Events that are acknowledged for good.
fn acked(ledger: &Ledger) -> usize {
    ledger.events.iter().filter(|event| event.done).count()
}

/// The visit at which the n-th kill of a place happens: the two earliest, then any.
fn visit(kill: u64, point: &str, random: &mut fastrand::Rng) -> u32 {
    if point == "booted" {
        return 1;
    }
    match (way(point), kill) {
        // A second visit in one life is not certain.
        (Way::Reload | Way::Stop | Way::Takeover | Way::Birth | Way::BrokenPromise, _) => 1,
        (_, 0) => 1,
        (_, 1) => 2,
        (Way::Age, kill) => u32::try_from(kill % 2).unwrap() + 1,
        (Way::Load, _) => random.u32(3..10),
    }
}

/// Kills of each place, and kills at random, of a run.
fn kills() -> (u64, u64) {
    (wanted("LARKLINE_CRASH_KILLS", 1), wanted("LARKLINE_CRASH_RANDOM", 10))
}

/// Kills in a row. What is in hand at more of them is no bystander any more to the gateway, and waits.
const IN_A_ROW: usize = 4;

/// The line that `cargo xtask crash` adds up.
fn told(steps: usize, kills: u64, random: u64, messages: usize) {
    println!("crash: {steps} steps, {kills} kills each, {random} at random, {messages} messages");
}

/// Every place to which these ways lead, one life after the other of one state directory.
async fn chain(ways: &[Way]) {
    let (kills, _) = kills();
    let mut random = fastrand::Rng::with_seed(seed());
    let mut town = Town::new(Limits::unlimited(), FAST).await;
    let mut steps: Vec<_> =
        POINTS.iter().map(|point| point.name).filter(|name| ways.contains(&way(name))).collect();
    for kill in 0..kills {
        random.shuffle(&mut steps);
        for row in steps.chunks(IN_A_ROW) {
            for name in row {
                let visit = visit(kill, name, &mut random);
                println!("{name}:{visit}");
                town.die_at(name, visit).await;
            }
            town.peace().await;
        }
    }
    let messages = town.finish().await;
    told(steps.len(), kills, 0, messages);
}

#[tokio::test]
async fn death_at_every_step_of_the_path_loses_doubles_and_disorders_nothing() {
    chain(&[Way::Load]).await;
}

#[tokio::test]
async fn death_in_a_stop_a_reload_a_takeover_or_a_broken_promise_does_no_harm_either() {
    chain(&[Way::Stop, Way::Reload, Way::Takeover, Way::BrokenPromise]).await;
}

#[tokio::test]
async fn death_at_random_under_load_does_no_harm_either() {
    let (_, kills) = kills();
    let mut random = fastrand::Rng::with_seed(seed());
    let mut town = Town::new(Limits::unlimited(), FAST).await;
    for kill in 1..=kills {
        town.die_at_random(&mut random).await;
        if kill % IN_A_ROW as u64 == 0 {
            town.peace().await;
        }
    }
    let messages = town.finish().await;
    told(0, 0, kills, messages);
}

#[tokio::test]
async fn death_while_the_database_is_made_leaves_one_that_works() {
    let (kills, _) = kills();
    let mut messages = 0;
    for _ in 0..kills {
        let mut town = Town::new(Limits::unlimited(), FAST).await;
        for point in ["migration_begun", "migrated"] {
            town.die_at(point, 1).await;
        }
        messages += town.finish().await;
    }
    told(2, kills, 0, messages);
}

#[tokio::test]
async fn death_while_old_events_are_removed_leaves_the_young_ones_whole() {
    let (kills, _) = kills();
    let mut random = fastrand::Rng::with_seed(seed());
    let mut town = Town::new(Limits::unlimited(), FAST).await;
    for kill in 0..kills {
        // The newest event stays, so there have to be some before it each time.
        town.finish().await;
        town.rig.kill9().await;
        town.pass(WEEK + DAY);
        town.die_at("pruned", visit(kill, "pruned", &mut random)).await;
    }
    let messages = town.finish().await;
    told(1, kills, 0, messages);
}

#[test]
fn the_matrix_has_a_row_for_every_place() {
    let ways = |chosen: &[Way]| POINTS.iter().filter(|p| chosen.contains(&way(p.name))).count();
    assert_eq!(ways(&[Way::Birth]), 2);
    assert_eq!(ways(&[Way::Age]), 1);
    let chains = [Way::Load, Way::Stop, Way::Reload, Way::Takeover, Way::BrokenPromise];
    assert_eq!(ways(&chains), POINTS.len() - 3);
}
