//! The command line of the policy compiler.
fn main() {}
