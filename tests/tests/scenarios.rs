//! Plays every scenario file on every driver.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it ran"
)]

mod ocsf;

use std::sync::Mutex;

use tracegate_tests::drivers::envoy::Envoy;
use tracegate_tests::drivers::native::Native;
use tracegate_tests::drivers::wasm::Wasm;
use tracegate_tests::drivers::{Driver, Outcome, Play};
use tracegate_tests::envoy::{DEFAULT_VERSION, versions};
use tracegate_tests::scenario::format::files;
use tracegate_tests::scenario::run::{Report, Stage};

/// How many files are played at a time. On a real Envoy most of the time is waiting.
const AT_A_TIME: usize = 4;

fn play_all(play: impl Fn(&Stage) -> Report + Sync) {
    let files = Mutex::new(files().into_iter());
    let total = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(path) = files.lock().unwrap().next() else {
                        return;
                    };
                    let report = match Stage::open(&path) {
                        Ok(stage) => play(&stage),
                        Err(findings) => Report {
                            failures: vec![findings],
                            ..Report::default()
                        },
                    };
                    total.lock().unwrap().add(report);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!(
        "{} scenarios, {} exchanges",
        total.scenarios, total.exchanges
    );
    assert!(total.scenarios > 0, "no scenario was played");
    let failed = total.failures.len();
    let failures = total.failures.join("\n\n");
    assert!(failed == 0, "{failed} scenarios failed\n\n{failures}");
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

#[test]
fn every_scenario_holds_for_a_real_envoy_that_speaks_http2_on_both_sides() {
    play_all(|stage| stage.play(&mut Envoy::open_http2(&stage.setup, DEFAULT_VERSION)));
}

#[test]
fn every_scenario_holds_for_a_real_envoy_that_speaks_http3_to_its_clients() {
    play_all(|stage| {
        let envoy = Envoy::open_http3(&stage.setup, DEFAULT_VERSION);
        envoy.map_or_else(Report::default, |mut envoy| stage.play(&mut envoy))
    });
}

/// A driver whose records are held against the schema of OCSF.
struct Valid<D> {
    driver: D,
    schema: Option<jsonschema::Validator>,
}

impl<D: Driver> Driver for Valid<D> {
    fn name(&self) -> String {
        self.driver.name()
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn play(&mut self, play: &Play) -> Outcome {
        let outcome = self.driver.play(play);
        ocsf::assert_valid(self.schema.as_ref(), &outcome.record);
        outcome
    }

    fn leftovers(&mut self) -> Vec<String> {
        self.driver.leftovers()
    }
}

#[test]
fn every_record_of_a_scenario_is_valid_ocsf() {
    let schema = ocsf::schema();
    if schema.is_none() {
        return;
    }
    play_all(|stage| {
        let driver = Native::open(&stage.setup);
        let schema = ocsf::schema();
        stage.play(&mut Valid { driver, schema })
    });
}
