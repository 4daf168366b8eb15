//! Plays every scenario file on every driver.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it ran"
)]

use tracegate_tests::drivers::envoy::Envoy;
use tracegate_tests::drivers::native::Native;
use tracegate_tests::drivers::wasm::Wasm;
use tracegate_tests::envoy::versions;
use tracegate_tests::scenario::format::files;
use tracegate_tests::scenario::run::{Report, Stage};

fn play_all(play: impl Fn(&Stage) -> Report) {
    let mut total = Report::default();
    for path in files() {
        match Stage::open(&path) {
            Ok(stage) => total.add(play(&stage)),
            Err(findings) => total.failures.push(findings),
        }
    }
    println!(
        "{} scenarios, {} exchanges",
        total.scenarios, total.exchanges
    );
    assert!(total.scenarios > 0, "no scenario was played");
    let failed = total.failures.len();
    assert!(
        failed == 0,
        "{failed} scenarios failed\n\n{}",
        total.failures.join("\n\n")
    );
}

#[test]
fn every_scenario_holds_for_the_engine_alone() {
    play_all(|stage| stage.play(&mut Native::open(&stage.setup)));
}

#[test]
fn every_scenario_holds_for_the_compiled_filter() {
    play_all(|stage| stage.play(&mut Wasm::open(&stage.setup)));
}

#[test]
fn every_scenario_holds_for_a_real_envoy() {
    for version in versions() {
        println!("Envoy {version}");
        play_all(|stage| stage.play(&mut Envoy::open(&stage.setup, &version)));
    }
}
