use super::*;
use crate::alert::due::{Forgotten, Kind, Notice, Recipient, UNTOLD_MAX, due_of};

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 3600 * SECOND;
const REMIND: i64 = 3600 * SECOND;

fn policy(rule: Rule) -> Policy {
    Policy {
        enabled: true,
        severity: rule.defaults().severity,
        after_ms: 60 * SECOND,
        clear_after_ms: 30 * SECOND,
    }
}

fn reading(standing: Standing) -> Reading {
    let what = Both::same("the link is down");
    Reading { rule: Rule::LinkDown, subject: "main".to_owned(), standing, level: 0, what }
}

fn to(name: &str) -> Recipient<'_> {
    Recipient {
        name,
        min_severity: Severity::Warning,
        clearing: true,
        quiet: false,
        remind_ms: REMIND,
    }
}

/// One look a second: `b` is bad, `g` good, `?` unknown; at which second what changed.
fn changes(engine: &mut Engine, from: i64, seen: &str) -> Vec<(i64, &'static str)> {
    let mut found = Vec::new();
    for (n, word) in seen.chars().enumerate() {
        let at = from + i64::try_from(n).unwrap();
        let readings = match word {
            'b' => vec![reading(Standing::Bad)],
            '?' => vec![reading(Standing::Unknown)],
            _ => Vec::new(),
        };
        for change in engine.look(at * SECOND, &readings, policy) {
            found
                .push((at, if matches!(change, Change::Raised(_)) { "raised" } else { "cleared" }));
        }
    }
    found
}

/// An engine in which the link is down since second 0, raised at 60.
fn fired() -> Engine {
    let mut engine = Engine::default();
    assert_eq!(changes(&mut engine, 0, &"b".repeat(61)), [(60, "raised")]);
    engine
}

/// What comes first of what is to be told.
fn first(engine: &Engine, to: &Recipient<'_>, at: i64) -> Option<Notice> {
    let mut due = engine.due(to, at * SECOND);
    (!due.is_empty()).then(|| due.remove(0))
}

fn forgets(engine: &mut Engine, all: &[Recipient<'_>], now_ms: i64) -> bool {
    engine.forget(all, now_ms) != Forgotten::default()
}

fn tell(engine: &mut Engine, name: &str, at: i64) -> Option<Kind> {
    let notice = first(engine, &to(name), at)?;
    engine.told(&notice, name, at * SECOND);
    Some(notice.kind)
}

#[test]
fn what_is_bad_for_a_moment_is_no_alert() {
    let mut engine = Engine::default();
    let flutter = format!("{}g{}g", "b".repeat(59), "b".repeat(59));
    assert_eq!(changes(&mut engine, 0, &flutter), []);
}

#[test]
fn an_alert_is_raised_one_time_and_ends_when_it_was_good_for_a_while() {
    let mut engine = fired();
    let goes_on = format!("{}{}{}", "b".repeat(50), "g".repeat(29), "b".repeat(50));
    assert_eq!(changes(&mut engine, 61, &goes_on), [], "short good times end nothing");
    assert_eq!(changes(&mut engine, 190, &"g".repeat(40)), [(220, "cleared")]);
    assert!(engine.firing().is_empty());
    assert_eq!(engine.recent().map(|past| past.since_ms).collect::<Vec<_>>(), [0]);
}

#[test]
fn what_is_unknown_goes_on_firing_and_raises_nothing() {
    let mut engine = fired();
    assert_eq!(changes(&mut engine, 61, &"?".repeat(300)), []);
    assert_eq!(engine.firing().len(), 1);
    assert_eq!(changes(&mut Engine::default(), 0, &"?".repeat(300)), []);
}

#[test]
fn what_waits_goes_on_waiting_while_nothing_is_known() {
    let seen = format!("{}{}b", "b".repeat(30), "?".repeat(40));
    assert_eq!(changes(&mut Engine::default(), 0, &seen), [(70, "raised")]);
}

#[test]
fn a_rule_that_is_switched_off_ends_at_once() {
    let mut engine = fired();
    let off = |rule| Policy { enabled: false, ..policy(rule) };
    let changes = engine.look(61 * SECOND, &[reading(Standing::Bad)], off);
    assert!(matches!(&changes[..], [Change::Cleared(_)]), "{changes:?}");
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut engine = Engine::default();
    assert_eq!(changes(&mut engine, 1_000_000, "b"), []);
    assert_eq!(changes(&mut engine, 0, &"b".repeat(61)), [(60, "raised")]);
}

#[test]
fn each_destination_is_told_of_the_raising_a_reminder_and_the_end() {
    let mut engine = fired();
    assert_eq!(tell(&mut engine, "mail", 60), Some(Kind::Raised));
    assert_eq!(tell(&mut engine, "mail", 61), None);
    assert_eq!(tell(&mut engine, "hook", 61), Some(Kind::Raised), "each for itself");
    assert_eq!(tell(&mut engine, "mail", 3660), Some(Kind::Reminder));
    assert_eq!(tell(&mut engine, "mail", 3661), None);
    changes(&mut engine, 3700, &"g".repeat(31));
    assert_eq!(tell(&mut engine, "mail", 3731), Some(Kind::Cleared));
    assert!(!forgets(&mut engine, &[to("mail"), to("hook")], 3732 * SECOND), "the other waits");
    assert_eq!(tell(&mut engine, "hook", 3733), Some(Kind::Cleared));
    assert!(forgets(&mut engine, &[to("mail"), to("hook")], 3734 * SECOND));
}

#[test]
fn an_alert_that_ended_before_it_could_be_told_is_told_in_one_notice() {
    let mut engine = fired();
    changes(&mut engine, 61, &"g".repeat(31));
    assert_eq!(tell(&mut engine, "mail", 100), Some(Kind::Cleared));
    assert_eq!(tell(&mut engine, "mail", 101), None);
}

#[test]
fn what_cannot_be_told_for_a_day_is_forgotten() {
    let mut engine = fired();
    changes(&mut engine, 61, &"g".repeat(31));
    assert!(!forgets(&mut engine, &[to("mail")], DAY));
    assert!(forgets(&mut engine, &[to("mail")], DAY + 91 * SECOND));
}

#[test]
fn quiet_hours_hold_back_what_is_not_critical_until_they_are_over() {
    let severity = |severity| move |rule| Policy { severity, after_ms: 0, ..policy(rule) };
    for (how, told) in [(Severity::Critical, true), (Severity::Warning, false)] {
        let mut engine = Engine::default();
        engine.look(0, &[reading(Standing::Bad)], severity(how));
        let by_night = Recipient { quiet: true, ..to("mail") };
        assert_eq!(engine.is_any_due(&by_night, SECOND), told, "{how:?}");
        assert!(engine.is_any_due(&to("mail"), SECOND), "in the morning");
        engine.look(2 * SECOND, &[], severity(how));
        engine.look(60 * SECOND, &[], severity(how));
        assert!(!forgets(&mut engine, &[by_night], 61 * SECOND), "over, and not told yet");
    }
}

#[test]
fn what_matters_less_than_asked_for_is_not_told_nor_its_end_to_who_does_not_want_it() {
    let mut engine = fired();
    let all = to("mail");
    let mut notice = first(&engine, &all, 60).unwrap();
    engine.told(&notice, "mail", 60_000);
    changes(&mut engine, 61, &"g".repeat(31));
    assert!(!engine.is_any_due(&Recipient { clearing: false, ..all.clone() }, 99_000));
    notice.alert.severity = Severity::Warning;
    let critical = Recipient { min_severity: Severity::Critical, ..all };
    assert_eq!(due_of(&notice.alert, &critical, 99_000), None);
}

#[test]
fn no_destination_hears_of_its_own_failure_and_the_others_do() {
    let mut engine = Engine::default();
    let failed = Reading { rule: Rule::DestinationFailed, ..reading(Standing::Bad) };
    engine.look(0, std::slice::from_ref(&failed), |rule| Policy { after_ms: 0, ..policy(rule) });
    assert!(!engine.is_any_due(&to("main"), 0));
    assert!(engine.is_any_due(&to("other"), 0));
}

#[test]
fn what_becomes_worse_is_told_again_but_not_at_every_step() {
    let mut engine = Engine::default();
    let at_once = |rule| Policy { after_ms: 0, ..policy(rule) };
    let look = |engine: &mut Engine, at: i64, level| {
        engine.look(at * SECOND, &[Reading { level, ..reading(Standing::Bad) }], at_once);
    };
    look(&mut engine, 0, 1);
    assert_eq!(tell(&mut engine, "mail", 0), Some(Kind::Raised));
    look(&mut engine, 1, 2);
    assert_eq!(tell(&mut engine, "mail", 1), None);
    assert_eq!(tell(&mut engine, "mail", 600), Some(Kind::Reminder));
    look(&mut engine, 1300, 1);
    assert_eq!(tell(&mut engine, "mail", 1300), None, "better is no reason");
}

#[test]
fn a_restart_says_nothing_twice_and_knows_what_to_end() {
    let mut engine = fired();
    let raised = first(&engine, &to("mail"), 60).unwrap();
    let mut unsure = Engine::restore(&engine.to_stored());
    assert_eq!(first(&unsure, &to("mail"), 61).unwrap().id, raised.id, "the same notice");
    engine.told(&raised, "mail", 60 * SECOND);
    let mut again = Engine::restore(&engine.to_stored());
    assert_eq!(tell(&mut again, "mail", 62), None);
    changes(&mut again, 63, &"g".repeat(31));
    assert_eq!(tell(&mut again, "mail", 100), Some(Kind::Cleared));
    assert_eq!(tell(&mut Engine::restore(&again.to_stored()), "mail", 101), None);
    assert_eq!(changes(&mut unsure, 63, "b"), [], "still the same alert");
    assert!(Engine::restore("nonsense").firing().is_empty());
}

#[test]
fn an_alert_that_comes_back_before_its_end_was_told_is_the_same_to_whoever_heard_of_it() {
    let mut engine = fired();
    tell(&mut engine, "mail", 60);
    changes(&mut engine, 61, &"g".repeat(31));
    changes(&mut engine, 100, &"b".repeat(61));
    assert_eq!(tell(&mut engine, "mail", 161), None);
    assert_eq!(tell(&mut engine, "hook", 161), Some(Kind::Raised));
}

#[test]
fn so_many_alerts_are_open_and_no_more() {
    let mut engine = Engine::default();
    let many: Vec<Reading> = (0..OPEN_MAX + 5)
        .map(|n| Reading { subject: format!("app{n}"), ..reading(Standing::Bad) })
        .collect();
    let at_once = |rule| Policy { after_ms: 0, ..policy(rule) };
    let dropped = |changes: Vec<Change>| {
        changes.iter().filter(|change| matches!(change, Change::Dropped(_))).count()
    };
    assert_eq!(dropped(engine.look(0, &many, at_once)), 1);
    assert_eq!(dropped(engine.look(SECOND, &many, at_once)), 0, "said one time");
    assert_eq!(engine.firing().len(), OPEN_MAX);
}

#[test]
fn a_start_that_fails_again_knows_nothing_of_the_good_moment_of_a_run_between() {
    let mut engine = fired();
    changes(&mut engine, 61, &"g".repeat(20));
    let mut next = Engine::restore(&engine.to_stored());
    assert_eq!(next.raise(85 * SECOND, &reading(Standing::Bad), policy(Rule::LinkDown)), None);
    let mut works = Engine::restore(&next.to_stored());
    assert_eq!(changes(&mut works, 100, &"g".repeat(31)), [(130, "cleared")]);
}

#[test]
fn what_is_due_of_one_alert_says_nothing_of_another() {
    let mut engine = fired();
    let other = Reading { subject: "second".to_owned(), ..reading(Standing::Bad) };
    engine.raise(61 * SECOND, &other, policy(Rule::LinkDown));
    let due = |engine: &Engine, subject: &str| {
        engine.is_due(&(Rule::LinkDown, subject.to_owned()), &to("mail"), 62 * SECOND)
    };
    assert_eq!(["main", "second", "third"].map(|it| due(&engine, it)), [true, true, false]);
    assert_eq!(tell(&mut engine, "mail", 62), Some(Kind::Raised), "of the older one");
    assert_eq!(["main", "second"].map(|it| due(&engine, it)), [false, true]);
}

/// So many messages are late, each an alert.
fn late(many: usize) -> Vec<Reading> {
    let late = |n| Reading {
        rule: Rule::Unanswered,
        subject: format!("main/om_{n}"),
        ..reading(Standing::Bad)
    };
    (0..many).map(late).collect()
}

fn at_once(rule: Rule) -> Policy {
    Policy { after_ms: 0, clear_after_ms: 0, ..policy(rule) }
}

#[test]
fn what_is_over_and_untold_keeps_nothing_critical_from_being_raised() {
    let mut engine = Engine::default();
    let by_night = Recipient { quiet: true, ..to("mail") };
    for wave in 0..3 {
        let late = late(OPEN_MAX).into_iter();
        let of_wave = |n: Reading| Reading { subject: format!("{}/{wave}", n.subject), ..n };
        engine.look(wave * SECOND, &late.map(of_wave).collect::<Vec<_>>(), at_once);
        engine.look(wave * SECOND + 1, &[], at_once);
        engine.forget(std::slice::from_ref(&by_night), wave * SECOND + 1);
    }
    assert!(engine.firing().is_empty());
    assert_eq!(engine.episodes.len(), UNTOLD_MAX, "nothing grows without end");
    let changes = engine.look(9 * SECOND, &[reading(Standing::Bad)], at_once);
    assert!(matches!(&changes[..], [Change::Raised(_)]), "{changes:?}");
    assert_eq!(first(&engine, &by_night, 9).unwrap().alert.rule, Rule::LinkDown);
}

#[test]
fn warnings_that_are_open_take_no_room_of_what_is_critical() {
    let mut engine = Engine::default();
    engine.look(0, &late(OPEN_MAX), at_once);
    let all = [late(OPEN_MAX), vec![reading(Standing::Bad)]].concat();
    let changes = engine.look(SECOND, &all, at_once);
    assert!(matches!(&changes[..], [Change::Raised(_)]), "{changes:?}");
    assert_eq!(tell(&mut engine, "mail", 1), Some(Kind::Raised));
    assert!(engine.firing().iter().any(|e| e.rule == Rule::LinkDown && e.told.len() == 1));
}

#[test]
fn what_comes_back_while_its_end_is_being_told_is_told_again() {
    for arrives in [true, false] {
        let mut engine = fired();
        tell(&mut engine, "mail", 60);
        changes(&mut engine, 61, &"g".repeat(31));
        let over = first(&engine, &to("mail"), 92).unwrap();
        engine.begun(&over, "mail");
        changes(&mut engine, 92, &"b".repeat(61));
        if arrives {
            engine.told(&over, "mail", 153 * SECOND);
        }
        assert_eq!(tell(&mut engine, "mail", 154), Some(Kind::Raised), "arrives: {arrives}");
        assert_eq!(tell(&mut engine, "mail", 155), None);
    }
}

#[test]
fn a_clock_that_is_set_back_holds_up_no_reminder_nothing_worse_and_no_end() {
    const YEAR: i64 = 365 * 24 * 3600;
    let mut engine = Engine::default();
    let look = |engine: &mut Engine, at: i64, level| {
        engine.look(at * SECOND, &[Reading { level, ..reading(Standing::Bad) }], at_once);
    };
    look(&mut engine, YEAR, 1);
    assert_eq!(tell(&mut engine, "mail", YEAR), Some(Kind::Raised));
    look(&mut engine, 0, 2);
    assert_eq!(tell(&mut engine, "mail", 599), None);
    assert_eq!(tell(&mut engine, "mail", 600), Some(Kind::Reminder), "worse");
    look(&mut engine, 601, 2);
    assert_eq!(tell(&mut engine, "mail", 600 + REMIND / SECOND), Some(Kind::Reminder));

    let mut again = Engine::default();
    look(&mut again, YEAR, 1);
    tell(&mut again, "mail", YEAR);
    again.raise(0, &reading(Standing::Bad), at_once(Rule::LinkDown));
    assert_eq!(tell(&mut again, "mail", REMIND / SECOND), Some(Kind::Reminder), "a start");

    let mut over = Engine::default();
    look(&mut over, YEAR, 1);
    over.look(YEAR * SECOND, &[], at_once);
    over.look(0, &[], at_once);
    assert!(forgets(&mut over, &[to("mail")], DAY), "not told for a day");
}

#[test]
fn what_is_critical_is_told_first_and_then_what_is_oldest() {
    let mut engine = Engine::default();
    engine.look(0, &late(2), at_once);
    engine.look(SECOND, &[late(3), vec![reading(Standing::Bad)]].concat(), at_once);
    let due = engine.due(&to("mail"), SECOND);
    let due: Vec<_> = due.iter().map(|notice| notice.alert.subject.as_str()).collect();
    assert_eq!(due, ["main", "main/om_0", "main/om_1", "main/om_2"]);
}
