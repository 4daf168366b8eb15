//! Stand-ins for what stands around the proxy: an identity provider and a reasoning engine.
//!
//! Both are one scripted HTTP server ([`server`]) with different answers. They run on the loopback
//! interface, on a port that the system chooses, and end when they are dropped.

pub mod engine;
pub mod idp;
pub mod keys;
pub mod server;

pub(crate) mod frames;
