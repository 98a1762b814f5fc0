//! What the operator is shown: values with their sources, the policy, what a reload can do.

use larkline_gateway::words::Lang;

use super::{APP, Case};

#[test]
fn every_value_is_shown_with_its_source() {
    let case =
        Case::with_app("[limits]\ndrain = \"45s\"\n").env("LARKLINE__LIMITS__KILL_GRACE", "9s");
    case.write(".env", "LARKLINE__LIMITS__LEASE=90s\n", 0o600);
    let shown = case.config().show(false, Lang::En);
    let section: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("limits.") || line.starts_with("app."))
        .collect();
    insta::assert_snapshot!(section.join("\n"), @r#"
    app.main.app_id = "cli_a1b2c3d4e5f60718"                     # line 2
    app.main.app_secret = "***"                                  # line 3
    app.main.domain = "feishu"                                   # default
    app.main.transport = "long-connection"                       # default
    app.main.owners = ["ou_1"]                                   # line 4
    app.main.quota = 10000                                       # default
    limits.queue_max = 100000                                    # default
    limits.drain = "45s"                                         # line 6
    limits.kill_grace = "9s"                                     # LARKLINE__LIMITS__KILL_GRACE
    limits.lease = "1m30s"                                       # LARKLINE__LIMITS__LEASE in .env
    limits.tell_position_after = "10s"                           # default
    limits.uuid_window = "1h"                                    # default
    limits.unreadable_history = "send"                           # default
    "#);
}

#[test]
fn the_shown_json_has_values_and_origins() {
    let config = Case::with_app("").config();
    let shown: serde_json::Value = serde_json::from_str(&config.show(true, Lang::En)).unwrap();
    let find =
        |key: &str| shown["settings"].as_array().unwrap().iter().find(|s| s["key"] == key).unwrap();
    assert_eq!(find("app.main.app_id")["origin"]["line"], 2);
    assert_eq!(find("app.main.app_secret")["value"], "***");
    assert_eq!(find("governor.app_per_minute")["value"], 1000);
    assert_eq!(find("governor.app_per_minute")["origin"]["from"], "default");
    assert!(find("log.file")["value"].is_null());
}

#[test]
fn the_policy_is_told_in_one_line_a_route() {
    let config = Case::with_app(
        r#"
        [handler.sh]
        kind = "command"
        argv = ["true"]

        [[route]]
        name = "ops"
        chats = ["oc_1", "oc_2", "oc_3", "oc_4"]
        deny_senders = ["ou_9"]
        mention = "never"
        match = { keywords = ["P0", "故障"], regex = "sev" }
        handler = "sh"
        also = true

        [[route]]
        name = "rest"
        when = "'hello' in text"
        handler = "echo"
        "#,
    )
    .config();
    insta::assert_snapshot!(config.policy_lines(Lang::En).join("\n"), @r"
    policy: 2 routes, events im.message.receive_v1, chats that need no mention: 4, 2 keywords, unknown chats: heard, by the routes without `chats`
    route 1 ops: app any, chats oc_1 oc_2 oc_3 and 1 more, from owners (1), never from ou_9, groups need no mention, matching 2 keywords and a regex -> sh (command), then the next routes
    route 2 rest: app any, all chats, from everyone, groups need a mention, when 'hello' in text -> echo (echo)
    ");
}

#[test]
fn a_reload_names_what_needs_a_restart() {
    let base = Case::with_app("").config();
    let changed = |rest: &str| base.needs_restart(&Case::with_app(rest).config());
    let store = base.store.path.display().to_string();
    let same = format!("[store]\npath = \"{store}\"\n");
    let routes = format!(
        "{same}[[route]]\nhandler = \"echo\"\n[governor]\nuser_per_minute = 3\n[log]\nlevel = \"debug\"\n"
    );
    let socket = format!("[server]\nsocket = \"{}\"\n", base.server.socket.display());
    assert_eq!(changed(&format!("{routes}{socket}")), Vec::<String>::new());
    let rate = "[governor]\napp_per_second = 3\n";
    assert_eq!(changed(&format!("{same}{socket}{rate}")), ["governor.app_per_second"]);
    assert_eq!(changed(&format!("{same}{socket}[link]\nprobe = \"off\"\n")), ["link.probe"]);

    let other = Case::new(APP).env("SECRET", "another-one").env("LARKLINE__STORE__PATH", &store);
    assert_eq!(base.needs_restart(&other.config()), ["app.main.app_secret"]);
}
