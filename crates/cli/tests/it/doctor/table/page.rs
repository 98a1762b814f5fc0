//! Keeps `docs/doctor-faults.md` what the table says.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Row, all};

/// Set by `cargo xtask docs`: the page is written instead of compared.
const WRITE: &str = "LARKLINE_WRITE_DOCS";
/// Fewer would leave out something that is known to happen.
const FAULTS_MIN: usize = 40;

const HEAD: &str = "# Faults and their verdicts

Each of these is put in, really, against the simulator, and `larkline doctor` must give this verdict: the line that
decides, words of that line or of its next step, and the exit code. Written from `crates/cli/tests/it/doctor/table`
(`cargo xtask docs`), whose tests are the proof. What a verdict means stands in [doctor.md](doctor.md#verdicts).

下列每个故障都会真实注入（对着模拟器），`larkline doctor` 必须给出表中的结论：起决定作用的一行、其中的文字（或下一步的文字）和退出码。
各结论的含义见 [doctor.md](doctor.md#verdicts)。healthy 的行是警告，不改变退出码。

| fault | 故障 | put in by | verdict | 结论 | exit code | line | says |
|---|---|---|---|---|---|---|---|
";

fn zh(verdict: &str) -> &'static str {
    match verdict {
        "healthy" => "健康",
        "credentials" => "凭据",
        "network" => "网络",
        "TLS" => "TLS",
        "proxy" => "代理",
        "platform config" => "平台配置",
        "other instance" => "其他实例",
        "local fault" => "本机故障",
        "platform" => "平台",
        other => panic!("{other} is no verdict"),
    }
}

fn line(Row { en, zh: shown, by, expected, .. }: &Row) -> String {
    let (verdict, says) = (expected.verdict, expected.says.replace('\\', ""));
    format!(
        "| {en} | {shown} | {} | {verdict} | {} | {} | `{}` | {says} |\n",
        by.words(),
        zh(verdict),
        expected.code,
        expected.check,
    )
}

#[test]
fn the_page_of_faults_is_what_the_table_says() {
    let wanted = all().fold(HEAD.to_owned(), |page, row| page + &line(&row));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor-faults.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == wanted, "docs/doctor-faults.md is not what the tests say: cargo xtask docs");
}

#[test]
fn the_faults_are_many_and_no_two_the_same() {
    let names: Vec<&str> = all().map(|row| row.en).collect();
    let different: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
    assert!(names.len() >= FAULTS_MIN, "{}", names.len());
    let verdicts: BTreeSet<&str> = all().map(|row| row.expected.verdict).collect();
    assert_eq!(verdicts.len(), 9, "every verdict has a fault: {verdicts:?}");
}
