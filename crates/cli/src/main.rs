//! The larkline binary.
fn main() {}
