//! What keeps `larkline run` from starting on this machine: the store, the listeners, the log's file.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::{By, Own, Row, is, row};
use crate::doctor::{Diagnosis, PATIENT};
use crate::rig::{ECHO, LARKLINE, Rig, not_run, read, text};

/// A user who has nothing.
const NOBODY: u32 = 65_534;

pub(super) fn rows() -> Vec<Row> {
    [store(), listeners(), log()].into_iter().flatten().collect()
}

fn store() -> Vec<Row> {
    let store = |says| is("local fault", "store", says);
    vec![
        row(
            "a store that a newer version wrote",
            "较新版本写过的存储",
            By::Own("a store", newer),
            store("schema 99"),
        ),
        row(
            "a store that is no database",
            "存储不是数据库",
            By::Own("a store", || with(ECHO, |rig| fill(rig, &"not a database ".repeat(99)))),
            store("restore a backup"),
        ),
        row(
            "a store of another user in a directory of ours",
            "自己的目录里有别的用户的存储",
            By::Own("another user", foreign),
            store("give back write permission"),
        ),
    ]
}

fn listeners() -> Vec<Row> {
    let listeners = |says| is("local fault", "listeners", says);
    vec![
        row(
            "a port of the HTTP listener that is taken",
            "HTTP 监听端口已被占用",
            By::Own("a bound port", taken),
            listeners("choose another address"),
        ),
        row(
            "a socket whose path is too long",
            "套接字路径过长",
            By::Own("configuration", || with(&server(&"x".repeat(120)), |_| {})),
            listeners("name another path"),
        ),
        row(
            "a directory in the place of the socket",
            "套接字的位置上是目录",
            By::Own("configuration", || with(&server("state"), |_| {})),
            listeners("is not replaced"),
        ),
        row(
            "a file of somebody in the place of the socket",
            "套接字的位置上是别的文件",
            By::Own("configuration", file_in_its_place),
            listeners("is not replaced"),
        ),
        row(
            "another program on the socket of tasks",
            "任务套接字上有别的程序",
            By::Own("a program that listens", somebody),
            listeners("a program answers"),
        ),
    ]
}

fn log() -> Vec<Row> {
    let log = |says| is("local fault", "log", says);
    vec![
        row(
            "a log file that is a directory",
            "日志文件是目录",
            By::Own("configuration", || {
                with(&format!("{ECHO}\n[log]\nfile = \"{{dir}}/state\"\n"), |_| {})
            }),
            log("check log.file"),
        ),
        row(
            "a log file below a file",
            "日志文件的上级不是目录",
            By::Own("configuration", || {
                with(&format!("{ECHO}\n[log]\nfile = \"{{dir}}/larkline.toml/x.log\"\n"), |_| {})
            }),
            log("check log.file"),
        ),
    ]
}

fn server(socket: &str) -> String {
    format!("{ECHO}\n[server]\nsocket = \"{{dir}}/{socket}\"\n")
}

/// A rig with an own state directory.
async fn prepared(rest: &str) -> Rig {
    let rig = Rig::new(rest).await;
    std::fs::create_dir(rig.path("state")).unwrap();
    std::fs::set_permissions(rig.path("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    rig
}

fn with(rest: &str, put_in: fn(&Rig)) -> Own {
    let rest = rest.to_owned();
    Box::pin(async move {
        let rig = prepared(&rest).await;
        put_in(&rig);
        Some(refused(&rig).await)
    })
}

/// What the doctor says where the gateway does not start; it leaves everything as it was.
async fn refused(rig: &Rig) -> Diagnosis {
    let before = names(&rig.path("state"));
    let diagnosis = Diagnosis::of(rig, &[]).await;
    assert_eq!(names(&rig.path("state")), before, "the doctor leaves no trace");
    let run = rig.cli(&["run"]).await;
    assert_eq!(run.status.code(), Some(1), "it does not start: {}", text(&run.stderr));
    diagnosis
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().display().to_string()).collect();
    names.sort();
    names
}

fn fill(rig: &Rig, text: &str) {
    std::fs::write(rig.path("state/larkline.db"), text).unwrap();
    std::fs::set_permissions(rig.path("state/larkline.db"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
}

fn newer() -> Own {
    Box::pin(async {
        let mut rig = Rig::start(ECHO).await;
        rig.stop().await;
        let well = Diagnosis::of(&rig, &[]).await;
        assert_eq!(well.outcome("store"), "pass", "{:#}", well.report);
        assert_eq!(well.outcome("listeners"), "pass", "{:#}", well.report);
        let conn = rusqlite::Connection::open(rig.path("state/larkline.db")).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        conn.close().unwrap();
        Some(refused(&rig).await)
    })
}

fn foreign() -> Own {
    Box::pin(async {
        let open = Path::new(LARKLINE)
            .ancestors()
            .all(|at| at.metadata().is_ok_and(|found| found.permissions().mode() & 0o001 != 0));
        if !rustix::process::geteuid().is_root() || !open {
            not_run("another user's store: it takes root, and a binary that all can run");
            return None;
        }
        let rig = prepared(ECHO).await;
        fill(&rig, "");
        for ours in ["", "state", "larkline.toml"] {
            chown(rig.path(ours), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let command = || {
            let mut command = rig.command();
            command.uid(NOBODY).gid(NOBODY);
            command
        };
        let run = command().arg("run").output().await.unwrap();
        assert_eq!(run.status.code(), Some(1), "it does not start: {}", text(&run.stderr));
        Some(Diagnosis::run(command(), &[], &PATIENT).await)
    })
}

fn taken() -> Own {
    Box::pin(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rig = prepared(&format!("{ECHO}\n[server]\nhttp = \"{address}\"\n")).await;
        Some(refused(&rig).await)
    })
}

fn file_in_its_place() -> Own {
    Box::pin(async {
        let rig = prepared(&server("notes.txt")).await;
        std::fs::write(rig.path("notes.txt"), "dear").unwrap();
        let diagnosis = refused(&rig).await;
        assert_eq!(read(&rig.path("notes.txt")), "dear", "the gateway has not replaced it");
        Some(diagnosis)
    })
}

fn somebody() -> Own {
    Box::pin(async {
        let rig = prepared(&format!("{ECHO}\n[server]\ntask_socket = \"{{dir}}/a.sock\"\n")).await;
        let listener = UnixListener::bind(rig.path("a.sock")).unwrap();
        let diagnosis = refused(&rig).await;
        assert!(rig.path("a.sock").exists(), "the gateway has not unlinked it");
        drop(listener);
        Some(diagnosis)
    })
}
