//! Which rule applies.
