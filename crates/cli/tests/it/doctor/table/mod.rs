//! The table of faults: each is put in, really, and must lead to its verdict. `docs/doctor-faults.md`
//! is written from it.

mod console;
mod instance;
mod local;
mod network;
mod page;
mod platform;
mod proxy;
mod start;
mod tls;

use std::pin::Pin;

use larkline_proto::id::AppId;
use larkline_sim::{AppSpec, DEMO_APP_ID, Fault};

use super::{BRIEF, Diagnosis, Expected, PATIENT, is};
use crate::rig::{ECHO, Rig};

/// One fault, and what it has to lead to.
struct Row {
    en: &'static str,
    zh: &'static str,
    by: By,
    expected: Expected,
    /// For each step; those that never answer get less.
    limit: [&'static str; 2],
}

/// A diagnosis under a fault; `None` where the machine does not allow it, which is said.
type Own = Pin<Box<dyn Future<Output = Option<Diagnosis>>>>;

/// How a fault is put in.
enum By {
    /// The simulator's own.
    Sim(fn() -> Fault),
    /// The same beside a running gateway with a verified link.
    Live(fn() -> Fault),
    /// The app in the simulator's console; with the routes of the configuration.
    Console(&'static str, fn(&mut AppSpec)),
    /// Variables.
    Env(&'static [(&'static str, &'static str)]),
    /// Something of its own, in words.
    Own(&'static str, fn() -> Own),
}

impl By {
    fn words(&self) -> &'static str {
        match self {
            Self::Sim(_) => "simulator",
            Self::Live(_) => "simulator, beside a gateway",
            Self::Console(..) => "simulator's console",
            Self::Env(_) => "environment",
            Self::Own(words, _) => words,
        }
    }
}

const fn row(en: &'static str, zh: &'static str, by: By, expected: Expected) -> Row {
    Row { en, zh, by, expected, limit: PATIENT }
}

impl Row {
    /// One of its steps never answers.
    const fn silent(self) -> Self {
        Self { limit: BRIEF, ..self }
    }
}

/// Every row, in the order of the page.
fn all() -> impl Iterator<Item = Row> {
    let sections = [
        console::credentials(),
        network::rows(),
        tls::rows(),
        proxy::rows(),
        console::rows(),
        instance::rows(),
        local::rows(),
        start::rows(),
        platform::rows(),
    ];
    sections.into_iter().flatten()
}

/// Puts each in, asks, and takes it out again.
async fn drive(rows: Vec<Row>) {
    let rig = Rig::new(ECHO).await;
    let (mut running, mut wrong) = (None, Vec::new());
    for Row { en, by, expected, limit, .. } in rows {
        let diagnosis = match by {
            By::Sim(fault) => {
                rig.fault(fault());
                let diagnosis = Diagnosis::with(&rig, &[], &limit).await;
                rig.fault(Fault::Clear);
                Some(diagnosis)
            }
            By::Live(fault) => {
                let rig = match running.take() {
                    Some(rig) => rig,
                    None => Rig::start(ECHO).await,
                };
                rig.fault(fault());
                let diagnosis = Diagnosis::with(&rig, &[], &limit).await;
                rig.fault(Fault::Clear);
                running = Some(rig);
                Some(diagnosis)
            }
            By::Console(routes, change) => {
                rig.configure(routes);
                let id = AppId::new(DEMO_APP_ID);
                rig.sim.platform().console(&id, change).unwrap();
                let diagnosis = Diagnosis::with(&rig, &[], &["--timeout", "20", "--no-link"]).await;
                rig.sim.platform().console(&id, |spec| *spec = AppSpec::default()).unwrap();
                rig.configure(ECHO);
                Some(diagnosis)
            }
            By::Env(variables) => Some(Diagnosis::with(&rig, variables, &limit).await),
            By::Own(_, diagnose) => diagnose().await,
        };
        wrong.extend(diagnosis.and_then(|diagnosis| diagnosis.verdict_is(en, expected).err()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn faults_of_credentials_lead_to_their_verdicts() {
    drive(console::credentials()).await;
}

#[tokio::test]
async fn faults_of_the_network_lead_to_their_verdicts() {
    drive(network::rows()).await;
}

#[tokio::test]
async fn faults_of_tls_lead_to_their_verdicts() {
    drive(tls::rows()).await;
}

#[tokio::test]
async fn faults_of_proxies_lead_to_their_verdicts() {
    drive(proxy::rows()).await;
}

#[tokio::test]
async fn faults_of_the_app_in_the_console_lead_to_their_verdicts() {
    drive(console::rows()).await;
}

#[tokio::test]
async fn other_instances_lead_to_their_verdicts() {
    drive(instance::rows()).await;
}

#[tokio::test]
async fn faults_of_this_machine_lead_to_their_verdicts() {
    drive(local::rows()).await;
}

#[tokio::test]
async fn what_keeps_the_gateway_from_starting_leads_to_its_verdict() {
    drive(start::rows()).await;
}

#[tokio::test]
async fn faults_of_the_platform_lead_to_their_verdicts() {
    drive(platform::rows()).await;
}
