//! The unit for systemd.

use std::path::Path;

use larkline_gateway::config::credential_name;

use super::place::{LOG, MARK, SOCKET};
use super::plan::Plan;
use super::state;

/// Starts in five minutes after which systemd gives up; `alerts.boots` speaks before that.
const STARTS: u32 = 10;
/// So long the gateway may give no sign of life. It gives one a second; but a machine that swaps is slow,
/// and a restart makes it slower.
const PATIENCE_S: u32 = 60;
/// A start reads, and may migrate, the store, and waits for nobody.
const START_S: u32 = 300;

/// The whole file.
pub(super) fn unit(plan: &Plan) -> String {
    let mut text = head(plan);
    text += &service(plan);
    text += &limits(plan);
    text += &hardening(plan);
    let wanted_by = if plan.system { "multi-user.target" } else { "default.target" };
    text += &format!("\n[Install]\nWantedBy={wanted_by}\n");
    text
}

fn head(plan: &Plan) -> String {
    let name = &plan.name;
    let log = plan.log.as_ref().map(|log| format!("# {LOG}{}\n", log.display()));
    let network = match plan.system {
        true => {
            "# Spares the log the failures of a booting machine; a network that comes late is waited for \
             anyway.\nWants=network-online.target\nAfter=network-online.target\n"
        }
        // A user's manager has no such target.
        false => "",
    };
    format!(
        "# {MARK}; `larkline service uninstall` removes it.\n\
         # Changes of your own: `systemctl edit {name}`. After a change of limits, handlers or secret files in\n\
         # the configuration, install again.\n\
         # {SOCKET}{socket}\n{log}\
         [Unit]\n\
         Description=larkline, a gateway for Feishu/Lark bots (unofficial)\n\
         {network}\
         StartLimitIntervalSec=300\n\
         StartLimitBurst={STARTS}\n",
        socket = plan.socket.display(),
        log = log.unwrap_or_default(),
    )
}

fn service(plan: &Plan) -> String {
    let binary = argument(&plan.binary);
    let config = plan.config.as_ref().map(|file| format!(" --config {}", argument(file)));
    let config = config.unwrap_or_default();
    let socket = argument(&plan.socket);
    let mut text = format!(
        "\n[Service]\n\
         # Ready when it listens and serves; the state of the link is in the status line.\n\
         Type=notify\n\
         NotifyAccess=main\n\
         TimeoutStartSec={START_S}\n\
         ExecStart={binary}{config} run\n\
         # By the socket alone: copies of secret files are given to the gateway, not to this.\n\
         ExecReload={binary} reload --socket {socket}\n\
         WorkingDirectory={cwd}\n",
        cwd = setting(&plan.cwd.display().to_string()),
    );
    if plan.system {
        let account = &plan.account;
        text += &format!(
            "User={}\n\
             # For the locks of apps, which commands of this user use as well: it stays over a restart.\n\
             RuntimeDirectory=larkline/{}\nRuntimeDirectoryPreserve=yes\n",
            account.name, account.uid
        );
        if let Some(below) = state::by_systemd(&plan.state) {
            let below = setting(&below.display().to_string());
            text += &format!("StateDirectory={below}\nStateDirectoryMode=0700\n");
        }
    }
    for (name, value) in &plan.env {
        text += &format!("Environment={}\n", quoted(&format!("{name}={value}")));
    }
    for file in &plan.credentials {
        let (name, path) = (credential_name(file), setting(&file.display().to_string()));
        text += &format!("LoadCredential={name}:{path}\n");
    }
    text
}

fn limits(plan: &Plan) -> String {
    format!(
        "\n\
         # Exit code 3 is refused credentials: starting again does not help.\n\
         Restart=on-failure\n\
         RestartSec=4\n\
         RestartPreventExitStatus=3\n\
         # Signs of life come from the main loop, after the thread of the links has answered it.\n\
         WatchdogSec={PATIENCE_S}\n\
         # SIGTERM goes to the gateway alone: it ends its programs itself, in order, after their turns. No\n\
         # process of ours is meant to outlive it (an agent is a process for one turn, resumed at the next\n\
         # start), so what is left when it has gone, or at the end of this time, is killed.\n\
         KillMode=mixed\n\
         TimeoutStopSec={stop}\n\
         # Each program has a control group of its own below the unit's, with the limits of its handler; one\n\
         # that exceeds them ends alone. The unit's limit holds for all together: the gateway and what those\n\
         # limits allow at once. Beyond it the kernel ends the largest process, which is a program's, and\n\
         # the gateway goes on and says so.\n\
         Delegate=memory pids cpu\n\
         MemoryMax={memory}M\n\
         OOMPolicy=continue\n",
        stop = plan.stop.as_secs(),
        memory = plan.memory >> 20,
    )
}

/// What a program of a handler may be unable to do is left out: namespaces (agents have sandboxes of their
/// own), writable and executable memory (Node), `/proc` and `/sys` read-only (both, and control groups).
fn hardening(plan: &Plan) -> String {
    let mut text = "\nUMask=0077\n\
         NoNewPrivileges=yes\n\
         LockPersonality=yes\n\
         RestrictRealtime=yes\n\
         RestrictSUIDSGID=yes\n\
         SystemCallArchitectures=native\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n"
        .to_owned();
    if !plan.system {
        text += "# What follows elsewhere needs namespaces that a user's manager may not have.\n";
        return text;
    }
    if !plan.account.is_root() {
        text += "CapabilityBoundingSet=\n";
    }
    text +=
        "ProtectClock=yes\nProtectHostname=yes\nProtectKernelLogs=yes\nProtectKernelModules=yes\n";
    text += "# Everything is read-only but what is named here: state, log, where programs work.\n";
    text += "ProtectSystem=strict\n";
    for path in &plan.writable {
        // One that is not there yet must not keep the service from starting.
        text += &format!("ReadWritePaths={}\n", quoted(&format!("-{}", path.display())));
    }
    text += match plan.needs_homes {
        true => "# No ProtectHome: something that is needed lies below a home.\n",
        false => "ProtectHome=yes\n",
    };
    text += match plan.needs_tmp {
        true => {
            "# No PrivateTmp: something that is needed lies there.\nReadWritePaths=/tmp /var/tmp\n"
        }
        false => "PrivateTmp=yes\n",
    };
    text
}

/// A path in a command line, where `$` would begin a variable too.
fn argument(path: &Path) -> String {
    quoted(&path.display().to_string().replace('$', "$$"))
}

/// One word of a list.
fn quoted(text: &str) -> String {
    format!("\"{}\"", setting(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A value that goes to the end of its line: `%` would begin a specifier.
fn setting(text: &str) -> String {
    text.replace('%', "%%")
}
