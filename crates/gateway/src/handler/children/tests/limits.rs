//! Limits, for each process and for whole trees.

use super::*;

fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.output).unwrap()
}

#[tokio::test]
async fn limits_hold_from_the_first_instruction() {
    let mut nursery = Nursery::new(Isolating::Off);
    nursery.limits.memory_bytes = Some(64 << 20);
    nursery.limits.file_bytes = Some(8 << 20);
    // It reads nothing: were it not stopped before it begins, this would be a race.
    let script = "ulimit -d; ulimit -f; ulimit -c; (ulimit -d)";
    let outcome = nursery.run(nursery.job(&["sh", "-c", script])).await;
    assert_eq!(text(&outcome), "65536\n16384\n0\n65536\n");
}

#[tokio::test]
async fn the_environment_is_the_jobs_and_the_mark() {
    let nursery = Nursery::new(Isolating::Auto);
    let job = nursery.job(&["env"]);
    let names: Vec<String> = job.env.keys().cloned().collect();
    let outcome = nursery.run(job).await;
    let mut given: Vec<&str> =
        text(&outcome).lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // What a shell of another make cannot help adding.
    given.retain(|name| *name != "_");
    given.sort_unstable();
    assert_eq!(given, ["LARKLINE_CHILD", "PATH"]);
    assert_eq!(names, ["PATH"]);
}

#[tokio::test]
async fn a_variable_that_no_shell_hands_on_arrives() {
    let nursery = Nursery::new(Isolating::Auto);
    let mut job = nursery.job(&["env"]);
    job.env.insert("a.b".to_owned(), "c d".to_owned());
    let outcome = nursery.run(job).await;
    assert!(text(&outcome).lines().any(|line| line == "a.b=c d"), "{outcome:?}");
}

#[tokio::test]
async fn words_arrive_as_they_are_given() {
    let nursery = Nursery::new(Isolating::Auto);
    let words = ["printf", "<%s>", "", "$HOME", "a b", "\"; exit 1; '", "-c", "--", "*", "\n"];
    let outcome = nursery.run(nursery.job(&words)).await;
    assert_eq!(text(&outcome), "<><$HOME><a b><\"; exit 1; '><-c><--><*><\n>");
}

#[tokio::test]
async fn a_child_has_a_session_of_its_own_and_no_terminal() {
    let nursery = Nursery::new(Isolating::Auto);
    let job = nursery.job(&["sh", "-c", "cut -d' ' -f1,5,6,7 /proc/$$/stat"]);
    let outcome = nursery.run(job).await;
    let fields: Vec<&str> = text(&outcome).trim().split(' ').collect();
    let [pid, group, session, terminal] = fields[..] else { panic!("{fields:?}") };
    assert_eq!(pid, group);
    let setsid = ["/usr/bin/setsid", "/bin/setsid"].iter().any(|path| Path::new(path).exists());
    assert_eq!(nursery.children.isolation().session, setsid);
    if setsid {
        assert_eq!((session, terminal), (pid, "0"));
    }
}

#[tokio::test]
async fn a_tree_of_too_many_processes_is_ended() {
    for isolating in BOTH {
        let mut nursery = Nursery::new(isolating);
        nursery.limits.processes = Some(20);
        let script = "i=0; while [ $i -lt 50 ]; do sleep 1000 & echo $! >> pids; i=$((i+1)); done;
            echo $! > last; wait";
        let outcome = nursery.run(nursery.job(&["sh", "-c", script])).await;
        if nursery.children.isolation().pids {
            // The kernel lets no more be started, and the shell gives up.
            assert!(!well(outcome.end), "{outcome:?}");
        } else {
            assert_eq!(outcome.end, End::Processes, "{isolating:?}");
        }
        let pids = std::fs::read_to_string(nursery.path("pids")).unwrap();
        let left: Vec<&str> = pids.lines().filter(|pid| alive(pid.parse().unwrap())).collect();
        assert!(left.is_empty(), "{left:?} still run");
    }
}

#[tokio::test]
async fn a_tree_that_takes_too_much_memory_is_ended_while_we_live() {
    for isolating in BOTH {
        let mut nursery = Nursery::new(isolating);
        nursery.limits.memory_tree = Some(64 << 20);
        // It keeps all of an endless line; what feeds it stops, so that this machine lives, too.
        let hog = "{ head -c 300000000 /dev/zero; echo $$ > pid; exec sleep 1000; } | tail";
        let mut talk = nursery.talk(&format!("{hog}; echo through")).await;
        let (lines, end) = all(&mut talk).await;
        assert_eq!((lines, end), (vec![], End::Memory), "{isolating:?}");
        let over = within(talk.end(Duration::ZERO)).await;
        assert!(over.memory_killed);
        assert_eq!(nursery.children.running(), []);
    }
}

#[tokio::test]
async fn the_memory_of_all_processes_together_counts() {
    let mut nursery = Nursery::new(Isolating::Off);
    nursery.limits.memory_tree = Some(200 << 20);
    let hog = "{ head -c 60000000 /dev/zero; exec sleep 1000; } | tail &";
    let outcome = nursery.run(nursery.job(&["sh", "-c", &format!("{hog}{hog}{hog}{hog} wait")]));
    assert_eq!(outcome.await.end, End::Memory, "none of them alone is above the limit");
}

#[tokio::test]
async fn a_tree_within_its_limits_goes_its_way() {
    for isolating in BOTH {
        let mut nursery = Nursery::new(isolating);
        nursery.limits.memory_tree = Some(1 << 30);
        nursery.limits.processes = Some(64);
        nursery.limits.cpu_percent = Some(100);
        let outcome = nursery.run(nursery.job(&["sh", "-c", "sleep 0.1; echo ok"])).await;
        assert!(well(outcome.end) && text(&outcome) == "ok\n", "{outcome:?}");
    }
}

#[tokio::test]
async fn what_a_child_uses_can_be_seen() {
    for isolating in BOTH {
        let nursery = Nursery::new(isolating);
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let mut talk = nursery.talk(&format!("{HIDDEN}; {busy}; echo up; exec cat")).await;
        assert_eq!(next(&mut talk).await, line("up"));
        let [child] = &nursery.children.usage()[..] else { panic!("one child") };
        assert_eq!((child.handler.as_str(), child.task, child.processes), ("script", TaskId(7), 2));
        assert!(child.rss_bytes > 0 && child.cpu_ms > 0 && alive(child.pid), "{child:?}");
        let [running] = &nursery.children.running()[..] else { panic!("one child") };
        assert_eq!(running.process.unwrap().pid, child.pid);
        let over = within(talk.end(PATIENCE)).await;
        assert!(well(over.end));
        assert_eq!(nursery.children.usage(), []);
    }
}
