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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::process::Shared;

    fn claim(tried_at: u64) -> Lease {
        Lease {
            free_at: tried_at + 3_000,
            tried_at,
            failures: 1,
            busy: true,
        }
    }

    #[test]
    fn of_two_vms_that_read_the_same_lease_one_gets_it() {
        let mut shared = Shared::default();
        let records = Records::of("a");
        let (_, one) = records.lease(&mut shared).unwrap();
        let (_, other) = records.lease(&mut shared).unwrap();
        assert!(records.replace(&claim(1), one, &mut shared));
        assert!(!records.replace(&claim(2), other, &mut shared));
        assert_eq!(records.lease(&mut shared).unwrap().0, claim(1));
    }

    /// A store in which another VM creates and takes the lease just before ours is created.
    struct Overtaken(Shared, bool);

    impl SharedData for Overtaken {
        fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.0.get(key)
        }

        fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
            if !std::mem::replace(&mut self.1, true) {
                self.0.set(key, &claim(7).encode(), None);
            }
            self.0.set(key, value, cas)
        }
    }

    #[test]
    fn creating_a_lease_never_undoes_that_of_another_vm() {
        let mut shared = Overtaken(Shared::default(), false);
        let (lease, _) = Records::of("a").lease(&mut shared).unwrap();
        assert_eq!(lease, claim(7));
    }

    /// A store that creates nothing under a compare-and-swap token, unlike Envoy's.
    struct Strict(Shared);

    impl SharedData for Strict {
        fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.0.get(key)
        }

        fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
            (cas.is_none() || self.0.get(key).is_some()) && self.0.set(key, value, cas)
        }
    }

    #[test]
    fn a_lease_is_created_in_a_stricter_store_too() {
        let mut shared = Strict(Shared::default());
        let (lease, token) = Records::of("a").lease(&mut shared).unwrap();
        assert_eq!(lease, Lease::default());
        assert!(Records::of("a").replace(&claim(1), token, &mut shared));
    }

    #[test]
    fn a_body_that_is_not_the_one_that_the_head_names_is_not_read() {
        let mut shared = Shared::default();
        let records = Records::of("a");
        let head = Head {
            fetched_at: 1,
            fresh_for: 2,
            digest: digest(b"one"),
        };
        records.publish(&head, b"one", &mut shared);
        assert_eq!(records.head(&mut shared), Some(head));
        assert_eq!(
            records.body(&head, &mut shared).as_deref(),
            Some(&b"one"[..])
        );
        shared.set(&records.body, b"two", None);
        assert_eq!(records.body(&head, &mut shared), None);
    }
}
