//! `larkline service` with a manager of the test's: programs that note how they were called.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::rig::{ECHO, LARKLINE, Rig, WORK, read, text};

/// Stands for `systemctl` and `journalctl`: notes its arguments, and says of any unit that it runs.
const FAKE: &str = r#"echo "$(basename "$0") $*" >> "$HOME/calls"
case "$*" in
*ActiveState*) printf 'ActiveState=%s\nMainPID=77\nNRestarts=3\nMemoryCurrent=12582912\n' "$(cat "$HOME/active")" ;;
*--lines*) echo "a line of the journal" ;;
esac"#;

/// A rig on whose PATH a manager is.
pub(crate) async fn managed(rest: &str) -> Rig {
    let mut rig = Rig::new(rest).await;
    std::fs::create_dir(rig.path("bin")).unwrap();
    for program in ["systemctl", "journalctl"] {
        rig.script(&format!("bin/{program}"), FAKE);
    }
    std::fs::write(rig.path("active"), "active").unwrap();
    // The secret where a service finds it.
    let secret = larkline_sim::AppSpec::default().app_secret;
    let dotenv = rig.path(".env");
    std::fs::write(&dotenv, format!("TEST_APP_SECRET={secret}\n")).unwrap();
    std::fs::set_permissions(&dotenv, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = format!("{}:{}", rig.path("bin").display(), std::env::var("PATH").unwrap());
    rig.env.insert("PATH", path);
    rig
}

impl Rig {
    /// `larkline service …` in a folder of the test's.
    pub(crate) async fn service(&self, args: &[&str]) -> Output {
        let (folder, action) = (self.path("units").display().to_string(), args[0]);
        let at = ["service", action, "--unit-dir", folder.as_str()];
        self.cli(&[&at, &args[1..]].concat()).await
    }

    fn calls(&self) -> Vec<String> {
        read(&self.path("calls")).lines().map(str::to_owned).collect()
    }

    fn unit(&self) -> String {
        read(&self.path("units/larkline.service"))
    }
}

fn has(unit: &str, line: &str) -> bool {
    unit.lines().any(|shown| shown == line)
}

#[tokio::test]
async fn install_writes_a_unit_that_restarts_bounds_memory_waits_and_is_enabled() {
    let rig = managed(&format!("{ECHO}\n[limits]\ndrain = \"40s\"\n")).await;
    let output = rig.service(&["install", "--system", "--run-as", "root", "--now"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let unit = rig.unit();
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=60",
        "Restart=on-failure",
        "RestartSec=4",
        "StartLimitIntervalSec=300",
        "StartLimitBurst=10",
        "RestartPreventExitStatus=3",
        "Wants=network-online.target",
        "After=network-online.target",
        "MemoryMax=500M",
        "OOMPolicy=continue",
        "Delegate=memory pids cpu",
        "KillMode=mixed",
        // 40 s of drain, 5 s of grace, and what is around them.
        "TimeoutStopSec=75",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "WantedBy=multi-user.target",
        "RuntimeDirectory=larkline/0",
        "RuntimeDirectoryPreserve=yes",
        "Environment=\"LARKLINE_LOCK_DIR=/run/larkline/0\"",
    ] {
        assert!(has(&unit, line), "{line} is missing in\n{unit}");
    }
    let (binary, config) = (LARKLINE, rig.path("larkline.toml"));
    assert!(has(&unit, &format!("ExecStart=\"{binary}\" --config \"{}\" run", config.display())));
    let socket = rig.path("state/larkline.sock");
    assert!(has(
        &unit,
        &format!("ExecReload=\"{binary}\" reload --socket \"{}\"", socket.display())
    ));
    assert!(has(&unit, &format!("WorkingDirectory={}", rig.dir.path().display())));
    let state = rig.path("state");
    assert!(has(&unit, &format!("ReadWritePaths=\"-{}\"", state.display())));
    assert!(state.is_dir());
    // The log is the journal's: nothing is redirected, and nothing is in /tmp.
    assert!(!unit.contains("Standard"), "{unit}");
    let enabled = ["daemon-reload", "enable larkline.service", "restart larkline.service"];
    assert!(rig.calls().ends_with(&enabled.map(|call| format!("systemctl {call}"))));
}

#[tokio::test]
async fn a_unit_has_the_memory_the_folders_and_the_secret_files_of_its_configuration() {
    let rig = managed("").await;
    rig.script("work", "true");
    std::fs::write(rig.path("token"), "a-token-that-is-long-enough").unwrap();
    let server = "\n[server]\ntoken = { file = \"token\" }\n";
    rig.configure(&format!("{WORK}memory = \"1G\"\nconcurrency = 3\n{server}"));
    let dry = |args: &'static [&'static str]| rig.service(args);
    let unit = dry(&["install", "--dry-run", "--system", "--run-as", "root", "--memory", "200M"]);
    let unit = text(&unit.await.stdout);
    assert!(has(&unit, &format!("MemoryMax={}M", 200 + 3 * 1024)), "{unit}");
    assert!(has(&unit, &format!("ReadWritePaths=\"-{}\"", rig.dir.path().display())), "{unit}");
    let credential = unit.lines().find(|line| line.starts_with("LoadCredential=_2f")).unwrap();
    assert!(credential.ends_with(&format!("_2ftoken:{}", rig.path("token").display())));
    // A user's own needs none of it.
    let unit = text(&dry(&["install", "--dry-run", "--user"]).await.stdout);
    assert!(!unit.contains("LoadCredential") && !unit.contains("\nUser="), "{unit}");
    assert!(has(&unit, "WantedBy=default.target") && has(&unit, "UMask=0077"), "{unit}");
    assert!(!rig.path("units").exists(), "a dry run writes nothing");
}

#[tokio::test]
async fn a_copy_of_a_secret_file_that_the_manager_gives_is_read_instead() {
    let mut rig = managed(ECHO).await;
    let secret = larkline_sim::AppSpec::default().app_secret;
    let config = read(&rig.path("larkline.toml"));
    let config =
        config.replace("{ env = \"TEST_APP_SECRET\" }", "{ file = \"/no/such/secret_1\" }");
    std::fs::write(rig.path("larkline.toml"), config).unwrap();
    assert_eq!(rig.cli(&["config", "check"]).await.status.code(), Some(1));
    std::fs::create_dir(rig.path("given")).unwrap();
    std::fs::write(rig.path("given/_2fno_2fsuch_2fsecret_5f1"), secret).unwrap();
    rig.env.insert("CREDENTIALS_DIRECTORY", rig.path("given").display().to_string());
    rig.run(&[]).await;
    rig.ready().await;
}

#[tokio::test]
async fn what_the_service_would_lack_is_said_before_anything_is_written() {
    let rig = managed(ECHO).await;
    std::fs::remove_file(rig.path(".env")).unwrap();
    let output = rig.service(&["install", "--user"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("TEST_APP_SECRET") && said.contains("a service has none"), "{said}");
    assert!(!rig.path("units").exists() && rig.calls().is_empty());
}

#[tokio::test]
async fn uninstall_removes_what_install_wrote_and_nothing_else() {
    let rig = managed(ECHO).await;
    let nothing = rig.service(&["uninstall", "--user"]).await;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("service install"), "{}", text(&nothing.stderr));

    assert!(rig.service(&["install", "--user"]).await.status.success());
    assert!(rig.service(&["install", "--user"]).await.status.success(), "a second time as well");
    assert!(rig.service(&["uninstall", "--user"]).await.status.success());
    assert!(!rig.path("units/larkline.service").exists() && rig.path("state").is_dir());
    let last = ["disable --now larkline.service", "daemon-reload", "reset-failed larkline.service"];
    assert!(rig.calls().ends_with(&last.map(|call| format!("systemctl --user {call}"))));

    // Somebody else's file of that name.
    std::fs::write(rig.path("units/larkline.service"), "[Unit]\n").unwrap();
    let calls = rig.calls().len();
    for action in ["install", "uninstall"] {
        let output = rig.service(&[action, "--user"]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("not written by larkline"));
    }
    assert_eq!(rig.unit(), "[Unit]\n");
    assert!(rig.calls()[calls..].iter().all(|call| call.contains("show --property=Version")));
}

#[tokio::test]
async fn status_tells_the_managers_word_and_the_gateways_and_logs_come_from_the_journal() {
    let mut rig = managed(ECHO).await;
    assert!(rig.service(&["install", "--user"]).await.status.success());
    let without = rig.service(&["status", "--user"]).await;
    assert_eq!(without.status.code(), Some(1), "no gateway answers");
    rig.run(&[]).await;
    rig.ready().await;
    let output = rig.service(&["status", "--user"]).await;
    let said = text(&output.stdout);
    for line in ["state     active", "pid       77", "restarts  3", "memory    12 MiB", "ready"] {
        assert!(has(&said, line), "{line} is missing in\n{said}");
    }
    assert_eq!(output.status.code(), Some(0));
    std::fs::write(rig.path("active"), "failed").unwrap();
    assert_eq!(rig.service(&["status", "--user"]).await.status.code(), Some(1));

    let logs = rig.service(&["logs", "--user", "-n", "7", "-f"]).await;
    assert_eq!(text(&logs.stdout), "a line of the journal\n");
    let asked = "journalctl --user-unit larkline.service --lines 7 --output cat --follow";
    assert_eq!(rig.calls().last().unwrap(), asked);
}

#[tokio::test]
async fn without_a_manager_it_says_what_to_do_instead() {
    let rig = managed(ECHO).await;
    rig.script("bin/systemctl", "echo 'System has not been booted with systemd.' >&2; exit 1");
    let output = rig.service(&["install", "--system", "--run-as", "root"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for part in ["has not been booted with systemd", "larkline run", "container recipe"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    assert!(!rig.path("units").exists());
    let mut chinese = rig.command();
    chinese.env("LANG", "zh_CN.UTF-8").args(["service", "install", "--system", "--run-as", "root"]);
    chinese.arg("--unit-dir").arg(rig.path("units"));
    let said = text(&chinese.output().await.unwrap().stderr);
    assert!(said.contains("没有 systemd 在运行"), "{said}");
}

#[tokio::test]
async fn launchd_gets_a_list_that_keeps_it_alive_and_escapes_what_it_must() {
    let rig = managed(ECHO).await;
    std::fs::rename(rig.path("larkline.toml"), rig.path("a & b.toml")).unwrap();
    let config = rig.path("a & b.toml").display().to_string();
    let args = ["install", "--user", "--manager", "launchd", "--dry-run", "--config", &config];
    let output = rig.service(&args).await;
    let list = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "<string>local.larkline</string>",
        "a &amp; b.toml</string><string>run</string></array>",
        "<key>KeepAlive</key>\n\t<dict><key>SuccessfulExit</key><false/></dict>",
        "<key>ThrottleInterval</key>\n\t<integer>4</integer>",
        "<key>ExitTimeOut</key>\n\t<integer>65</integer>",
        "Library/Logs/larkline.log</string>",
    ] {
        assert!(list.contains(part), "{part} is missing in\n{list}");
    }
    assert!(!list.contains("/tmp/larkline"), "{list}");
}

#[tokio::test]
async fn a_size_of_memory_without_its_unit_is_refused() {
    let rig = managed(ECHO).await;
    for size in ["500", "1", "0M", "0", "4095K", "x"] {
        let output = rig.service(&["install", "--memory", size]).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{size}: {said}");
        assert!(said.contains("write a size as 512M"), "{size}: {said}");
    }
    assert!(!rig.path("units").exists(), "nothing was installed");
}
