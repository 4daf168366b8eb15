//! The policy is replaced while Envoy runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corp::{Corp, SECRET, tell_secrets};
use policy_compiler::keys::PrivateKey;
use tracegate_tests::client::Connection;
use tracegate_tests::proxy::{Deployment, Proxy};
use tracegate_tests::standins::server::{Answer, Message};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a method is answered with a status: which policy runs can only be told by what it does.
fn wait_for(proxy: &Proxy, corp: &Corp, method: &str, status: u16) {
    let start = Instant::now();
    loop {
        let found = proxy.send(&corp.request(method, "/v1/models")).status;
        if found == status {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{method} is answered with {found}, not {status}"
        );
    }
}

fn wait_for_metric(proxy: &Proxy, name: &str) {
    let start = Instant::now();
    while proxy.metrics().get(name).is_none_or(|&count| count == 0) {
        assert!(
            start.elapsed() < PATIENCE,
            "{name} did not grow: {:?}",
            proxy.metrics()
        );
    }
}

#[test]
fn a_policy_is_replaced_while_requests_are_in_flight_and_none_of_them_notices() {
    let corp = Corp::new();
    let (old, new) = (corp.setup(1, "DELETE"), corp.setup(2, "PUT"));
    let proxy = Deployment::of(&old).from_file().workers(2).start();
    tell_secrets(&proxy);
    wait_for(&proxy, &corp, "DELETE", 403);
    let done = AtomicBool::new(false);
    let served = AtomicUsize::new(0);

    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let response = proxy.send(&corp.request("GET", "/v1/models"));
                    assert_eq!(response.status, 200, "{}", response.text());
                    assert!(!response.mentions(SECRET), "{}", response.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let updated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            proxy.update(&new);
            wait_for(&proxy, &corp, "PUT", 403);
            wait_for(&proxy, &corp, "DELETE", 200);
        }));
        done.store(true, Ordering::Relaxed);
        updated.unwrap();
    });

    assert!(served.load(Ordering::Relaxed) > 0);
    assert_eq!(proxy.metrics()["tracegate_bundle_revision"], 2);
}

#[test]
fn a_request_that_began_under_the_old_policy_ends_under_it() {
    let corp = Corp::new();
    let (old, new) = (corp.setup(1, "DELETE"), corp.setup(2, "POST"));
    let proxy = Deployment::of(&old).from_file().start();
    let slow = serde_json::json!({"secret": SECRET});
    proxy.engine.script(move |request| {
        let mut message = Message::json(200, &slow);
        if request.method == "POST" {
            message.delay = Duration::from_secs(3);
        }
        Answer::Message(message)
    });
    let mut connection = Connection::open(proxy.address()).unwrap();
    connection
        .write_request(&corp.post(&serde_json::json!({"model": "o-large"})))
        .unwrap();
    // The engine has it before the policy changes.
    wait_until_asked(&proxy);

    proxy.update(&new);
    wait_for(&proxy, &corp, "DELETE", 200);

    let answer = connection.read_until("}").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("[REDACTED]") && !answer.contains(SECRET),
        "{answer}"
    );
    let denied = proxy.send(&corp.post(&serde_json::json!({"model": "o-large"})));
    assert_eq!(denied.status, 403);
}

fn wait_until_asked(proxy: &Proxy) {
    let start = Instant::now();
    while proxy.engine.received().is_empty() {
        assert!(start.elapsed() < PATIENCE, "the engine was not asked");
        std::thread::yield_now();
    }
}

#[test]
fn a_policy_that_nobody_trusted_has_signed_does_not_replace_the_running_one() {
    let corp = Corp::new();
    let old = corp.setup(1, "DELETE");
    let forged = corp.signed_by(&PrivateKey::generate().unwrap(), 2, "PUT");
    let proxy = Deployment::of(&old).from_file().start();
    wait_for(&proxy, &corp, "DELETE", 403);

    proxy.update(&forged);
    wait_for_metric(
        &proxy,
        "tracegate_bundles_refused_total{code=bundle.untrusted}",
    );

    assert_eq!(
        proxy.send(&corp.request("DELETE", "/v1/models")).status,
        403
    );
    assert_eq!(proxy.send(&corp.request("PUT", "/v1/models")).status, 404);
}

#[test]
fn an_older_policy_does_not_replace_the_running_one() {
    let corp = Corp::new();
    let (old, new) = (corp.setup(1, "DELETE"), corp.setup(2, "PUT"));
    let proxy = Deployment::of(&new).from_file().start();
    wait_for(&proxy, &corp, "PUT", 403);

    proxy.update(&old);
    wait_for_metric(
        &proxy,
        "tracegate_bundles_refused_total{code=bundle.rollback}",
    );

    assert_eq!(proxy.send(&corp.request("PUT", "/v1/models")).status, 403);
    assert_eq!(proxy.metrics()["tracegate_bundle_revision"], 2);
}

#[test]
fn where_no_trusted_policy_ever_ran_everything_is_denied() {
    let corp = Corp::new();
    let mut setup = corp.setup(1, "DELETE");
    setup.trust_keys = PrivateKey::generate().unwrap().trust_entry();
    let proxy = Deployment::of(&setup).start();
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 503);
    assert_eq!(response.json()["code"], "bundle.untrusted");
    assert!(proxy.engine.received().is_empty());
    let record = proxy.next_record_json();
    assert_eq!(record["unmapped"]["tracegate"]["code"], "bundle.untrusted");
}
