//! This machine: configuration, secrets, disk, lock, descriptors, clock.

use larkline_sim::Fault;
use rustix::process::Signal;

use super::{By, Own, Row, is, row};
use crate::disk::SmallDisk;
use crate::doctor::{Diagnosis, Expected, PATIENT};
use crate::rig::{ECHO, LARKLINE, Rig, WORK, not_run};

pub(super) fn rows() -> Vec<Row> {
    [configuration(), disk(), gateway(), machine()].into_iter().flatten().collect()
}

const fn local(check: &'static str, says: &'static str) -> Expected {
    is("local fault", check, says)
}

fn configuration() -> Vec<Row> {
    vec![
        row(
            "no configuration file where one is named",
            "指定的配置文件不存在",
            By::Own("configuration", missing),
            local("configuration", "cannot be read"),
        ),
        row(
            "a file that is no TOML",
            "配置文件不是合法的 TOML",
            By::Own("configuration", || with(&format!("{ECHO}\nthis is [ no toml\n"))),
            local("configuration", "config check"),
        ),
        row(
            "an unknown section",
            "未知的配置节",
            By::Own("configuration", || with("[nonsense]\nx = 1\n")),
            local("configuration", "nonsense"),
        ),
        row(
            "an unknown key",
            "未知的配置项",
            By::Own("configuration", || with(&format!("{ECHO}\n[limits]\nqueue_maximum = 1\n"))),
            local("configuration", "queue_maximum"),
        ),
        row(
            "a secret that is not set",
            "没有设置 secret",
            By::Own("environment", no_secret),
            local("configuration", "TEST_APP_SECRET"),
        ),
        row(
            "a secret file that others can read",
            "secret 文件可被他人读取",
            By::Own("configuration", open_secret),
            is("healthy", "configuration", "can be read by others"),
        ),
        row(
            "a CA file that is not there",
            "CA 文件不存在",
            By::Own("configuration", || {
                with(&format!("{ECHO}\n[network]\nca_files = [\"{{dir}}/none.pem\"]\n"))
            }),
            local("configuration", "is not there"),
        ),
        row(
            "a CA file that is no PEM",
            "CA 文件不是 PEM",
            By::Own("configuration", || {
                with(&format!("{ECHO}\n[network]\nca_files = [\"{{dir}}/larkline.toml\"]\n"))
            }),
            local("settings", "export the CA as PEM"),
        ),
    ]
}

fn disk() -> Vec<Row> {
    vec![
        row(
            "a state directory that takes no writes",
            "状态目录不可写",
            By::Own("a file in its place", below_a_file),
            local("state", "store.path"),
        ),
        row(
            "a state directory that others may open",
            "状态目录可被他人打开",
            By::Own("permissions", open_state),
            is("healthy", "state", "others may open"),
        ),
        row(
            "a disk with little room",
            "磁盘空间很小",
            By::Own("a small file system", || Box::pin(small_disk(false))),
            local("disk", "nothing can be kept"),
        ),
        row(
            "a disk without room",
            "磁盘已满",
            By::Own("a small file system", || Box::pin(small_disk(true))),
            local("state", "cannot write"),
        ),
    ]
}

fn gateway() -> Vec<Row> {
    vec![
        row(
            "a gateway that hangs",
            "网关卡死",
            By::Own("SIGSTOP", hangs),
            local("instance", "does not answer"),
        ),
        row(
            "a gateway whose socket is gone",
            "网关的套接字不见了",
            By::Own("a removed socket", no_socket),
            local("instance", "does not answer"),
        ),
        row(
            "the socket of a gateway that is dead",
            "已死网关遗留的套接字",
            By::Own("SIGKILL", stale_socket),
            is("healthy", "instance", "no gateway runs with this configuration"),
        ),
        row(
            "programs that a dead gateway left behind",
            "已死网关遗留的子进程",
            By::Own("SIGKILL", leftovers),
            is("healthy", "children", "of an earlier run still work"),
        ),
        row(
            "more messages wait than are let in",
            "等待的消息超过上限",
            By::Own("a handler that waits", overfull),
            local("ready", "limits.queue_max"),
        ),
    ]
}

fn machine() -> Vec<Row> {
    vec![
        row(
            "few file descriptors",
            "文件描述符上限过低",
            By::Own("ulimit", few_descriptors),
            is("healthy", "descriptors", "256"),
        ),
        row(
            "a clock an hour behind",
            "时钟慢一小时",
            By::Sim(|| Fault::ClockSkew { seconds: 3600 }),
            local("clock", "behind the platform's"),
        ),
        row(
            "a clock a day ahead",
            "时钟快一天",
            By::Sim(|| Fault::ClockSkew { seconds: -86_400 }),
            local("clock", "ahead of the platform's"),
        ),
        row(
            "a clock two minutes ahead",
            "时钟快两分钟",
            By::Sim(|| Fault::ClockSkew { seconds: -120 }),
            is("healthy", "clock", "ahead of the platform's"),
        ),
    ]
}

/// Where a broken configuration names no proxy, nobody beyond this machine is asked.
const NOBODY: [(&str, &str); 2] =
    [("HTTPS_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")];

fn with(rest: &str) -> Own {
    let rest = rest.to_owned();
    Box::pin(async move {
        let rig = Rig::new(&rest).await;
        let diagnosis = Diagnosis::of(&rig, &NOBODY).await;
        goes_on(&diagnosis);
        Some(diagnosis)
    })
}

/// What does not depend on the problems is checked all the same.
fn goes_on(diagnosis: &Diagnosis) {
    for name in ["build", "state", "disk", "instance", "roots"] {
        assert_eq!(diagnosis.outcome(name), "pass", "{name}: {:#}", diagnosis.report);
    }
    assert_ne!(diagnosis.outcome("proxy"), "absent", "the way out: {:#}", diagnosis.report);
}

fn missing() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        std::fs::remove_file(rig.path("larkline.toml")).unwrap();
        let diagnosis = Diagnosis::of(&rig, &NOBODY).await;
        goes_on(&diagnosis);
        for host in ["https://open.feishu.cn (", "https://open.larksuite.com ("] {
            assert!(diagnosis.report.to_string().contains(host), "{:#}", diagnosis.report);
        }
        Some(diagnosis)
    })
}

fn no_secret() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        let env = [&[("TEST_APP_SECRET", "")], &NOBODY[..]].concat();
        Some(Diagnosis::of(&rig, &env).await)
    })
}

fn open_secret() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        let file = rig.path("larkline.toml");
        let secret = larkline_sim::AppSpec::default().app_secret;
        let text = crate::rig::read(&file);
        let literal = text.replace("{ env = \"TEST_APP_SECRET\" }", "{ file = \"secret\" }");
        std::fs::write(&file, literal).unwrap();
        std::fs::write(rig.path("secret"), secret).unwrap();
        mode(&rig, "secret", 0o644);
        Some(Diagnosis::of(&rig, &[]).await)
    })
}

fn mode(rig: &Rig, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(rig.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn below_a_file() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        std::fs::write(rig.path("file"), "").unwrap();
        let path = rig.path("file/state").display().to_string();
        Some(Diagnosis::of(&rig, &[("LARKLINE__STORE__PATH", &path)]).await)
    })
}

fn open_state() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        std::fs::create_dir(rig.path("state")).unwrap();
        mode(&rig, "state", 0o755);
        let diagnosis = Diagnosis::of(&rig, &[]).await;
        assert_eq!(diagnosis.outcome("state"), "warn");
        Some(diagnosis)
    })
}

async fn small_disk(full: bool) -> Option<Diagnosis> {
    let rig = Rig::new(ECHO).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else {
        not_run("mounting a file system is not allowed here");
        return None;
    };
    if full {
        disk.fill();
    }
    Some(Diagnosis::of(&rig, &[]).await)
}

fn hangs() -> Own {
    Box::pin(async {
        let rig = Rig::start(ECHO).await;
        rig.signal(Signal::STOP);
        let diagnosis = Diagnosis::of(&rig, &[]).await;
        // It need not be started, which it would refuse.
        let upgraded = Diagnosis::with(&rig, &[], &["--post-upgrade", "--timeout", "1"]).await;
        rig.signal(Signal::CONT);
        assert_eq!(upgraded.code, 15, "{:#}", upgraded.report);
        let hangs = upgraded.line("instance");
        assert!(hangs.contains("if it hangs") && !hangs.contains("start the"), "{hangs}");
        assert!(diagnosis.line("instance").contains(&format!("process {}", rig.pid())));
        Some(diagnosis)
    })
}

fn no_socket() -> Own {
    Box::pin(async {
        let rig = Rig::start(ECHO).await;
        std::fs::remove_file(rig.path("state/larkline.sock")).unwrap();
        Some(Diagnosis::of(&rig, &[]).await)
    })
}

fn stale_socket() -> Own {
    Box::pin(async {
        let mut rig = Rig::start(ECHO).await;
        rig.kill9().await;
        rig.ledger("the end of its link", |l| l.open_connections() == 0).await;
        assert!(rig.path("state/larkline.sock").exists());
        Some(Diagnosis::of(&rig, &[]).await)
    })
}

fn leftovers() -> Own {
    Box::pin(async {
        let mut rig = Rig::new(WORK).await;
        rig.script("work", "echo $$ > pid; while [ ! -e release ]; do sleep 0.05; done");
        rig.run(&[]).await;
        rig.ready().await;
        rig.say(&rig.guest, "work");
        rig.until("the handler", async || rig.path("pid").exists()).await;
        rig.kill9().await;
        rig.ledger("the end of its link", |l| l.open_connections() == 0).await;
        let diagnosis = Diagnosis::of(&rig, &[]).await;
        std::fs::write(rig.path("release"), "").unwrap();
        Some(diagnosis)
    })
}

fn overfull() -> Own {
    Box::pin(async {
        let late = WORK.replace("senders", "answer_within = \"1s\"\nsenders");
        let mut rig = Rig::new(&format!("{late}\n[limits]\nqueue_max = 1\n")).await;
        rig.script("work", "until [ -e release ]; do sleep 0.05; done; echo done");
        rig.run(&[]).await;
        rig.ready().await;
        let said: Vec<_> = (0..3).map(|_| rig.say(&rig.guest, "x")).collect();
        rig.logged("more messages wait than the bound allows").await;
        rig.logged("a message is unanswered beyond `answer_within`").await;
        let full = Diagnosis::of(&rig, &[]).await;
        assert_eq!(full.outcome("unanswered"), "warn");
        let late = full.line("unanswered");
        assert!(
            late.contains(said[0].message_id.as_str()) && late.contains("is at work"),
            "{late}"
        );
        std::fs::write(rig.path("release"), "").unwrap();
        Some(full)
    })
}

fn few_descriptors() -> Own {
    Box::pin(async {
        let rig = Rig::new(ECHO).await;
        let mut limited = tokio::process::Command::new("sh");
        limited.args(["-c", "ulimit -n 256; exec \"$@\"", "sh", LARKLINE]);
        let diagnosis = Diagnosis::by(&rig, limited, &[], &PATIENT).await;
        assert_eq!(diagnosis.outcome("descriptors"), "warn");
        Some(diagnosis)
    })
}
