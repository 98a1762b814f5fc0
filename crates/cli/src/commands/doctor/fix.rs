//! `doctor --fix`: one QR code an app that adds what it lacks in the console.

use larkline_client::Dialer;
use larkline_client::registration::{Accounts, Registrar, Wanted};
use larkline_proto::id::AppId;

use super::console::Findings;
use super::platform::Patient;
use super::report::{Check, Report};
use crate::args::DoctorArgs;
use crate::commands::register;
use crate::lang::either;

/// What an app lacks, and the means to ask for it.
pub(super) struct Gap {
    app_id: AppId,
    wanted: Wanted,
    accounts: Accounts,
    dialer: Dialer,
}

impl Gap {
    /// `None` when the app has everything, as far as it can be read.
    pub(super) fn of(patient: &Patient<'_>, findings: Findings) -> Option<Self> {
        let Findings { mut missing, unread, .. } = findings;
        if missing.is_empty() {
            return None;
        }
        // Asked for as well: what the app has already stays as it is.
        missing.extend(unread);
        let wanted = register::wanted(&missing, Some(patient.app.app_id.clone()));
        let accounts = Accounts::of(&patient.app.domain);
        Some(Self {
            app_id: patient.app.app_id.clone(),
            wanted,
            accounts,
            dialer: patient.dialer.clone(),
        })
    }
}

/// Draws a code for each app and waits; whether all was allowed.
pub(super) async fn all(report: &mut Report, gaps: Vec<Gap>, args: &DoctorArgs) -> bool {
    const NAME: &str = "fix";
    let mut allowed = true;
    for Gap { app_id, wanted, mut accounts, dialer } in gaps {
        accounts.base = args.accounts.clone().unwrap_or(accounts.base);
        let list = register::listed(&wanted);
        let registrar = Registrar::new(dialer, accounts, args.timeout);
        match register::run(&registrar, &wanted).await {
            Ok(done) if done.app_id == app_id => {
                report.add(Check::pass(
                    NAME,
                    say!(zh: "已加到 {app_id}：{list}", en: "added to {app_id}: {list}"),
                ));
            }
            Ok(other) => {
                allowed = false;
                let what = say!(
                    zh: "加到了另一个应用 {other}",
                    en: "it was added to another app, {other}",
                    other = other.app_id
                );
                let next = either("请再运行一次并选择此应用", "run it again and choose this app");
                let class = crate::exit::Class::PlatformConfig;
                report.add(Check::fail(NAME, class, what).next(next));
            }
            Err(failed) => {
                allowed = false;
                report.add(Check::fail(NAME, failed.class, failed.what).next(failed.next));
            }
        }
    }
    allowed
}
