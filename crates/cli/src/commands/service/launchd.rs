//! The property list for launchd.

use super::place::{LOG, MARK, SOCKET};
use super::plan::Plan;

/// Least time between two starts; launchd has no limit of starts, so a gateway whose credentials are
/// refused (exit code 3) is started again at this pace, too.
const THROTTLE_S: u32 = 4;

/// The whole file.
pub(super) fn plist(plan: &Plan) -> String {
    let mut argv = vec![plan.binary.display().to_string()];
    if let Some(file) = &plan.config {
        argv.extend(["--config".to_owned(), file.display().to_string()]);
    }
    argv.push("run".to_owned());
    let argv: Vec<String> = argv.iter().map(|word| string(word)).collect();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!-- {MARK}; larkline service uninstall removes it.\n\
         {SOCKET}{socket}\n{LOG}{log}\n-->\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n",
        socket = comment(&plan.socket.display().to_string()),
        log = comment(&plan.log.as_ref().map(|log| log.display().to_string()).unwrap_or_default()),
    );
    let mut entry = |key: &str, value: &str| {
        text += &format!("\t<key>{key}</key>\n\t{value}\n");
    };
    entry("Label", &string(&plan.label));
    entry("ProgramArguments", &format!("<array>{}</array>", argv.concat()));
    entry("WorkingDirectory", &string(&plan.cwd.display().to_string()));
    let env: Vec<String> = plan.env.iter().map(|(k, v)| key_string(k, v)).collect();
    entry("EnvironmentVariables", &format!("<dict>{}</dict>", env.concat()));
    if plan.system {
        entry("UserName", &string(&plan.account.name));
    }
    entry("RunAtLoad", "<true/>");
    entry("KeepAlive", "<dict><key>SuccessfulExit</key><false/></dict>");
    entry("ThrottleInterval", &integer(u64::from(THROTTLE_S)));
    entry("ExitTimeOut", &integer(plan.stop.as_secs()));
    entry("Umask", &integer(0o077));
    if let Some(stderr) = &plan.stderr {
        entry("StandardErrorPath", &string(&stderr.display().to_string()));
    }
    text += "</dict>\n</plist>\n";
    text
}

fn key_string(key: &str, value: &str) -> String {
    format!("<key>{}</key>{}", escaped(key), string(value))
}

fn string(text: &str) -> String {
    format!("<string>{}</string>", escaped(text))
}

fn integer(number: u64) -> String {
    format!("<integer>{number}</integer>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Two hyphens would end a comment's peace.
fn comment(text: &str) -> String {
    text.replace("--", "- -")
}
