//! The real binary against the simulator: one module an area, laws as names.

mod demo;
mod line;
mod rig;
