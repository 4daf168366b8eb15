//! Which rule applies.

pub mod body;
