//! Pictures of the documents: drawings are well-formed, say in words what they show, and load
//! nothing; files stay small enough for a page that opens at once.

use std::collections::BTreeSet;

use crate::workspace::Source;

/// Larger pictures make a page slow on a phone.
const BYTES_MAX: u64 = 400 * 1024;
/// Where they lie.
const FOLDER: &str = "docs/images/";

/// Checks drawings by their text and the other pictures by their size, which `size` gives.
pub(super) fn check(
    sources: &[Source],
    files: &BTreeSet<String>,
    size: impl Fn(&str) -> u64,
) -> Vec<String> {
    let mut problems = Vec::new();
    for path in files.iter().filter(|path| path.starts_with(FOLDER)) {
        let bytes = size(path);
        if bytes > BYTES_MAX {
            problems.push(format!("{path}: {bytes} bytes, at most {BYTES_MAX}"));
        }
        let pages = || sources.iter().filter(|source| source.path.ends_with(".md"));
        let name = path.trim_start_matches(FOLDER);
        if !pages().any(|page| page.text.contains(name)) {
            problems.push(format!("{path}: no document shows it"));
        }
    }
    for drawing in sources.iter().filter(|source| source.path.ends_with(".svg")) {
        let told = |what: &str| format!("{}: {what}", drawing.path);
        problems.extend(unbalanced(&drawing.text).map(|what| told(&what)));
        for outside in ["<script", "<image", "<foreignObject", "xlink:href", "@import", "url(http"]
        {
            if drawing.text.contains(outside) {
                problems.push(told(&format!("`{outside}` has no place in a drawing")));
            }
        }
        if drawing.path.starts_with(FOLDER) {
            for needed in ["xmlns=\"http://www.w3.org/2000/svg\"", "viewBox=", "<title", "<desc"] {
                if !drawing.text.contains(needed) {
                    problems.push(told(&format!("`{needed}` is missing")));
                }
            }
        }
    }
    problems
}

/// The tag at which elements stop being closed in the order in which they were opened.
fn unbalanced(svg: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let Some((tag, _)) = piece.split_once('>') else {
            return Some(format!("`<{piece}` does not end"));
        };
        if tag.starts_with('?') || tag.starts_with('!') || tag.ends_with('/') {
            continue;
        }
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            None => open.push(name),
            Some(name) if open.pop() == Some(name) => {}
            Some(name) => return Some(format!("`</{name}>` closes something else")),
        }
    }
    open.pop().map(|name| format!("`<{name}>` is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    const GOOD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\">\
        <title>t</title><desc>d</desc><rect x=\"1\"/></svg>";

    fn problems(svg: &str, bytes: u64) -> String {
        let sources = tree(&[("docs/images/a.svg", svg), ("README.md", "![a](docs/images/a.svg)")]);
        let files = ["docs/images/a.svg", "README.md"].map(str::to_owned).into();
        check(&sources, &files, |_| bytes).join("\n")
    }

    #[test]
    fn a_drawing_is_whole_and_says_what_it_shows() {
        assert_eq!(problems(GOOD, 1), "");
        assert!(problems(&GOOD.replace("</desc>", ""), 1).contains("closes something else"));
        assert!(problems(&GOOD.replace("</svg>", ""), 1).contains("`<svg>` is not closed"));
        assert!(problems(&GOOD.replace("<title>t</title>", ""), 1).contains("`<title`"));
        assert!(problems(&GOOD.replace("<rect", "<script/><rect"), 1).contains("no place"));
    }

    #[test]
    fn a_picture_is_small_and_shown_somewhere() {
        assert!(problems(GOOD, BYTES_MAX + 1).contains("bytes, at most"));
        let files = ["docs/images/b.png"].map(str::to_owned).into();
        assert!(check(&[], &files, |_| 1)[0].contains("no document shows it"));
    }
}
