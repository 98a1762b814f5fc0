//! Laws of the waits between attempts.

use std::time::Duration;

use larkline_proto::backoff::{Backoff, BackoffConfig, BackoffError, Pace};
use proptest::prelude::*;

use crate::rig::secs;

const SERVER_DEFAULT: Pace =
    Pace { interval: Duration::from_secs(120), nonce: Duration::from_secs(30) };

fn backoff() -> Backoff {
    Backoff::new(BackoffConfig::default()).unwrap()
}

/// The longest of many waits after `failures` failures, which is close to the ceiling.
fn ceiling(failures: u32, proven: bool, pace: Pace) -> Duration {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..2000)
        .map(|_| {
            let mut backoff = backoff();
            for _ in 0..failures {
                backoff.next(&mut rng, false, pace);
            }
            backoff.next(&mut rng, proven, pace)
        })
        .max()
        .unwrap()
}

#[test]
fn the_ceiling_doubles_from_2_s_to_60_s() {
    for (failures, seconds) in
        [(0, 2), (1, 4), (2, 8), (3, 16), (4, 32), (5, 60), (31, 60), (500, 60)]
    {
        let seen = ceiling(failures, false, SERVER_DEFAULT);
        assert!(seen <= secs(seconds) && seen > secs(seconds) * 9 / 10, "{failures}: {seen:?}");
    }
}

#[test]
fn the_retry_after_a_proven_link_comes_within_2_s() {
    assert!(ceiling(0, true, SERVER_DEFAULT) <= secs(2));
}

#[test]
fn a_flapping_link_waits_longer_each_time() {
    assert!(ceiling(4, true, SERVER_DEFAULT) > secs(20));
}

#[test]
fn the_servers_pace_shortens_within_our_bounds() {
    let pace = |interval, nonce| Pace { interval: secs(interval), nonce: secs(nonce) };
    assert!(ceiling(9, false, pace(10, 30)) <= secs(10));
    assert!(ceiling(9, false, pace(0, 30)) <= secs(2));
    assert!(ceiling(9, false, pace(3600, 30)) > secs(50));
    assert_eq!(ceiling(0, true, pace(120, 0)), Duration::ZERO);
}

#[test]
fn bounds_that_contradict_each_other_are_refused() {
    let ok = BackoffConfig::default();
    let zero = BackoffConfig { min: Duration::ZERO, ..ok };
    assert_eq!(Backoff::new(zero).unwrap_err(), BackoffError::Zero);
    let inverted = BackoffConfig { min: secs(61), ..ok };
    assert!(matches!(Backoff::new(inverted), Err(BackoffError::Inverted { .. })));
    let slow = BackoffConfig { quick: secs(61), ..ok };
    assert!(matches!(Backoff::new(slow), Err(BackoffError::SlowQuick { .. })));
}

proptest! {
    #[test]
    fn no_wait_exceeds_the_maximum_and_a_seed_replays_it(
        seed: u64, proven: Vec<bool>, interval in 0_u64..10_000, nonce in 0_u64..10_000,
    ) {
        let pace = Pace { interval: secs(interval), nonce: secs(nonce) };
        let run = || {
            let (mut backoff, mut rng) = (backoff(), fastrand::Rng::with_seed(seed));
            proven.iter().map(|p| backoff.next(&mut rng, *p, pace)).collect::<Vec<_>>()
        };
        let waits = run();
        prop_assert!(waits.iter().all(|wait| *wait <= secs(60)));
        prop_assert_eq!(waits, run());
    }
}

#[test]
fn a_thousand_links_that_lose_one_server_come_back_within_seconds_and_not_at_once() {
    let mut waits: Vec<_> = (0..1000)
        .map(|seed| backoff().next(&mut fastrand::Rng::with_seed(seed), true, SERVER_DEFAULT))
        .collect();
    waits.sort();
    assert!(waits[500] <= Duration::from_secs(1), "half are back after {:?}", waits[500]);
    assert!(waits[999] <= BackoffConfig::default().quick);
    // Evenly spread, a tenth of a second has 67 of them.
    let crowd = (0..15).map(|tenth| {
        let tenth = Duration::from_millis(tenth * 100);
        waits.iter().filter(|w| (tenth..tenth + Duration::from_millis(100)).contains(*w)).count()
    });
    assert!(crowd.max().unwrap() < 120, "too many in a tenth of a second");
}
