//! What some answers become.
