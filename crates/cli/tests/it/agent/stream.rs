//! An answer that grows in one card, and arrives whole whatever the platform refuses.

use serde_json::Value;

use super::{answered, card, rows, start};

#[tokio::test]
async fn an_answer_grows_in_one_card_and_is_closed_with_a_summary() {
    let rig = start("").await;
    let said = rig.say(
        &rig.owner,
        "[[say one two three four five six seven eight nine ten]][[chunks 10]][[delay 0.3]]",
    );
    let answers = answered(&rig, &said, "one two three four five six seven eight nine ten").await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    let row = rows(&rig, &said.message_id).remove(0);
    let grown: Vec<String> = row
        .edits
        .iter()
        .filter_map(|edit| serde_json::from_str::<Value>(&edit.content).ok())
        .filter(|card| card["config"]["streaming_mode"] == true)
        .filter_map(|card| card["body"]["elements"][0]["content"].as_str().map(str::to_owned))
        .filter(|answer| answer.starts_with("one") && !answer.ends_with("ten"))
        .collect();
    assert!(!grown.is_empty(), "it did not grow: {:?}", row.edits);
    let last = card(&row);
    assert_eq!(last["config"]["streaming_mode"], false);
    assert_eq!(
        last["config"]["summary"]["content"],
        "one two three four five six seven eight nine ten"
    );
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], 1, "{verdicts:?}");
}
