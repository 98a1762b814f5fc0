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

#[test]
fn a_broken_dotenv_is_named_without_its_values() {
    let case = Case::new(APP);
    case.write(".env", "APP_TOKEN=\"s3cr3t unfinished\nX=1\n", 0o600);
    let titles = case.titles();
    assert!(titles.contains(".env") && titles.contains("`APP_TOKEN`"), "{titles}");
    assert!(!titles.contains("s3cr3t"), "{titles}");
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
