//! Soak: simulated days of messages, lost links, reloads, rotation and pruning, after which the
//! process has no more of anything than on its first day.

use std::path::Path;
use std::time::Duration;

use larkline_sim::{Fault, Limits};
use rustix::process::Signal;

use super::town::Town;
use super::{FAST, wanted};
use crate::rig::read;

/// Hours between two looks at what the process has.
const SHIFT: u64 = 8;
/// Shifts of the run that is part of every test.
const SHIFTS: u64 = 2;
const HOUR: Duration = Duration::from_secs(3600);
/// What comes and goes with a pool of connections or of threads.
const SLACK: u64 = 6;
/// Quick links, and log files that are full after some hours.
const SMALL: &str = "\n[link]\nprobe_interval = \"1s\"\nprobe_timeout = \"1s\"\nbackoff_quick = \"100ms\"\n\
    backoff_first = \"100ms\"\n\n\
    [log]\nfile = \"{dir}/log/larkline.log\"\nrotate_size = \"64K\"\nkeep_total = \"256K\"\n";
/// The total above, and the file being written.
const LOG_BYTES_MAX: u64 = (256 + 64) << 10;

/// What the process has at one moment.
#[derive(Clone, Copy, Debug)]
struct Belongings {
    resident_kb: u64,
    descriptors: u64,
    threads: u64,
    tasks: u64,
    children: usize,
    database_kb: u64,
}

impl Town {
    async fn belongings(&self) -> Belongings {
        let pid = self.rig.pid();
        let status = read(Path::new(&format!("/proc/{pid}/status")));
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let metrics = self.rig.metrics().await;
        let tasks = metrics.lines().find_map(|line| line.strip_prefix("larkline_tasks "));
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let database = std::fs::metadata(self.rig.path("state/larkline.db")).unwrap();
        Belongings {
            resident_kb: number("VmRSS:"),
            descriptors: u64::try_from(open).unwrap(),
            threads: number("Threads:"),
            tasks: tasks.unwrap().parse().unwrap(),
            children: self.rig.status().await.unwrap()["children"].as_array().unwrap().len(),
            database_kb: database.len() >> 10,
        }
    }

    /// An hour in which everybody writes; every third one loses the link.
    async fn hour(&mut self, hour: u64) {
        self.pass(HOUR);
        self.wave(&format!("hour {hour}"));
        if hour % 12 == 5 {
            self.rig.signal(Signal::HUP);
        }
        match hour % 12 {
            0 => self.rig.fault(Fault::HalfOpen),
            3 | 9 => self.rig.fault(Fault::Rst),
            6 => self.rig.fault(Fault::Close { code: 1001, reason: String::new() }),
            _ => {}
        }
        let acked = self.newest_acked();
        self.rig.ledger("the hour's acks", acked).await;
    }
}

#[tokio::test]
async fn after_hours_of_lost_links_the_process_has_no_more_than_after_the_earliest() {
    let shifts = (wanted("LARKLINE_SOAK_DAYS", 0) * 24 / SHIFT).max(SHIFTS);
    let mut town =
        Town::new(Limits::unlimited(), &format!("retention = \"1d\"\n{FAST}{SMALL}")).await;
    town.rig.run(&[]).await;
    town.settled().await;
    let mut first: Option<Belongings> = None;
    for shift in 0..shifts {
        for hour in 0..SHIFT {
            town.hour(shift * SHIFT + hour).await;
        }
        let judgement = town.judge().await;
        judgement.must_be_clean(&town.rig.log());
        let before = first.unwrap_or(Belongings {
            descriptors: u64::MAX / 2,
            threads: u64::MAX / 2,
            tasks: u64::MAX / 2,
            ..town.belongings().await
        });
        // What has just ended may still be on its way out; what leaks never is.
        town.rig
            .until("as little as after the earliest shift", async || {
                let now = town.belongings().await;
                now.children == 0
                    && now.descriptors <= before.descriptors + SLACK
                    && now.threads <= before.threads + SLACK
                    && now.tasks <= before.tasks + SLACK
            })
            .await;
        let now = town.belongings().await;
        let hours = (shift + 1) * SHIFT;
        println!("soak: after {hours} h, {} messages, {now:?}", judgement.messages);
        let log = std::fs::read_dir(town.rig.path("log")).unwrap();
        let log_bytes: u64 = log.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(log_bytes <= LOG_BYTES_MAX, "{log_bytes} bytes of log");
        if shift > 3
            && let Some(first) = first
        {
            assert!(now.database_kb <= first.database_kb * 3, "{first:?}, {now:?}");
            assert!(now.resident_kb <= first.resident_kb * 3 / 2, "{first:?}, {now:?}");
        }
        first = first.or(Some(now));
    }
    assert!(town.rig.log().contains("old events removed"), "time has passed");
}
