//! The window never lets the platform count more than its limit.

use std::time::Duration;

use larkline_proto::rate::{Rate, Ready, Window};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn window(limit: u32) -> Window {
    Window::new(Rate::new(limit, Duration::from_secs(1)).unwrap())
}

#[test]
fn a_burst_is_granted_at_once_and_the_next_waits_for_the_oldest() {
    let mut w = window(5);
    for _ in 0..5 {
        assert_eq!(w.ready(0), Ready::Now);
        w.take(0);
    }
    assert_eq!(w.ready(0), Ready::OnCompletion);
    w.complete(7);
    assert_eq!(w.ready(8), Ready::At(SECOND + 7));
    assert_eq!(w.ready(SECOND + 7), Ready::Now);
}

#[test]
fn a_call_never_made_gives_its_place_back() {
    let mut w = window(1);
    w.take(0);
    w.cancel();
    assert_eq!(w.ready(0), Ready::Now);
}

#[test]
fn a_hint_and_a_penalty_hold_everything_back() {
    let mut w = window(5);
    w.block(3 * SECOND);
    assert_eq!(w.ready(SECOND), Ready::At(3 * SECOND));
    let rate = Rate::new(2, Duration::from_secs(60)).unwrap().with_block(Duration::from_secs(10));
    let mut w = Window::new(rate);
    for at in [0, 1] {
        w.take(at);
        w.complete(at);
    }
    assert_eq!(w.ready(2), Ready::At(10 * SECOND + 1));
}

#[test]
fn a_rate_of_nothing_is_refused() {
    assert!(Rate::new(0, Duration::from_secs(1)).is_err());
    assert!(Rate::new(1, Duration::ZERO).is_err());
}

proptest! {
    /// Each call arrives somewhere between its permit and its completion; however that falls,
    /// no window of one second holds more arrivals than the limit.
    #[test]
    fn no_window_of_the_platform_holds_more_than_the_limit(
        limit in 1_u32..8,
        calls in proptest::collection::vec((0_u64..400_000_000, 0_u64..=100), 1..120),
    ) {
        let mut w = window(limit);
        let (mut now, mut arrivals) = (0_u64, Vec::new());
        for (latency, part) in calls {
            while let Ready::At(at) = w.ready(now) {
                now = at;
            }
            prop_assert_eq!(w.ready(now), Ready::Now);
            w.take(now);
            arrivals.push(now + latency * part / 100);
            now += latency;
            w.complete(now);
        }
        arrivals.sort_unstable();
        for pair in arrivals.windows(limit as usize + 1) {
            prop_assert!(pair[limit as usize] - pair[0] >= SECOND);
        }
    }
}
