//! A model without a key: a warning and a clear notice, never a dead link.

use serde_json::Value;

use super::model::Model;
use super::{KEY, answer, with};
use crate::rig::{Rig, text};

/// A gateway whose key is in a file that may not be there.
async fn keyless(reference: &str) -> (Rig, Model) {
    let model = Model::start().await;
    let config = with(&model, "").replace("{ env = \"MODEL_KEY\" }", reference);
    let mut rig = Rig::new(&config).await;
    rig.run(&[]).await;
    rig.ready().await;
    (rig, model)
}

#[tokio::test]
async fn without_a_key_the_link_lives_and_the_chat_is_told() {
    for (reference, why) in [
        ("{ env = \"MODEL_KEY\" }", "the environment variable `MODEL_KEY` is not set"),
        ("{ file = \"gone\" }", "cannot be read"),
    ] {
        let (rig, model) = keyless(reference).await;
        assert!(rig.log().contains(why), "{}", rig.log());
        let said = rig.say(&rig.owner, "hello");
        let words = answer(&rig, &said).await;
        assert!(words.starts_with("🔑 `assistant` has no API key yet"), "{words}");
        assert!(model.asked().is_empty());
        assert_eq!(rig.status().await.unwrap()["ready"], true);
    }
}

#[tokio::test]
async fn a_missing_key_is_a_warning_for_check_and_doctor_and_a_reload_brings_it() {
    let (rig, _model) = keyless("{ file = \"{dir}/key\" }").await;
    let checked = rig.cli(&["config", "check"]).await;
    assert!(checked.status.success(), "{checked:?}");
    let said = text(&checked.stderr) + &text(&checked.stdout);
    assert!(said.contains("api_key") && said.contains("cannot be read"), "{said}");
    let doctor = rig.cli(&["doctor", "--format", "json", "--timeout", "20"]).await;
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(report["verdict"], "healthy", "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let config = checks.iter().find(|check| check["name"] == "configuration").unwrap();
    assert_eq!(config["outcome"], "warn", "{config:#}");
    assert!(config.to_string().contains("api_key"), "{config:#}");

    std::fs::write(rig.path("key"), format!("{KEY}\n")).unwrap();
    let reloaded = rig.cli(&["reload"]).await;
    assert!(reloaded.status.success(), "{reloaded:?}");
    let said = rig.say(&rig.owner, "[[say here]]");
    assert_eq!(answer(&rig, &said).await, "here");
}
