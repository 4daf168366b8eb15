//! Bounds and missing pieces of a deployment, where the compiled filter meets them.

#![cfg(feature = "wasm-host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod corp;

use corp::{Corp, HOST};
use tracegate_tests::drivers::Setup;
use tracegate_tests::host::{
    Headers, HttpCall, Message, Module, Network, Passed, Process, Settings, Vm,
};

/// How many requests may wait for keys.
const WAITING: usize = 1_000;

fn vm(setup: &Setup) -> Vm {
    let trust = ("TRACEGATE_TRUST_KEYS".to_owned(), setup.trust_keys.clone());
    let settings = Settings {
        environment: [trust].into(),
        ..Settings::default()
    };
    let mut vm = Vm::start(Module::filter(), &Process::new(), settings).unwrap();
    assert_eq!(vm.configure(&setup.configuration), Ok(true));
    vm
}

fn request(token: &str) -> Message {
    let headers = Headers::default()
        .with(":method", "GET")
        .with(":authority", HOST)
        .with(":path", "/v1/models")
        .with(":scheme", "http")
        .with("authorization", format!("Bearer {token}"));
    Message::new(headers)
}

/// An issuer that never answers.
struct Silence;

impl Network for Silence {
    fn respond(&mut self, request: &Passed) -> Message {
        panic!("the back end was asked: {request:?}")
    }

    fn answer(&mut self, _: &HttpCall) -> Option<(Headers, Vec<u8>)> {
        None
    }
}

fn code(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap();
    problem
        .pointer("/code")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_thousand_requests_may_wait_for_keys_and_the_next_is_sent_away() {
    let corp = Corp::new();
    let mut vm = vm(&corp.setup(1, "DELETE"));
    let token = corp.token();
    let now = tracegate_tests::standins::idp::now();
    vm.process()
        .set_now(u64::try_from(now).unwrap() * 1_000_000_000);
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let id = vm.open();
            vm.send_request(id, request(&token)).unwrap();
            assert!(!vm.is_answered(id) && vm.upstream(id).headers.is_none());
            id
        })
        .collect();

    let one_more = vm.open();
    vm.send_request(one_more, request(&token)).unwrap();
    assert!(vm.is_answered(one_more));
    assert_eq!(code(&vm.client(one_more).body), "jwks.busy");

    // Those that wait do not wait for ever, and their places are free again.
    vm.pass_time(5_000, &mut Silence).unwrap();
    for id in waiting {
        assert_eq!(code(&vm.client(id).body), "jwks.unavailable");
        vm.finish(id).unwrap();
    }
    let next = vm.open();
    vm.send_request(next, request(&token)).unwrap();
    assert!(!vm.is_answered(next));
}

#[test]
fn a_policy_that_hashes_denies_everything_where_the_deployment_has_no_key_for_it() {
    let corp = Corp::new();
    let policy = corp.policy(1, "DELETE").replace(
        "- fields: [\"$.secret\"]",
        "- {fields: [\"$.secret\"], with: hash}",
    );
    let idps = corp.setup(1, "DELETE").idps;
    let setup = Setup::compile_with(&corp.signer, "corp.yaml", &policy, idps).unwrap();
    let mut vm = vm(&setup);
    let outcome = vm.run(request(&corp.token()), &mut Silence).unwrap();
    assert_eq!(outcome.status(), 503);
    assert_eq!(code(&outcome.client.body), "bundle.hash_key");
}
