//! A source of keys that is an issuer: when it is asked, by whom, and how long its answer counts.
//!
//! Every VM of the process runs this on every tick; the lease in [`shared`](super::shared) lets one
//! of them ask. Nothing here depends on anything that VMs do not agree on, and no moment lies so far
//! ahead that a clock which leaps back could stop the fetches.

use sha2::{Digest, Sha256};
use tracegate_bundle::policy::KeySource;

use super::jwks::KeySet;
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

/// How the keys of an issuer are fetched. Times are in milliseconds since the Unix epoch.
#[derive(Debug)]
pub(super) struct Remote {
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

impl Remote {
    /// A source that nothing has been fetched from yet. `name` is its name in the process.
    pub(super) fn new(source: &KeySource, name: String) -> Option<Self> {
        let KeySource::Remote {
            cluster,
            authority,
            path,
            scheme,
            cache_seconds,
            max_stale_seconds,
            timeout_ms,
        } = source
        else {
            return None;
        };
        Some(Self {
            records: Records::of(&name),
            fetch: Fetch {
                provider: name,
                cluster: cluster.clone(),
                authority: authority.clone(),
                path: path.clone(),
                scheme: scheme.clone(),
                timeout_ms: (*timeout_ms).clamp(1, MAX_TIMEOUT_MS),
            },
            fresh_for: (*cache_seconds).max(1).saturating_mul(1_000),
            max_stale: max_stale_seconds.saturating_mul(1_000),
            head: None,
            claim: None,
            next_chance: 0,
        })
    }

    /// Before this no new set can come, in milliseconds since the Unix epoch.
    pub(super) fn next_chance(&self) -> u64 {
        self.next_chance
    }

    /// Loads the set that another VM has published. Returns whether it is news.
    pub(super) fn adopt(
        &mut self,
        keys: &mut Option<KeySet>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> bool {
        let Some(head) = self.records.head(shared) else {
            return false;
        };
        if self.head == Some(head) || self.too_old(&head, now) {
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
    pub(super) fn try_fetch(
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

    /// Takes the answer to the fetch of this VM: publishes the key set in it, if there is one.
    pub(super) fn answered(
        &mut self,
        result: FetchResult<'_>,
        shared: &mut dyn SharedData,
        now: Timestamp,
    ) -> Option<KeySet> {
        let keys = match result {
            FetchResult::Answer {
                status: 200,
                cache_control,
                body,
            } => KeySet::parse(body).ok().inspect(|_| {
                let head = Head {
                    fetched_at: now.millis(),
                    fresh_for: fresh_for(cache_control).unwrap_or(self.fresh_for),
                    digest: shared::digest(body),
                };
                self.records.publish(&head, body, shared);
                self.head = Some(head);
            }),
            FetchResult::Answer { .. } | FetchResult::Failed => None,
        };
        self.release(keys.is_some(), shared, now);
        keys
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
    pub(super) fn confirmed(&self, now: Timestamp) -> bool {
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

    /// Whether the set that was loaded is older than may be used at all.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.head.is_none_or(|head| self.too_old(&head, now))
    }

    fn too_old(&self, head: &Head, now: Timestamp) -> bool {
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
