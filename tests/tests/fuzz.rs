//! The fuzz targets on the stable toolchain, for a few seconds each: the same inputs on every run.
//!
//! `FUZZ_SECONDS=600 cargo test -p tracegate-tests --test fuzz` goes on for longer; `fuzz/` has the
//! same targets for libFuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../fuzz/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a crate of its own for libFuzzer"
)]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use targets::mutate::{Random, mutated};

/// How many inputs, and for how long: whichever ends first.
fn budget() -> (u64, Duration) {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    match seconds.and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => (u64::MAX, Duration::from_secs(seconds)),
        None => (10_000, Duration::from_secs(5)),
    }
}

fn run(target: &str, seeds: &[Vec<u8>], body: fn(&[u8])) {
    for seed in seeds {
        body(seed);
    }
    let (most, duration) = budget();
    let deadline = Instant::now() + duration;
    let mut random = Random::new(0x7261_6365);
    let mut inputs = 0;
    while inputs < most && Instant::now() < deadline {
        let input = mutated(seeds, &mut random);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(&input))) {
            eprintln!(
                "{target}: input {inputs} breaks it: b\"{}\"",
                input.escape_ascii()
            );
            std::panic::resume_unwind(panic);
        }
        inputs += 1;
    }
    eprintln!("{target}: {inputs} inputs");
}

#[test]
fn no_bytes_break_the_bundle_loader() {
    run("bundle", &targets::bundle::seeds(), targets::bundle::run);
}

#[test]
fn no_bytes_pass_for_a_token() {
    run("token", &targets::token::seeds(), targets::token::run);
}

#[test]
fn no_cut_changes_what_is_masked() {
    run("masking", &targets::masking::seeds(), targets::masking::run);
}

#[test]
fn no_text_breaks_the_policy_compiler() {
    run("policy", &targets::policy::seeds(), targets::policy::run);
}
