//! What callers do not see.
