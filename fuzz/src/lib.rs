//! What reads bytes that strangers write, and what must hold whatever they write.
//!
//! Each module is one target: `run` takes any bytes and panics when a property does not hold, `seeds`
//! gives inputs that lead deep into the code. They run under libFuzzer (`cargo +nightly fuzz run
//! token`) and, mutated by [`mutate`], in the ordinary tests.

pub mod bundle;
pub mod masking;
pub mod mutate;
pub mod policy;
pub mod token;

mod fixture;
