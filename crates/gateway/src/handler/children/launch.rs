//! How a program is started so that its limits hold from its first instruction.
//!
//! Between fork and exec only unsafe code could run. So another program is started in its
//! place, which waits for a line on stdin and then becomes the program: meanwhile the gateway
//! sets its limits and puts it into its control group. The shell that waits reads one fixed
//! script; the words of the program are its arguments and never part of it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use tokio::process::{Child, Command};

use super::proc::MARK;

/// The shell that waits.
pub(super) const SHELL: &str = "/bin/sh";

/// Where a program is that gives the one it becomes a session of its own.
const SETSID: [&str; 2] = ["/usr/bin/setsid", "/bin/setsid"];

/// What shells add to the environment of the programs they become.
const ADDED: [&str; 3] = ["PWD", "OLDPWD", "SHLVL"];

/// The variable that takes the line. It is not in the program's environment.
const LINE: &str = "LARKLINE_GO";

/// What the machine has for this.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    shell: bool,
    setsid: Option<&'static str>,
}

/// A program that can be started.
pub(super) struct Launch {
    pub(super) command: Command,
    /// It waits for [`go`] before it is the program.
    pub(super) waits: bool,
}

impl Launcher {
    /// Looks for what it needs.
    pub(super) fn find() -> Self {
        let setsid = SETSID.into_iter().find(|path| runs(Path::new(path)).is_ok());
        let shell = runs(Path::new(SHELL)).is_ok();
        Self { shell, setsid: setsid.filter(|_| shell) }
    }

    /// True when programs get a session of their own.
    pub(super) fn has_session(&self) -> bool {
        self.setsid.is_some()
    }

    /// A program, ready to be started with pipes and nothing but this environment.
    pub(super) fn launch(
        &self,
        argv: &[String],
        cwd: Option<PathBuf>,
        env: BTreeMap<String, String>,
        mark: &str,
    ) -> io::Result<Launch> {
        let Some((program, arguments)) = argv.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "argv is empty"));
        };
        // A shell drops variables whose names it could not use.
        let waits = self.shell && !program.starts_with('-') && env.keys().all(|name| is_name(name));
        let mut command = if waits {
            // What waits can always be started; so the program's own faults are found here.
            findable(program, cwd.as_deref(), &env)?;
            self.waiting(program, &env)
        } else {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        };
        command
            .args(arguments)
            .env_clear()
            .envs(env)
            .env(MARK, mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(cwd) = cwd {
            command.current_dir(cwd);
        }
        Ok(Launch { command, waits })
    }

    fn waiting(&self, program: &str, env: &BTreeMap<String, String>) -> Command {
        let added: Vec<&str> = ADDED.into_iter().filter(|name| !env.contains_key(*name)).collect();
        let added = added.join(" ");
        let script = format!("IFS= read -r {LINE} && unset {LINE} {added} && exec \"$0\" \"$@\"");
        // Out of reach of the terminal's Ctrl-C, which goes to the gateway's group.
        let mut command = match self.setsid {
            // The leader of a group would have to fork to get a session, and change its number.
            Some(setsid) => {
                let mut command = Command::new(setsid);
                command.arg(SHELL);
                command
            }
            None => {
                let mut command = Command::new(SHELL);
                command.process_group(0);
                command
            }
        };
        command.args(["-c", &script, program]);
        command
    }
}

/// Lets what waits become the program.
pub(super) fn go(child: &Child) -> io::Result<()> {
    let stdin = child.stdin.as_ref().ok_or_else(|| io::Error::other("it has no stdin"))?;
    // One byte always fits into a pipe that nobody has written to.
    match rustix::io::write(stdin.as_fd(), b"\n") {
        Ok(_) => Ok(()),
        Err(Errno::PIPE) => Err(io::Error::other("somebody ended it before it began")),
        Err(error) => Err(error.into()),
    }
}

/// A name that every shell hands on.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Fails as the kernel would if this program cannot be started from there.
fn findable(program: &str, cwd: Option<&Path>, env: &BTreeMap<String, String>) -> io::Result<()> {
    if program.is_empty() {
        return Err(Errno::NOENT.into());
    }
    let from = cwd.unwrap_or_else(|| Path::new("."));
    if program.contains('/') {
        return Ok(runs(&from.join(program))?);
    }
    // Without a path the shell has one of its own.
    let Some(path) = env.get("PATH") else { return Ok(()) };
    let mut error = Errno::NOENT;
    for folder in path.split(':') {
        match runs(&from.join(folder).join(program)) {
            Ok(()) => return Ok(()),
            Err(Errno::ACCESS) => error = Errno::ACCESS,
            Err(_absent) => {}
        }
    }
    Err(error.into())
}

fn runs(path: &Path) -> Result<(), Errno> {
    access(path, Access::EXEC_OK)?;
    if path.is_dir() { Err(Errno::ACCESS) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(argv: &[&str], env: &[(&str, &str)]) -> io::Result<Launch> {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let env = env.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Launcher::find().launch(&argv, Some("/".into()), env, "m")
    }

    fn kind(program: &str) -> Option<io::ErrorKind> {
        launch(&[program], &[("PATH", "/nowhere::/bin:/etc")]).err().map(|error| error.kind())
    }

    #[test]
    fn a_program_that_cannot_be_started_is_found_out_as_the_kernel_would() {
        for program in ["sh", "/bin/sh", "bin/sh", "./bin/sh"] {
            assert_eq!(kind(program), None, "{program}");
        }
        for program in ["no-such-program", "/no/such", "no/such", ""] {
            assert_eq!(kind(program), Some(io::ErrorKind::NotFound), "{program}");
        }
        for program in ["group", "/etc/group", "/etc"] {
            assert_eq!(kind(program), Some(io::ErrorKind::PermissionDenied), "{program}");
        }
    }

    #[test]
    fn what_no_shell_hands_on_is_started_without_one() {
        assert!(launch(&["/bin/sh"], &[("A_1", "")]).unwrap().waits);
        for name in ["a.b", "a-b", "1a", "ä", "a b"] {
            assert!(!launch(&["/bin/sh"], &[(name, "")]).unwrap().waits, "{name}");
        }
        assert!(!launch(&["-sh"], &[]).unwrap().waits);
    }
}
