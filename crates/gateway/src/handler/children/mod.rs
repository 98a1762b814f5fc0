//! Child processes of handlers: started, limited, watched, and ended with all they started.
//!
//! `proc` reads processes, `tree` knows who belongs to a child and ends them, `streams` moves
//! the pipes, `run` is one child's life, `registry` remembers who runs, across boots. What a
//! child is told and what its answer means is not here: handlers decide that.

mod proc;
mod registry;
mod run;
mod streams;
mod tree;

pub use proc::ProcessId;
pub use registry::{ChildInfo, Children, Stale, left_behind};
pub use run::Limits;
pub(in crate::handler) use run::{End, Job, Outcome};
