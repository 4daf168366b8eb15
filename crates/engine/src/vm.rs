//! What the exchanges of one proxy VM share.
//!
//! A proxy runs one VM per worker thread, so nothing here is locked. Two things also cross VMs,
//! through the proxy's shared data: the key sets of issuers (one VM fetches, all use) and the
//! highest revision of the policy that was ever enforced, so that a VM that is started anew cannot
//! be handed an old one.

use std::rc::Rc;

use tracegate_bundle::dsse::TrustKeys;
use tracegate_bundle::policy::{Attribute, Connection, MaskRule};

use crate::Timestamp;
use crate::exchange::ExchangeId;
use crate::identity::{Fetch, FetchResult, Identity, SharedData, SignatureVerifier};
use crate::metrics::{Metric, Metrics};
use crate::policy::{Loaded, Policy, PolicySlot};
use crate::refusal::Refusal;

/// Key of the highest enforced revision in shared data.
const REVISION_KEY: &str = "tracegate.revision";

/// The shared state of one VM.
pub struct Vm {
    /// Counts for the proxy's metrics.
    pub metrics: Metrics,
    pub(crate) identity: Identity,
    policies: PolicySlot,
    needs_source_principal: bool,
    /// The highest revision that this VM has put into shared data.
    published: u64,
}

/// What is to be done after time has passed or keys have come.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chores {
    /// Key sets to fetch now. Each answer goes to [`Vm::fetched`].
    pub fetches: Vec<Fetch>,
    /// Exchanges to [`wake`](crate::exchange::Exchange::wake).
    pub wake: Vec<ExchangeId>,
    /// When [`Vm::tick`] wants to be called next, in milliseconds from now.
    pub next_tick_ms: u64,
}

impl Vm {
    /// A VM without a policy: it denies everything until [`Vm::configure`] has loaded one.
    ///
    /// `trust` are the keys whose signature on a bundle counts; `hash_key` is the key of the `hash`
    /// action, if the deployment has one.
    #[must_use]
    pub fn new(
        trust: TrustKeys,
        hash_key: Option<Vec<u8>>,
        verifier: Box<dyn SignatureVerifier>,
    ) -> Self {
        Self {
            metrics: Metrics::default(),
            identity: Identity::new(verifier),
            policies: PolicySlot::new(trust, hash_key),
            needs_source_principal: false,
            published: 0,
        }
    }

    /// Takes in the plugin configuration.
    ///
    /// `shared` is a store of this plugin alone: whoever drives the VM keeps the keys of several
    /// plugins in one process apart.
    ///
    /// Whether it is [`Loaded::Malformed`] depends on its bytes alone. Time and shared data only
    /// decide whether an expired or older bundle takes the place of the running one.
    pub fn configure(
        &mut self,
        configuration: &[u8],
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Loaded {
        let floor = enforced_revision(shared).unwrap_or(0);
        let loaded = self.policies.offer(configuration, floor, now);
        match &loaded {
            Loaded::Enforced => {
                if let Some(policy) = self.policies.running() {
                    self.identity.configure(&policy.bundle().providers);
                    self.needs_source_principal = policy
                        .bundle()
                        .connections
                        .iter()
                        .any(asks_for_source_principal);
                }
            }
            Loaded::Refused(refusal) => {
                self.metrics.record(Metric::BundlesRefused(*refusal), 1);
            }
            Loaded::Malformed(_) => {}
        }
        let revision = self
            .policies
            .running()
            .map_or(0, |policy| policy.bundle().revision);
        self.metrics.record(Metric::BundleRevision, revision);
        loaded
    }

    /// Whether any rule asks for the peer identity of mutual TLS.
    #[must_use]
    pub fn needs_source_principal(&self) -> bool {
        self.needs_source_principal
    }

    /// The policy to decide by.
    pub(crate) fn enforced(&self, now: Timestamp) -> Result<Rc<Policy>, Refusal> {
        self.policies.enforced(now)
    }

    /// The place of the running policy.
    #[must_use]
    pub fn policies(&self) -> &PolicySlot {
        &self.policies
    }

    /// Time has passed. Never called while the VM is being configured, and never by the throw-away
    /// VM in which the proxy tries a configuration out: what runs here has really been enforced.
    pub fn tick(&mut self, shared: &mut dyn SharedData, now: Timestamp) -> Chores {
        self.publish_revision(shared);
        self.identity.tick(shared, now)
    }

    /// A fetch that [`Chores::fetches`] asked for has ended.
    pub fn fetched(
        &mut self,
        fetch: &Fetch,
        result: FetchResult<'_>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Chores {
        self.identity
            .fetched(fetch, result, shared, now, &mut self.metrics)
    }

    /// When [`Vm::tick`] wants to be called next, in milliseconds from now. It may have become sooner
    /// with any event of an exchange.
    #[must_use]
    pub fn next_tick_ms(&self, now: Timestamp) -> u64 {
        self.identity.next_tick_ms(now)
    }

    fn publish_revision(&mut self, shared: &mut dyn SharedData) {
        let Some(policy) = self.policies.running() else {
            return;
        };
        let revision = policy.bundle().revision;
        if revision <= self.published {
            return;
        }
        let current = shared.get(REVISION_KEY);
        let known = current
            .as_ref()
            .and_then(|(value, _)| decode(value))
            .unwrap_or(0);
        // Where another VM was quicker the value is at least as good, or the next tick tries again.
        if known >= revision
            || shared.set(
                REVISION_KEY,
                &revision.to_le_bytes(),
                current.map(|(_, cas)| cas),
            )
        {
            self.published = revision;
        }
    }
}

fn enforced_revision(shared: &mut dyn SharedData) -> Option<u64> {
    shared
        .get(REVISION_KEY)
        .and_then(|(value, _)| decode(&value))
}

fn decode(value: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(value.try_into().ok()?))
}

/// Whether a rule of that connection asks for the peer identity of mutual TLS.
#[must_use]
pub fn asks_for_source_principal(connection: &Connection) -> bool {
    let in_rules = connection.rules.iter().any(|rule| {
        rule.from
            .iter()
            .any(|s| !s.principals.is_empty() || !s.not_principals.is_empty())
    });
    let conditions = connection
        .rules
        .iter()
        .flat_map(|rule| &rule.when)
        .chain(connection.masks.iter().flat_map(MaskRule::conditions));
    in_rules
        || conditions
            .into_iter()
            .any(|c| c.key == Attribute::SourcePrincipal)
}
