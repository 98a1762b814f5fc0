//! What the platform takes, and what people see, written again without a look at how it is made.

use larkline_proto::content::Outgoing;
use larkline_proto::markdown::Part;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

pub(super) const RICH_BYTES_MAX: usize = 30 * 1024;

fn events(markdown: &str) -> Parser<'_> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    Parser::new_ext(markdown, options)
}

/// What people see of Markdown, without white space and gaps.
pub(super) struct Seen {
    pub(super) text: String,
    /// It has links, pictures or tables, of which more may be shown than Markdown has to see.
    pub(super) more: bool,
}

pub(super) fn seen(markdown: &str) -> Seen {
    let markdown = cleaned(markdown);
    let mut seen = Seen { text: String::new(), more: false };
    for event in events(&markdown) {
        if let Event::Text(text) | Event::Code(text) = &event {
            seen.text.push_str(text);
        } else if let Event::Html(html) | Event::InlineHtml(html) = &event
            && !is_break(html)
        {
            seen.text.push_str(html);
        }
        seen.more |=
            matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Table(_)));
    }
    seen.text = squeezed(&seen.text);
    seen
}

fn is_break(html: &str) -> bool {
    html.trim().trim_matches(['<', '>', '/', ' ']).eq_ignore_ascii_case("br")
}

fn cleaned(markdown: &str) -> String {
    let text = markdown.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

pub(super) fn squeezed(text: &str) -> String {
    let hidden = |c: char| c.is_whitespace() || c.is_control() || c == '\u{200b}';
    text.chars().filter(|c| !hidden(*c)).collect()
}

/// Whether the characters of `part` are in `whole`, in their order.
pub(super) fn is_within(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().all(|c| rest.any(|other| other == c))
}

/// Everything of an answer arrives, in order, in each form.
pub(super) fn assert_arrives(markdown: &str, parts: &[Part]) {
    let meant = seen(markdown);
    let sources: String = parts.iter().map(|part| seen(&part.markdown).text).collect();
    if meant.more {
        assert!(
            is_within(&meant.text, &sources),
            "{:?}\n in {sources:?}\nof {markdown:?}",
            meant.text
        );
    } else {
        assert_eq!(meant.text, sources, "of {markdown:?}");
    }
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let meant = letters(&meant.text);
    let cards: String = parts.iter().map(|part| seen(&card_content(part)).text).collect();
    assert!(is_within(&meant, &cards), "card {cards:?}\nof {markdown:?}");
    let posts: String = parts.iter().map(|part| seen(&post_text(part)).text).collect();
    assert!(is_within(&meant, &posts), "post {posts:?}\nof {markdown:?}");
    let texts: String = parts.iter().map(text_text).collect();
    assert!(is_within(&meant, &texts), "text {texts:?}\nof {markdown:?}");
}

pub(super) fn card_content(part: &Part) -> String {
    part.card_elements()[0]["content"].as_str().unwrap().to_owned()
}

pub(super) fn post_text(part: &Part) -> String {
    let post: Value = serde_json::from_str(&part.post().content).unwrap();
    post["zh_cn"]["content"][0][0]["text"].as_str().unwrap().to_owned()
}

pub(super) fn text_text(part: &Part) -> String {
    let text: Value = serde_json::from_str(&part.text().content).unwrap();
    text["text"].as_str().unwrap().to_owned()
}

/// The platform takes the part in each form, and nothing in it acts.
pub(super) fn assert_taken(part: &Part) {
    assert_card_taken(&part.card());
    let post = part.post();
    assert_eq!(post.msg_type, "post");
    assert_sent_size(&post);
    let text = post_text(part);
    assert_inert(&text);
    assert_eq!(rulers(&text), 0, "a table in a post: {text:?}");
    let plain = |event| !matches!(event, Event::Start(Tag::Heading { .. } | Tag::Table(_)));
    assert!(events(&text).all(plain), "a heading or a table in a post: {text:?}");
    let message = part.text();
    assert_eq!(message.msg_type, "text");
    assert_sent_size(&message);
    let text = text_text(part);
    for tag in ["at", "b", "i", "u", "s"] {
        assert!(!has_tag(&text, tag), "<{tag}> in {text:?}");
    }
}

pub(super) fn assert_card_taken(message: &Outgoing) {
    assert_eq!(message.msg_type, "interactive");
    assert_sent_size(message);
    let card: Value = serde_json::from_str(&message.content).unwrap();
    assert_eq!(card["schema"], "2.0");
    assert_eq!(card["config"]["update_multi"], true);
    for member in card.as_object().unwrap().keys() {
        assert!(["schema", "config", "header", "body"].contains(&member.as_str()), "{member}");
    }
    let summary = card["config"]["summary"]["content"].as_str().unwrap_or_default();
    assert!(summary.chars().count() <= 100, "{summary}");
    let elements = card["body"]["elements"].as_array().unwrap();
    assert!(!elements.is_empty() && elements.len() <= 200);
    let mut tables = 0;
    for element in elements {
        assert_eq!(element["tag"], "markdown");
        let content = element["content"].as_str().unwrap();
        assert!((1..=100_000).contains(&content.chars().count()));
        assert_inert(content);
        tables += rulers(content);
    }
    assert!(tables <= 3, "{tables} tables");
}

/// Both readings of the limit: of the content, and of the request that holds it as a string.
fn assert_sent_size(message: &Outgoing) {
    let content = message.content.len();
    let request = serde_json::to_string(&message.content).unwrap().len();
    assert!(content.max(request) <= RICH_BYTES_MAX, "{content} bytes, {request} in a request");
}

/// Markdown that draws no picture, has no tag, and fences that any reader finds.
pub(super) fn assert_inert(markdown: &str) {
    for line in outside_fences(markdown) {
        assert!(!line.contains("!["), "a picture in {line:?}");
    }
    let mut fences = 0;
    for line in markdown.lines().filter(|line| line.trim_start().starts_with("```")) {
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '#' | '-');
        assert!(line[3..].chars().all(bare) && line.starts_with("```"), "fence {line:?}");
        assert!(fences % 2 == 0 || line == "```", "a fence closed by {line:?}");
        fences += 1;
    }
    assert_eq!(fences % 2, 0, "a fence is open in {markdown:?}");
    for tag in ["at", "person"] {
        assert!(!has_tag(markdown, tag), "<{tag}> in {markdown:?}");
    }
    let mut code = false;
    for event in events(markdown) {
        let acts = matches!(
            event,
            Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Image { .. })
        );
        assert!(!acts, "{event:?} in {markdown:?}");
        if let Event::Start(Tag::Link { dest_url, .. }) = &event {
            let lower = dest_url.to_lowercase();
            let web = ["http://", "https://", "mailto:"];
            assert!(web.iter().any(|scheme| lower.starts_with(scheme)), "link to {dest_url}");
        }
        code |= matches!(event, Event::Start(Tag::CodeBlock(_)));
        code &= !matches!(event, Event::End(TagEnd::CodeBlock));
        if let Event::Text(text) = &event
            && !code
        {
            let tagged = |(at, _): (usize, &str)| {
                text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
            };
            assert!(!text.match_indices('<').any(tagged), "a tag in {text:?}");
        }
    }
}

fn has_tag(text: &str, tag: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [format!("<{tag}"), format!("</{tag}")].iter().any(|open| {
        lower.match_indices(open.as_str()).any(|(at, _)| {
            let behind = &lower[at + open.len()..];
            !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        })
    })
}

/// Tables as the simulator counts them.
pub(super) fn rulers(markdown: &str) -> usize {
    let is_ruler = |line: &&str| {
        let line = line.trim();
        line.contains('|')
            && line.contains("--")
            && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
    };
    outside_fences(markdown).filter(is_ruler).count()
}

fn outside_fences(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    markdown.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}
