//! Secrets: where they come from, and that they go nowhere.

use larkline_gateway::words::Lang;

use super::{APP, Case, SECRET};

const LITERAL: &str = "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = \"l1teral-s3cret\"\nowners = [\"ou_1\"]\n";

#[test]
fn a_secret_file_lies_beside_the_configuration() {
    let case = Case::new(&APP.replace("env = \"SECRET\"", "file = \"secret\""));
    case.write("secret", "from-file\n", 0o600);
    assert_eq!(case.config().apps[0].app_secret.expose(), "from-file");
    assert!(!case.warnings().contains("secret"), "{}", case.warnings());
}

#[test]
fn a_secret_that_others_can_read_is_warned_about() {
    let case = Case::new(&APP.replace("env = \"SECRET\"", "file = \"secret\""));
    case.write("secret", "from-file\n", 0o644);
    assert!(case.warnings().contains("can be read by others (mode 0644)"));

    let case = Case::new(LITERAL);
    assert!(!case.warnings().contains("app_secret"));
    case.write("larkline.toml", LITERAL, 0o640);
    assert!(
        case.warnings().contains("app.main.app_secret: a secret in a file that others can read")
    );
}

#[test]
fn placeholders_and_copying_mistakes_are_refused() {
    for (value, reason) in [
        ("", "is empty"),
        ("   ", "is empty"),
        ("xxx", "is still a placeholder"),
        ("your_app_secret", "is still a placeholder"),
        ("<app secret>", "is still a placeholder"),
        ("'quoted'", "quotes around it"),
        ("blank ", "blanks or quotes around it"),
    ] {
        let case = Case::new(&LITERAL.replace("l1teral-s3cret", value));
        let titles = case.titles();
        assert!(
            titles.contains("app.main.app_secret: the secret") && titles.contains(reason),
            "{value:?}: {titles}"
        );
    }
}

#[test]
fn ids_that_are_none_are_refused_with_line_and_column() {
    for id in [
        "a1b2c3d4e5f60718",
        "cli_a1b2",
        "cli_xxx",
        " cli_a1b2c3d4e5f60718",
        "cli_\\\"1\\\"",
        "cli_a1b2c3d4e5f6071g",
    ] {
        let case = Case::new(&APP.replace("cli_a1b2c3d4e5f60718", id));
        let errors = case.load().unwrap_err();
        assert_eq!(errors.problems().len(), 1, "{id}: {errors}");
        assert_eq!(errors.problems()[0].path, "app.main.app_id");
        assert_eq!(errors.problems()[0].place(), Some((2, 10)));
    }
}

#[test]
fn no_output_contains_a_secret() {
    let file = format!(
        "{LITERAL}domian = \"x\"\n[server]\ntoken = \"t0ken-value\"\n[network]\nproxy = \"http://me:pr0xy-pass@host:1\"\n\
         [handler.sh]\nkind = \"command\"\nargv = [\"true\"]\nenv = {{ PLAIN = \"env-value\", X = {{ env = \"SECRET\" }} }}\n"
    );
    let secrets = ["l1teral-s3cret", "t0ken-value", "pr0xy-pass", SECRET];
    let good = Case::new(&file.replace("domian = \"x\"\n", "")).config();
    let bad = Case::new(&file).load().unwrap_err();
    let warnings = good.render_warnings(false, Lang::En);
    for output in [
        good.show(false, Lang::En),
        good.show(true, Lang::En),
        format!("{good:?}"),
        good.policy_lines(Lang::En).join("\n"),
        warnings,
        bad.to_string(),
        bad.to_json(),
        format!("{bad:?}"),
    ] {
        for secret in secrets {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
    }
}

#[test]
fn a_message_about_a_line_covers_the_secret_in_it() {
    for line in [
        "app = { main = { app_id = 1, app_secret = \"l1teral-s3cret\" } }\n",
        "[app.main]\napp_secrett = \"l1teral-s3cret\"\n",
        "[app.main]\napp_secret = l1teral-s3cret\n",
        "[app.main]\napp_secret = \"l1teral-s3cret \"\n",
    ] {
        let shown = Case::new(line).problems();
        assert!(!shown.contains("l1teral-s3cret"), "{shown}");
    }
}

/// What stands where a secret does, and looks like one of the platform's.
const LOST: &str = "qTz8wVn3LmXc7RbY2KdF9sHj4GpA6tEu";

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated_and_is_known_to_whoever_scrubs() {
    let secret = "app_secret = { env = \"SECRET\" }";
    for (right, wrong) in [
        // Swapped, and of any form.
        ("cli_a1b2c3d4e5f60718", LOST),
        ("cli_a1b2c3d4e5f60718", "my own words"),
        // No variable or file of this name.
        ("env = \"SECRET\"", &format!("env = \"{LOST}\"")),
        ("env = \"SECRET\"", &format!("file = \"{LOST}\"")),
        ("env = \"SECRET\"", "value = \"my own words\""),
        // Misspelt keys, near to the right one or to none.
        (secret, "app_secrt = \"my own words\""),
        (secret, "ap_secet = 'my-own-words"),
        (secret, "pw = \"my own words\""),
        (secret, "app_secret: my-own-words"),
        (secret, "app_secret my-own-words"),
        // Where something else belongs.
        ("ou_1", LOST),
        ("owners", &format!("domain = \"{LOST}\"\nowners")),
        ("owners", "[network]\nproxy = \"my-own:wo/rds@host:8080\"\nowners"),
        ("owners", "[network]\nproxy = \"htp://my-own:words@host:8080\"\nowners"),
        ("owners", &format!("url = \"https://host/hook/{LOST}\nowners")),
    ] {
        let errors = Case::new(&APP.replace(right, wrong)).load().unwrap_err();
        let said = format!("{}{}{:?}", errors.text().zh, errors.to_json(), errors.problems());
        for lost in [LOST, "my own words", "my-own", "wo/rds"] {
            assert!(!said.contains(lost), "{wrong}: {said}");
        }
        let known = |lost: &str| errors.rest().secrets.iter().any(|s| s.expose().contains(lost));
        assert!([LOST, "my own words", "my-own"].into_iter().any(known), "{wrong}");
    }
}

#[test]
fn a_wrong_app_id_is_told_by_its_length() {
    for (id, told) in [
        ("cli_a1b2", "`cli_…` (8 characters) is not an app id"),
        (LOST, "these 32 characters are not an app id"),
    ] {
        let titles = Case::new(&APP.replace("cli_a1b2c3d4e5f60718", id)).titles();
        assert!(titles.contains(told), "{titles}");
    }
}

#[test]
fn a_broken_dotenv_is_named_without_its_values() {
    for (text, told) in [
        ("APP_TOKEN=\"s3cr3t unfinished\nX=1\n", "line 1 (`APP_TOKEN`) is not"),
        ("# mine\nFEISHU_APP_SECRET s3cr3t, and so on\n", ".env: line 2 is not"),
        ("A=1\n\ns3cr3t-\n", ".env: line 3 is not"),
        ("s3cr3t/qTz8==\n", ".env: line 1 is not"),
        ("export FEISHU_APP_SECRET: s3cr3t\n", ".env: line 1 is not"),
    ] {
        let case = Case::new(APP);
        case.write(".env", text, 0o600);
        let titles = case.titles();
        assert!(titles.contains(told), "{titles}");
        assert!(!titles.contains("s3cr3t"), "{titles}");
    }
}

#[test]
fn a_dotenv_with_secrets_that_others_can_read_is_warned_about() {
    let file = APP.replace("SECRET", "FROM_DOTENV");
    for (variable, key) in [("FROM_DOTENV", "app_secret"), ("LARKLINE__SERVER__TOKEN", "token")] {
        let case = Case::new(&file).env("FROM_DOTENV", "not-of-the-file");
        let case = if variable == "FROM_DOTENV" { Case::new(&file) } else { case };
        for (mode, warned) in [(0o600, false), (0o644, true), (0o666, true)] {
            case.write(".env", &format!("{variable}=s3cr3t-of-dotenv\n"), mode);
            let warnings = case.warnings();
            let told = format!("{key}: a secret in a file that others can read (mode {mode:04o})");
            assert_eq!(warnings.contains(&told), warned, "{warnings}");
        }
    }
    let case = Case::without_file();
    case.write(".env", "FEISHU_APP_ID=cli_a1b2c3d4e5f60718\nFEISHU_APP_SECRET=s3cr3t\n", 0o644);
    let shown = case.config().render_warnings(false, Lang::En);
    assert!(shown.contains("chmod 600") && shown.contains(".env"), "{shown}");
    // Nothing in it is a secret.
    let case = Case::new(APP);
    case.write(".env", "PLAIN=1\n", 0o644);
    assert!(!case.warnings().contains("others can read"), "{}", case.warnings());
}

#[test]
fn what_is_wrong_with_a_secret_says_how_to_mend_it() {
    let in_file = APP.replace("env = \"SECRET\"", "file = \"secret\"");
    let absent = Case::new(&in_file).load().unwrap_err().to_string();
    assert!(absent.contains("cannot be read") && absent.contains("into that file"), "{absent}");

    let case = Case::new(&in_file);
    case.write("secret", "\n", 0o600);
    let empty = case.load().unwrap_err().to_string();
    assert!(empty.contains("write the secret, and nothing else, into"), "{empty}");

    let case = Case::without_file().env("FEISHU_APP_ID", "cli_a1b2c3d4e5f60718");
    let missing = case.load().unwrap_err().to_string();
    assert!(missing.contains("set FEISHU_APP_SECRET, or write"), "{missing}");
    let case = case.env("FEISHU_APP_SECRET", "your_secret");
    let placeholder = case.load().unwrap_err().to_string();
    assert!(placeholder.contains("set FEISHU_APP_SECRET to the secret itself"), "{placeholder}");
}
