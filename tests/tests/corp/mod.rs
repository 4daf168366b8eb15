//! What the tests on a real Envoy have in common: an issuer, a policy, tokens.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_compiler::keys::PrivateKey;
use serde_json::{Value, json};
use tracegate_tests::drivers::Setup;
use tracegate_tests::http::Request;
use tracegate_tests::proxy::Proxy;
use tracegate_tests::standins::idp::Idp;
use tracegate_tests::standins::server::{Answer, Message};

/// The host of the only connection.
pub(crate) const HOST: &str = "reasoning.corp.example";

/// What a back end says that nobody may see: the policy hides `$.secret` and email addresses.
pub(crate) const SECRET: &str = "s3cret-value";

/// A company with an identity provider, whose keys are fetched, and a key that signs its policies.
pub(crate) struct Corp {
    pub(crate) idp: Arc<Idp>,
    pub(crate) signer: PrivateKey,
}

impl Corp {
    pub(crate) fn new() -> Self {
        Self {
            idp: Arc::new(Idp::start("https://login.corp.example", "ES256")),
            signer: PrivateKey::generate().unwrap(),
        }
    }

    /// A policy that denies one method, lets all others pass, and hides secrets.
    pub(crate) fn policy(&self, revision: u64, denied: &str) -> String {
        format!(
            r#"
apiVersion: tracegate.dev/v1alpha1
kind: TracePolicy
metadata: {{name: corp, revision: {revision}}}
spec:
  jwtRules:
  - issuer: https://login.corp.example
    audiences: [reasoning]
    jwksUri: http://login.corp.example/jwks
    cluster: corp-idp
  connections:
  - name: o-series
    hosts: [{HOST}]
    supplier: acme-ai
    rules:
    - {{name: denied, action: DENY, to: [{{operation: {{methods: [{denied}]}}}}]}}
    - {{name: no-forbidden-model, action: DENY, when: [{{key: "request.body[$.model]", values: [forbidden]}}]}}
    - {{name: everyone, action: ALLOW}}
    mask:
    - fields: ["$.secret"]
    - detect: [email, openai-key, bearer-token]
"#
        )
    }

    pub(crate) fn setup(&self, revision: u64, denied: &str) -> Setup {
        self.signed_by(&self.signer, revision, denied)
    }

    pub(crate) fn signed_by(&self, signer: &PrivateKey, revision: u64, denied: &str) -> Setup {
        self.sealed(signer, &self.policy(revision, denied))
    }

    /// Another policy of the company.
    pub(crate) fn compiled(&self, policy: &str) -> Setup {
        self.sealed(&self.signer, policy)
    }

    fn sealed(&self, signer: &PrivateKey, policy: &str) -> Setup {
        let idps = BTreeMap::from([("corp-idp".to_owned(), Arc::clone(&self.idp))]);
        Setup::compile_with(signer, "corp.yaml", policy, idps)
            .unwrap_or_else(|findings| panic!("{findings}"))
    }

    /// A token of somebody in the company.
    pub(crate) fn token(&self) -> String {
        self.idp
            .issue(&json!({"sub": "alice", "groups": ["analysts"]}))
    }

    /// A request of somebody in the company.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, HOST, path).bearer(&self.token())
    }

    /// A request with a JSON body.
    pub(crate) fn post(&self, body: &Value) -> Request {
        Request::post_json(HOST, "/v1/chat/completions", body.to_string()).bearer(&self.token())
    }
}

/// Lets the engine answer with a secret.
pub(crate) fn tell_secrets(proxy: &Proxy) {
    let body = json!({"secret": SECRET, "note": "write to maria@example.org"});
    proxy
        .engine
        .script(move |_| Answer::Message(Message::json(200, &body)));
}
