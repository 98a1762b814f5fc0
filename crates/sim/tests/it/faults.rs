//! Faults: each changes what a client sees, and only that.
