//! What is read from where, and what holds when nobody said anything.

use larkline_gateway::words::Lang;
use std::time::Duration;

use larkline_gateway::config::{
    Bytes, Facts, Handler, Mention, Route, Senders, SessionBy, Stale, Transport,
};

use super::{APP, Case, SECRET};

#[test]
fn two_keys_suffice() {
    let config = Case::with_app("").config();
    assert_eq!(config.apps.len(), 1);
    assert_eq!(config.apps[0].app_secret.expose(), SECRET);
    assert_eq!(config.apps[0].domain.as_str(), "https://open.feishu.cn/");
    assert_eq!(config.apps[0].transport, Transport::LongConnection);
    assert!(matches!(config.handlers["echo"], Handler::Echo(_)));
}

#[test]
fn two_variables_suffice_without_a_file() {
    let case = Case::without_file()
        .env("FEISHU_APP_ID", "cli_a1b2c3d4e5f60718")
        .env("FEISHU_APP_SECRET", "from-env");
    let config = case.config();
    assert_eq!(config.apps[0].name, "main");
    assert_eq!(config.apps[0].app_secret.expose(), "from-env");
    // Nobody is known as the owner yet, so everybody's echo is answered.
    assert_eq!(config.routes[0].senders, Senders::Everyone);
    assert!(case.warnings().contains("no owner is known"));
}

#[test]
fn with_owners_the_route_nobody_wrote_is_for_them() {
    let config = Case::with_app("").config();
    assert_eq!(config.routes[0].senders, Senders::Owners);
}

#[test]
fn variables_of_the_other_platform_choose_its_domain() {
    let case = Case::without_file()
        .env("LARK_APP_ID", "cli_a1b2c3d4e5f60718")
        .env("LARK_APP_SECRET", "from-env");
    assert_eq!(case.config().apps[0].domain.as_str(), "https://open.larksuite.com/");
}

#[test]
fn the_documented_order_decides() {
    let app = "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\n";
    let file = format!("{app}app_secret = \"from-file\"\n");
    let secret = |case: Case| case.config().apps[0].app_secret.expose().to_owned();
    let weak = |case: Case| case.env("FEISHU_APP_SECRET", "weak");
    let strong = |case: Case| case.env("LARKLINE__APP__MAIN__APP_SECRET", "strong");

    assert_eq!(secret(weak(Case::new(app))), "weak", "fills what the file lacks");
    assert_eq!(secret(weak(Case::new(&file))), "from-file", "does not override the file");
    assert_eq!(secret(strong(weak(Case::new(&file)))), "strong", "overrides the file");
    let flagged = strong(Case::new(&file)).flag("--secret", "app.main.app_secret", "flag");
    assert_eq!(secret(flagged), "flag", "the command line has the last word");
}

#[test]
fn an_app_of_another_name_is_not_joined_by_one_from_the_environment() {
    let file = APP.replace("app.main", "app.office");
    let config = Case::new(&file).env("FEISHU_APP_ID", "cli_ffffffffffffffff").config();
    let names: Vec<&str> = config.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["office"]);
}

#[test]
fn a_variable_sets_any_key_in_its_own_type() {
    let file = "[[route]]\nname = \"one\"\nhandler = \"ops-mail\"\n\
        [handler.ops-mail]\nkind = \"command\"\nargv = [\"true\"]\n";
    let config = Case::with_app(file)
        .env("LARKLINE__GOVERNOR__CHAT_PER_SECOND", "3")
        .env("LARKLINE__HANDLER__OPS_MAIL__TIMEOUT", "1m")
        .env("LARKLINE__HANDLER__OPS_MAIL__RETRY__ATTEMPTS", "1")
        .env("LARKLINE__ROUTE__0__ALSO", "true")
        .env("LARKLINE__ROUTE__0__CHATS", "oc_1, oc_2")
        .env("LARKLINE__ROUTE__1__HANDLER", "echo")
        .config();
    assert_eq!(config.governor.chat.points, 3);
    let Handler::Command(command) = &config.handlers["ops-mail"] else {
        panic!("not a command");
    };
    assert_eq!(command.timeout, Duration::from_mins(1));
    assert_eq!(command.common.retry.attempts, 1);
    assert!(config.routes[0].also);
    assert_eq!(config.routes[0].chats.as_ref().unwrap().len(), 2);
    assert_eq!(config.routes[1].handler, "echo");
}

#[test]
fn a_wrong_variable_is_named_with_its_key() {
    let case = Case::with_app("").env("LARKLINE__LIMITS__DRAIN", "soon");
    insta::assert_snapshot!(case.problems(), @r#"
    error: limits.drain: `soon` is not a duration
    --> LARKLINE__LIMITS__DRAIN
     = help: write a number with a unit, as "500ms", "30s", "5m", "2h" or "7d"

    warning: there is no route: the built-in echo answers the owners
    --> larkline.toml
     = help: add a [[route]] with a handler of yours

    1 problem in the configuration; nothing was started or changed
    "#);
}

#[test]
fn a_variable_of_an_unknown_key_is_refused_like_a_line_of_the_file() {
    let case = Case::with_app("").env("LARKLINE__LIMITS__DRIAN", "5s");
    assert_eq!(case.titles(), "unknown key `drian` in `limits`");
}

#[test]
fn dotenv_is_read_and_real_variables_win() {
    let case = Case::new(&APP.replace("SECRET", "IN_DOTENV"));
    case.write(".env", "IN_DOTENV=from-dotenv\nLARKLINE__LIMITS__DRAIN=7s\n", 0o600);
    let config = case.config();
    assert_eq!(config.apps[0].app_secret.expose(), "from-dotenv");
    assert_eq!(config.limits.drain, Duration::from_secs(7));
    let config = case.env("IN_DOTENV", "real").config();
    assert_eq!(config.apps[0].app_secret.expose(), "real");
}

#[test]
fn a_file_is_found_by_name_by_variable_and_below_the_home() {
    let case = Case::without_file().env("SECRET", SECRET);
    case.write("other.toml", APP, 0o600);
    let case = case.env("LARKLINE_CONFIG", "other.toml");
    assert_eq!(case.config().file, Some(case.path("other.toml")));

    let case = Case::without_file().env("SECRET", SECRET);
    std::fs::create_dir_all(case.path("home/.config/larkline")).unwrap();
    case.write("home/.config/larkline/larkline.toml", APP, 0o600);
    assert_eq!(case.config().file, Some(case.path("home/.config/larkline/larkline.toml")));
}

#[test]
fn state_lives_where_systemd_or_the_desktop_says() {
    let path = |case: &Case| case.config().store.path;
    let case = Case::with_app("");
    assert_eq!(path(&case), case.path("home/.local/state/larkline"));
    let case = case.env("XDG_STATE_HOME", "/xdg");
    assert_eq!(path(&case).to_str(), Some("/xdg/larkline"));
    let case = case.env("STATE_DIRECTORY", "/var/lib/larkline:/second");
    assert_eq!(path(&case).to_str(), Some("/var/lib/larkline"));
    assert_eq!(case.config().server.socket.to_str(), Some("/var/lib/larkline/larkline.sock"));
}

fn only_route(text: &str) -> Route {
    let handlers = "[handler.sh]\nkind = \"command\"\nargv = [\"true\"]\n";
    Case::with_app(&format!("{handlers}[[route]]\n{text}")).config().routes.remove(0)
}

#[test]
fn a_command_is_closed_to_everyone_but_owners() {
    assert_eq!(only_route("handler = \"sh\"\n").senders, Senders::Owners);
    assert_eq!(only_route("handler = \"sh\"\nsenders = \"everyone\"\n").senders, Senders::Everyone);
    assert_eq!(only_route("handler = \"echo\"\n").senders, Senders::Everyone);
}

#[test]
fn a_command_that_nobody_can_reach_is_warned_about() {
    let file = APP.replace("owners = [\"ou_1\"]\n", "")
        + "[[route]]\nname = \"r\"\nhandler = \"sh\"\n[handler.sh]\nkind = \"command\"\nargv = [\"true\"]\n";
    let warnings = Case::new(&file).warnings();
    assert!(
        warnings.contains("route `r` is for owners (commands and agents are for owners only)"),
        "{warnings}"
    );
}

#[test]
fn a_route_has_every_key() {
    let route = only_route(
        r#"
        name = "all"
        app = "main"
        events = ["im.message.receive_v1", "card.action.trigger"]
        chats = ["oc_1"]
        deny_chats = ["oc_2"]
        senders = ["ou_1", "ou_2"]
        deny_senders = ["ou_3"]
        bots = true
        mention = "never"
        match = { keywords = ["故障", "P0"], regex = "^sev-?1" }
        when = "chat_type == 'group'"
        also = true
        stale_after = "1h"
        stale = "skip"
        handler = "echo"
        "#,
    );
    assert_eq!(route.app.as_deref(), Some("main"));
    assert_eq!(route.events.len(), 2);
    assert!(matches!(&route.senders, Senders::Only(people) if people.len() == 2));
    assert_eq!((route.mention, route.stale), (Mention::Never, Stale::Skip));
    assert_eq!(route.stale_after, Some(Duration::from_hours(1)));
    assert!(route.bots && route.also);
    let rule = route.matcher.unwrap();
    assert!(rule.finds("出现故障了") && rule.finds("it is p0") && rule.finds("sev-1 now"));
    assert!(!rule.finds("a quiet day"));
    let facts = Facts { chat_type: "group", ..Facts::default() };
    assert_eq!(route.when.unwrap().holds(&facts), Ok(true));
}

#[test]
fn case_counts_for_keywords_when_asked() {
    let rule = |ignore| {
        only_route(&format!(
            "match = {{ keywords = [\"P0\"], ignore_case = {ignore} }}\nhandler = \"echo\"\n"
        ))
    };
    assert!(rule(true).matcher.unwrap().finds("p0"));
    assert!(!rule(false).matcher.unwrap().finds("p0"));
}

#[test]
fn a_handler_has_every_key() {
    let config = Case::with_app(
        r#"
        [handler.sh]
        kind = "command"
        shell = true
        argv = "grep -c . | tail -1"
        cwd = "~/src"
        env = { STAGE = "production line", API_TOKEN = { env = "SECRET" } }
        pass_env = ["SSH_AUTH_SOCK"]
        timeout = "10m"
        idle = "1m"
        output_max = "64K"
        memory = "2G"
        file_max = "1G"
        session = "thread"
        concurrency = 2
        retry = { attempts = 1 }

        [handler.hook]
        kind = "http"
        url = "https://example.com/hook"
        secret = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_bmV4dG5leHRuZXh0bmV4dG5leHRuZXh0"]
        reply_within = "5m"
        "#,
    )
    .config();
    let Handler::Command(command) = &config.handlers["sh"] else {
        panic!("not a command");
    };
    assert_eq!(command.argv, ["/bin/sh", "-c", "grep -c . | tail -1"]);
    assert_eq!(command.env["STAGE"].expose(), "production line");
    assert_eq!(command.env["API_TOKEN"].expose(), SECRET);
    assert_eq!(command.output_max, Bytes::kib(64));
    assert_eq!(command.common.session, SessionBy::Thread);
    let Handler::Http(http) = &config.handlers["hook"] else {
        panic!("not http");
    };
    assert_eq!(http.secrets.len(), 2);
    assert_eq!(http.reply_within, Some(Duration::from_mins(5)));
}

#[test]
fn the_limits_are_the_platforms_until_set() {
    let governor = Case::with_app("").config().governor;
    assert_eq!((governor.app_per_second, governor.app_per_minute), (50, 1000));
    assert_eq!((governor.chat.points, governor.chat.window), (5, Duration::from_secs(1)));

    let file = "[governor]\nchat = { points = 100, window = \"60s\", block = \"10s\" }\n";
    let chat = Case::with_app(file).config().governor.chat;
    assert_eq!(
        (chat.points, chat.window, chat.block),
        (100, Duration::from_mins(1), Duration::from_secs(10))
    );
}

#[test]
fn the_waits_between_attempts_are_two_to_sixty_seconds_until_set() {
    let link = Case::with_app("").config().link;
    let seconds = |d: Duration| d.as_secs();
    assert_eq!((seconds(link.backoff_first), seconds(link.backoff_max)), (2, 60));
    assert!(link.backoff_quick <= Duration::from_secs(2));
    assert_eq!(link.alarm_after, 5);
    let link =
        Case::with_app("[link]\nbackoff_max = \"5m\"\nprobe_interval = \"9s\"\n").config().link;
    let engine = link.to_link_config(true);
    assert_eq!((seconds(engine.backoff.max), seconds(engine.probe_interval)), (300, 9));
}

#[test]
fn leftovers_of_webhooks_are_named_and_do_no_harm() {
    let app =
        format!("{APP}verification_token = \"v\"\nencrypt_key = \"k\"\n[adapter]\nport = 1\n");
    let case = Case::new(&app);
    let warnings = case.warnings();
    for key in ["app.main.verification_token", "app.main.encrypt_key", "adapter"] {
        assert!(warnings.contains(key), "{key} is not in: {warnings}");
    }
    let hints: Vec<String> = case
        .config()
        .warnings
        .into_iter()
        .filter_map(|w| w.hint)
        .map(|hint| hint.en.into_owned())
        .collect();
    assert!(hints.iter().filter(|hint| hint.starts_with("remove")).count() >= 3, "{hints:?}");
}

#[test]
fn one_run_can_go_without_a_proxy() {
    let case = Case::with_app("[network]\nproxy = \"http://proxy:3128\"\n");
    let shown = case.flag("--no-proxy", "network.proxy", "none").config().show(false, Lang::En);
    let line = shown.lines().find(|line| line.starts_with("network.proxy")).unwrap();
    assert!(line.contains("\"none\"") && line.ends_with("# --no-proxy"), "{line}");
}
