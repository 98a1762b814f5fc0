//! The configurations that documents show are configurations without problems.

use std::path::Path;

use super::{APP, Case};

/// Pages that show some.
const PAGES: [&str; 4] =
    ["docs/agents.md", "docs/llm.md", "docs/handlers.md", "docs/getting-started.md"];
/// A warning that depends on the machine.
const EXPOSED: &str = "the shell of this agent can read";

/// The fenced blocks of a page that are configurations.
fn samples(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("\n```toml\n").skip(1);
    blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned() + "\n").collect()
}

/// The sample in a file, with the variables and the app that it takes for granted.
fn case(sample: &str) -> Case {
    let app = if sample.contains("[app.") { "" } else { APP };
    let route = if sample.contains("[[route]]") {
        String::new()
    } else {
        let (_, handler) = sample.split_once("[handler.").unwrap();
        let (handler, _) = handler.split_once(']').unwrap();
        format!("[[route]]\nname = \"sample\"\nhandler = \"{handler}\"\n")
    };
    let sample = sample.replace("\"/etc/larkline/", "\"");
    let app_of_its_own = sample.replace("[app.main]\n", APP.split("owners").next().unwrap());
    let case = Case::new(&format!("{app}{app_of_its_own}{route}"));
    for file in sample.split("file = \"").skip(1) {
        case.write(file.split('"').next().unwrap(), "k3y-of-a-service", 0o600);
    }
    let variables = sample.split("env = \"").skip(1).map(|name| name.split('"').next().unwrap());
    variables.fold(case, |case, name| case.env(name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
}

#[test]
fn every_sample_is_a_configuration_without_problems() {
    let mut seen = 0;
    for page in PAGES {
        for sample in samples(page) {
            seen += 1;
            let errors = case(&sample).load().err().map(|errors| errors.to_string());
            assert!(errors.is_none(), "{page}:\n{sample}\n{}", errors.unwrap_or_default());
            for warning in case(&sample).warnings().lines() {
                assert!(warning.contains(EXPOSED), "{page}:\n{sample}\n{warning}");
            }
        }
    }
    assert!(seen > 8, "{seen} samples found: the pages are read wrongly");
}

#[test]
fn a_sample_with_a_mistake_is_found() {
    let mistaken = "[handler.x]\nkind = \"llm\"\nmodell = \"m\"\nprovider = \"qwen\"\n";
    assert!(case(mistaken).problems().contains("modell"));
}
