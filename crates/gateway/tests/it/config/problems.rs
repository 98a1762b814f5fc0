//! What is refused, where it is said to be, and what is said to do.

use larkline_gateway::words::Lang;

use super::{APP, Case};

/// The mistakes people make, one of each, in one file.
const MISTAKES: &str = r#"[app.main]
app_id = "cli_xxxxxxxxxxxxxxxx"
app_secret = { env = "NOT_SET" }
domian = "lark"
owners = ["ou_1", "Zhang San"]

[[route]]
name = "outages"
match = { regex = "sev-(1" }
when = "chat_typ == 'group'"
handler = "ops-mial"

[handler.ops-mail]
kind = "comand"

[governor]
chat_per_second = "5"

[network]
proxy = "proxy:3128:99"

[limits]
drain = 30
"#;

#[expect(clippy::too_many_lines, reason = "the text a person sees is its one long line")]
#[test]
fn all_problems_come_at_once_with_line_and_column() {
    insta::assert_snapshot!(Case::new(MISTAKES).problems(), @r#"
    error: app.main.app_id: the app id is still a placeholder (it contains `xxx`)
     --> larkline.toml:2:10
      |
    2 | app_id = "cli_xxxxxxxxxxxxxxxx"
      |          ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: the developer console shows it under Credentials: `cli_` and 16 characters of 0-9 and a-f

    error: app.main.app_secret: the environment variable `NOT_SET` is not set
     --> larkline.toml:3:22
      |
    3 | app_secret = { env = "NOT_SET" }
      |                      ^^^^^^^^^
      |
      = help: set it in the environment or in .env: NOT_SET=…

    error: unknown key `domian` in `app.main`
     --> larkline.toml:4:1
      |
    4 | domian = "lark"
      | ^^^^^^
      |
      = help: did you mean `domain`?

    error: app.main.owners: the id contains blanks or quotes
     --> larkline.toml:5:19
      |
    5 | owners = ["ou_1", "Zhang San"]
      |                   ^^^^^^^^^^^
      |
      = help: write to the bot: the gateway's line `event received` has the sender's ou_ id

    error: route[0].match.regex: the regex does not compile: unclosed group
     --> larkline.toml:9:19
      |
    9 | match = { regex = "sev-(1" }
      |                   ^^^^^^^^
      |
      = help: the syntax is that of the Rust crate `regex`: no look-around, no back-references

    error: route[0].when: the condition does not compile: unknown name `chat_typ`; did you mean `chat_type`?
      --> larkline.toml:10:8
       |
    10 | when = "chat_typ == 'group'"
       |        ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: as "chat_type == 'group' and 'deploy' in text"

    error: route[0].handler: there is no handler `ops-mial`
      --> larkline.toml:11:11
       |
    11 | handler = "ops-mial"
       |           ^^^^^^^^^^
       |
       = help: did you mean `ops-mail`?

    error: handler.ops-mail.kind: unknown kind `comand`
      --> larkline.toml:14:8
       |
    14 | kind = "comand"
       |        ^^^^^^^^
       |
       = help: did you mean "command"?

    error: governor.chat_per_second: expected an integer, found a string
      --> larkline.toml:17:19
       |
    17 | chat_per_second = "5"
       |                   ^^^

    error: network.proxy: not a proxy
      --> larkline.toml:20:9
       |
    20 | proxy = "proxy:3128:99"
       |         ^^^^^^^^^^^^^^^
       |
       = help: write "system", "none", or http://, https://, socks5:// or socks5h:// with host and port

    error: limits.drain: expected a duration, found an integer
      --> larkline.toml:23:9
       |
    23 | drain = 30
       |         ^^
       |
       = help: write a number with a unit, as "500ms", "30s", "5m", "2h" or "7d"

    11 problems in the configuration; nothing was started or changed
    "#);
}

#[test]
fn places_count_characters_from_one() {
    let case = Case::new("app = { \"主\" = { app_id = 1 } }\n");
    let errors = case.load().unwrap_err();
    let place = errors.problems().iter().find(|p| p.path.ends_with("app_id")).unwrap().place();
    assert_eq!(place, Some((1, 26)));
}

#[test]
fn syntax_errors_come_together_and_without_guesses() {
    let case = Case::new("[app.main]\napp_id = cli_1\napp_secret = 'x\nowners = [\n");
    insta::assert_snapshot!(case.problems(), @r"
    error: string values must be quoted, expected literal string
     --> larkline.toml:2:10
      |
    2 | app_id = cli_1
      |          ^^^^^

    error: invalid literal string, expected `'`
     --> larkline.toml:3:16
      |
    3 | app_secret = '*
      |                ^

    error: unclosed array, expected `]`
     --> larkline.toml:4:11
      |
    4 | owners = [
      |           ^

    3 problems in the configuration; nothing was started or changed
    ");
}

#[test]
fn a_value_out_of_bounds_is_told_the_bounds() {
    let case = Case::with_app("[link]\nprobe_interval = \"0s\"\n[governor]\nchat_per_second = 0\n");
    insta::assert_snapshot!(case.titles(), @r#"
    link.probe_interval: "0s" is outside of "1s" to "1h"
    governor.chat_per_second: 0 is outside of 1 to 100
    "#);
}

#[test]
fn a_route_must_make_sense() {
    let case = Case::with_app(
        r#"
        [[route]]
        name = "a"
        app = "mian"
        match = { ignore_case = true }
        handler = "echo"

        [[route]]
        name = "a"
        events = []
        handler = "echo"
        "#,
    );
    insta::assert_snapshot!(case.titles(), @r"
    route[0].app: there is no app `mian`
    route[0].match: neither keywords nor regex: nothing would match
    route[1].name: two routes are named `a`
    route[1].events: the list is empty, so the route would hear nothing
    ");
}

#[test]
fn a_command_meets_a_shell_only_when_asked() {
    let titles = |keys: &str| {
        Case::with_app(&format!("[handler.sh]\nkind = \"command\"\n{keys}\n")).titles()
    };
    assert!(titles("argv = \"rm -rf $DIR\"").contains("a command is a list of words"));
    assert!(titles("argv = []").contains("there is no program"));
    assert!(titles("argv = [\"a\"]\nshell = true").contains("one line of text"));
}

#[test]
fn kinds_of_later_versions_are_told_apart_from_mistakes() {
    let case = Case::with_app("[handler.ops]\nkind = \"mail\"\nto = [\"ops@example.com\"]\n");
    assert_eq!(case.titles(), "handler.ops.kind: handlers of kind `mail` are not in this version");
}

#[test]
fn webhooks_are_checked_and_then_declined() {
    let case = Case::new(&format!("{APP}transport = \"webhook\"\n"));
    insta::assert_snapshot!(case.titles(), @r"
    app.main: `verification_token` is missing
    app.main: `encrypt_key` is missing
    app.main.transport: webhooks are not in this version
    ");
}

#[test]
fn nothing_listens_beyond_loopback_without_a_token() {
    let case = Case::with_app("[server]\nhttp = \"0.0.0.0:8420\"\n");
    insta::assert_snapshot!(case.titles(), @r"server.http: anyone who reaches this address could steer the gateway");
    let case = Case::with_app("[server]\nhttp = \"0.0.0.0:8420\"\ntoken = { env = \"SECRET\" }\n");
    assert!(case.load().is_ok());
}

#[test]
fn two_spellings_of_one_limit_are_one_too_many() {
    let case = Case::with_app("[governor]\nchat_per_second = 5\nchat = { points = 100 }\n");
    assert!(case.titles().contains("two spellings"));
}

#[test]
fn the_section_of_earlier_tools_is_told_its_new_name() {
    let case = Case::new("[feishu]\napp_id = \"cli_a1b2c3d4e5f60718\"\n");
    assert!(case.problems().contains("write [app.main] instead of [feishu]"));
}

#[test]
fn a_file_that_was_named_and_is_not_there_is_a_problem() {
    let case = Case::without_file().env("LARKLINE_CONFIG", "absent.toml");
    assert!(case.titles().starts_with("the configuration cannot be read"));
}

#[test]
fn without_file_and_variables_the_hint_says_both_ways() {
    insta::assert_snapshot!(Case::without_file().problems(), @r"
    error: there is no app
     |
     = help: run `larkline init`, add [app.main] with app_id and app_secret to larkline.toml, or set FEISHU_APP_ID and FEISHU_APP_SECRET, also in a file .env here

    1 problem in the configuration; nothing was started or changed
    ");
}

#[test]
fn no_text_makes_the_reader_panic() {
    let rest = MISTAKES.char_indices().map(|(at, _)| &MISTAKES[..at]);
    let odd = [
        "\u{0}",
        "=",
        "[",
        "[[route]]\nroute = 1",
        "a.b.c = {}\n[a.b]\n",
        "app = []",
        "route = {}",
        "handler = 1",
    ];
    for text in rest.chain(odd) {
        let case = Case::new(text);
        let shown = match case.load() {
            Ok(config) => config.show(true, Lang::En),
            Err(errors) => errors.render(true, Lang::En),
        };
        assert!(!shown.is_empty());
    }
}

#[test]
fn a_service_in_a_private_network_is_refused_unless_that_is_meant() {
    for host in ["127.0.0.1", "10.1.2.3", "[::1]", "localhost"] {
        let handler = |more: &str| {
            format!(
                "{APP}\n[[route]]\nhandler = \"service\"\n\n[handler.service]\nkind = \"http\"\n\
                 url = \"http://{host}:8080/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n{more}"
            )
        };
        let problems = Case::new(&handler("")).problems();
        assert!(problems.contains("is not on the public internet"), "{host}: {problems}");
        assert!(problems.contains("allow_private = true"), "{host}: {problems}");
        Case::new(&handler("allow_private = true\n")).config();
    }
}

#[test]
fn an_unknown_agent_makes_no_other_key_unknown() {
    let rest = "busy = \"mergee\"\nmodel = \"sonnet\"\nlimits = { wall = \"1h\" }\n";
    let handler = format!("[handler.claude]\nkind = \"agent\"\nagent = \"cloud\"\n{rest}");
    let problems = Case::new(&format!("{APP}\n{handler}")).problems();
    assert_eq!(problems.matches("error: ").count(), 2, "{problems}");
    assert!(problems.contains("handler.claude.agent: unknown value `cloud`"), "{problems}");
    assert!(problems.contains("handler.claude.busy: unknown value `mergee`"), "{problems}");
}

#[test]
fn apps_with_one_id_are_named_with_the_line() {
    let twins = "[app.two]\napp_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = { env = \"SECRET\" }\n";
    let problems = Case::with_app(twins).problems();
    let told = "error: app.two.app_id: `app.main` has this id already\n --> larkline.toml:6:10\n";
    assert!(problems.contains(told) && problems.contains("= help: "), "{problems}");
    // The variable may make the second one.
    let by_variable = "[app.main]\napp_secret = { env = \"SECRET\" }\n[app.two]\n\
        app_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = { env = \"SECRET\" }\n";
    let titles = Case::new(by_variable).env("FEISHU_APP_ID", "cli_a1b2c3d4e5f60718").titles();
    assert!(titles.contains("app.two.app_id: `app.main` has this id already"), "{titles}");
    let other = twins.replace("0718", "0719");
    Case::with_app(&other).config();
}
