//! Laws for every answer, however it is written.

use larkline_proto::markdown::{Card, growing, parts, summary};
use proptest::prelude::*;

use super::oracle::{assert_arrives, assert_card_taken, assert_taken, squeezed};

/// Pieces of Markdown, whole and half, tidy and not.
const FRAGMENTS: &[&str] = &[
    "# Heading\n",
    "### **bold** heading #\n",
    "Setext\n===\n",
    "plain words in a line ",
    "重点：这是一段中文，没有空格。",
    "**重点：**后面",
    "👩‍👩‍👧‍👦🇨🇳👍🏽",
    "\n",
    "\n\n",
    "  \n",
    "\\\n",
    "**bold**",
    "*it*",
    "_it_",
    "__b__",
    "***both***",
    "~~struck~~",
    "~",
    "**",
    "*",
    "_",
    "`code`",
    "`` a ` b ``",
    "`",
    "```",
    "```rust\nfn main() {}\n```\n",
    "````md\n```rust\ninner | x\n|---|\n![a](http://b.c/d.png)\n```\n````\n",
    "~~~\ntilde\n~~~\n",
    "    indented code\n",
    "\n    \tmore indented\n\n",
    "- item\n",
    "  - nested\n",
    "    - deeper\n",
    "- - twice\n",
    "* star\n",
    "+ plus\n",
    "1. one\n",
    "7) seven\n",
    "   continued\n",
    "1. ```sh\n   ls\n   ```\n",
    "- [ ] open task\n",
    "- [x] done task\n",
    "-\n",
    "> quote\n",
    "> > deeper\n",
    "> - item in quote\n",
    "> ```\n> code in quote\n> ```\n",
    "---\n",
    "***\n",
    "\n| a | b |\n|---|:-:|\n| 1 | `x\\|y` |\n| -- | -- |\n\n",
    "| a | b |\n| --- |\n",
    "|--|\n",
    "--|--\n",
    "| 1 | 2 | 3 |\n",
    "[link](https://example.com/a?b=1&lt;=2_x_)",
    "[local](src/main.rs)",
    "[ref][r]",
    "\n[r]: https://example.com/r \"title\"\n",
    "[r]",
    "[half](http://exa",
    "](",
    "[",
    "]",
    "![picture](https://example.com/a.png)",
    "![](https://example.com/b.png)",
    "![key](img_v3_0abc)",
    "[![badge](http://a.b/c.svg)](http://a.b)",
    "!",
    "<https://example.com/[x]>",
    "<me@example.com>",
    "<at id=all></at>",
    "<at user_id=\"all\">all</at>",
    "`<at id=all>`",
    "&lt;at id=all&gt;",
    "&amp;lt;",
    "&#42;&#95;&#10;&nbsp;",
    "&",
    "<font color='red'>red</font>",
    "<person id='ou_x'></person>",
    "<raw>",
    "<br>",
    "<b>bold</b>",
    "<div class=\"a_b *c*\">\nblock\n</div>\n",
    "<!-- comment\n\nover lines -->\n",
    "<",
    ">",
    "a < b && c > d",
    "Vec<String>",
    "\\*not\\* \\# \\< \\[x\\](y) \\`",
    "\\",
    "\t",
    "\r\n",
    "\u{0}\u{1b}[31m",
    "\u{200b}",
    "\u{a0}",
    ":DONE:",
    "\"quotes\" \\ 'more'",
    "2026. ",
    "(",
    ")",
    "|",
    "=\n",
];

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(FRAGMENTS).prop_map(str::to_owned),
        1 => "[ -~\n]{0,12}",
        1 => "[*_`~\\[\\]()<>!#|&;:\\\\ \n-]{0,12}",
        1 => any::<String>(),
    ]
}

fn answer() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..24).prop_map(|fragments| fragments.concat())
}

/// Answers too long for one message.
fn long_answer() -> impl Strategy<Value = String> {
    let run = (fragment(), 1_usize..400).prop_map(|(fragment, times)| fragment.repeat(times));
    let run = prop_oneof![
        run,
        (answer(), 1_usize..30).prop_map(|(answer, times)| answer.repeat(times)),
        ("[a-z]{1,8}", 1_usize..9000).prop_map(|(word, times)| word.repeat(times)),
        (1_usize..9000).prop_map(|times| format!("\n\n**{}**\n\n", "粗 ".repeat(times))),
        (1_usize..900).prop_map(|rows| {
            format!("\n\n| head | 头 |\n|---|--:|\n{}\n\n", "| a cell | 一格 |\n".repeat(rows))
        }),
        (1_usize..2000).prop_map(|lines| {
            format!("\n\n```c\n{}```\n\n", "if (a < b) { \"x\"; }\n".repeat(lines))
        }),
    ];
    prop::collection::vec(run, 1..6).prop_map(|runs| runs.concat())
}

fn assert_laws(markdown: &str) {
    let parts = parts(markdown);
    for part in &parts {
        assert_taken(part);
    }
    assert_arrives(markdown, &parts);
    let count = parts.len();
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(part.number, (count > 1).then_some((at + 1, count)));
    }
    let summary = summary(markdown);
    assert!(summary.chars().count() <= 100 && !summary.contains('\n'), "{summary:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_taken_in_every_form_and_arrives_whole(markdown in answer()) {
        assert_laws(&markdown);
    }

    #[test]
    fn a_part_is_its_own_only_part(markdown in answer()) {
        for part in parts(&markdown) {
            let again = parts(&part.markdown);
            prop_assert_eq!(again.len(), 1);
            prop_assert_eq!(squeezed(&again[0].markdown), squeezed(&part.markdown));
        }
    }

    #[test]
    fn text_without_marks_stays_as_it_is(words in "[a-zA-Z中文][a-zA-Z0-9,.?%$'\"中文字 ]{0,80}") {
        let words = words.trim();
        prop_assert_eq!(&parts(words)[0].markdown, words);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_long_answer_is_taken_in_every_form_and_arrives_whole(markdown in long_answer()) {
        assert_laws(&markdown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_moment_of_a_growing_answer_is_taken(markdown in answer(), chars_max in 1_usize..400) {
        for (at, _) in markdown.char_indices() {
            assert_shown(&markdown[..at], chars_max);
        }
        assert_shown(&markdown, 100_000);
    }
}

fn assert_shown(markdown: &str, chars_max: usize) {
    let shown = growing(markdown, chars_max);
    assert!(shown.chars().count() <= chars_max, "{shown:?}");
    assert_card_taken(&Card::new().answer(&shown).streaming(true).outgoing());
}
