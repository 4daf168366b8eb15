//! The keys of one source, and how they are kept fresh.
//!
//! Keys from the policy are parsed once. Keys from an issuer are fetched by one VM of the process and
//! read by the others ([`shared`](super::shared)):
//!
//! - After about 80 % of their time they are fetched anew, while the old ones go on being used.
//! - When the issuer does not answer, the old ones are used up to `max_stale_seconds` longer, and
//!   fetches back off from 1 to 60 seconds.
//! - A token with an unknown `kid`, or one that its key does not verify (issuers exchange keys under
//!   one name), has the set fetched once more, at most once in 30 seconds per process whatever
//!   callers send: otherwise anyone could make this proxy flood the issuer.
//!
//! A set is replaced only by an answer that is one: status 200, within the limits, with at least one
//! usable key. Anything else leaves the old keys alone.

use sha2::{Digest, Sha256};
use tracegate_bundle::policy::{Algorithm, KeySource};

use super::jwks::{Found, KeySet};
use super::ports::{Fetch, FetchResult, SharedData};
use super::remote::Remote;
use crate::Timestamp;

/// Names a source of keys, and with it what was verified by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RingId([u8; 16]);

impl RingId {
    /// The same for the same source in the same words, in every VM and every version of a policy.
    pub(super) fn of(source: &KeySource) -> Self {
        let text = serde_json::to_vec(source).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(&text).into();
        let (id, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(*id)
    }
}

impl std::fmt::Display for RingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The keys of one source.
#[derive(Debug)]
pub(super) struct KeyRing {
    id: RingId,
    keys: Option<KeySet>,
    remote: Option<Remote>,
}

/// What a key ring has for a token.
#[derive(Clone, Debug)]
pub(super) enum Lookup<'a> {
    /// These keys may have signed it: at least one, at most four.
    Keys(Vec<&'a super::PublicKey>),
    /// The key is known, but not for that algorithm.
    OtherAlgorithm,
    /// The issuer has no such key.
    UnknownKey,
    /// The issuer is to be asked. Pointless before `next_chance`.
    Ask {
        /// In milliseconds since the Unix epoch.
        next_chance: u64,
    },
}

/// What a tick or an answer did to a key ring.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// A set was loaded or confirmed: look again.
    pub(super) loaded: bool,
    /// The set became too old and was dropped.
    pub(super) dropped: bool,
    /// A fetch to send.
    pub(super) fetch: Option<Fetch>,
    /// Before this no set can come, in milliseconds since the Unix epoch.
    pub(super) next_chance: u64,
}

impl KeyRing {
    /// A ring for that source: with its keys if they are in the policy, else still empty.
    pub(super) fn new(source: &KeySource) -> Self {
        let id = RingId::of(source);
        Self {
            id,
            keys: match source {
                KeySource::Inline(text) => KeySet::parse(text.as_bytes()).ok(),
                KeySource::Remote { .. } => None,
            },
            remote: Remote::new(source, id.to_string()),
        }
    }

    pub(super) fn id(&self) -> RingId {
        self.id
    }

    pub(super) fn keys(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// Whether there are keys and they may still be used.
    pub(super) fn usable(&self, now: Timestamp) -> bool {
        let expired = |remote: &Remote| remote.expired(now);
        self.keys.is_some() && !self.remote.as_ref().is_some_and(expired)
    }

    /// The keys for a token with that `kid` and `alg`.
    pub(super) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Lookup<'_> {
        let next_chance = self.remote.as_ref().map_or(u64::MAX, Remote::next_chance);
        let Some(keys) = self.keys.as_ref().filter(|_| self.usable(now)) else {
            return Lookup::Ask { next_chance };
        };
        match keys.find(key_id, algorithm) {
            Found::Keys(keys) => Lookup::Keys(keys),
            Found::OtherAlgorithm => Lookup::OtherAlgorithm,
            Found::Nothing if self.remote.as_ref().is_none_or(|it| it.confirmed(now)) => {
                Lookup::UnknownKey
            }
            Found::Nothing => Lookup::Ask { next_chance },
        }
    }

    /// When the issuer may be asked whether it still has these keys, in milliseconds since the Unix
    /// epoch. `None`: it has just been asked, or there is nobody to ask.
    pub(super) fn may_be_outdated(&self, now: Timestamp) -> Option<u64> {
        let remote = self.remote.as_ref()?;
        (!remote.confirmed(now)).then(|| remote.next_chance())
    }

    /// When this ring wants its next tick, in milliseconds from now.
    pub(super) fn next_tick_ms(&self, now: Timestamp) -> u64 {
        match &self.remote {
            Some(remote) if !self.usable(now) => remote.next_chance().saturating_sub(now.millis()),
            _ => u64::MAX,
        }
    }

    /// Time has passed. `wanted`: exchanges wait for this ring.
    pub(super) fn tick(
        &mut self,
        wanted: bool,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Turn {
        let usable_before = self.usable(now);
        let Some(remote) = &mut self.remote else {
            return Turn::default();
        };
        let mut turn = Turn {
            loaded: remote.adopt(&mut self.keys, shared, now),
            ..Turn::default()
        };
        turn.dropped = !usable_before && !turn.loaded && self.keys.take().is_some();
        turn.fetch = remote.try_fetch(self.keys.is_some(), wanted, shared, now);
        turn.next_chance = remote.next_chance();
        turn
    }

    /// The fetch of this ring has ended.
    pub(super) fn fetched(
        &mut self,
        result: FetchResult<'_>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Turn {
        let Some(remote) = &mut self.remote else {
            return Turn::default();
        };
        let answer = remote.answered(result, shared, now);
        let loaded = answer.is_some();
        self.keys = answer.or_else(|| self.keys.take());
        Turn {
            loaded,
            next_chance: remote.next_chance(),
            ..Turn::default()
        }
    }
}
