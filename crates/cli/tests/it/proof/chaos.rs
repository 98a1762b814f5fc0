//! Chaos: everything that can go wrong, at random by a seed, in compressed time.
//!
//! Each minute that the gateway's clock is told has passed brings one mischief and, from
//! everybody whose last message the platform is rid of, one message. At the end all faults are
//! lifted, and the same must hold as on a good day.

use std::time::Duration;

use larkline_failpoint::POINTS;
use larkline_sim::{Answer, Fault, Limits, Malformed};
use rustix::process::Signal;
use tokio::time::timeout;

use super::town::Town;
use super::{FAST, seed, wanted};
use crate::disk::SmallDisk;

/// Seeds of runs that found something, kept as tests.
///
/// 18: retries waited for a clock that had been set back, and a promise that was not on disk yet
/// was refused its answer for good. 16: nothing was routed for a while after the network was back.
const KNOWN: [u64; 2] = [16, 18];
/// Minutes of a run that is part of every test.
const MINUTES: u64 = 25;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// How long a mischief is left to itself.
const PACE: Duration = Duration::from_millis(250);
/// Quick to notice, quick to come back: a fault costs a second or two.
const QUICK: &str = "\n[link]\nprobe_interval = \"1s\"\nprobe_timeout = \"1s\"\npong_timeout = \"2s\"\n\
    discovery_timeout = \"1s\"\ndial_timeout = \"1s\"\nverify_timeout = \"1s\"\n\
    backoff_quick = \"200ms\"\nbackoff_first = \"200ms\"\nbackoff_max = \"1s\"\n\n\
    [network]\nrequest_timeout = \"1s\"\n\n[limits]\ndrain = \"2s\"\nkill_grace = \"1s\"\n";
/// Bytes of the state directory's own disk.
const DISK: &str = "64M";

/// A town and what is wrong with it.
struct Chaos {
    town: Town,
    random: fastrand::Rng,
    disk: Option<SmallDisk>,
}

#[tokio::test]
async fn chaos_of_a_fresh_seed_loses_doubles_and_disorders_nothing() {
    let minutes = wanted("LARKLINE_CHAOS_HOURS", 0) * 60;
    chaos(seed(), minutes.max(MINUTES)).await;
}

#[tokio::test]
async fn chaos_that_once_found_something_finds_nothing_any_more() {
    for seed in KNOWN {
        chaos(seed, MINUTES).await;
    }
}

async fn chaos(seed: u64, minutes: u64) {
    println!("to repeat it: cargo xtask chaos --seed {seed} --hours {}", minutes.div_ceil(60));
    let town = Town::new(Limits::unlimited(), &format!("{FAST}{QUICK}")).await;
    let disk = SmallDisk::of_size(town.rig.path("state"), DISK);
    if disk.is_none() {
        println!("without an ill disk: mounting a file system is not allowed here");
    }
    let mut chaos = Chaos { town, random: fastrand::Rng::with_seed(seed), disk };
    chaos.town.rig.run(&[]).await;
    chaos.town.settled().await;
    for minute in 0..minutes {
        chaos.town.pass(MINUTE);
        let mischief = chaos.mischief().await;
        println!("minute {minute}: {mischief}");
        chaos.town.wave(&format!("minute {minute}, {mischief}"));
        chaos.look().await;
        if chaos.random.u8(..4) == 0 {
            chaos.lift();
        }
    }
    chaos.lift();
    chaos.town.rig.env.remove("LARKLINE_FAILPOINT");
    chaos.restart().await;
    chaos.town.settled().await;
    chaos.town.wave("peace");
    let judgement = chaos.town.judge().await;
    judgement.must_be_clean(&chaos.town.rig.log());
    println!(
        "chaos: {minutes} minutes, {} messages, {} answered with a failure",
        judgement.messages, judgement.failed
    );
}

impl Chaos {
    /// Does one thing that nobody wants, and says what.
    async fn mischief(&mut self) -> String {
        match self.random.u8(..20) {
            0..9 => {
                let fault = self.fault();
                self.town.rig.fault(fault.clone());
                format!("{fault:?}")
            }
            9 => {
                let messages: Vec<_> =
                    self.town.messages().map(|(_, m)| m.said.event_id.clone()).collect();
                let Some(event_id) = self.random.choice(messages) else { return "calm".into() };
                let new_event_id = self.random.bool();
                self.town.rig.fault(Fault::Duplicate { event_id, new_event_id });
                "a duplicate".into()
            }
            10..12 => {
                self.town.rig.kill9().await;
                self.start().await;
                "kill -9".into()
            }
            12..14 => self.trap().await,
            14 => {
                self.restart().await;
                "a stop and a start".into()
            }
            15 => {
                self.ready_or_not().await;
                self.town.rig.signal(Signal::HUP);
                "a reload".into()
            }
            16 => self.second_instance().await,
            17 => self.sleep().await,
            18 => {
                let (hours, back) = (self.random.u32(1..4), self.random.bool());
                if back {
                    self.town.set_back(HOUR * hours);
                    format!("a clock that is set back by {hours} h")
                } else {
                    self.town.pass(HOUR * hours);
                    format!("a clock that jumps by {hours} h")
                }
            }
            _ => self.ill_disk(),
        }
    }

    /// Something that the platform or the network does.
    fn fault(&mut self) -> Fault {
        let times = self.random.u32(1..4);
        let api =
            |answer| Fault::Api { path: "/messages".into(), method: String::new(), answer, times };
        let slow_down =
            |status, code, reset_s| Answer::Code { status, code, msg: "slow down".into(), reset_s };
        let shapes = [
            Malformed::Garbage,
            Malformed::MissingRequired,
            Malformed::SumChanges,
            Malformed::Text,
            Malformed::NotJson,
            Malformed::NoHeaders,
            Malformed::UnknownType,
        ];
        let faults = [
            Fault::HalfOpen,
            Fault::Rst,
            Fault::Close { code: 1001, reason: "going away".into() },
            Fault::Malformed { shape: shapes[self.random.usize(..shapes.len())] },
            Fault::RevokeTokens,
            Fault::RedeliverNow,
            Fault::Offline,
            Fault::NoPong,
            Fault::NoWsPong,
            Fault::Fragment { bytes: 300, shuffle: true, duplicate: true },
            Fault::RefuseHandshake {
                status: 503,
                handshake_status: None,
                autherrcode: None,
                msg: None,
                times,
            },
            Fault::HangUpgrade { times },
            Fault::PushWithUpgrade { times },
            Fault::Endpoint { answer: Answer::Html { status: 502 }, times },
            Fault::Endpoint { answer: Answer::Hang, times: 1 },
            api(Answer::Html { status: 502 }),
            api(Answer::Cut),
            api(Answer::Slow { ms: 1500 }),
            api(Answer::NullData),
            api(slow_down(400, 230_020, None)),
            api(slow_down(429, 99_991_400, Some(1))),
            Fault::LoseAnswer { path: "/messages".into(), times },
            Fault::DropAcks { times },
        ];
        faults[self.random.usize(..faults.len())].clone()
    }

    async fn second_instance(&self) -> String {
        let mut command = self.town.rig.command();
        let second = command.arg("run").kill_on_drop(true).output();
        // It stays only where the instance before has just died.
        if let Ok(output) = timeout(PACE * 20, second).await {
            assert_eq!(output.unwrap().status.code(), Some(1), "it is refused");
        }
        "a second instance".into()
    }

    /// The next life ends at some place of the path.
    async fn trap(&mut self) -> String {
        let point = POINTS[self.random.usize(..POINTS.len())].name;
        let order = format!("{point}:{}", self.random.u32(1..6));
        self.town.rig.kill9().await;
        self.town.rig.env.insert("LARKLINE_FAILPOINT", order.clone());
        self.start().await;
        self.town.rig.env.remove("LARKLINE_FAILPOINT");
        order
    }

    /// The machine sleeps: time passes for everybody else.
    async fn sleep(&mut self) -> String {
        self.town.rig.signal(Signal::STOP);
        self.town.wave("a sleep");
        tokio::time::sleep(PACE).await;
        self.town.pass(MINUTE * 10);
        self.town.rig.signal(Signal::CONT);
        "a sleep of 10 minutes".into()
    }

    fn ill_disk(&self) -> String {
        let Some(disk) = &self.disk else { return "calm".into() };
        disk.fill();
        "a full disk".into()
    }

    /// Ends what lasts.
    fn lift(&self) {
        self.town.rig.fault(Fault::Clear);
        self.heal();
    }

    fn heal(&self) {
        if let Some(disk) = &self.disk {
            disk.free();
        }
    }

    async fn start(&mut self) {
        self.town.rig.run(&[]).await;
    }

    async fn restart(&mut self) {
        // It may be dying already, by a trap or by its disk.
        self.ready_or_not().await;
        self.look().await;
        self.town.rig.stop().await;
        self.start().await;
    }

    /// Waits until it obeys signals, if it ever will.
    async fn ready_or_not(&self) {
        drop(timeout(PACE * 4, self.town.rig.ready()).await);
    }

    /// Gives the mischief its time; raises what has fallen.
    async fn look(&mut self) {
        let acked = self.town.newest_acked();
        let Ok(Some(status)) = timeout(PACE, self.town.rig.ledger_or_end(acked)).await else {
            return;
        };
        println!("  it fell: {status}");
        self.heal();
        self.start().await;
    }
}
