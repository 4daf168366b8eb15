//! The leak matrix: each secret of the catalogue in each shape in which an answer can come, cut at every
//! place, on all three drivers. Nothing of the secret may reach the client or the record.
//!
//! `docs/leak-matrix.md` is written from the same list of cases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it ran"
)]

mod matrix;

use std::collections::BTreeMap;

use matrix::secrets::{AFTER, BEFORE, HOST, LONG_PIECE, PIECE, Secret, secrets};
use matrix::shapes::{SHAPES, Shape};
use matrix::{page, policy};
use tracegate_tests::drivers::envoy::Envoy;
use tracegate_tests::drivers::native::Native;
use tracegate_tests::drivers::wasm::Wasm;
use tracegate_tests::drivers::{Driver, Outcome, Play, Setup};
use tracegate_tests::envoy::DEFAULT_VERSION;
use tracegate_tests::http::{Request, contains};

/// How many failures are told; the others are alike.
const TOLD: usize = 12;

fn setup() -> Setup {
    Setup::compile("leak matrix", &policy(), BTreeMap::new()).unwrap()
}

/// Plays every case. The number of exchanges of each shape is part of the claim, and printed.
fn play_all(driver: &mut dyn Driver, http2: bool) {
    let slow = driver.is_slow();
    let secrets = secrets();
    let mut wrong = Vec::new();
    let mut total = 0;
    for shape in SHAPES {
        let mut exchanges = 0;
        for secret in &secrets {
            for (cut, response) in shape.cases(secret, slow) {
                exchanges += 1;
                let play = Play {
                    request: Request::new("GET", HOST, "/v1/answers"),
                    http2,
                    response,
                    ..Play::default()
                };
                if let Err(reason) = check(shape, secret, &driver.play(&play)) {
                    let detector = &secret.detector;
                    wrong.push(format!("{} / {detector} / {cut}: {reason}", shape.name));
                    break;
                }
            }
        }
        println!("{exchanges:>7}  {}", shape.name);
        total += exchanges;
    }
    println!("{total:>7}  exchanges on {}", driver.name());
    let count = wrong.len();
    wrong.truncate(TOLD);
    assert!(count == 0, "{count} cases fail:\n{}", wrong.join("\n"));
}

/// Whether all of the answer came, but for the secret.
fn check(shape: &Shape, secret: &Secret, outcome: &Outcome) -> Result<(), String> {
    let response = &outcome.response;
    let body = response.text();
    if response.status != 200 || !response.complete {
        return Err(format!(
            "{}, complete: {}: {body}",
            response.status, response.complete
        ));
    }
    let text = shape.read(&response.body)?;
    if !text.starts_with(BEFORE) || !text.ends_with(AFTER) {
        return Err(format!("what surrounds the secret was harmed: {text:?}"));
    }
    let frame = shape.frame();
    for piece in secret.pieces(PIECE).filter(|piece| !frame.contains(*piece)) {
        if text.contains(piece) {
            return Err(format!("the text shows {piece:?}: {text:?}"));
        }
        if body.contains(piece) {
            return Err(format!("the answer holds {piece:?}: {body}"));
        }
    }
    for piece in secret.pieces(LONG_PIECE) {
        if response.mentions(piece) {
            return Err(format!("the headers hold {piece:?}"));
        }
        if contains(&outcome.record, piece) {
            return Err(format!("the record holds {piece:?}"));
        }
    }
    Ok(())
}

#[test]
fn nothing_leaks_from_the_engine() {
    play_all(&mut Native::open(&setup()), false);
}

#[test]
fn nothing_leaks_from_the_compiled_filter() {
    play_all(&mut Wasm::open(&setup()), false);
}

#[test]
fn nothing_leaks_from_a_real_envoy() {
    play_all(&mut Envoy::open(&setup(), DEFAULT_VERSION), false);
}

#[test]
fn nothing_leaks_from_a_real_envoy_over_http2() {
    play_all(&mut Envoy::open_http2(&setup(), DEFAULT_VERSION), true);
}

/// The check itself is checked: what passes everything on must fail it in every shape.
#[test]
fn an_answer_that_is_passed_on_as_it_came_fails_in_every_shape() {
    let secrets = secrets();
    for shape in SHAPES {
        for secret in &secrets {
            for (cut, message) in shape.cases(secret, true) {
                let mut outcome = Outcome::default();
                outcome.response.status = 200;
                outcome.response.complete = true;
                outcome.response.body = shape.plain(&message);
                let caught = check(shape, secret, &outcome);
                assert!(
                    caught.is_err(),
                    "{} / {} / {cut}",
                    shape.name,
                    secret.detector
                );
            }
        }
    }
}

#[test]
fn the_page_tells_the_matrix_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/leak-matrix.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == page,
        "docs/leak-matrix.md is stale; renew it with \
         `UPDATE_DOCS=1 cargo test --workspace --test leak_matrix the_page`"
    );
}
