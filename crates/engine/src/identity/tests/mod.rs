//! Identity as a caller, an attacker, an issuer and an outage see it.

mod attacks;
mod claims;
mod headers;
mod key_sets;
mod oracle;
pub(super) mod process;
mod refresh;
mod signatures;
mod support;
mod wycheproof;
