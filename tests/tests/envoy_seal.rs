//! What happens when the filter is not there: nothing passes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;
mod trap;

use corp::{Corp, SECRET, tell_secrets};
use tracegate_tests::envoy::versions;
use tracegate_tests::http::Response;
use tracegate_tests::proxy::{Deployment, Proxy, without};
use trap::{Fate, Phase};

fn assert_nothing_leaked(response: &Response, case: &str) {
    assert!(!response.mentions(SECRET), "{case}: {}", response.text());
    let whole = response.status == 200 && response.complete;
    assert!(
        !whole,
        "{case}: the response came through: {}",
        response.text()
    );
}

/// An Envoy in which a module of the test stands in the filter's place.
fn with_module(corp: &Corp, version: &str, fate: Fate) -> Proxy {
    let folder = std::env::temp_dir().join(format!(
        "tracegate-trap-{}-{fate:?}.wasm",
        std::process::id()
    ));
    std::fs::write(&folder, trap::module(fate)).unwrap();
    let setup = corp.setup(1, "DELETE");
    let allow_all_calls = |bootstrap: &mut serde_json::Value| {
        let filters = tracegate_tests::proxy::http_filters(bootstrap);
        filters[0]["typed_config"]["config"]
            .as_object_mut()
            .unwrap()
            .remove("capability_restriction_config");
    };
    let deployment = Deployment::of(&setup).version(version).module(&folder);
    let proxy = deployment.change(allow_all_calls).start();
    std::fs::remove_file(&folder).unwrap();
    tell_secrets(&proxy);
    proxy
}

#[test]
fn without_the_filter_nothing_passes_the_seal() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    for version in versions() {
        let deployment = Deployment::of(&setup).version(&version);
        let proxy = deployment.change(without("tracegate")).start();
        tell_secrets(&proxy);
        let response = proxy.send(&corp.request("GET", "/v1/models"));
        assert_eq!(response.status, 403, "Envoy {version}");
        assert_nothing_leaked(&response, &version);
        assert!(proxy.engine.received().is_empty(), "Envoy {version}");
    }
}

#[test]
fn a_filter_that_decides_nothing_lets_nothing_pass() {
    let corp = Corp::new();
    for version in versions() {
        let proxy = with_module(&corp, &version, Fate::Idle);
        let response = proxy.send(&corp.request("GET", "/v1/models"));
        assert_eq!(response.status, 403, "Envoy {version}");
        assert!(proxy.engine.received().is_empty(), "Envoy {version}");
    }
}

#[test]
fn a_filter_that_the_workers_refuse_is_missing_and_nothing_passes() {
    let corp = Corp::new();
    for version in versions() {
        let proxy = with_module(&corp, &version, Fate::RefusedByWorkers);
        let response = proxy.send(&corp.request("GET", "/v1/models"));
        assert_eq!(response.status, 403, "Envoy {version}");
        assert!(proxy.engine.received().is_empty(), "Envoy {version}");
    }
}

#[test]
fn a_filter_that_dies_takes_its_request_with_it_and_a_new_one_takes_the_next() {
    let corp = Corp::new();
    for version in versions() {
        let proxy = with_module(&corp, &version, Fate::Trap(Phase::RequestHeaders));
        for _ in 0..2 {
            let response = proxy.send(&corp.request("GET", "/v1/models"));
            assert_eq!(response.status, 503, "Envoy {version}");
            assert_nothing_leaked(&response, &version);
        }
        assert!(proxy.engine.received().is_empty(), "Envoy {version}");
        // Nothing could write a record, and the log shows that.
        assert_eq!(proxy.next_record(), "-");
    }
}

#[test]
fn a_filter_that_dies_before_the_response_lets_none_of_it_out() {
    let corp = Corp::new();
    for version in versions() {
        let proxy = with_module(&corp, &version, Fate::Trap(Phase::ResponseHeaders));
        let response = proxy.send(&corp.request("GET", "/v1/models"));
        assert!(
            !proxy.engine.received().is_empty(),
            "the request was allowed"
        );
        assert_nothing_leaked(&response, &version);
    }
}

#[test]
fn a_filter_that_dies_within_the_response_lets_none_of_the_body_out() {
    let corp = Corp::new();
    for version in versions() {
        let proxy = with_module(&corp, &version, Fate::Trap(Phase::ResponseBody));
        let response = proxy.send(&corp.request("GET", "/v1/models"));
        assert!(
            !proxy.engine.received().is_empty(),
            "the request was allowed"
        );
        assert_nothing_leaked(&response, &version);
    }
}
