//! The compiled policy: what `policy-compiler` writes and the filter enforces.
//!
//! A [`Bundle`] is the policy author's YAML after everything that can be decided ahead of time has
//! been decided: names resolved to indices, paths split into steps, every pattern turned into a
//! table of transitions. The filter therefore never parses YAML and never compiles a regular
//! expression, and what it enforces is, byte for byte, what was reviewed and signed.
//!
//! - [`policy`]: the types.
//! - [`automaton`]: the transition tables of patterns, checked when they are read.
//! - [`limits`]: how large each part may be; checked when a bundle is read.
//! - [`dsse`]: the envelope with its Ed25519 signatures.
//!
//! The bytes are canonical: the same bundle always serialises to the same bytes, so its SHA-256
//! digest names it in records, metrics and Git.

pub mod automaton;
pub mod dsse;
pub mod limits;
pub mod policy;

mod codec;
mod config;
#[cfg(test)]
mod fixture;

pub use codec::{Digest, LoadError, MAX_BYTES};
pub use config::{ConfigurationError, MAX_CONFIGURATION, PluginConfiguration};
pub use policy::Bundle;
