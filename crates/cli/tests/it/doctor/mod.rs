//! `larkline doctor`: a fault put in, and the verdict, the exit code and the line it must lead to.

mod bundle;
mod fix;
mod journal;
mod live;
mod platform;
mod table;
mod whose;

use serde_json::Value;
use tokio::process::Command;

use crate::rig::{Rig, text};

/// What a fault has to lead to.
#[derive(Clone, Copy)]
struct Expected {
    verdict: &'static str,
    code: i32,
    /// The check that decides.
    check: &'static str,
    /// Words of its line or of its next step.
    says: &'static str,
}

/// As [`Expected`], in one line of a table.
const fn is(verdict: &'static str, check: &'static str, says: &'static str) -> Expected {
    let code = match verdict.as_bytes() {
        b"healthy" => 0,
        b"credentials" => 3,
        b"network" => 10,
        b"TLS" => 11,
        b"proxy" => 12,
        b"platform config" => 13,
        b"other instance" => 14,
        b"local fault" => 15,
        _ => 16,
    };
    Expected { verdict, code, check, says }
}

/// A limit for steps that answer: a busy machine must not make a fault of it.
const PATIENT: [&str; 2] = ["--timeout", "20"];
/// A limit for steps that never answer.
const BRIEF: [&str; 2] = ["--timeout", "3"];

/// A finished diagnosis.
struct Diagnosis {
    code: i32,
    report: Value,
    stderr: String,
}

impl Diagnosis {
    /// Runs the doctor beside a rig, with further variables.
    async fn of(rig: &Rig, env: &[(&str, &str)]) -> Self {
        Self::with(rig, env, &PATIENT).await
    }

    /// The same with other arguments.
    async fn with(rig: &Rig, env: &[(&str, &str)], args: &[&str]) -> Self {
        Self::run(rig.command(), env, args).await
    }

    /// The same by another program, which has the binary for its last argument.
    async fn by(rig: &Rig, mut program: Command, env: &[(&str, &str)], args: &[&str]) -> Self {
        let ours = rig.command();
        program.env_clear().current_dir(rig.dir.path());
        let set = ours.as_std().get_envs();
        program.envs(set.filter_map(|(name, value)| Some((name, value?))));
        Self::run(program, env, args).await
    }

    async fn run(mut command: Command, env: &[(&str, &str)], args: &[&str]) -> Self {
        command.args(["doctor", "--format", "json"]).args(args).envs(env.iter().copied());
        let output = tokio::time::timeout(crate::rig::PATIENCE, command.output());
        let output = output.await.unwrap().unwrap();
        Self {
            code: output.status.code().unwrap(),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: text(&output.stderr),
        }
    }

    /// The checks of one name, as JSON text.
    fn line(&self, name: &str) -> String {
        let checks = self.report["checks"].as_array().unwrap();
        let lines: Vec<String> =
            checks.iter().filter(|c| c["name"] == name).map(Value::to_string).collect();
        lines.join("\n")
    }

    /// How a check ended: `pass`, `warn`, `fail`, `skip`; the worst when there are several.
    fn outcome(&self, name: &str) -> &'static str {
        let line = self.line(name);
        let with = |outcome: &str| line.contains(&format!("\"outcome\":\"{outcome}\""));
        ["fail", "warn", "skip", "pass"].into_iter().find(|o| with(o)).unwrap_or("absent")
    }

    fn expect(&self, what: &str, expected: Expected) {
        if let Err(wrong) = self.verdict_is(what, expected) {
            panic!("{wrong}");
        }
    }

    /// The whole report when it is another verdict.
    fn verdict_is(&self, what: &str, expected: Expected) -> Result<(), String> {
        let Expected { verdict, code, check, says } = expected;
        let ends = self.report["verdict"] == verdict
            && self.code == code
            && self.report["exit_code"] == code;
        let sentence = self.report["sentence"].as_str().unwrap_or_default();
        let at = if check == verdict { String::new() } else { format!("{check}: ") };
        let decides = verdict == "healthy"
            || sentence.starts_with(&format!("{verdict}: {at}"))
                && self.line(check).contains("\"next\"");
        match ends && decides && self.line(check).contains(says) {
            true => Ok(()),
            false => Err(format!(
                "{what}: not {verdict}, {check}, {says:?}: {:#}\n{}",
                self.report, self.stderr
            )),
        }
    }
}
