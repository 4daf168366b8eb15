//! The three ways to play a scenario: the engine alone, the compiled filter, a real Envoy.
//!
//! A [`Driver`] is a proxy with a policy. It takes a [`Play`] (what the client sends and what the
//! back end will answer) and tells the [`Outcome`] as client, back end, access log and metrics saw
//! it. Because all three tell the same kind of outcome, one expectation serves them all.

#[cfg(feature = "tls")]
pub mod envoy;
pub mod native;
#[cfg(feature = "wasm-host")]
pub mod wasm;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_compiler::Options;
use policy_compiler::diagnostic::Style;
use policy_compiler::keys::PrivateKey;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::Envelope;
use tracegate_bundle::policy::KeySource;

use crate::http::{Received, Request, Response};
use crate::standins::idp::Idp;
use crate::standins::server::Message;

/// One exchange to play.
#[derive(Clone, Debug, Default)]
pub struct Play {
    /// What the client sends.
    pub request: Request,
    /// Whether it speaks HTTP/2.
    pub http2: bool,
    /// The URI in the client's certificate: `spiffe://cluster.local/ns/prod/sa/web`.
    pub peer: Option<String>,
    /// What the back end answers, if it is asked.
    pub response: Message,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What the client got.
    pub response: Response,
    /// What the back end got; `None` when it was not asked.
    pub upstream: Option<Received>,
    /// The line that the exchange left in the access log.
    pub record: Vec<u8>,
    /// By how much each metric grew, by name and labels: `tracegate_masked_total{detector=email}`.
    pub metrics: BTreeMap<String, u64>,
}

/// A proxy with a policy.
pub trait Driver {
    /// Its name, for messages.
    fn name(&self) -> String;

    /// Whether an exchange costs so much that a body is not cut at every place, but at a few.
    fn is_slow(&self) -> bool {
        false
    }

    /// Plays one exchange.
    fn play(&mut self, play: &Play) -> Outcome;

    /// The records that no exchange accounts for, once all have been played.
    fn leftovers(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// What every driver is opened with.
pub struct Setup {
    /// The policy, as its author wrote it.
    pub policy: String,
    /// What it was compiled to.
    pub bundle: Bundle,
    /// The bundle, signed.
    pub envelope: Envelope,
    /// The plugin configuration: the signed bundle in JSON.
    pub configuration: Vec<u8>,
    /// The value of `TRACEGATE_TRUST_KEYS`.
    pub trust_keys: String,
    /// The key of the `hash` action.
    pub hash_key: Vec<u8>,
    /// The identity providers, by the name of the cluster through which they are called.
    pub idps: BTreeMap<String, Arc<Idp>>,
}

impl Setup {
    /// Compiles and signs a policy.
    ///
    /// # Errors
    /// The compiler's findings, for people, when the policy is not clean.
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn compile(
        name: &str,
        policy: &str,
        idps: BTreeMap<String, Arc<Idp>>,
    ) -> Result<Self, String> {
        let key = PrivateKey::generate().expect("random numbers");
        Self::compile_with(&key, name, policy, idps)
    }

    /// The same, signed with that key.
    ///
    /// # Errors
    /// As [`Setup::compile`].
    ///
    /// # Panics
    /// Never: a new envelope has room for a signature.
    pub fn compile_with(
        key: &PrivateKey,
        name: &str,
        policy: &str,
        idps: BTreeMap<String, Arc<Idp>>,
    ) -> Result<Self, String> {
        let compiled = policy_compiler::compile(policy, name, &Options::default())
            .map_err(|findings| findings.to_human(Style::Plain))?;
        let envelope = key.seal(&compiled.bundle).expect("a new envelope has room");
        let configuration = serde_json::json!({ "bundle": envelope });
        Ok(Self {
            policy: policy.to_owned(),
            bundle: compiled.bundle,
            envelope,
            configuration: configuration.to_string().into_bytes(),
            trust_keys: key.trust_entry(),
            hash_key: b"a key that is used in tests only".to_vec(),
            idps,
        })
    }

    /// Whether keys are fetched through that cluster.
    #[must_use]
    pub fn fetches_from(&self, name: &str) -> bool {
        let remote =
            |keys: &KeySource| matches!(keys, KeySource::Remote { cluster, .. } if cluster == name);
        self.bundle
            .providers
            .iter()
            .any(|provider| remote(&provider.keys))
    }
}

/// A metric in Envoy's name for it (`wasmcustom.decision=.=deny;.;tracegate_requests_total`), as
/// `name{label=value}`.
#[must_use]
pub fn metric_name(raw: &str) -> String {
    let raw = raw.strip_prefix("wasmcustom.").unwrap_or(raw);
    let mut parts: Vec<_> = raw.split(";.;").collect();
    let name = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<_> = parts.iter().map(|part| part.replace("=.=", "=")).collect();
    format!("{name}{{{}}}", labels.join(","))
}
