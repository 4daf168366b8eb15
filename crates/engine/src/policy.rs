//! How a bundle becomes the running policy, and when it is refused.

use crate::refusal::Refusal;

/// The keys whose signature on a bundle counts.
#[derive(Clone, Debug, Default)]
pub struct Trust {}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Its bundle is enforced from now on.
    Enforced,
    /// Its bundle must not be enforced. What ran before goes on; if nothing did, all is denied.
    Refused(Refusal),
    /// It is not a configuration at all: the proxy should reject it.
    Malformed(String),
}
