//! Rules for the documents a stranger reads: no claim that cannot hold, one shape in both languages.
//!
//! Whether a sentence is true is not here; whether a requirement has its test is `requirements`.

use super::text;
use crate::workspace::Source;

/// Claims no distributed system can keep.
const BANNED: [&str; 1] = ["exactly once"];
/// On a line that must name such a claim in order to deny it.
const QUOTING: &str = "<!-- tidy: quoting -->";
/// How a page's name ends that is the Chinese one of a pair.
const CHINESE: &str = ".zh-CN.md";

/// Applies the rules to every document.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let documents = sources.iter().filter(|source| {
        source.path.starts_with("README")
            || source.path.starts_with("docs/")
            || source.path == "CHANGELOG.md"
    });
    let mut problems: Vec<String> = documents.flat_map(claims).collect();
    for chinese in sources {
        let Some(name) = chinese.path.strip_suffix(CHINESE) else { continue };
        let path = format!("{name}.md");
        match text(sources, &path) {
            Some(english) => problems.extend(shapes(&path, english, chinese)),
            None => problems.push(format!("{}: there is no {path}", chinese.path)),
        }
    }
    problems
}

/// Whether two languages of one page have the same parts.
fn shapes(path: &str, english: &str, chinese: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for (what, mark) in
        [("`##` headings", "## "), ("code fences", "```"), ("table rows", "|"), ("pictures", "![")]
    {
        let [here, there] = [english, chinese.text.as_str()]
            .map(|text| text.lines().filter(|line| line.starts_with(mark)).count());
        if here != there {
            problems.push(format!("{}: {there} {what}, but {path} has {here}", chinese.path));
        }
    }
    problems
}

/// Banned claims; one broken over two lines is found as well.
fn claims(source: &Source) -> Vec<String> {
    let lines: Vec<String> = source.text.lines().map(str::to_lowercase).collect();
    let mut problems = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).map(|next| next.trim_start()).unwrap_or_default();
        let joined = format!("{} {next}", line.trim_end());
        for word in BANNED {
            let broken = joined.contains(word) && !next.contains(word);
            if (line.contains(word) || broken) && !line.contains(QUOTING) {
                problems.push(format!("{}:{}: nobody can promise \"{word}\"", source.path, at + 1));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    fn problems(files: &[(&str, &str)]) -> String {
        check(&tree(files)).join("\n")
    }

    #[test]
    fn banned_claims_are_found_in_any_case_and_across_lines() {
        let claim = BANNED[0];
        let broken = claim.replace(' ', "\n");
        assert!(problems(&[("README.md", &claim.to_uppercase())]).contains("README.md:1"));
        assert!(
            problems(&[("docs/a.md", &format!("\nit is {broken} here"))]).contains("docs/a.md:2")
        );
        assert_eq!(problems(&[("docs/a.md", &format!("not {claim} {QUOTING}"))]), "");
        assert_eq!(problems(&[("crates/x/src/a.rs", claim)]), "");
    }

    #[test]
    fn both_languages_of_a_page_have_one_shape() {
        let two = "## a\n```\n```\n## b\n";
        assert_eq!(problems(&[("README.md", two), ("README.zh-CN.md", two)]), "");
        assert!(
            problems(&[("README.md", two), ("README.zh-CN.md", "## a\n```\n```")])
                .contains("1 `##`")
        );
        assert!(
            problems(&[("README.md", two), ("README.zh-CN.md", "## a\n## b")]).contains("0 code")
        );
        let row = "## a\n```\n```\n## b\n| x |\n";
        assert!(problems(&[("docs/a.md", row), ("docs/a.zh-CN.md", two)]).contains("0 table rows"));
        assert!(problems(&[("docs/a.zh-CN.md", two)]).contains("there is no docs/a.md"));
        assert_eq!(problems(&[("README.md", two)]), "");
    }
}
