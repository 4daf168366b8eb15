//! A policy, an issuer and a back end for the tests that drive the compiled filter.

#![allow(dead_code, reason = "every test crate uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use policy_compiler::keys::PrivateKey;
use serde_json::{Value, json};
use tracegate_bundle::policy::*;
use tracegate_tests::host::{
    Headers, HttpCall, Message, Module, Network, Outcome, Passed, Process, Settings, Trap, Vm,
};
use tracegate_tests::standins::keys::Key;

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const CLUSTER: &str = "idp";
/// What the back end tells and nobody may see.
pub(crate) const SECRET: &str = "maria.jensen@example.org";

/// The issuer's key: one per test process, for making one takes a while.
pub(crate) fn issuer_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("k1", "ES256"))
}

/// A second key of the issuer, for another algorithm.
pub(crate) fn rsa_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate("k2", "RS256"))
}

/// A token of alice's, valid now by the process's clock.
pub(crate) fn token(process: &Process) -> String {
    token_by(issuer_key(), process, "alice")
}

/// A token of somebody's, signed with that key.
pub(crate) fn token_by(key: &Key, process: &Process, subject: &str) -> String {
    let now = process.now() / 1_000_000_000;
    let claims = json!({
        "iss": ISSUER, "aud": "reasoning", "sub": subject, "iat": now - 5, "exp": now + 300,
    });
    key.token(&json!({}), &claims)
}

// === Policy ===

/// Allows callers with a token of the issuer; denies DELETE, and POST of a body whose `model` is
/// `forbidden`; hides `$.secret`.
pub(crate) fn policy(revision: u64) -> Bundle {
    Bundle {
        format: FORMAT,
        name: "host".to_owned(),
        revision,
        expires: None,
        source: format!("sha256:{}", "0".repeat(64)),
        providers: vec![provider()],
        connections: vec![connection()],
        detectors: DetectorSet::default(),
        expressions: Vec::new(),
    }
}

fn provider() -> Provider {
    Provider {
        issuer: ISSUER.to_owned(),
        audiences: vec!["reasoning".to_owned()],
        algorithms: vec![Algorithm::ES256, Algorithm::RS256],
        keys: KeySource::Remote {
            cluster: CLUSTER.to_owned(),
            authority: "login.example".to_owned(),
            path: "/jwks".to_owned(),
            scheme: "https".to_owned(),
            cache_seconds: 300,
            max_stale_seconds: 86_400,
            timeout_ms: 1_000,
        },
        from_headers: vec![TokenHeader {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }],
        clock_skew: 0,
        max_lifetime: None,
        token_type: TokenType::Any,
    }
}

fn connection() -> Connection {
    let rule = |name: &str, action| Rule {
        name: name.to_owned(),
        action,
        from: Vec::new(),
        to: Vec::new(),
        when: Vec::new(),
    };
    let methods = |method: &str| Operation {
        methods: vec![StringMatch::Exact(method.to_owned())],
        ..Operation::default()
    };
    let condition = Condition {
        key: Attribute::Body(path("model")),
        values: vec![StringMatch::Exact("forbidden".to_owned())],
        not_values: Vec::new(),
        matches: Vec::new(),
        not_matches: Vec::new(),
    };
    let caller = Source {
        request_principals: vec![StringMatch::Prefix(format!("{ISSUER}/"))],
        ..Source::default()
    };
    Connection {
        name: "engine".to_owned(),
        hosts: vec![HostMatch::Any],
        supplier: None,
        providers: vec![0],
        allow_missing: false,
        forward_subject: true,
        max_request_body: 4_096,
        pass_types: Vec::new(),
        decode: Vec::new(),
        scan_text: false,
        rules: vec![
            Rule {
                to: vec![methods("DELETE")],
                ..rule("no-deletion", Action::Deny)
            },
            Rule {
                to: vec![methods("POST")],
                when: vec![condition],
                ..rule("no-forbidden-model", Action::Deny)
            },
            Rule {
                from: vec![caller],
                ..rule("callers", Action::Allow)
            },
        ],
        stream: tracegate_bundle::policy::StreamRules::default(),
        masks: vec![MaskRule::new(
            MaskTarget::Fields(vec![path("secret")]),
            MaskAction::Redact(None),
        )],
    }
}

/// `$.name`
fn path(name: &str) -> Path {
    Path {
        text: format!("$.{name}"),
        steps: vec![Step {
            descendant: false,
            selectors: vec![Selector::Name(name.to_owned())],
        }],
    }
}

fn signer() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

/// The plugin configuration with that bundle, signed by whom the VMs trust.
pub(crate) fn configuration(bundle: &Bundle) -> Vec<u8> {
    sealed(bundle, &signer())
}

/// The same, signed by somebody else.
pub(crate) fn untrusted_configuration(bundle: &Bundle) -> Vec<u8> {
    sealed(bundle, &PrivateKey::from_seed(&[8; 32]))
}

fn sealed(bundle: &Bundle, key: &PrivateKey) -> Vec<u8> {
    json!({ "bundle": key.seal(bundle).unwrap() })
        .to_string()
        .into_bytes()
}

// === Proxy ===

pub(crate) fn settings() -> Settings {
    let environment = BTreeMap::from([
        ("TRACEGATE_TRUST_KEYS".to_owned(), signer().trust_entry()),
        (
            "TRACEGATE_HASH_KEY".to_owned(),
            "c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0".to_owned(),
        ),
    ]);
    Settings {
        environment,
        ..Settings::default()
    }
}

/// A VM that enforces revision 1 of the policy and has no keys yet.
pub(crate) fn vm() -> Vm {
    vm_with(&Process::new(), settings())
}

pub(crate) fn vm_with(process: &Process, settings: Settings) -> Vm {
    let mut vm = Vm::start(Module::filter(), process, settings).unwrap();
    assert!(vm.configure(&configuration(&policy(1))).unwrap());
    vm
}

/// A VM that has fetched the issuer's keys.
pub(crate) fn warm_vm() -> Vm {
    let mut vm = vm();
    warm(&mut vm);
    vm
}

/// Lets the VM fetch the issuer's keys.
pub(crate) fn warm(vm: &mut Vm) {
    let mut world = World::default();
    for _ in 0..100 {
        vm.pass_time(20, &mut world).unwrap();
    }
    assert_eq!(world.calls.len(), 1, "one fetch is enough");
}

// === World ===

/// The back end and the identity provider.
pub(crate) struct World {
    /// What the back end answers.
    pub(crate) response: Message,
    /// Whether the provider answers.
    pub(crate) idp: bool,
    /// The keys that the provider publishes.
    pub(crate) keys: Vec<&'static Key>,
    /// What reached the back end.
    pub(crate) asked: Vec<Passed>,
    /// The calls of the filter.
    pub(crate) calls: Vec<HttpCall>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            response: json_response(16),
            idp: true,
            keys: vec![issuer_key()],
            asked: Vec::new(),
            calls: Vec::new(),
        }
    }
}

impl Network for World {
    fn respond(&mut self, request: &Passed) -> Message {
        self.asked.push(request.clone());
        self.response.clone()
    }

    fn answer(&mut self, call: &HttpCall) -> Option<(Headers, Vec<u8>)> {
        if !self.idp {
            return None;
        }
        assert_eq!(call.cluster, CLUSTER);
        self.calls.push(call.clone());
        let keys: Vec<_> = self.keys.iter().map(|key| key.jwk()).collect();
        let set = json!({ "keys": keys });
        let headers = Headers::default().with(":status", "200");
        Some((headers, set.to_string().into_bytes()))
    }
}

/// What the back end says, unmasked.
pub(crate) fn told() -> String {
    let value: Value = json!({"answer": "42", "secret": SECRET, "more": [1, 2.5e3, null, true]});
    value.to_string()
}

/// The same as a client may see it.
pub(crate) fn told_masked() -> String {
    told().replace(SECRET, "[REDACTED]")
}

/// A JSON response in pieces of that many bytes.
pub(crate) fn json_response(piece: usize) -> Message {
    let body = told();
    let headers = Headers::default()
        .with(":status", "200")
        .with("content-type", "application/json")
        .with("content-length", body.len().to_string());
    Message::new(headers).with_body(body.as_bytes(), piece)
}

/// A request with a token of alice's.
pub(crate) fn request(vm: &Vm, method: &str) -> Message {
    anonymous(method).with_header("authorization", &format!("Bearer {}", token(&vm.process())))
}

/// A request without a token.
pub(crate) fn anonymous(method: &str) -> Message {
    let headers = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "engine.example"),
        (":path", "/v1/chat/completions"),
        ("x-request-id", "0b8a6c5e-8f0e-4b36-9d2e-3a1f6e9c7d21"),
    ];
    Message::new(headers.into_iter().collect())
}

/// A POST of that JSON, in pieces of that many bytes.
pub(crate) fn post(vm: &Vm, body: &Value, piece: usize) -> Message {
    request(vm, "POST")
        .with_header("content-type", "application/json")
        .with_body(body.to_string().as_bytes(), piece)
}

/// Changes to messages, in one expression.
pub(crate) trait MessageExt {
    fn with_header(self, name: &str, value: &str) -> Self;
    fn with_trailers(self) -> Self;
}

impl MessageExt for Message {
    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    fn with_trailers(mut self) -> Self {
        self.trailers = Some(Headers::default().with("x-end", "here"));
        self
    }
}

// === What must hold for every exchange ===

/// Runs an exchange and checks what must hold whatever is asked: nothing goes up without the seal
/// being broken, the token never does, the secret never comes down, a record is left and tells
/// neither.
pub(crate) fn run(vm: &mut Vm, request: Message, world: &mut World) -> Outcome {
    try_run(vm, request, world).unwrap()
}

pub(crate) fn try_run(vm: &mut Vm, request: Message, world: &mut World) -> Result<Outcome, Trap> {
    let outcome = vm.run(request, world)?;
    check(&outcome);
    Ok(outcome)
}

pub(crate) fn check(outcome: &Outcome) {
    if let Some(upstream) = &outcome.upstream {
        assert!(outcome.unsealed, "passed with the seal closed: {outcome:?}");
        let headers = upstream.headers.as_ref().unwrap();
        assert_eq!(
            headers.get("authorization"),
            None,
            "the token went upstream"
        );
    }
    assert!(
        !outcome.body().contains(SECRET),
        "the secret came down: {}",
        outcome.body()
    );
    if let Some(audit) = &outcome.audit {
        assert!(!audit.contains(SECRET) && !audit.contains("eyJ"), "{audit}");
        assert!(audit.len() <= 8_192 && !audit.contains('\n'), "{audit}");
    }
}

/// The record of an exchange.
pub(crate) fn record(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.audit.as_ref().unwrap()).unwrap()
}

/// The `code` of a refusal's problem document.
pub(crate) fn code(outcome: &Outcome) -> String {
    let problem: Value = serde_json::from_slice(&outcome.client.body).unwrap_or_default();
    problem
        .get("code")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
