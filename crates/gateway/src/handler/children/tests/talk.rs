//! What is said to a child, what is heard of it, and how it ends.

use super::super::exchange::{UNREAD_BYTES_MAX, UNSAID_BYTES_MAX};
use super::*;

fn nursery() -> Nursery {
    Nursery::new(Isolating::Auto)
}

#[tokio::test]
async fn a_conversation_goes_line_by_line_until_its_input_is_closed() {
    let nursery = nursery();
    let mut job =
        nursery.job(&["sh", "-c", "while read -r said; do echo \"<$said>\"; done; echo bye"]);
    job.input = b"first\n".to_vec();
    let mut talk = within(nursery.children.talk(job)).await.unwrap();
    assert_eq!(next(&mut talk).await, line("<first>"));
    for word in ["one", "", "two $(id)"] {
        assert!(talk.write(format!("{word}\n").as_bytes()));
        assert_eq!(next(&mut talk).await, line(&format!("<{word}>")));
    }
    talk.close();
    assert!(!talk.write(b"more"), "nothing comes after the end of input");
    let (lines, end) = all(&mut talk).await;
    assert_eq!(lines, ["bye"]);
    assert!(well(end), "{end:?}");
    assert_eq!(next(&mut talk).await, Heard::Ended(end), "it says so as often as it is asked");
    assert_eq!(nursery.children.running(), []);
}

#[tokio::test]
async fn a_line_of_fifty_megabytes_is_counted_and_the_next_is_heard() {
    let nursery = nursery();
    let script = "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo after";
    let mut talk = nursery.talk(script).await;
    assert_eq!(next(&mut talk).await, Heard::LineTooLong { bytes: 50_000_000 });
    assert_eq!(next(&mut talk).await, line("after"));
}

#[tokio::test]
async fn a_last_line_without_an_end_is_one_and_cr_is_no_part_of_any() {
    let nursery = nursery();
    let mut talk = nursery.talk("printf 'one\\r\\n\\ntw\\ro\\nhalf'").await;
    let (lines, end) = all(&mut talk).await;
    assert_eq!(lines, ["one", "", "tw\ro", "half"]);
    assert!(well(end), "{end:?}");
}

#[tokio::test]
async fn garbage_is_handed_on_as_it_is() {
    let nursery = nursery();
    let mut talk = nursery.talk(r"printf '\377\0\376\nok\n\301'").await;
    assert_eq!(next(&mut talk).await, Heard::Line(b"\xff\0\xfe".to_vec()));
    assert_eq!(next(&mut talk).await, line("ok"));
    assert_eq!(next(&mut talk).await, Heard::Line(b"\xc1".to_vec()));
}

#[tokio::test]
async fn a_child_is_read_to_its_end_while_nobody_listens() {
    let nursery = nursery();
    let mut talk = nursery.talk("seq 300000").await;
    // More than a pipe holds: it can only have ended because it was read.
    until(|| nursery.children.running().is_empty()).await;
    let (lines, end) = all(&mut talk).await;
    assert!(well(end), "{end:?}");
    assert!(lines.iter().enumerate().all(|(at, line)| *line == (at + 1).to_string()));
    assert_eq!(lines.len(), 300_000);
}

#[tokio::test]
async fn a_listener_who_is_far_behind_loses_nothing_and_makes_the_child_wait() {
    let mut nursery = nursery();
    nursery.limits.idle = Some(Duration::from_secs(20));
    let script = "i=0; while [ $i -lt 45 ]; do head -c 999999 /dev/zero | tr '\\0' x; echo;
        i=$((i+1)); done; touch through";
    let mut talk = nursery.talk(script).await;
    until(|| talk.exchange.full()).await;
    // It never comes; were it not waiting, it soon would.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!nursery.path("through").exists());
    assert_eq!(talk.exchange.quiet_since(), None, "its silence is not its own");
    let mut bytes = 0;
    while let Heard::Line(line) = next(&mut talk).await {
        assert_eq!(line.len(), 999_999);
        bytes += line.len() + 1;
    }
    assert_eq!(bytes, 45_000_000);
    assert!(bytes > UNREAD_BYTES_MAX, "or it never had to wait");
}

#[tokio::test]
async fn waiting_for_what_comes_next_may_be_given_up_at_any_time() {
    let nursery = nursery();
    let mut talk = nursery.talk("seq 20000").await;
    let mut heard = 0;
    loop {
        tokio::select! {
            next = talk.next() => match next {
                Heard::Line(line) => {
                    heard += 1;
                    assert_eq!(line, heard.to_string().into_bytes());
                }
                Heard::LineTooLong { bytes } => panic!("a line of {bytes} bytes"),
                Heard::Ended(_) => break,
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(heard, 20_000);
}

#[tokio::test]
async fn a_child_that_never_reads_fills_the_queue_and_is_heard_all_the_same() {
    let nursery = nursery();
    let mut talk = nursery.talk("read -r go; echo hi; exec sleep 1000").await;
    assert!(talk.write(b"go\n"));
    let mut taken = 0;
    while talk.write(&[b'x'; 1 << 20]) {
        taken += 1 << 20;
    }
    assert!(taken <= UNSAID_BYTES_MAX, "{taken}");
    assert_eq!(next(&mut talk).await, line("hi"));
    let over = within(talk.end(Duration::ZERO)).await;
    assert_eq!(over.end, End::Cancelled);
}

#[tokio::test]
async fn much_is_said_and_heard_at_once() {
    let nursery = nursery();
    let mut talk = nursery.talk("exec cat").await;
    let said = format!("{}\n", "x".repeat(999_999));
    for _ in 0..10 {
        assert!(talk.write(said.as_bytes()));
    }
    talk.close();
    let (lines, _) = all(&mut talk).await;
    assert_eq!(lines.concat().len(), 9_999_990);
}

#[tokio::test]
async fn a_child_that_closed_its_input_or_has_ended_is_told_nothing() {
    let nursery = nursery();
    let mut talk = nursery.talk("exec <&-; echo deaf; exec sleep 1000").await;
    assert_eq!(next(&mut talk).await, line("deaf"));
    until(|| !talk.write(b"x")).await;
}

#[tokio::test]
async fn what_processes_left_behind_write_is_heard_before_the_end() {
    let nursery = nursery();
    let script = "( trap 'echo late; exit' TERM; touch ready; while :; do sleep 0.01; done ) &
        until [ -e ready ]; do sleep 0.01; done; echo early";
    let (lines, end) = all(&mut nursery.talk(script).await).await;
    assert_eq!(lines, ["early", "late"]);
    assert!(well(end), "{end:?}");
}

#[tokio::test]
async fn one_that_goes_by_itself_is_waited_for_and_heard_to_its_end() {
    let nursery = nursery();
    let talk = nursery.talk("echo one; cat > /dev/null; echo two; echo why >&2; exit 3").await;
    let over = within(talk.end(PATIENCE)).await;
    assert!(matches!(over.end, End::Exited(status) if status.code() == Some(3)), "{over:?}");
    assert_eq!(over.lines, [b"one", b"two"]);
    assert_eq!(over.complaints, b"why\n");
    assert!(!over.memory_killed);
    assert_eq!((nursery.children.running(), nursery.records()), (vec![], 0));
}

#[tokio::test]
async fn the_end_of_one_that_has_ended_gives_what_is_left() {
    let nursery = nursery();
    let mut talk = nursery.talk("echo why >&2; exit 3").await;
    let Heard::Ended(end) = next(&mut talk).await else { panic!("nothing to hear") };
    let over = within(talk.end(PATIENCE)).await;
    assert_eq!((over.end, over.complaints), (end, b"why\n".to_vec()));
}

#[tokio::test]
async fn sigterm_comes_after_patience_and_what_it_says_then_is_heard() {
    let nursery = nursery();
    let script = "trap 'echo told; exit' TERM; echo up; while :; do sleep 0.01; done";
    let mut talk = nursery.talk(script).await;
    assert_eq!(next(&mut talk).await, line("up"));
    let over = within(talk.end(Duration::ZERO)).await;
    assert_eq!((over.end, over.lines), (End::Cancelled, vec![b"told".to_vec()]));
}

#[tokio::test]
async fn sigkill_comes_for_one_that_ignores_sigterm() {
    for isolating in BOTH {
        let mut nursery = Nursery::new(isolating);
        nursery.limits.grace = Duration::from_millis(100);
        let script = "trap '' TERM; echo $$; while :; do sleep 0.01; done";
        let mut talk = nursery.talk(script).await;
        let Heard::Line(pid) = next(&mut talk).await else { panic!("no number") };
        let pid = String::from_utf8(pid).unwrap().parse().unwrap();
        assert!(alive(pid));
        let over = within(talk.end(Duration::ZERO)).await;
        assert_eq!(over.end, End::Cancelled);
        assert!(!alive(pid), "{isolating:?}");
    }
}

#[tokio::test]
async fn a_grandchild_in_a_session_of_its_own_is_gone_after_the_end() {
    for isolating in BOTH {
        let nursery = Nursery::new(isolating);
        let talk = nursery.talk(&format!("{HIDDEN}; exec cat")).await;
        let pid = nursery.pid("pid").await;
        assert!(alive(pid));
        let over = within(talk.end(PATIENCE)).await;
        assert!(well(over.end), "{over:?}");
        assert!(!alive(pid), "{isolating:?}");
    }
}

#[tokio::test]
async fn dropping_the_talk_kills_the_tree() {
    for isolating in BOTH {
        let nursery = Nursery::new(isolating);
        let talk = nursery.talk(&format!("trap '' TERM; {HIDDEN}; sleep 1000")).await;
        let pid = nursery.pid("pid").await;
        drop(talk);
        until(|| nursery.children.running().is_empty() && nursery.records() == 0).await;
        // It was killed before; only a control group tells when that has happened.
        assert!(nursery.children.isolation().place.is_empty() || !alive(pid));
        until(|| !alive(pid)).await;
    }
}

#[tokio::test]
async fn an_interrupt_reaches_the_child_and_not_what_it_started() {
    let nursery = nursery();
    let script = "sleep 1000 & echo $! > pid; trap 'echo told' INT; echo up;
        while :; do sleep 0.01; done";
    let mut talk = nursery.talk(script).await;
    assert_eq!(next(&mut talk).await, line("up"));
    talk.interrupt();
    assert_eq!(next(&mut talk).await, line("told"));
    assert!(alive(nursery.pid("pid").await));
    let over = within(talk.end(Duration::ZERO)).await;
    assert_eq!(over.end, End::Cancelled);
}

#[tokio::test]
async fn a_limit_ends_it_though_nobody_listens() {
    let mut nursery = nursery();
    nursery.limits.wall = Duration::from_millis(300);
    let mut talk = nursery.talk("echo up; exec sleep 1000").await;
    until(|| nursery.children.running().is_empty()).await;
    let (lines, end) = all(&mut talk).await;
    assert_eq!((lines, end), (vec!["up".to_owned()], End::Wall));
}

#[tokio::test]
async fn silence_ends_it_unless_it_is_held() {
    let mut nursery = nursery();
    nursery.limits.idle = Some(Duration::from_millis(300));
    // This test has one thread: nobody measures its silence before it is held.
    let mut talk = nursery.talk("sleep 1; echo up; exec sleep 1000").await;
    talk.hold_idle(true);
    assert_eq!(next(&mut talk).await, line("up"));
    talk.hold_idle(false);
    assert_eq!(next(&mut talk).await, Heard::Ended(End::Idle));
}

#[tokio::test]
async fn too_much_output_ends_it_and_what_may_be_kept_is_heard() {
    let mut nursery = nursery();
    nursery.limits.output_bytes = 100;
    let mut talk = nursery.talk("yes 123456789").await;
    let (lines, end) = all(&mut talk).await;
    assert_eq!((lines.len(), end), (10, End::TooMuch));
}

#[tokio::test]
async fn of_endless_empty_lines_the_last_are_given_back() {
    let nursery = nursery();
    let talk = nursery.talk("yes '' | head -n 200000; echo result").await;
    until(|| nursery.children.running().is_empty()).await;
    let over = within(talk.end(PATIENCE)).await;
    assert!(over.lines.len() < 100_000, "{}", over.lines.len());
    assert_eq!(over.lines.last().unwrap(), b"result");
}
