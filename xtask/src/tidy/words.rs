//! Rules for the documents a stranger reads: no claim that cannot hold, two READMEs of one shape.
//!
//! Whether a sentence is true is not here; whether a requirement has its test is `requirements`.

use super::text;
use crate::workspace::Source;

/// Claims no distributed system can keep.
const BANNED: [&str; 1] = ["exactly once"];
/// On a line that must name such a claim in order to deny it.
const QUOTING: &str = "<!-- tidy: quoting -->";
/// The two languages of the front page.
const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

/// Applies the rules to every document.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let documents = sources.iter().filter(|source| {
        source.path.starts_with("README")
            || source.path.starts_with("docs/")
            || source.path == "CHANGELOG.md"
    });
    let mut problems: Vec<String> = documents.flat_map(claims).collect();
    if let [Some(english), Some(chinese)] = READMES.map(|path| text(sources, path)) {
        for (what, mark) in [("`##` headings", "## "), ("code fences", "```")] {
            let [here, there] = [english, chinese]
                .map(|text| text.lines().filter(|line| line.starts_with(mark)).count());
            if here != there {
                problems.push(format!("README.zh-CN.md: {there} {what}, but README.md has {here}"));
            }
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
    fn the_readmes_have_one_shape() {
        let two = "## a\n```\n```\n## b\n";
        assert_eq!(problems(&[("README.md", two), ("README.zh-CN.md", two)]), "");
        assert!(
            problems(&[("README.md", two), ("README.zh-CN.md", "## a\n```\n```")])
                .contains("1 `##`")
        );
        assert!(
            problems(&[("README.md", two), ("README.zh-CN.md", "## a\n## b")]).contains("0 code")
        );
        assert_eq!(problems(&[("README.md", two)]), "");
    }
}
