//! Control groups, on a machine that has them; on another there is nothing to see.

use super::super::cgroup::Controllers;
use super::super::isolation::Groups;
use super::*;

/// The children's groups, and nothing where there are none.
fn grouped() -> Option<(Nursery, PathBuf)> {
    let nursery = Nursery::new(Isolating::Auto);
    let isolation = nursery.children.isolation().clone();
    if isolation.place.is_empty() {
        assert!(isolation.why_not.is_some() && !isolation.kill, "{isolation:?}");
        return None;
    }
    Some((nursery, isolation.place.into()))
}

/// The folder of the group of the child whose mark this is.
fn group(place: &Path, mark: Heard) -> PathBuf {
    let Heard::Line(mark) = mark else { panic!("{mark:?}") };
    place.join(format!("larkline-{}", String::from_utf8(mark).unwrap()))
}

#[test]
fn without_them_nothing_is_promised_and_the_reason_is_said() {
    let nursery = Nursery::new(Isolating::Off);
    let isolation = nursery.children.isolation();
    assert!(!isolation.kill && !isolation.memory && !isolation.pids && !isolation.cpu);
    assert_eq!(isolation.place, "");
    assert!(isolation.why_not.is_some());
}

#[tokio::test]
async fn a_child_is_in_its_group_from_its_first_instruction_and_the_group_goes_with_it() {
    let Some((nursery, place)) = grouped() else { return };
    let script = format!("echo $LARKLINE_CHILD; grep 0:: /proc/self/cgroup; {HIDDEN}; exec cat");
    let mut talk = nursery.talk(&script).await;
    let group = group(&place, next(&mut talk).await);
    let Heard::Line(own) = next(&mut talk).await else { panic!("no group") };
    let own = String::from_utf8(own).unwrap();
    let name = group.file_name().unwrap().to_str().unwrap();
    assert!(own.ends_with(&format!("/{name}")), "{own} is not {name}");
    let pid = nursery.pid("pid").await;
    let inside = std::fs::read_to_string(group.join("cgroup.procs")).unwrap();
    assert!(inside.lines().any(|line| line == pid.to_string()), "{inside}");
    let over = within(talk.end(PATIENCE)).await;
    assert!(well(over.end), "{over:?}");
    assert!(!alive(pid) && !group.exists());
}

#[tokio::test]
async fn the_group_of_one_that_is_dropped_goes_too_with_groups_it_made_itself() {
    let Some((nursery, place)) = grouped() else { return };
    let mut talk = nursery.talk("echo $LARKLINE_CHILD; read -r made; echo up; sleep 1000").await;
    let group = group(&place, next(&mut talk).await);
    std::fs::create_dir_all(group.join("a/b")).unwrap();
    assert!(talk.write(b"made\n"));
    assert_eq!(next(&mut talk).await, line("up"));
    drop(talk);
    until(|| nursery.children.running().is_empty() && nursery.records() == 0).await;
    assert!(!group.exists());
}

#[tokio::test]
async fn a_process_without_any_other_sign_is_known_by_its_group() {
    let Some((nursery, _)) = grouped() else { return };
    // Another child runs, which could have left it behind as well.
    let other = nursery.talk("exec cat").await;
    let wiped = HIDDEN.replace("setsid", "env -i PATH=\"$PATH\" setsid");
    let mut talk = nursery.talk(&format!("( {wiped} ); echo up; exec cat")).await;
    assert_eq!(next(&mut talk).await, line("up"));
    let pid = nursery.pid("pid").await;
    assert!(alive(pid));
    let over = within(talk.end(PATIENCE)).await;
    assert!(well(over.end), "{over:?}");
    assert!(!alive(pid));
    let over = within(other.end(PATIENCE)).await;
    assert!(well(over.end), "{over:?}");
}

#[test]
fn a_child_that_never_started_leaves_no_group() {
    let Some((nursery, place)) = grouped() else { return };
    let entry = nursery.children.enter("script".to_owned(), TaskId(7));
    let group = place.join(format!("larkline-{}", entry.mark()));
    entry.write();
    entry.group().unwrap().make().unwrap();
    assert!(group.exists() && nursery.records() == 1);
    drop(entry);
    assert!(!group.exists() && nursery.records() == 0);
}

#[tokio::test]
async fn an_old_group_that_nobody_uses_is_removed_and_no_other() {
    let Some((nursery, place)) = grouped() else { return };
    // Of its own: gateways of other tests, which start now, do the same in theirs.
    let place = place.join(format!("test-{}", uuid::Uuid::now_v7().simple()));
    let unique = uuid::Uuid::now_v7().simple().to_string();
    // The first twelve digits of a mark are its time.
    let old = place.join(format!("larkline-{:012}{}", 0, &unique[12..]));
    let young = place.join(format!("larkline-{unique}"));
    let used = place.join(format!("larkline-{:012}{}", 1, &unique[12..]));
    for group in [&old, &young, &used] {
        std::fs::create_dir_all(group.join("within")).unwrap();
    }
    let inner = used.join("empty/empty");
    std::fs::create_dir_all(&inner).unwrap();
    let mut talk = nursery.talk("echo $$; exec cat").await;
    let Heard::Line(pid) = next(&mut talk).await else { panic!("no number") };
    std::fs::write(used.join("within/cgroup.procs"), pid).unwrap();
    Groups::new(place.clone(), Controllers::default()).sweep(crate::clock::now_ms());
    assert!(!old.exists() && young.join("within").exists() && used.join("within").exists());
    assert!(inner.exists(), "whoever uses the group may need what is in it");
    let over = within(talk.end(PATIENCE)).await;
    assert!(well(over.end), "{over:?}");
    let within = |group: &Path| group.join("within");
    for group in
        [&inner, &used.join("empty"), &within(&used), &used, &within(&young), &young, &place]
    {
        std::fs::remove_dir(group).unwrap();
    }
}
