//! What the VMs of one process tell each other about a key set: two small records and its text.
//!
//! `head` names the set that is current; every VM reads it on every tick and reads `body` only when
//! it changed. `lease` says who may fetch and when: a VM fetches only after it has replaced the lease
//! it read by its own, so there is one fetch per process. The store is the proxy's shared data,
//! which other plugins can reach only under the same `vm_id`; Tracegate has its own.

use sha2::{Digest, Sha256};

use super::ports::SharedData;

/// A compare-and-swap token that no value has. Envoy creates an absent key under any token, so
/// setting with this one creates the key and never overwrites it.
const NEVER: u32 = u32::MAX;

/// The records of one source of keys.
#[derive(Debug)]
pub(super) struct Records {
    head: String,
    body: String,
    lease: String,
}

/// Which key set is current. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fetched_at: u64,
    /// How long it is fresh, in milliseconds.
    pub(super) fresh_for: u64,
    /// SHA-256 of the text.
    pub(super) digest: [u8; 32],
}

/// Who may fetch. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    /// Before this nobody may begin a fetch.
    pub(super) free_at: u64,
    /// When the latest fetch began.
    pub(super) tried_at: u64,
    /// How many fetches in a row have failed.
    pub(super) failures: u32,
    /// Whether a fetch is under way.
    pub(super) busy: bool,
}

impl Records {
    pub(super) fn of(source: &str) -> Self {
        let record = |name: &str| format!("tracegate.jwks.{source}.{name}");
        Self {
            head: record("head"),
            body: record("body"),
            lease: record("lease"),
        }
    }

    pub(super) fn head(&self, shared: &mut dyn SharedData) -> Option<Head> {
        Head::decode(&shared.get(&self.head)?.0)
    }

    /// The text that `head` names; `None` if another VM is just replacing it.
    pub(super) fn body(&self, head: &Head, shared: &mut dyn SharedData) -> Option<Vec<u8>> {
        let (body, _) = shared.get(&self.body)?;
        (digest(&body) == head.digest).then_some(body)
    }

    /// Makes a set the current one. The text comes first, so that a head never names what is not
    /// there yet.
    pub(super) fn publish(&self, head: &Head, body: &[u8], shared: &mut dyn SharedData) {
        shared.set(&self.body, body, None);
        shared.set(&self.head, &head.encode(), None);
    }

    /// The lease, and the token with which it can be replaced. Creates it if need be.
    pub(super) fn lease(&self, shared: &mut dyn SharedData) -> Option<(Lease, u32)> {
        let mut found = shared.get(&self.lease);
        if found.is_none() {
            let idle = Lease::default().encode();
            if !shared.set(&self.lease, &idle, Some(NEVER)) && shared.get(&self.lease).is_none() {
                shared.set(&self.lease, &idle, None);
            }
            // What was read back counts, whoever wrote it.
            found = shared.get(&self.lease);
        }
        let (bytes, token) = found?;
        Some((Lease::decode(&bytes).unwrap_or_default(), token))
    }

    /// Replaces the lease that was read with `token`. False if another VM was faster.
    pub(super) fn replace(&self, lease: &Lease, token: u32, shared: &mut dyn SharedData) -> bool {
        shared.set(&self.lease, &lease.encode(), Some(token))
    }
}

/// SHA-256 of a key set's text.
pub(super) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        [
            &self.fetched_at.to_le_bytes()[..],
            &self.fresh_for.to_le_bytes(),
            &self.digest,
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fetched_at, rest) = bytes.split_first_chunk()?;
        let (fresh_for, rest) = rest.split_first_chunk()?;
        Some(Self {
            fetched_at: u64::from_le_bytes(*fetched_at),
            fresh_for: u64::from_le_bytes(*fresh_for),
            digest: rest.try_into().ok()?,
        })
    }
}

impl Lease {
    fn encode(&self) -> Vec<u8> {
        [
            &self.free_at.to_le_bytes()[..],
            &self.tried_at.to_le_bytes(),
            &self.failures.to_le_bytes(),
            &[u8::from(self.busy)],
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (free_at, rest) = bytes.split_first_chunk()?;
        let (tried_at, rest) = rest.split_first_chunk()?;
        let (failures, rest) = rest.split_first_chunk()?;
        match rest {
            [busy] => Some(Self {
                free_at: u64::from_le_bytes(*free_at),
                tried_at: u64::from_le_bytes(*tried_at),
                failures: u32::from_le_bytes(*failures),
                busy: *busy != 0,
            }),
            _ => None,
        }
    }
}
