//! Policies that end: while they run, as an update, and before they ever ran.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use std::time::{Duration, Instant};

use corp::{Corp, SECRET, tell_secrets};
use serde_json::Value;
use tracegate_tests::drivers::Setup;
use tracegate_tests::http::Response;
use tracegate_tests::proxy::{Deployment, Proxy};
use tracegate_tests::standins::idp;

const PATIENCE: Duration = Duration::from_secs(40);

/// A policy of the company that ends that many seconds from now.
fn ending(corp: &Corp, revision: u64, seconds: i64) -> Setup {
    let end = u64::try_from(idp::now() + seconds).unwrap();
    let expires = format!("spec:\n  expires: {}\n", policy_compiler::Instant(end));
    corp.compiled(&corp.policy(revision, "DELETE").replace("spec:\n", &expires))
}

fn ask(proxy: &Proxy, corp: &Corp) -> (Response, Value) {
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    let record = serde_json::from_str(&proxy.record_of(&response)).unwrap();
    (response, record)
}

fn ours(record: &Value) -> &Value {
    &record["unmapped"]["tracegate"]
}

/// Asks until it is as wanted.
fn until(proxy: &Proxy, corp: &Corp, wanted: impl Fn(&Response, &Value) -> bool) {
    let start = Instant::now();
    loop {
        let (response, record) = ask(proxy, corp);
        if wanted(&response, &record) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{response:?}\n{record}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_policy_that_ends_while_it_runs_lets_nothing_through_from_then_on() {
    let corp = Corp::new();
    let unending = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&unending).from_file().start();
    tell_secrets(&proxy);
    until(&proxy, &corp, |response, _| response.status == 200);

    proxy.update(&ending(&corp, 2, 8));
    // Until its end requests pass under it, and are masked.
    until(&proxy, &corp, |response, record| {
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(!response.mentions(SECRET));
        record["policy"]["version"] == "2"
    });
    until(&proxy, &corp, |response, _| response.status != 200);
    proxy.engine.take_received();
    let (response, record) = ask(&proxy, &corp);

    assert_eq!(response.status, 503);
    assert_eq!(response.json()["code"], "bundle.expired");
    assert_eq!(ours(&record)["code"], "bundle.expired");
    assert_eq!(record["action"], "Denied");
    assert!(proxy.engine.received().is_empty());
    let metrics = proxy.metrics();
    let denied = "tracegate_requests_total{decision=deny,code=bundle.expired}";
    assert!(metrics[denied] >= 1, "{metrics:?}");

    // A policy that goes on is all that it takes.
    proxy.update(&ending(&corp, 3, 3_600));
    until(&proxy, &corp, |response, _| response.status == 200);
}

#[test]
fn a_policy_that_has_ended_does_not_replace_the_running_one() {
    let corp = Corp::new();
    let running = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&running).from_file().start();
    until(&proxy, &corp, |response, _| response.status != 503);

    proxy.update(&ending(&corp, 2, -60));
    until(&proxy, &corp, |response, record| {
        assert_ne!(response.status, 503, "{}", response.text());
        ours(record)["refused_bundle"] == "bundle.expired"
    });

    let (_, record) = ask(&proxy, &corp);
    assert_eq!(record["policy"]["version"], "1", "{record}");
    let metrics = proxy.metrics();
    assert_eq!(metrics["tracegate_bundle_revision"], 1);
    assert!(metrics["tracegate_bundles_refused_total{code=bundle.expired}"] >= 1);
}

#[test]
fn a_policy_that_ended_before_it_ever_ran_lets_nothing_through() {
    let corp = Corp::new();
    let ended = ending(&corp, 1, -60);
    let proxy = Deployment::of(&ended).start();
    let (response, record) = ask(&proxy, &corp);
    assert_eq!(response.status, 503);
    assert_eq!(response.json()["code"], "bundle.expired");
    assert_eq!(ours(&record)["code"], "bundle.expired");
    assert!(proxy.engine.received().is_empty());
}
