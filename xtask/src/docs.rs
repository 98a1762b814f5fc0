//! `cargo xtask docs`: writes what documents repeat from the code.
//!
//! The tests that compare those documents write them instead when the variable is set, so that
//! there is one description of what belongs there.

use anyhow::Result;

use crate::workspace::{self, Workspace};

/// Tells the tests to write.
const WRITE: &str = "LARKLINE_WRITE_DOCS";
/// Tests that know how: package, where its tests are, the start of their names.
const WRITERS: [(&str, &str, &str); 4] = [
    ("larkline-gateway", "--lib", "config::reference"),
    ("larkline-gateway", "--lib", "alert::rule"),
    ("larkline-cli", "--bins", "explain::reference"),
    ("larkline-cli", "--test=it", "doctor::table::page"),
];

/// Rewrites every generated part.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    for (package, target, tests) in WRITERS {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--locked", "--quiet", target, "-p", package, tests]);
        workspace::output(cargo.env(WRITE, "1"))?;
    }
    println!(
        "docs: docs/configuration.md, docs/larkline.schema.json, docs/alerts.md, \
         docs/errors/strings.md and docs/doctor-faults.md are what the code says"
    );
    Ok(())
}
