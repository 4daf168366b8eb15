//! The keys of an issuer in a process with several workers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use std::time::{Duration, Instant};

use corp::Corp;
use tracegate_tests::proxy::Deployment;
use tracegate_tests::standins::idp::Mood;

#[test]
fn one_worker_fetches_the_keys_for_all() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).workers(4).start();

    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let response = proxy.send(&corp.request("GET", "/v1/models"));
                assert_eq!(response.status, 200, "{}", response.text());
            });
        }
    });

    assert_eq!(corp.idp.fetches(), 1);
    assert_eq!(
        proxy.metrics()["tracegate_jwks_fetches_total{outcome=success}"],
        1
    );
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_and_an_old_one_is_forgotten() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).workers(2).start();
    let old = corp.request("GET", "/v1/models");
    assert_eq!(proxy.send(&old).status, 200);

    corp.idp.replace_keys("key-2", "ES256");
    let new = corp.request("GET", "/v1/models");
    // An unknown key is asked for at once, but not more often than the cool-down allows.
    wait_for(|| proxy.send(&new).status == 200);

    wait_for(|| proxy.send(&old).status == 401);
    assert!(corp.idp.fetches() <= 3, "{} fetches", corp.idp.fetches());
}

#[test]
fn an_issuer_that_is_gone_stops_nobody_whose_keys_are_known() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).start();
    assert_eq!(proxy.send(&corp.request("GET", "/v1/models")).status, 200);
    corp.idp.set_mood(Mood::Gone);
    assert_eq!(proxy.send(&corp.request("GET", "/v1/models")).status, 200);
}

#[test]
fn an_issuer_that_is_slow_makes_the_first_requests_wait() {
    let corp = Corp::new();
    corp.idp.set_mood(Mood::Slow(Duration::from_millis(700)));
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).start();
    assert_eq!(proxy.send(&corp.request("GET", "/v1/models")).status, 200);
    assert_eq!(corp.idp.fetches(), 1);
}

#[test]
fn an_issuer_that_does_not_answer_ends_in_503_and_not_in_waiting() {
    let corp = Corp::new();
    corp.idp.set_mood(Mood::Slow(Duration::from_secs(60)));
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).start();
    let start = Instant::now();
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 503);
    assert_eq!(response.json()["code"], "jwks.unavailable");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it did not come to that"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_new_key_under_the_old_name_is_fetched_when_a_token_needs_it() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).workers(2).start();
    let old = corp.request("GET", "/v1/models");
    assert_eq!(proxy.send(&old).status, 200);

    corp.idp.replace_keys("key-1", "ES256");
    let new = corp.request("GET", "/v1/models");
    let mut refusals = 0;
    wait_for(|| {
        let response = proxy.send(&new);
        if response.status != 200 {
            refusals += 1;
            assert_eq!(response.json()["code"], "jwt.signature");
        }
        response.status == 200
    });

    wait_for(|| proxy.send(&old).status == 401);
    // However many tokens did not verify, the issuer was asked once more.
    assert!(
        corp.idp.fetches() <= 3,
        "{refusals} refusals, {} fetches",
        corp.idp.fetches()
    );
}
