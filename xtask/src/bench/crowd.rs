//! A row of size: what a message costs when ten million are journaled already.
//!
//! The store is timed by its example `crowded`, without a gateway around it: what grows with the
//! number of messages is the file alone.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::figure::{Row, short};
use super::rig::Tools;
use super::speed::number;
use crate::workspace;

/// Messages in the small journal.
const FEW: u32 = 10_000;
/// Messages in the large one.
const MANY: u32 = 10_000_000;
/// Messages in the large one of a quick run, or where there is no room for more.
const FEWER: u32 = 1_000_000;
/// Free disk that the large journal wants, bytes: twice what it takes.
const ROOM: u64 = 25_000_000_000;
/// How often something may take what it takes in the small journal.
const GOAL: f64 = 2.0;
/// What is timed: a name for people, and the report's.
const TIMED: [(&str, &str); 4] = [
    ("accept", "accept_us"),
    ("duplicate", "duplicate_us"),
    ("claim", "claim_us"),
    ("explain", "explain_us"),
];

/// The same in a small journal and in a large one.
pub(super) fn journal(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let (many, why) = if rounds == 2 {
        (FEWER, "1 000 000 only, in a quick run; ")
    } else if free(tools)? < ROOM {
        (FEWER, "1 000 000 only, for want of free disk; ")
    } else {
        (MANY, "")
    };
    let (small, large) = (timed(tools, FEW)?, timed(tools, many)?);
    let mut row = compared(&small, &large, why);
    if many < MANY {
        // It says nothing of ten million.
        row.met = row.met.filter(|met| !met);
    }
    println!("journal   {} ×: {}", short(row.our_median()), row.remark);
    Ok(vec![row])
}

/// The worst of the ratios, with all of them beside it.
fn compared(small: &Value, large: &Value, why: &str) -> Row {
    let what = "time at 10 000 000 journaled messages against 10 000: accept · duplicate · claim · explain";
    let mut row = Row::new("crowd", what, "≤ 2 ×", "×");
    let ratios = TIMED.map(|(_, key)| number(&large[key]["p50"]) / number(&small[key]["p50"]));
    // A time that is missing is no good time: `max` would pass over it.
    let worst = ratios.into_iter().fold(0.0, |worst, ratio| match ratio {
        ratio if ratio.is_nan() => f64::INFINITY,
        ratio => ratio.max(worst),
    });
    row.ours.push(worst);
    let each = TIMED.iter().zip(ratios).map(|((name, key), ratio)| {
        let (few, many) = (&small[key]["p50"], &large[key]["p50"]);
        format!("{name} {} × ({few} → {many} µs)", short(ratio))
    });
    let gigabytes = number(&large["bytes"]) / 1e9;
    row.remark = format!("{why}{}; {} GB", each.collect::<Vec<_>>().join(", "), short(gigabytes));
    row.at_most(GOAL)
}

/// One journal: made, timed, deleted.
fn timed(tools: &Tools, messages: u32) -> Result<Value> {
    println!("journal   {messages} messages");
    let home = tools.scratch.join("crowd");
    fs::create_dir_all(&home)?;
    let mut crowded = Command::new(&tools.crowded);
    let report = workspace::output(crowded.arg(&home).arg(messages.to_string()));
    // It is large: it goes also when the run failed.
    fs::remove_dir_all(&home)?;
    Ok(serde_json::from_str(&report?)?)
}

/// Bytes that the disk of the scratch folder has left for us.
fn free(tools: &Tools) -> Result<u64> {
    fs::create_dir_all(&tools.scratch)?;
    let mut df = Command::new("df");
    let said = workspace::output(df.args(["--output=avail", "-B1"]).arg(&tools.scratch))?;
    let bytes = said.lines().nth(1).context("df says nothing of the disk")?;
    Ok(bytes.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(us: [u32; 4]) -> Value {
        let mut report = json!({"bytes": 9_000_000_000_u64});
        for ((_, key), us) in TIMED.iter().zip(us) {
            report[key] = json!({"p50": us, "p95": us});
        }
        report
    }

    #[test]
    fn the_worst_ratio_is_the_figure() {
        let few = report([100, 100, 100, 100]);
        let row = compared(&few, &report([150, 120, 200, 110]), "");
        assert_eq!((row.ours.median(), row.met), (Some(2.0), Some(true)));
        assert!(row.remark.contains("claim 2.00 × (100 → 200 µs)"), "{}", row.remark);
        let row = compared(&few, &report([150, 220, 200, 110]), "");
        assert_eq!((row.ours.median(), row.met), (Some(2.2), Some(false)));
    }

    #[test]
    fn a_time_that_is_missing_meets_no_goal() {
        let row = compared(&report([1, 1, 1, 1]), &json!({}), "");
        assert_eq!(row.met, Some(false));
    }
}
