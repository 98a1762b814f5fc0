//! What some answers become. A gap is written `^`.

use larkline_proto::markdown::{Part, growing, parts, summary};

use super::oracle::{assert_arrives, assert_taken, card_content, post_text, text_text};

fn only(markdown: &str) -> Part {
    let mut parts = parts(markdown);
    assert_eq!(parts.len(), 1, "{markdown:?}");
    parts.remove(0)
}

fn gaps(text: &str) -> String {
    text.replace('\u{200b}', "^")
}

fn card(markdown: &str) -> String {
    gaps(&card_content(&only(markdown)))
}

fn post(markdown: &str) -> String {
    gaps(&post_text(&only(markdown)))
}

fn text(markdown: &str) -> String {
    gaps(&text_text(&only(markdown)))
}

#[test]
fn what_is_harmless_stays_as_it_was_written() {
    for markdown in [
        "Plain words, 中文。\nA second line with snake_case_names, 2 * 3 and a < b.",
        "# Heading with `code`\n\nSome **bold**, __bold__, *it*, _it_ and ~~struck~~ words.",
        "- one\n- two\n    - nested\n- three",
        "1. one\n\n2. two\n\n    more of two",
        "> quoted\n>\n> - item\n> - item",
        "```rust\nlet v: Vec<String> = a && b;\n```",
        "| a | b |\n| :--- | ---: |\n| 1 | `x` |",
        "**重点：**后面 and [a link](https://example.com/?a=1&b=2#c).",
        "Prices: $5, ~3 days, C:\\path\\file, 100% & more!",
        "before\n\n---\n\nafter",
    ] {
        assert_eq!(card(markdown), markdown);
    }
}

#[test]
fn tags_of_the_platform_are_shown_and_do_nothing() {
    let markdown =
        "<at id=all></at> <font color='red'>x</font> &lt;at id=all&gt; <person id=\"a\">";
    let harmless =
        "<^at id=all><^/at> <^font color='red'>x<^/font> <^at id=all> <^person id=\"a\">";
    assert_eq!(card(markdown), harmless);
    assert_eq!(post(markdown), harmless);
    assert_eq!(text(markdown), harmless);
    // In code nobody is reached either, and all else stays fit to be copied.
    let code = "`<at id=all>`\n\n```html\n<AT user_id=\"all\"></AT><b>x</b>\n```";
    assert_eq!(card(code), "`<^at id=all>`\n\n```html\n<^AT user_id=\"all\"><^/AT><b>x</b>\n```");
    assert_eq!(text(code), "<^at id=all>\n\n<^AT user_id=\"all\"><^/AT><^b>x<^/b>");
    // What only becomes a tag without its marks.
    assert_eq!(text("<**at** user_id=\"all\">"), "<^at user_id=\"all\">");
}

#[test]
fn html_is_shown_letter_by_letter() {
    assert_eq!(
        card("<div class=\"*a*\">\nhi\n</div>\n\n<!-- note -->"),
        "<^div class=\"\\*a\\*\">\nhi\n<^/div>\n\n<^!-- note -->"
    );
    assert_eq!(card("one<br>two"), "one  \ntwo");
}

#[test]
fn pictures_become_links_or_words() {
    assert_eq!(card("![a plot](https://e.com/p.png)"), "[a plot](https://e.com/p.png)");
    assert_eq!(card("![](https://e.com/p.png)"), "[https://e.com/p.png](https://e.com/p.png)");
    assert_eq!(card("![shot](img_v3_02ab) ![](img_v3_02ab)"), "shot img_v3_02ab");
    assert_eq!(card("![](data:image/png;base64,AAAA)"), "image");
    assert_eq!(card("[![ci](http://a.b/c.svg)](http://a.b)"), "[ci](http://a.b)");
    assert_eq!(card("`![a](b)` wow\\![c](http://d.e)"), "`!^[a](b)` wow!^[c](http://d.e)");
}

#[test]
fn links_lead_to_the_web_or_are_text() {
    assert_eq!(card("see [main](src/main.rs:3)"), "see main (src/main.rs:3)");
    assert_eq!(card("[src/main.rs](src/main.rs)"), "src/main.rs");
    assert_eq!(card("[x](javascript:alert(1))"), "x (javascript:alert(1))");
    assert_eq!(
        card("[r] and [s][r]\n\n[r]: http://a.b 'c'"),
        "[r](http://a.b) and [s](http://a.b)"
    );
    assert_eq!(card("<http://a.b> <c@d.ef>"), "[http://a.b](http://a.b) [c@d.ef](mailto:c@d.ef)");
    assert_eq!(card("[a](<http://b.c/d (e)|f>)"), "[a](http://b.c/d%20%28e%29%7Cf)");
    assert_eq!(
        text("[a](http://b.c), <http://b.c>, <c@d.ef>"),
        "a (http://b.c), http://b.c, c@d.ef"
    );
}

#[test]
fn what_the_new_place_would_read_differently_is_kept_apart() {
    assert_eq!(card("[[main](src/main.rs)]()"), "[main (src/main.rs)]^()");
    assert_eq!(card("\\\\*a* \\*b* \\_c_ d\\_e"), "\\\\*a* \\*b* \\_c_ d\\_e");
    assert_eq!(card("a\\ \nb"), "a\\^\nb");
    assert_eq!(card("# C\\#"), "# C#^");
    assert_eq!(card("&\\#60; &amp;lt; &lt;b"), "&^#60; &^lt; <^b");
    assert_eq!(card("[a](<http://b.c/&amp;lt;&amp;d=e>)"), "[a](http://b.c/&lt%3B&d=e)");
    assert_eq!(card("a\n    # b\n\n1\\. c"), "a\n^# b\n\n^1. c");
}

#[test]
fn fences_stand_at_the_left_edge_and_lists_go_on() {
    assert_eq!(
        card(
            "1. first\n   ```sh\n   ls\n   ```\n   then\n2. second\n\n> ~~~\n> code\n> ~~~\n> more"
        ),
        "1. first\n\n```sh\nls\n```\n\nthen\n\n2. second\n\n```\ncode\n```\n\n> more"
    );
    assert_eq!(card("3. ```\n   x\n   ```"), "3. ^\n\n```\nx\n```");
}

#[test]
fn a_fence_in_code_does_not_end_it() {
    let markdown = "````md\n```rust\n![a](b)\n```\n````\nafter";
    assert_eq!(card(markdown), "```md\n^```rust\n![a](b)\n^```\n```\n\nafter");
    assert_eq!(card("```\nopen"), "```\nopen\n```");
    assert_eq!(card("    indented\n      code"), "```\nindented\n  code\n```");
}

#[test]
fn a_post_has_bold_lines_for_headings_and_code_for_tables() {
    assert_eq!(post("## **Bold** `x` heading\n\ntext"), "**Bold `x` heading**\n\ntext");
    assert_eq!(
        post("| 名 | n |\n|---|--:|\n| **a** | 10 |\n| 中文 | 7 |"),
        "```\n名   |  n\n-----+---\na    | 10\n中文 |  7\n```"
    );
}

#[test]
fn the_fourth_table_of_a_card_is_code() {
    let table = "| a |\n| --- |\n| 1 |";
    let card = card(&[table; 4].join("\n\n"));
    assert_eq!(card, [table, table, table, "```\na\n-\n1\n```"].join("\n\n"));
}

#[test]
fn a_cell_too_many_is_not_lost() {
    assert_eq!(
        card("| a | b |\n|---|---|\n| 1 | x || y | 3 |"),
        "| a | b |\n| --- | --- |\n| 1 | x \\| y \\| 3 |"
    );
}

#[test]
fn what_looks_like_a_ruler_of_a_table_is_not_one() {
    let rows = "| a | b |\n| --- | --- |\n| -- | --- |";
    assert_eq!(card(rows), "| a | b |\n| --- | --- |\n| ^-- | ^--- |");
    assert_eq!(card("a | b\n|--|"), "a | b\n^|--|");
}

#[test]
fn a_text_is_readable_without_marks() {
    assert_eq!(
        text(
            "# Title\n\nSome **bold** and `code`.\n\n- [x] done\n- [ ] open\n\n| a | b |\n|--|--|\n| 1 | 2 |"
        ),
        "Title\n\nSome bold and code.\n\n- ☑ done\n- ☐ open\n\na | b\n1 | 2"
    );
    assert_eq!(
        text("3. three\n4. four\n   > quote\n\n~~old~~"),
        "3. three\n\n4. four\n\n    > quote\n\n~~old~~"
    );
}

#[test]
fn lists_stay_apart_and_keep_their_numbers() {
    assert_eq!(card("1. a\n1. b\n\n1) c"), "1. a\n2. b\n1) c");
    assert_eq!(card("7. \n[r]: http://a.b\n1. c\n2. d"), "7. ^\n1) c\n2) d");
    assert_eq!(card("- - twice"), "- ^\n    - twice");
    assert_eq!(card("-\n- x"), "- ^\n- x");
    assert_eq!(
        card("99. a\n\n    more\n100. b\n\n     more"),
        "99. a\n\n    more\n\n100. b\n\n     more"
    );
}

#[test]
fn long_code_is_closed_and_opened_again_with_its_language() {
    let code = "let answer = \"forty-two\";\n".repeat(3000);
    let parts = parts(&format!("Before.\n\n```rust\n{code}```\n\nAfter."));
    assert!(parts.len() > 2);
    for part in &parts {
        assert_taken(part);
    }
    let inner = &parts[1].markdown;
    assert!(inner.starts_with("```rust\nlet") && inner.ends_with(";\n```"), "{inner}");
    let count = parts.len();
    assert_eq!(parts[1].number, Some((2, count)));
    assert_eq!(parts[1].card_elements()[1]["content"], format!("(2/{count})"));
    assert!(text_text(&parts[1]).ends_with(&format!("\n\n(2/{count})")));
}

#[test]
fn a_long_table_repeats_its_head() {
    let rows: String = (0..2000).map(|n| format!("| {n} | 一些文字 |\n")).collect();
    let parts = parts(&format!("| number | text |\n|---:|---|\n{rows}"));
    assert!(parts.len() > 1);
    for part in &parts {
        assert_taken(part);
        assert!(part.markdown.starts_with("| number | text |\n| ---: | --- |\n| "));
    }
}

fn long_parts(markdown: &str) -> Vec<Part> {
    let parts = parts(markdown);
    assert!(parts.len() > 1);
    parts
}

#[test]
fn long_text_is_cut_behind_sentences_and_stays_bold() {
    for part in long_parts(&format!("**{}**", "一句不长的话。".repeat(3000))) {
        assert_taken(&part);
        assert!(part.markdown.starts_with("**一句") && part.markdown.ends_with("话。**"));
    }
    for part in long_parts(&"A short sentence. ".repeat(3000)) {
        assert!(part.markdown.starts_with("A ") && part.markdown.ends_with("sentence."));
    }
    for part in long_parts(&format!("*{}end*", "word ".repeat(9000))) {
        assert!(part.markdown.starts_with("*word ") && !part.markdown.ends_with(" *"));
    }
}

#[test]
fn a_heading_goes_with_what_it_is_the_heading_of() {
    let block = "word ".repeat(4000);
    let parts = parts(&format!("{block}\n\n## Next\n\n{block}"));
    assert_eq!(parts.len(), 2);
    assert!(parts[1].markdown.starts_with("## Next\n\nword"));
}

#[test]
fn pictures_of_several_characters_are_not_cut() {
    let family = "👩‍👩‍👧‍👦";
    for part in parts(&format!("x{}", family.repeat(3000))) {
        assert_eq!(part.markdown.trim_start_matches('x').replace(family, ""), "");
    }
}

#[test]
fn a_megabyte_arrives() {
    let sample = "# 标题 {n}\n\nSome **bold** text with `code`, [a link](https://e.com) and 中文。\n\n\
        1. one\n   - nested\n     ```rust\n     let x = 1;\n     ```\n2. two\n\n\
        | a | b |\n|---|---|\n| 1 | <at id=all> |\n\n> quote\n\n";
    let markdown = sample.repeat(1_000_000 / sample.len());
    let parts = parts(&markdown);
    assert!(parts.len() < 100, "{}", parts.len());
    parts.iter().for_each(assert_taken);
    assert_arrives(&markdown, &parts);
}

#[test]
fn hostile_repetitions_are_taken() {
    for run in [
        "[",
        "![",
        "[a](",
        "*a",
        "_a ",
        "`",
        "`a``",
        "<",
        "<a ",
        "<!--",
        "> ",
        ">\n> ",
        "- ",
        "1. ",
        "|",
        "|-",
        "| a |\n|-|\n",
        "\\",
        "&",
        "~~",
        "\"",
        "\u{1}",
        "\u{200d}",
        "#",
        "[r]: x\n",
        "\r",
        "<b>",
        "](",
        "***a",
        "\t- a\n",
        "```\n",
        "~~~\n",
    ] {
        let markdown = run.repeat(30_000 / run.len());
        let parts = parts(&markdown);
        parts.iter().for_each(assert_taken);
        assert_arrives(&markdown, &parts);
    }
    let deep: String = (0..300).map(|depth| format!("{}- a\n", "  ".repeat(depth))).collect();
    parts(&deep).iter().for_each(assert_taken);
    let wide = format!("{}|\n{}|\n|b|", "|a".repeat(3000), "|-".repeat(3000));
    let parts = parts(&wide);
    parts.iter().for_each(assert_taken);
    assert_arrives(&wide, &parts);
}

#[test]
fn nothing_to_be_seen_is_no_part() {
    for markdown in ["", " \n\t\n", "[r]: http://a.b", ">", "\u{200b}"] {
        assert_eq!(parts(markdown), [], "{markdown:?}");
    }
}

#[test]
fn a_growing_answer_closes_what_is_open() {
    let shown = |markdown: &str| gaps(&growing(markdown, 1000));
    assert_eq!(shown("Text\n```rust\nlet x"), "Text\n\n```rust\nlet x\n```");
    assert_eq!(shown("Some **bold wor"), "Some **bold wor**");
    assert_eq!(shown("Some **bold words*"), "Some **bold words**");
    assert_eq!(shown("Some **"), "Some");
    assert_eq!(shown("Run `cargo te"), "Run `cargo te`");
    assert_eq!(shown("~~old"), "~~old~~");
    assert_eq!(shown("# Head **bo"), "# Head **bo**");
    assert_eq!(shown(""), "…");
}

#[test]
fn a_growing_answer_holds_back_what_is_half_there() {
    let shown = |markdown: &str| gaps(&growing(markdown, 1000));
    for half in ["[", "[li", "[link]", "[link](http://e.c", "![", "![alt](http", "[![a](http://b"] {
        assert_eq!(shown(&format!("See {half}")), "See", "{half}");
    }
    assert_eq!(shown("See [1] there"), "See [1] there");
    assert_eq!(shown("Text\n\n| a | b |"), "Text");
    assert_eq!(shown("Text\n\n| a | b |\n|--"), "Text");
    assert_eq!(shown("| a | b |\n|--|--|\n| 1"), "| a | b |\n| --- | --- |\n| 1 |  |");
    assert_eq!(shown("- one\n-"), "- one\n- ^");
    let long = format!("An [open bracket {}", "word ".repeat(60));
    assert!(shown(&long).contains("open bracket"));
}

#[test]
fn a_growing_answer_that_is_long_shows_its_end_and_mostly_adds_to_it() {
    let paragraph = format!("{}\n\n", "some words 和文字 ".repeat(20));
    let answer = paragraph.repeat(60);
    let mut before = String::new();
    let mut jumps = 0;
    for end in (0..answer.len()).filter(|end| answer.is_char_boundary(*end)).step_by(97) {
        let shown = growing(&answer[..end], 4000);
        assert!(shown.chars().count() <= 4000);
        jumps += usize::from(!shown.starts_with(before.trim_end_matches('…')));
        before = shown;
    }
    assert!(before.starts_with("…\n\nsome words") && before.ends_with("和文字"), "{before}");
    assert!(before.chars().count() > 1500);
    // Half a window at a time.
    assert!(jumps <= answer.chars().count() / 2000, "{jumps} jumps");
}

#[test]
fn a_summary_is_the_first_words() {
    assert_eq!(
        summary("# 结论\n\nIt **works**, see [x](http://a.b).\n\n```\ncode\n```"),
        "结论 It works, see x. code"
    );
    assert_eq!(gaps(&summary("<at id=all>")), "<^at id=all>");
    let long = summary(&"words ".repeat(1000));
    assert!(long.ends_with('…') && long.chars().count() <= 100);
}
