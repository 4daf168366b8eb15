//! The keys of one source, and how they are kept fresh.
//!
//! Keys from the policy are parsed once. Keys from an issuer are fetched by one VM of the process and
//! read by the others ([`shared`](super::shared)):
//!
//! - After about 80 % of their time they are fetched anew, while the old ones go on being used.
//! - When the issuer does not answer, the old ones are used up to `max_stale_seconds` longer, and
//!   fetches back off from 1 to 60 seconds.
//! - A token with an unknown `kid` has the set fetched once more, at most once in 30 seconds per
//!   process whatever callers send: otherwise anyone could make this proxy flood the issuer.
//!
//! A set is replaced only by an answer that is one: status 200, within the limits, with at least one
//! usable key. Anything else leaves the old keys alone.

use sha2::{Digest, Sha256};
use tracegate_bundle::policy::{Algorithm, KeySource};

use super::jwks::{Found, KeySet};
use super::ports::{Fetch, FetchResult, SharedData};
use super::shared::{self, Head, Lease, Records};
use crate::Timestamp;

/// How long after a fetch an unknown `kid` counts as unknown to the issuer too.
const COOL_DOWN_MS: u64 = 30_000;
/// First and longest pause after a failed fetch.
const BACKOFF_MS: (u64, u64) = (1_000, 60_000);
/// Longest timeout of a fetch.
const MAX_TIMEOUT_MS: u64 = 60_000;
/// How long after its timeout a fetch counts as lost.
const GRACE_MS: u64 = 2_000;
/// Bounds for what `cache-control: max-age` may ask for, in seconds.
const MAX_AGE_SECS: (u64, u64) = (60, 86_400);

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

/// How the keys of an issuer are fetched. Times are in milliseconds since the Unix epoch.
#[derive(Debug)]
struct Remote {
    fetch: Fetch,
    fresh_for: u64,
    max_stale: u64,
    records: Records,
    /// The set that was loaded last.
    head: Option<Head>,
    /// The lease of the fetch that this VM has under way.
    claim: Option<Lease>,
    /// Before this no new set can come.
    next_chance: u64,
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
        match source {
            KeySource::Inline(text) => Self {
                id,
                keys: KeySet::parse(text.as_bytes()).ok(),
                remote: None,
            },
            KeySource::Remote {
                cluster,
                authority,
                path,
                scheme,
                cache_seconds,
                max_stale_seconds,
                timeout_ms,
            } => Self {
                id,
                keys: None,
                remote: Some(Remote {
                    fetch: Fetch {
                        provider: id.to_string(),
                        cluster: cluster.clone(),
                        authority: authority.clone(),
                        path: path.clone(),
                        scheme: scheme.clone(),
                        timeout_ms: (*timeout_ms).clamp(1, MAX_TIMEOUT_MS),
                    },
                    fresh_for: (*cache_seconds).max(1).saturating_mul(1_000),
                    max_stale: max_stale_seconds.saturating_mul(1_000),
                    records: Records::of(&id.to_string()),
                    head: None,
                    claim: None,
                    next_chance: 0,
                }),
            },
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
        let expired = |remote: &Remote| remote.head.is_none_or(|head| remote.expired(&head, now));
        self.keys.is_some() && !self.remote.as_ref().is_some_and(expired)
    }

    /// The keys for a token with that `kid` and `alg`.
    pub(super) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Lookup<'_> {
        let next_chance = self.remote.as_ref().map_or(u64::MAX, |it| it.next_chance);
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

    /// When this ring wants its next tick, in milliseconds from now.
    pub(super) fn next_tick_ms(&self, now: Timestamp) -> u64 {
        match &self.remote {
            Some(remote) if !self.usable(now) => remote.next_chance.saturating_sub(now.millis()),
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
        turn.next_chance = remote.next_chance;
        turn
    }

    /// The fetch of this ring has ended. Returns what changed and whether a usable set came.
    pub(super) fn fetched(
        &mut self,
        result: FetchResult<'_>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> (Turn, bool) {
        let Some(remote) = &mut self.remote else {
            return (Turn::default(), false);
        };
        let mut ok = false;
        if let FetchResult::Answer {
            status: 200,
            cache_control,
            body,
        } = result
            && let Ok(keys) = KeySet::parse(body)
        {
            let head = Head {
                fetched_at: now.millis(),
                fresh_for: fresh_for(cache_control).unwrap_or(remote.fresh_for),
                digest: shared::digest(body),
            };
            remote.records.publish(&head, body, shared);
            remote.head = Some(head);
            self.keys = Some(keys);
            ok = true;
        }
        remote.release(ok, shared, now);
        let turn = Turn {
            loaded: ok,
            next_chance: remote.next_chance,
            ..Turn::default()
        };
        (turn, ok)
    }
}

impl Remote {
    /// Loads the set that another VM has published. Returns whether it is news.
    fn adopt(
        &mut self,
        keys: &mut Option<KeySet>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> bool {
        let Some(head) = self.records.head(shared) else {
            return false;
        };
        if self.head == Some(head) || self.expired(&head, now) {
            return false;
        }
        let loaded = self.head.map(|head| head.digest) == Some(head.digest) && keys.is_some();
        if !loaded {
            let body = self.records.body(&head, shared);
            match body.and_then(|body| KeySet::parse(&body).ok()) {
                Some(set) => *keys = Some(set),
                None => return false,
            }
        }
        self.head = Some(head);
        true
    }

    /// Takes the lease if a fetch is due and nobody else has it.
    fn try_fetch(
        &mut self,
        have_keys: bool,
        wanted: bool,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Option<Fetch> {
        let (lease, token) = self.records.lease(shared)?;
        let now_ms = now.millis();
        if self.claim.is_some_and(|claim| self.is_free(&claim, now)) {
            // The answer never came, not even a failure: the proxy has dropped the call.
            self.claim = None;
        }
        let due = !have_keys || self.is_due(now);
        let free = self.is_free(&lease, now);
        let free_at = if free { now_ms } else { lease.free_at };
        let begins_at = match due {
            true => free_at,
            false => free_at.max(self.cooled_at(&lease, now)),
        };
        // While a fetch is under way its answer may come at any time.
        self.next_chance = if lease.busy && !free {
            now_ms
        } else {
            begins_at
        };
        if begins_at > now_ms || !(due || wanted) || self.claim.is_some() {
            return None;
        }
        let claim = Lease {
            free_at: now_ms.saturating_add(self.fetch.timeout_ms + GRACE_MS),
            tried_at: now_ms,
            failures: lease.failures,
            busy: true,
        };
        if !self.records.replace(&claim, token, shared) {
            return None;
        }
        self.claim = Some(claim);
        Some(self.fetch.clone())
    }

    /// Gives the lease back: at once after a success, after a pause else.
    fn release(&mut self, ok: bool, shared: &mut dyn SharedData, now: Timestamp) {
        let Some(claim) = self.claim.take() else {
            return;
        };
        let failures = if ok {
            0
        } else {
            claim.failures.saturating_add(1)
        };
        let after = Lease {
            free_at: now.millis() + self.backoff(failures, claim.tried_at),
            failures,
            busy: false,
            ..claim
        };
        self.next_chance = after.free_at;
        if let Some((current, token)) = self.records.lease(shared)
            && current == claim
        {
            self.records.replace(&after, token, shared);
        }
    }

    /// Whether a fetch may begin under that lease. A clock that went back frees it.
    fn is_free(&self, lease: &Lease, now: Timestamp) -> bool {
        now.millis() >= lease.free_at || lease.free_at > now.millis() + self.longest_lease()
    }

    /// From when on an unknown `kid` may cause a fetch.
    fn cooled_at(&self, lease: &Lease, now: Timestamp) -> u64 {
        if lease.tried_at > now.millis() + self.longest_lease() {
            return now.millis();
        }
        lease
            .tried_at
            .saturating_add(COOL_DOWN_MS)
            .max(now.millis())
    }

    fn longest_lease(&self) -> u64 {
        self.fetch.timeout_ms + GRACE_MS + 2 * BACKOFF_MS.1
    }

    /// Whether the set has been had from the issuer so lately that what it lacks does not exist.
    fn confirmed(&self, now: Timestamp) -> bool {
        self.head
            .is_some_and(|head| now.millis().saturating_sub(head.fetched_at) < COOL_DOWN_MS)
    }

    /// Whether the set is to be fetched anew: at 70 to 90 % of its time, so that the proxies of a
    /// fleet do not ask together. A date in the future means that the clock went back.
    fn is_due(&self, now: Timestamp) -> bool {
        let Some(head) = self.head else {
            return true;
        };
        let refresh = head.fresh_for / 10 * 7 + self.jitter(head.fetched_at, head.fresh_for / 5);
        now.millis() >= head.fetched_at.saturating_add(refresh)
            || head.fetched_at > now.millis() + self.longest_lease()
    }

    /// Whether a set is older than may be used at all.
    fn expired(&self, head: &Head, now: Timestamp) -> bool {
        let usable_for = head.fresh_for.saturating_add(self.max_stale);
        now.millis() >= head.fetched_at.saturating_add(usable_for)
    }

    /// The pause after that many failures in a row: doubled each time, 75 to 125 % of it.
    fn backoff(&self, failures: u32, seed: u64) -> u64 {
        let Some(doublings) = failures.checked_sub(1) else {
            return 0;
        };
        let (first, longest) = BACKOFF_MS;
        let pause = (first << doublings.min(16)).min(longest);
        pause * 3 / 4 + self.jitter(seed, pause / 2)
    }

    /// Some number below `range`. It depends on the source and a moment, so VMs of one process agree
    /// and processes do not.
    fn jitter(&self, moment: u64, range: u64) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.fetch.provider.as_bytes());
        hash.update(moment.to_le_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_le_bytes(*first) % range.max(1)
    }
}

/// How long an answer says that it is fresh (RFC 9111 §5.2.2), in milliseconds. `no-cache` and
/// `no-store` are what frameworks send by default and say nothing about keys.
fn fresh_for(cache_control: Option<&[u8]>) -> Option<u64> {
    let text = std::str::from_utf8(cache_control?).ok()?;
    let mut max_age = None;
    for directive in text.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => return None,
            "max-age" => max_age = value.trim().parse::<u64>().ok(),
            _ => {}
        }
    }
    let (shortest, longest) = MAX_AGE_SECS;
    Some(max_age?.clamp(shortest, longest) * 1_000)
}
