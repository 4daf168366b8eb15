//! The bundle loader: what it accepts can be enforced.

use std::collections::HashMap;

use policy_compiler::keys::PrivateKey;
use tracegate_bundle::dsse::TrustKeys;
use tracegate_bundle::{Bundle, PluginConfiguration};
use tracegate_engine::exchange::{ConnectionFacts, Effects, Exchange, ExchangeId, Flow, LogFacts};
use tracegate_engine::http::HeaderMap;
use tracegate_engine::identity::{RustVerifier, SharedData};
use tracegate_engine::policy::Loaded;
use tracegate_engine::vm::Vm;

use super::fixture::{self, NOW};

/// A bundle, and a configuration around it, to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    let bundle = fixture::bundle();
    vec![bundle.to_bytes(), configuration(bundle)]
}

/// No bytes bring the loader down, neither as a configuration nor as a bundle that the right key
/// signed. A bundle that it accepts is enforced on an exchange, whatever its rules and automata are.
pub fn run(data: &[u8]) {
    let mut unsigned = vm();
    let first = unsigned.configure(data, &mut Shared::default(), NOW);
    assert_eq!(first, unsigned.configure(data, &mut Shared::default(), NOW));

    if let Ok(read) = Bundle::from_bytes(data) {
        assert_eq!(read.to_bytes(), data, "two spellings of one bundle");
    }
    // Few mutations keep the canonical form; it is restored to reach what lies behind.
    let Ok(bundle) = serde_json::from_slice::<Bundle>(data) else {
        return;
    };
    let mut vm = vm();
    let loaded = vm.configure(&configuration(&bundle), &mut Shared::default(), NOW);
    match Bundle::from_bytes(&bundle.to_bytes()) {
        Ok(_) => assert!(!matches!(loaded, Loaded::Malformed(_)), "{loaded:?}"),
        Err(_) => assert!(matches!(loaded, Loaded::Refused(_)), "{loaded:?}"),
    }
    drive(&mut vm);
}

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[5; 32])
}

fn vm() -> Vm {
    let trust = TrustKeys::parse(&key().trust_entry()).expect("the key of the fixture");
    Vm::new(trust, Some(vec![9; 32]), Box::new(RustVerifier))
}

fn configuration(bundle: &Bundle) -> Vec<u8> {
    let bundle = key().seal(bundle).expect("a bundle can be signed");
    serde_json::to_vec(&PluginConfiguration { bundle }).expect("a configuration is JSON")
}

#[derive(Default)]
struct Shared(HashMap<String, Vec<u8>>);

impl SharedData for Shared {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.get(key).map(|value| (value.clone(), 1))
    }

    fn set(&mut self, key: &str, value: &[u8], _cas: Option<u32>) -> bool {
        self.0.insert(key.to_owned(), value.to_vec());
        true
    }
}

const PROMPT: &[u8] = br#"{"messages":[{"role":"user","content":"production data of aaaa 4111"}]}"#;
const ANSWER: &[u8] =
    br#"{"choices":[{"message":{"content":"a@b.example aaaa"}}],"usage":[1,2,3],"password":"x"}"#;

/// One exchange. Its record is a line of JSON; a request that is not let through stays sealed.
fn drive(vm: &mut Vm) {
    let bearer = [
        b"Bearer ".as_slice(),
        super::token::valid_token().as_bytes(),
    ]
    .concat();
    let request: HeaderMap = [
        (":method", b"POST".as_slice()),
        (":scheme", b"https"),
        (":authority", b"reasoning.corp.example"),
        (":path", b"/v1/models/a/b?x=1"),
        ("content-type", b"application/json"),
        ("authorization", &bearer),
    ]
    .into_iter()
    .collect();
    let response: HeaderMap = [(":status", "200"), ("content-type", "application/json")]
        .into_iter()
        .collect();
    let mut exchange = Exchange::new(ExchangeId(1));
    let facts = ConnectionFacts::default();
    let mut effects = exchange.request_headers(vm, request, facts, false, NOW);
    if effects.reply.is_none() && effects.flow == Flow::Hold {
        effects = exchange.request_body(vm, PROMPT, true, NOW);
    }
    assert_sealed(&effects);
    if effects.unseal {
        exchange.response_headers(vm, &response, &mut || false, false, NOW);
        for byte in ANSWER {
            exchange.response_body(vm, &[*byte], false, NOW);
        }
        exchange.response_body(vm, &[], true, NOW);
    }
    let line = exchange.log(vm, &LogFacts::default(), NOW);
    serde_json::from_slice::<serde_json::Value>(&line).expect("a record is JSON");
}

fn assert_sealed(effects: &Effects) {
    assert!(
        !(effects.unseal && effects.reply.is_some()),
        "let through and refused"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_of_the_seeds_is_enforced() {
        let configuration = configuration(fixture::bundle());
        let loaded = vm().configure(&configuration, &mut Shared::default(), NOW);
        assert_eq!(loaded, Loaded::Enforced);
    }
}
