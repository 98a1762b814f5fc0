//! The page of metrics against a real run, and the ready dashboard and rules against the page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use larkline_sim::Fault;
use serde_json::Value;

use crate::rig::{ECHO, Rig, figure};

/// Labels that the format or the scraper adds.
const OF_THE_FORMAT: [&str; 3] = ["le", "job", "instance"];

/// A metric as the page has it.
struct Row {
    kind: String,
    labels: BTreeSet<String>,
}

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap()
}

/// The rows of the page, by name.
fn rows() -> BTreeMap<String, Row> {
    let page = file("docs/metrics.md");
    let cells = page.lines().filter(|line| line.starts_with("| `larkline_")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`').to_owned();
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| label != "–").collect();
        (name, Row { kind: cells[2].to_owned(), labels })
    });
    cells.collect()
}

/// The metric that a series belongs to, when there is one of that type.
fn row_of<'r>(rows: &'r BTreeMap<String, Row>, series: &str) -> Option<&'r Row> {
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end));
    match histogram.and_then(|name| rows.get(name)) {
        Some(row) => Some(row).filter(|row| row.kind == "histogram"),
        None => rows.get(series).filter(|row| row.kind != "histogram"),
    }
}

/// The names of labels between braces.
fn labels(text: &str) -> BTreeSet<String> {
    let names = text.split("=\"").filter_map(|before| before.rsplit(['{', ',']).next());
    names.filter(|name| !name.is_empty() && !name.contains('"')).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_of_metrics_is_what_a_real_run_shows() {
    let rig = Rig::start(ECHO).await;
    rig.answered(&rig.say(&rig.guest, "hello")).await;
    rig.fault(Fault::Rst);
    rig.ledger("a new connection", |l| l.connections.len() == 2).await;
    rig.ready().await;
    rig.until("all figures", async || {
        rig.metrics().await.contains("larkline_link_reconnects_total{")
    })
    .await;
    let (page, rows) = (rig.metrics().await, rows());
    let mut seen = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("larkline_")) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, shown) = series.split_once('{').unwrap_or((series, ""));
        let row = row_of(&rows, name).unwrap_or_else(|| panic!("{name} has no such row"));
        let mut shown = labels(shown);
        shown.retain(|label| label != "le");
        assert_eq!(shown, row.labels, "{line}");
        seen.insert(name.to_owned());
    }
    // What only an agent brings about.
    let rare = BTreeSet::from(["larkline_session_resumes_total".to_owned()]);
    let missing: Vec<&String> = rows
        .iter()
        .filter(|(name, row)| {
            let name =
                if row.kind == "histogram" { format!("{name}_count") } else { (*name).clone() };
            !seen.contains(&name) && !rare.contains(&name)
        })
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "not shown by a real run: {missing:?}\n{page}");
}

/// Words of an expression, with what stands right behind each.
fn words(expression: &str) -> Vec<(&str, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_word) {
        rest = &rest[start..];
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        found.push((&rest[..end], &rest[end..]));
        rest = &rest[end..];
    }
    found
}

/// The series of an expression exist, and have the labels that it selects or groups by.
fn check(rows: &BTreeMap<String, Row>, expression: &str) {
    let mut known: BTreeSet<&str> = OF_THE_FORMAT.into();
    let mut used = 0;
    for (word, behind) in words(expression).into_iter().filter(|(w, _)| w.starts_with("larkline_"))
    {
        let row = row_of(rows, word).unwrap_or_else(|| panic!("no metric {word} in {expression}"));
        let selected = behind.strip_prefix('{').and_then(|rest| rest.split('}').next());
        for label in selected.unwrap_or_default().split(',').filter(|part| !part.is_empty()) {
            let label = label.trim().split(['=', '!']).next().unwrap();
            let known = row.labels.contains(label) || OF_THE_FORMAT.contains(&label);
            assert!(known, "{word} has no label {label}: {expression}");
        }
        known.extend(row.labels.iter().map(String::as_str));
        used += 1;
    }
    for (_, behind) in words(expression).into_iter().filter(|(w, _)| ["by", "ignoring"].contains(w))
    {
        let group = behind.trim_start().trim_start_matches('(').split(')').next().unwrap();
        for label in group.split(',') {
            assert!(known.contains(label.trim()), "nothing has the label {label}: {expression}");
        }
    }
    assert!(used > 0 || expression.starts_with("up{"), "nothing of ours in {expression}");
}

/// Splits at the operators of an expression that stand in no bracket.
fn operands(expression: &str) -> Vec<&str> {
    const OPERATORS: [&str; 8] = ["and", "or", "unless", ">", "<", "==", "-", "*"];
    let (mut parts, mut from, mut at, mut depth) = (Vec::new(), 0, 0, 0_usize);
    for word in expression.split_inclusive(' ') {
        if depth == 0 && OPERATORS.contains(&word.trim_end()) {
            parts.push(expression[from..at].trim());
            from = at + word.len();
        }
        depth = depth + word.matches(['(', '{']).count() - word.matches([')', '}']).count();
        at += word.len();
    }
    parts.push(expression[from..].trim());
    parts
}

/// What the words `by (…)`, `ignoring (…)` at the start of a text name, and what follows.
fn list<'e>(text: &'e str, word: &str) -> Option<(Vec<&'e str>, &'e str)> {
    let (names, rest) = text.strip_prefix(word)?.trim_start().strip_prefix('(')?.split_once(')')?;
    Some((names.split(',').map(str::trim).collect(), rest.trim()))
}

/// The labels of what an expression gives; none for a number. Both sides of an operation have to have
/// the same ones, or nothing matches and nothing is ever said.
fn shape(rows: &BTreeMap<String, Row>, expression: &str) -> Option<BTreeSet<String>> {
    let parts = operands(expression);
    if parts.len() > 1 {
        let ignored = parts.iter().filter_map(|part| list(part, "ignoring"));
        let ignored: Vec<&str> = ignored.flat_map(|(names, _)| names).collect();
        let shapes = parts.iter().filter_map(|part| {
            let part = list(part, "ignoring").map_or(*part, |(_, rest)| rest);
            let mut shape = shape(rows, part)?;
            shape.retain(|label| !ignored.contains(&label.as_str()));
            Some(shape)
        });
        let shapes: BTreeSet<_> = shapes.collect();
        assert!(shapes.len() < 2, "sides with different labels: {shapes:?} in {expression}");
        return shapes.into_iter().next();
    }
    let expression = expression.trim();
    if let Some(rest) = expression.strip_prefix("sum ") {
        if let Some((names, rest)) = list(rest, "by") {
            shape(rows, rest);
            return Some(names.into_iter().map(str::to_owned).collect());
        }
        let without = list(rest, "without");
        let (names, rest) = without.unwrap_or_else(|| panic!("which labels? {expression}"));
        let mut shape = shape(rows, rest)?;
        names.into_iter().for_each(|name| assert!(shape.remove(name), "no {name}: {expression}"));
        return Some(shape);
    }
    let name: String =
        expression.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if let Some(inner) = expression[name.len()..].strip_prefix('(') {
        let inner = inner.strip_suffix(')')?;
        let is_quantile = name == "histogram_quantile";
        let inner = if is_quantile { inner.split_once(", ")?.1 } else { inner };
        let mut shape = shape(rows, inner)?;
        assert!(!is_quantile || shape.remove("le"), "a quantile of no buckets: {expression}");
        return Some(shape);
    }
    let own = match row_of(rows, &name) {
        Some(row) => row.labels.clone(),
        None if name == "up" => BTreeSet::new(),
        None => return None,
    };
    let added = ["job", "instance"].into_iter().chain(name.ends_with("_bucket").then_some("le"));
    Some(own.into_iter().chain(added.map(str::to_owned)).collect())
}

/// `{{app}}` of a legend or an annotation.
fn named(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    parts
        .map(|name| name.trim().trim_start_matches("$labels."))
        .filter(|n| *n != "$value")
        .collect()
}

fn has_labels(rows: &BTreeMap<String, Row>, expression: &str, names: &[&str]) {
    let of_ours = words(expression).into_iter().filter_map(|(word, _)| row_of(rows, word));
    let known: BTreeSet<&String> = of_ours.flat_map(|row| &row.labels).collect();
    for name in names {
        assert!(known.contains(&(*name).to_owned()), "{name} of no series in {expression}");
    }
}

#[test]
fn the_alert_rules_name_what_exists_and_say_what_to_do() {
    let (rows, text) = (rows(), file("deploy/prometheus/larkline.rules.yml"));
    let rules: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 10, "{} rules", rules.len());
    for rule in rules {
        let expression = rule.split("expr: >-\n").nth(1).unwrap().lines().next().unwrap().trim();
        check(&rows, expression);
        assert!(shape(&rows, expression).is_some(), "{expression} gives a number");
        let of = |key: &str| {
            let line = rule.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
            line.trim().to_owned()
        };
        assert!(["severity: warning", "severity: critical"].contains(&of("severity:").as_str()));
        assert!(of("for:").ends_with(['m', 'h']) && of("action:").len() > "action: ''".len());
        has_labels(&rows, expression, &named(&of("summary:")));
    }
}

#[test]
fn the_dashboard_names_what_exists_and_shows_every_metric() {
    let rows = rows();
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/larkline.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = String::new();
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array()).flatten() {
        let expression = target["expr"].as_str().unwrap();
        check(&rows, expression);
        shape(&rows, expression);
        has_labels(&rows, expression, &named(target["legendFormat"].as_str().unwrap()));
        shown.push_str(expression);
        shown.push(' ');
    }
    for (name, row) in &rows {
        let is_shown = words(&shown).iter().any(|(word, _)| {
            word == name || row.kind == "histogram" && word.starts_with(&format!("{name}_"))
        });
        assert!(is_shown, "{name} is on no panel");
    }
}

#[tokio::test]
async fn closes_new_connections_and_heartbeat_timeouts_count_what_happened_and_each_alone() {
    let quick = "[link]\nprobe_interval = \"1s\"\nbackoff_quick = \"100ms\"\n";
    let rig = Rig::start(&format!("{ECHO}{quick}")).await;
    // Closes, connections, timeouts.
    let figures = async || {
        let page = rig.metrics().await;
        ["closes", "connects", "heartbeat_timeouts"]
            .map(|name| figure(&page, &format!("larkline_link_{name}")))
    };
    let is = |expected: [u32; 3]| expected.map(|n| Some(f64::from(n)));
    assert_eq!(figures().await, is([0, 1, 0]));
    for (nth, fault, expected) in [
        (2, Fault::Close { code: 1001, reason: "restart".to_owned() }, [1, 2, 0]),
        (3, Fault::Rst, [1, 3, 0]),
        (4, Fault::HalfOpen, [1, 4, 1]),
    ] {
        rig.fault(fault.clone());
        rig.ledger("a new connection", |l| l.connections.len() == nth).await;
        rig.ready().await;
        assert_eq!(figures().await, is(expected), "{fault:?}: {}", rig.log());
    }
    let page = rig.metrics().await;
    let causes = page.lines().filter(|line| line.starts_with("larkline_link_reconnects_total{"));
    let causes: BTreeSet<&str> = causes.collect();
    let expected = ["closed", "network", "silent"]
        .map(|cause| format!("larkline_link_reconnects_total{{app=\"main\",cause=\"{cause}\"}} 1"));
    assert_eq!(causes, expected.iter().map(String::as_str).collect(), "{page}");
}
