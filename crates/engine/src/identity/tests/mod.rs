//! Identity as a caller, an attacker, an issuer and an outage see it.

mod attacks;
mod claims;
mod headers;
mod key_sets;
mod oracle;
mod refresh;
mod signatures;
mod support;
