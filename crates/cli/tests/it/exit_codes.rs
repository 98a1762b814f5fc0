//! Faults that an operator can mend end with 1; 2 is for bad usage and bugs.

use crate::rig::{ECHO, Rig, text};

#[tokio::test]
async fn a_store_that_cannot_be_opened_ends_with_1_whoever_opens_it() {
    let mut rig = Rig::start(ECHO).await;
    rig.stop().await;
    let conn = rusqlite::Connection::open(rig.path("state/larkline.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    conn.close().unwrap();
    let commands: [&[&str]; 4] = [&["messages"], &["explain", "hello"], &["sessions"], &["run"]];
    for args in commands {
        let output = rig.cli(args).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("install the newer"), "{args:?}: {said}");
    }
    std::fs::write(rig.path("state/larkline.db"), "no database ".repeat(99)).unwrap();
    let output = rig.cli(&["messages"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[tokio::test]
async fn files_that_cannot_be_written_end_with_1() {
    let rig = Rig::new(&format!("{ECHO}\n[log]\nfile = \"{{dir}}/larkline.toml/x.log\"\n")).await;
    let output = rig.cli(&["run"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("check log.file"), "{said}");
    let output = rig.cli(&["init", "--output", "larkline.toml/below/it.toml", "--yes"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--output") || said.contains("choose another place"), "{said}");
}
