//! Callers that are asked for a certificate: who they are, and what becomes of those who have none.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use corp::{Corp, tell_secrets};
use serde_json::json;
use tracegate_tests::client;
use tracegate_tests::drivers::Setup;
use tracegate_tests::envoy::versions;
use tracegate_tests::http::Request;
use tracegate_tests::proxy::Deployment;
use tracegate_tests::tls::{Authority, Client};

const WEB: &str = "spiffe://cluster.local/ns/prod/sa/web";

/// Lets one workload call, and anyone who comes by it.
fn setup(corp: &Corp) -> Setup {
    let policy = corp.policy(1, "DELETE").replace(
        "{name: everyone, action: ALLOW}",
        "{name: web, action: ALLOW, from: [{source: {principals: [cluster.local/ns/prod/sa/web]}}]}",
    );
    corp.compiled(&policy)
}

#[test]
fn the_certificate_of_the_caller_decides_and_stands_on_the_record() {
    let (corp, authority) = (Corp::new(), Authority::new());
    let setup = setup(&corp);
    for version in versions() {
        let deployment = Deployment::of(&setup).version(&version);
        let proxy = deployment.mutual_tls(&authority, true).start();
        tell_secrets(&proxy);
        let as_peer = |uri: &str| {
            let client = authority.client_as(&authority, uri);
            let request = corp.request("GET", "/v1/models");
            client::send_tls(proxy.address(), &client, &request).unwrap()
        };

        assert_eq!(as_peer(WEB).status, 200, "Envoy {version}");
        let record = proxy.next_record_json();
        let peer = &record["src_endpoint"];
        assert_eq!(peer["svc_name"], "cluster.local/ns/prod/sa/web", "{record}");
        assert_eq!(peer["ip"], "127.0.0.1");
        assert_eq!(record["firewall_rule"]["name"], "web");
        assert_eq!(record["actor"]["user"]["uid"], "alice");

        let other = as_peer("spiffe://cluster.local/ns/prod/sa/web2");
        assert_eq!(other.json()["code"], "policy.no_rule", "Envoy {version}");
        let record = proxy.next_record_json();
        let peer = &record["src_endpoint"]["svc_name"];
        assert_eq!(*peer, json!("cluster.local/ns/prod/sa/web2"), "{record}");
    }
}

#[test]
fn who_shows_no_certificate_of_the_authority_does_not_get_to_ask() {
    let (corp, authority, stranger) = (Corp::new(), Authority::new(), Authority::new());
    let setup = setup(&corp);
    let proxy = Deployment::of(&setup).mutual_tls(&authority, true).start();
    let request = corp.request("GET", "/v1/models");
    let answered = |client: &Client| {
        let response = client::send_tls(proxy.address(), client, &request);
        response.is_ok_and(|response| response.status != 0)
    };

    assert!(!answered(&authority.client()), "no certificate");
    assert!(
        !answered(&authority.client_as(&stranger, WEB)),
        "a certificate that anybody could have made"
    );
    let plain = client::send(proxy.address(), &request);
    assert!(!plain.is_ok_and(|response| response.status != 0), "no TLS");
    assert!(proxy.engine.received().is_empty());

    // A request that there was none of leaves no record: the first is that of the next caller.
    let last = Request::new("GET", corp::HOST, "/v1/last").bearer(&corp.token());
    let client = authority.client_as(&authority, WEB);
    assert_eq!(
        client::send_tls(proxy.address(), &client, &last)
            .unwrap()
            .status,
        404
    );
    assert_eq!(proxy.next_record_json()["api"]["operation"], "GET /v1/last");
}
