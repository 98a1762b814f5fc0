//! The real binary against the simulator: one module an area, laws as names.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step of a test is a failed test, in its helpers too"
)]

mod agent;
mod alerting;
mod alerts;
mod alive;
mod attempts;
mod banner;
mod callbacks;
mod causes;
mod clock;
mod config;
mod crash;
mod dashboard;
mod dead;
mod delivery;
mod demo;
mod disk;
mod doctor;
mod equation;
mod exit_codes;
mod explain;
mod governor;
mod guide;
mod init;
mod instance;
mod jobs;
mod language;
mod line;
mod listener;
mod lists;
mod llm;
mod look;
mod lost_output;
mod mcp;
mod meter;
mod metrics_page;
mod probe;
mod proof;
mod proofs;
mod recall;
mod reload;
mod renamed;
mod restart;
mod rig;
mod routes;
mod scripted_agent;
mod scripts;
mod service;
mod service_manager;
mod service_state;
mod sessions;
mod signs;
mod start;
mod stop;
mod story;
mod talkback;
mod tls;
mod verdicts;
mod waiting;
mod watch;
mod ways;
mod whose;
mod wrong_usage;
