//! What an agent's shell can read is said, unless it is kept away.

use super::Case;

/// A case with an agent, and the folder of its `PATH`.
fn case(agent: &str) -> Case {
    let case = Case::with_app(&format!(
        "[[route]]\nname = \"all\"\nhandler = \"coder\"\n[handler.coder]\nkind = \"agent\"\n{agent}"
    ));
    let path = case.dir.path().join("bin");
    std::fs::create_dir(&path).unwrap();
    case.env("PATH", &path.display().to_string())
}

/// The warning on what the shell can read, if there is one.
fn said(case: &Case) -> Option<String> {
    let warnings = case.warnings();
    warnings.lines().find(|line| line.contains("shell of this agent can read")).map(str::to_owned)
}

const KEY: &str = "env = { ANTHROPIC_API_KEY = \"k\", A = \"b\" }\n";

#[test]
fn a_key_that_the_shell_can_read_is_named_until_claude_code_can_hide_it() {
    let case = case(&format!("agent = \"claude\"\n{KEY}pass_env = [\"AWS_SECRET_ACCESS_KEY\"]"));
    for program in ["bwrap", "socat"] {
        let said = said(&case).unwrap();
        assert!(said.contains("ANTHROPIC_API_KEY, AWS_SECRET_ACCESS_KEY, and all"), "{said}");
        assert!(!said.contains("\"k\""), "{said}");
        std::fs::write(case.dir.path().join("bin").join(program), "").unwrap();
    }
    assert_eq!(said(&case), None);
}

#[test]
fn hiding_can_be_switched_off_and_the_path_be_the_agents_own() {
    let off = "agent = \"claude\"\nenv = { CLAUDE_CODE_SUBPROCESS_ENV_SCRUB = \"0\" }";
    let off = case(off);
    let own = case("agent = \"claude\"\nenv = { PATH = \"/nowhere\" }");
    for case in [&off, &own] {
        for program in ["bwrap", "socat"] {
            std::fs::write(case.dir.path().join("bin").join(program), "").unwrap();
        }
        assert!(said(case).is_some());
    }
}

#[test]
fn other_agents_are_judged_by_what_keeps_them_apart() {
    let acp = |argv: &str| said(&case(&format!("agent = \"acp\"\nargv = [{argv}]\n{KEY}")));
    assert!(acp("\"gemini\", \"--acp\"").is_some());
    assert!(acp("\"claude-agent-acp\"").is_some());
    assert_eq!(acp("\"/usr/bin/docker\", \"run\", \"agent\""), None);
    let codex = |permission: &str| {
        said(&case(&format!("agent = \"codex\"\npermission = \"{permission}\"\n{KEY}")))
    };
    assert!(codex("allow").is_some(), "it has no sandbox then");
    assert_eq!(codex("ask"), None);
    assert_eq!(codex("deny"), None);
}

/// The warning on a sandbox that does not run, where the program ends so.
fn unusable(agent: &str, ends: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let case = case(agent);
    for program in ["bwrap", "socat"] {
        let file = case.dir.path().join("bin").join(program);
        std::fs::write(&file, format!("#!/bin/sh\n{ends}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    case.warnings().lines().find(|line| line.contains("may not run")).map(str::to_owned)
}

#[test]
fn a_sandbox_that_may_not_run_is_said_with_the_way_out() {
    let said = unusable("agent = \"claude\"", "exit 1").unwrap();
    assert!(said.contains("exit status: 1") && said.contains("refuses to work"), "{said}");
    assert_eq!(unusable("agent = \"claude\"", "exit 0"), None);
    let off = "agent = \"claude\"\nenv = { CLAUDE_CODE_SUBPROCESS_ENV_SCRUB = \"0\" }";
    assert_eq!(unusable(off, "exit 1"), None);
    assert_eq!(unusable("agent = \"codex\"", "exit 1"), None, "it brings its own");
}
