//! The credentials on both sides of the proxy: none crosses it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use corp::Corp;
use tracegate_tests::proxy::Deployment;
use tracegate_tests::standins::engine::ECHO_PATH;

const API_KEY: &str = "sk-proj-9fA3kLmQ7xT2vB8nR4cW6yZ1";

#[test]
fn the_callers_token_never_reaches_the_engine_and_its_key_never_reaches_the_caller() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).api_key(API_KEY).start();
    let token = corp.token();
    let request = tracegate_tests::http::Request::new("GET", corp::HOST, ECHO_PATH).bearer(&token);

    let response = proxy.send(&request);

    // The engine repeats the headers that it got, its own key among them.
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.json()["headers"].is_object());
    assert!(!response.mentions(API_KEY), "{}", response.text());
    assert!(!response.mentions(&token), "{}", response.text());
    let received = proxy.engine.take_received().pop().unwrap();
    let expected = format!("Bearer {API_KEY}");
    assert_eq!(received.headers.get("authorization"), Some(expected));
    assert!(!received.mentions(&token));
    let record = proxy.next_record();
    assert!(!record.contains(API_KEY) && !record.contains(&token));
}

#[test]
fn without_the_credential_the_engine_answers_nobody() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).api_key(API_KEY).start();
    let direct =
        tracegate_tests::client::send(proxy.engine.address(), &corp.request("GET", "/v1/models"));
    assert_eq!(direct.unwrap().status, 401);
    assert_eq!(proxy.send(&corp.request("GET", "/v1/models")).status, 200);
}

#[test]
fn the_keys_stand_in_no_dump_of_the_configuration() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).api_key(API_KEY).start();
    let dump = proxy.envoy.config_dump().unwrap().to_string();
    assert!(!dump.contains(API_KEY));
    let (_, trust_key) = setup.trust_keys.split_once('=').unwrap();
    assert!(!dump.contains(trust_key));
}
