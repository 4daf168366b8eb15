//! What stands in place of a hidden value.
