//! `[handler.<name>]` of kind `llm`: services whose address is known, and keys that may be missing.

use std::time::Duration;

use larkline_gateway::config::{Handler, Llm};

use super::Case;

/// A handler of this kind with these keys.
fn case(keys: &str) -> Case {
    Case::with_app(&format!("[handler.assistant]\nkind = \"llm\"\nmodel = \"m\"\n{keys}\n"))
}

fn llm(case: &Case) -> Llm {
    let config = case.config();
    let Handler::Llm(llm) = &config.handlers["assistant"] else { panic!("another kind") };
    (**llm).clone()
}

#[test]
fn a_provider_is_an_address() {
    for (keys, address) in [
        ("provider = \"qwen\"", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("provider = \"qwen-intl\"", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("provider = \"openai\"", "https://api.openai.com/v1"),
        ("provider = \"deepseek\"", "https://api.deepseek.com/v1"),
        ("base_url = \"http://127.0.0.1:11434/v1\"", "http://127.0.0.1:11434/v1"),
        (
            "provider = \"qwen\"\nbase_url = \"https://proxy.example/v1\"",
            "https://proxy.example/v1",
        ),
    ] {
        assert_eq!(llm(&case(keys)).base_url.as_str(), address, "{keys}");
    }
    assert!(case("").problems().contains("there is no service"), "{}", case("").problems());
    let wrong = case("provider = \"qwenn\"").problems();
    assert!(wrong.contains("did you mean \"qwen\"?"), "{wrong}");
}

#[test]
fn what_nobody_said_is_bounded() {
    let llm = llm(&case("provider = \"qwen\""));
    assert_eq!((llm.history.tokens, llm.history.turns), (8_000, 20));
    assert_eq!(llm.history.age, Duration::from_hours(7 * 24));
    assert_eq!(llm.timeouts.first, Duration::from_mins(3));
    assert!(llm.stream && !llm.images && llm.thinking.is_none());
}

#[test]
fn a_missing_key_warns_and_says_why() {
    for (key, why) in [
        ("", "there is no key"),
        ("api_key = { env = \"KEY\" }", "the environment variable `KEY` is not set"),
        ("api_key = { env = \"BLANK\" }", "what `BLANK` holds is empty"),
        ("api_key = { env = \"COPIED\" }", "what `COPIED` holds is still a placeholder"),
        ("api_key = { file = \"gone\" }", "cannot be read"),
        ("api_key = { file = \"blank\" }", "is empty"),
    ] {
        let case = case(&format!("provider = \"qwen\"\n{key}")).env("BLANK", " ");
        let case = case.env("COPIED", "sk-xxxxxxxx");
        case.write("blank", "\n", 0o600);
        assert!(case.warnings().contains(why), "{key}: {}", case.warnings());
        assert!(llm(&case).api_key.is_none(), "{key}");
    }
}

#[test]
fn a_key_that_is_there_is_read_and_shown_nowhere() {
    for key in ["api_key = { env = \"KEY\" }", "api_key = { file = \"key\" }"] {
        let case = case(&format!("provider = \"qwen\"\n{key}")).env("KEY", "sk-123");
        case.write("key", "sk-123\n", 0o600);
        assert_eq!(llm(&case).api_key.unwrap().expose(), "sk-123", "{key}");
        assert!(!format!("{:?}", case.config()).contains("sk-123"), "{key}");
        assert!(!case.warnings().contains("key"), "{}", case.warnings());
    }
}

#[test]
fn what_the_service_could_not_be_told_is_refused() {
    for (key, why) in [
        ("extra = '[1]'", "not a JSON object"),
        ("extra = '{\"a\": '", "not a JSON object"),
        ("system = \"{{ chat\"", "not a template"),
        ("image_max = \"20M\"", "image_max"),
    ] {
        let problems = case(&format!("provider = \"qwen\"\n{key}")).problems();
        assert!(problems.contains(why), "{key}: {problems}");
    }
}
