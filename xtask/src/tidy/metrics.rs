//! Metrics: every instrument that is registered has its row in the metrics page, and every row
//! its instrument.

use std::collections::BTreeSet;

use super::text;
use crate::workspace::Source;

/// Where instruments are declared.
const DECLARED: &str = "crates/gateway/src/metrics.rs";
/// Where they are described.
const PAGE: &str = "docs/metrics.md";
/// Opens a row of the table there.
const ROW: &str = "| `larkline_";

/// Compares the two lists.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let (Some(code), Some(page)) = (text(sources, DECLARED), text(sources, PAGE)) else {
        return Vec::new();
    };
    let declared: BTreeSet<&str> = code.split("register(").skip(1).filter_map(literal).collect();
    let rows = page.lines().filter_map(|line| line.strip_prefix(ROW)?.split('`').next());
    // The format adds the ending to counters.
    let described: BTreeSet<&str> = rows.map(|name| name.trim_end_matches("_total")).collect();
    let mut problems = Vec::new();
    for name in declared.difference(&described) {
        problems.push(format!("{DECLARED}: `larkline_{name}` has no row in {PAGE}"));
    }
    for name in described.difference(&declared) {
        problems.push(format!("{PAGE}: nothing registers `larkline_{name}`"));
    }
    problems
}

/// The string literal with which a call's arguments begin.
fn literal(arguments: &str) -> Option<&str> {
    arguments.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn instruments_and_rows_belong_together() {
        let code = "fn register(&mut self) {\n r.register(\"events\", \"x\", y);\n \
                    r.register(\n \"api_calls\",\n \"x\");";
        let check = |page: &str| check(&tree(&[(DECLARED, code), (PAGE, page)])).join("\n");
        let rows = "| `larkline_events` | gauge |\n| `larkline_api_calls_total` | counter |\n";
        assert_eq!(check(rows), "");
        assert!(check("| `larkline_events` | gauge |").contains("`larkline_api_calls` has no row"));
        assert!(check(&format!("{rows}| `larkline_gone` |")).contains("registers `larkline_gone`"));
    }
}
