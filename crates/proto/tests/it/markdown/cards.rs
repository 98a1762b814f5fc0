//! Cards around answers, and back from cards to Markdown.

use larkline_proto::content::Outgoing;
use larkline_proto::markdown::{Card, Colour, parts, said, text_of_card, text_of_post};
use serde_json::json;

use super::oracle::assert_card_taken;

#[test]
fn a_card_has_what_it_was_given() {
    let button = json!({ "tag": "button", "text": { "tag": "plain_text", "content": "Stop" } });
    let card = Card::new()
        .title("Fix\nthe bug")
        .colour(Colour::Green)
        .answer("Working")
        .elements([button.clone()])
        .summary("Working on it")
        .streaming(true);
    assert_eq!(
        card.to_value(),
        json!({
            "schema": "2.0",
            "config": {
                "update_multi": true,
                "streaming_mode": true,
                "summary": { "content": "Working on it" },
            },
            "header": {
                "title": { "tag": "plain_text", "content": "Fix the bug" },
                "template": "green",
            },
            "body": { "elements": [
                { "tag": "markdown", "element_id": "answer", "content": "Working" },
                button,
            ] },
        })
    );
    assert!(card.fits());
    let title = Card::new().title(&"字".repeat(500)).to_value();
    assert!(title["header"]["title"]["content"].as_str().unwrap().ends_with("字…"));
    assert_eq!(Card::new().title(" ").to_value().get("header"), None);
}

#[test]
fn a_card_that_the_platform_would_refuse_does_not_fit() {
    let markdown = |text: &str| json!({ "tag": "markdown", "content": text });
    let table = "| a |\n| --- |\n| 1 |\n\n";
    assert!(Card::new().elements([markdown(&table.repeat(3))]).fits());
    assert!(!Card::new().elements([markdown(&table.repeat(3)), markdown(table)]).fits());
    assert!(Card::new().elements(vec![markdown("x"); 200]).fits());
    assert!(!Card::new().elements(vec![markdown("x"); 201]).fits());
    assert!(!Card::new().elements([markdown(&"x".repeat(30 * 1024))]).fits());
    assert!(!Card::new().elements([markdown(&"\"".repeat(8 * 1024))]).fits());
}

#[test]
fn the_largest_part_leaves_room_for_a_header_and_buttons() {
    let button = json!({ "tag": "button", "text": { "tag": "plain_text", "content": "Stop" },
        "behaviors": [{ "type": "callback", "value": { "do": "stop" } }] });
    for run in ["word ", "字", "\"quoted\" ", "a\n", "`<at id=all>` ", "- item\n"] {
        for part in parts(&run.repeat(60_000 / run.len())) {
            assert_card_taken(&part.card());
            let card = Card::new().title(&"标题".repeat(60)).elements(part.card_elements());
            let card = card.summary(&"总结".repeat(50)).elements(vec![button.clone(); 8]);
            assert!(card.fits(), "{run:?}: {}", card.outgoing().content.len());
        }
    }
}

#[test]
fn a_card_says_what_is_in_it() {
    let card = json!({
        "schema": "2.0",
        "header": { "title": { "tag": "plain_text", "content": "Title" } },
        "body": { "elements": [
            { "tag": "markdown", "content": "**Hi** <at id=ou_1></at><font color='red'>red</font>" },
            { "tag": "hr" },
            { "tag": "column_set", "columns": [
                { "tag": "column", "elements": [{ "tag": "markdown", "content": "left" }] },
                { "tag": "column", "elements": [
                    { "tag": "div", "text": { "tag": "plain_text", "content": "right" } },
                ] },
            ] },
            { "tag": "collapsible_panel",
                "header": { "title": { "tag": "plain_text", "content": "Details" } },
                "elements": [{ "tag": "markdown", "content": "`<at id=all>`" }] },
            { "tag": "table",
                "columns": [{ "name": "a", "display_name": "A" }, { "name": "b" }],
                "rows": [{ "a": "x|y", "b": 2 }, { "a": null }] },
            { "tag": "button", "text": { "tag": "plain_text", "content": "Stop" } },
        ] },
    });
    assert_eq!(
        text_of_card(&card).unwrap(),
        "**Title**\n\n**Hi** @ou_1red\n\n---\n\nleft\n\nright\n\nDetails\n\n`<at id=all>`\n\n\
         | A | b |\n| --- | --- |\n| x\\|y | 2 |\n|  |  |"
    );
    let old = json!({ "elements": [
        { "tag": "div", "text": { "tag": "lark_md", "content": "old **card**" } },
        { "tag": "note", "elements": [{ "tag": "plain_text", "content": "a note" }] },
    ] });
    assert_eq!(text_of_card(&old).unwrap(), "old **card**\n\na note");
    for nothing in [json!(null), json!({}), json!({ "elements": [{ "tag": "img" }] }), json!([1])] {
        assert_eq!(text_of_card(&nothing), None);
    }
}

#[test]
fn a_mention_that_was_written_with_a_name_keeps_it() {
    let shown = |content: &str| {
        text_of_card(&json!({ "elements": [{ "tag": "markdown", "content": content }] })).unwrap()
    };
    assert_eq!(shown("<at user_id=\"ou_1\">Tom</at> a < b"), "@Tom a < b");
    assert_eq!(shown("<at id=all></at>"), "@all");
    assert_eq!(shown("one<br>two <b>three</b> <x>"), "one\ntwo three <x>");
}

#[test]
fn a_post_says_what_is_in_it() {
    let post = json!({ "zh_cn": { "title": "Title", "content": [
        [{ "tag": "md", "text": "**Hi**" }],
        [{ "tag": "text", "text": "see " }, { "tag": "a", "text": "this", "href": "http://a.b" },
            { "tag": "at", "user_id": "ou_1" }],
        [{ "tag": "code_block", "language": "RUST", "text": "x" }],
    ] } });
    assert_eq!(
        text_of_post(&post).unwrap(),
        "**Title**\n\n**Hi**\n\nsee [this](http://a.b)@ou_1\n\n```RUST\nx\n```"
    );
    assert_eq!(text_of_post(&post["zh_cn"]), text_of_post(&post));
    assert_eq!(text_of_post(&json!({ "zh_cn": {} })), None);
}

#[test]
fn what_a_refused_card_said_goes_down_the_ladder() {
    let markdown = "# Head\n\n- [x] done <at id=all>\n\n```rust\na < b\n```";
    let part = parts(markdown).remove(0);
    let again = parts(&said(&part.card()).unwrap()).remove(0);
    assert_eq!(again.text(), part.text());
    assert_eq!(again.post(), part.post());
    let again = parts(&said(&part.post()).unwrap()).remove(0);
    assert_eq!(again.text(), part.text());
    assert_eq!(said(&Outgoing::text("a text")).unwrap(), "a text");
    assert_eq!(said(&Outgoing::image("img_x")), None);
    let by_id = json!({ "type": "card", "data": { "card_id": "7" } });
    assert_eq!(said(&Outgoing::card(&by_id)), None);
}
