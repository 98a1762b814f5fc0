//! Child processes of handlers: started, limited, watched, and ended with all they started.
//!
//! `isolation` finds out what the machine offers, `launch` starts programs so that limits hold
//! from the first instruction. `proc` reads processes, `cgroup` control groups; `tree` knows who
//! belongs to a child and ends them, `usage` and `gauge` measure them. `streams` moves the pipes
//! into an `exchange`, which cuts them into `lines`; `running` and `life` are one child from its
//! start to its end, told everything at once, or talked to (`talk`). `registry` remembers who
//! runs, in a `record` across boots. What a child is told and what its answer means is not here:
//! handlers decide that.

mod cgroup;
mod exchange;
mod gauge;
mod isolation;
mod job;
mod launch;
mod life;
mod lines;
mod own_group;
mod proc;
mod record;
mod registry;
mod running;
mod streams;
mod talk;
#[cfg(test)]
mod tests;
mod tree;
mod usage;

pub use isolation::{Isolating, Isolation};
pub use job::Limits;
pub(in crate::handler) use job::{End, Job, Outcome};
pub use proc::ProcessId;
pub use record::ChildInfo;
pub use registry::{Children, Stale, left_behind};
pub(in crate::handler) use talk::{Heard, Talk};
pub use usage::ChildUsage;
