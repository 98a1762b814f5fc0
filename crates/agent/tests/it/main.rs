//! The wires, driven by what the real programs printed; one binary.

mod claude;
