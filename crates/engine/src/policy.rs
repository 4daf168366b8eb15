//! How a bundle becomes the running policy, and when it is refused.
//!
//! A bundle is enforced only if a trusted key signed it, it has not expired and it does not go back
//! behind the one that runs. Otherwise the one that runs goes on, and where none runs everything is
//! denied: a proxy without a policy is a closed door, not an open one.

use std::rc::Rc;

use tracegate_bundle::dsse::{TrustKeys, VerifyError};
use tracegate_bundle::policy::{Attribute, Connection, Direction, MaskMode, MaskRule, Provider};
use tracegate_bundle::{Bundle, Digest, PluginConfiguration};

use crate::Timestamp;
use crate::decision::body::BodyPlan;
use crate::decision::{body_conditions, matching};
use crate::identity::token_headers;
use crate::masking;
use crate::masking::detect::Detectors;
use crate::refusal::Refusal;

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Its bundle is enforced from now on.
    Enforced,
    /// Its bundle must not be enforced. What ran before goes on; if nothing did, all is denied.
    Refused(Refusal),
    /// It is not a configuration at all: the proxy should reject it. This depends on the bytes of the
    /// configuration and on nothing else.
    Malformed(String),
}

/// A bundle, ready to be enforced.
#[derive(Debug)]
pub struct Policy {
    bundle: Bundle,
    digest: Digest,
    plans: Vec<ConnectionPlan>,
}

/// What is prepared once per connection, so that a request only uses it.
#[derive(Debug)]
pub struct ConnectionPlan {
    masks: Option<MaskPlan>,
    body: Option<Rc<BodyPlan>>,
}

/// What is masked in the messages of a connection.
#[derive(Debug)]
pub struct MaskPlan {
    masks: Rc<masking::Plan>,
    vary_on: Option<Vec<String>>,
}

impl MaskPlan {
    fn new(masks: masking::Plan, connection: &Connection, providers: &[Provider]) -> Self {
        let changes_responses = |rule: &&MaskRule| {
            rule.direction == Direction::Response && rule.mode == MaskMode::Enforce
        };
        let conditions = || {
            let rules = connection.masks.iter().filter(changes_responses);
            rules.flat_map(MaskRule::conditions)
        };
        let vary_on = conditions().next().map(|_| {
            let headers = conditions().filter_map(|condition| match &condition.key {
                Attribute::Header(name) => Some(name.as_str()),
                _ => None,
            });
            let tokens = token_headers(connection, providers);
            let mut names: Vec<_> = tokens
                .into_iter()
                .chain(headers)
                .map(str::to_owned)
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        });
        Self {
            masks: Rc::new(masks),
            vary_on,
        }
    }

    /// The rules.
    #[must_use]
    pub fn masks(&self) -> &Rc<masking::Plan> {
        &self.masks
    }

    /// The request headers that tell callers apart who see different things; `None` if all see the
    /// same.
    #[must_use]
    pub fn vary_on(&self) -> Option<&[String]> {
        self.vary_on.as_deref()
    }
}

impl ConnectionPlan {
    /// Whether any message of the connection may have to be masked.
    #[must_use]
    pub fn masks_anything(&self) -> bool {
        self.masks.is_some()
    }

    /// What is masked; `None` if there are no mask rules.
    #[must_use]
    pub fn masks(&self) -> Option<&MaskPlan> {
        self.masks.as_ref()
    }

    /// What rules ask about the request body; `None` if they ask nothing.
    #[must_use]
    pub fn body(&self) -> Option<&Rc<BodyPlan>> {
        self.body.as_ref()
    }
}

impl Policy {
    /// The bundle as it was signed, but for its detectors, which have moved to the plans.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Index of the connection that a host (lower case, without port) belongs to: the one whose
    /// matching pattern is the most specific.
    #[must_use]
    pub fn connection(&self, host: &str) -> Option<usize> {
        let connections = self.bundle.connections.iter().enumerate();
        connections
            .flat_map(|(index, connection)| {
                let patterns = connection.hosts.iter();
                patterns.map(move |pattern| (index, pattern))
            })
            .filter(|(_, pattern)| matching::host(pattern, host))
            .max_by_key(|(_, pattern)| pattern.specificity())
            .map(|(index, _)| index)
    }

    /// What was prepared for the connection with that index.
    #[must_use]
    pub fn plan(&self, connection: usize) -> Option<&ConnectionPlan> {
        self.plans.get(connection)
    }

    /// Whether the policy is past its expiry.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.bundle
            .expires
            .is_some_and(|expires| now.secs() >= expires)
    }

    fn prepare(
        mut bundle: Bundle,
        digest: Digest,
        hash_key: Option<&[u8]>,
    ) -> Result<Self, Refusal> {
        let hash_key: Option<Rc<[u8]>> = hash_key.map(Rc::from);
        // The plans of all connections share the one automaton.
        let detectors = Rc::new(Detectors::new(std::mem::take(&mut bundle.detectors)));
        let refusal = |error| match error {
            masking::PlanError::HashKeyMissing => Refusal::BundleHashKey,
            _ => Refusal::BundleFormat,
        };
        let mut plans = Vec::with_capacity(bundle.connections.len());
        for connection in &bundle.connections {
            let masks = if connection.masks.is_empty() {
                None
            } else {
                let detectors = Rc::clone(&detectors);
                let plan = masking::Plan::new(&connection.masks, detectors, hash_key.clone());
                let plan = plan.map_err(refusal)?;
                let plan = plan.with_streams(&connection.stream, connection.scan_text);
                Some(MaskPlan::new(plan, connection, &bundle.providers))
            };
            let body = match body_conditions(connection).next() {
                None => None,
                Some(_) => {
                    let plan = BodyPlan::new(body_conditions(connection));
                    Some(Rc::new(plan.map_err(|_| Refusal::BundleFormat)?))
                }
            };
            plans.push(ConnectionPlan { masks, body });
        }
        Ok(Self {
            bundle,
            digest,
            plans,
        })
    }
}

/// The place of the running policy in a VM.
#[derive(Debug)]
pub struct PolicySlot {
    trust: TrustKeys,
    hash_key: Option<Vec<u8>>,
    running: Option<Rc<Policy>>,
    /// Why the last configuration was refused, if it was.
    refused: Option<Refusal>,
}

impl PolicySlot {
    /// An empty place. `hash_key`: the key of the `hash` action, if the deployment has one.
    #[must_use]
    pub fn new(trust: TrustKeys, hash_key: Option<Vec<u8>>) -> Self {
        Self {
            trust,
            hash_key,
            running: None,
            refused: None,
        }
    }

    /// The policy to decide by.
    ///
    /// # Errors
    ///
    /// The reason to deny everything.
    pub fn enforced(&self, now: Timestamp) -> Result<Rc<Policy>, Refusal> {
        match &self.running {
            Some(policy) if policy.is_expired(now) => Err(Refusal::BundleExpired),
            Some(policy) => Ok(Rc::clone(policy)),
            None => Err(self.refused.unwrap_or(Refusal::BundleMissing)),
        }
    }

    /// The policy that runs, be it expired.
    #[must_use]
    pub fn running(&self) -> Option<&Rc<Policy>> {
        self.running.as_ref()
    }

    /// Why the last configuration was refused while an older policy goes on.
    #[must_use]
    pub fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    /// Takes in a plugin configuration. `floor`: the highest revision that any VM of this process
    /// has enforced.
    pub fn offer(&mut self, configuration: &[u8], floor: u64, now: Timestamp) -> Loaded {
        let envelope = match PluginConfiguration::from_bytes(configuration) {
            Ok(configuration) => configuration.bundle,
            Err(error) => return Loaded::Malformed(error.to_string()),
        };
        let payload = match envelope.verify(&self.trust) {
            Ok(payload) => payload,
            Err(error @ (VerifyError::PayloadType(_) | VerifyError::Payload)) => {
                return Loaded::Malformed(error.to_string());
            }
            Err(_) => return self.refuse(Refusal::BundleUntrusted),
        };
        match self.load(&payload, floor, now) {
            Ok(policy) => {
                self.running = Some(Rc::new(policy));
                self.refused = None;
                Loaded::Enforced
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Loaded {
        self.refused = Some(refusal);
        Loaded::Refused(refusal)
    }

    fn load(&self, payload: &[u8], floor: u64, now: Timestamp) -> Result<Policy, Refusal> {
        // Signed and yet unreadable: written by another version of the compiler.
        let bundle = Bundle::from_bytes(payload).map_err(|_| Refusal::BundleFormat)?;
        let digest = Digest::of(payload);
        let floor = self
            .running
            .as_ref()
            .map_or(floor, |policy| floor.max(policy.bundle.revision));
        let conflicts = |running: &Rc<Policy>| {
            running.bundle.revision == bundle.revision && running.digest != digest
        };
        if bundle.revision < floor || self.running.as_ref().is_some_and(conflicts) {
            return Err(Refusal::BundleRollback);
        }
        if bundle.expires.is_some_and(|expires| now.secs() >= expires) {
            return Err(Refusal::BundleExpired);
        }
        Policy::prepare(bundle, digest, self.hash_key.as_deref())
    }
}

#[cfg(test)]
mod tests;
