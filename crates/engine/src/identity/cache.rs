//! Tokens whose signature has been verified.
//!
//! An entry says one thing: this exact token bears a signature of that key. Whether it is acceptable
//! now and here is checked on every request. Only verified tokens get in, so a caller without valid
//! tokens cannot push others out. The key holds the digest of the whole token: without the signature
//! a forged one would hit, and the token itself is a credential that need not lie in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use serde_json::{Map, Value};
use sha2::{Digest, Sha512_256};

use super::claims::Claims;
use super::jws::Kind;
use super::keyring::RingId;
use super::keys::Thumbprint;
use crate::Timestamp;

/// Most tokens that are kept.
const MAX_ENTRIES: usize = 1_024;
/// Most bytes that they may take up together.
const MAX_WEIGHT: usize = 2 * 1024 * 1024;
/// Most bytes of one token; a longer one is verified each time.
const MAX_ENTRY_WEIGHT: usize = 32 * 1024;
/// How long an entry is believed at most; not beyond the token's own `exp`.
const MAX_AGE_MS: u64 = 300_000;

/// Names a token and the keys that it was verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenId {
    digest: [u8; 32],
    ring: RingId,
}

impl TokenId {
    /// The digest of a token, apart from the ring: one token may be looked up in several. Where there
    /// are 64-bit words and no instructions for SHA-256, as in wasm, SHA-512 takes half as long.
    pub(super) fn digest(token: &[u8]) -> [u8; 32] {
        Sha512_256::digest(token).into()
    }

    pub(super) fn new(digest: [u8; 32], ring: RingId) -> Self {
        Self { digest, ring }
    }
}

/// A token whose signature has been verified.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    pub(super) kind: Kind,
    pub(super) claims: Claims,
    /// The key that verified it.
    pub(super) key: Thumbprint,
}

#[derive(Debug)]
struct Slot {
    id: TokenId,
    token: Verified,
    weight: usize,
    until: Timestamp,
    /// Looked up since the hand last came by.
    used: bool,
}

/// A bounded table of verified tokens with CLOCK replacement.
#[derive(Debug, Default)]
pub(super) struct TokenCache {
    slots: Vec<Slot>,
    places: BTreeMap<TokenId, usize>,
    weight: usize,
    hand: usize,
}

impl TokenCache {
    /// The token of that name, if it was verified not too long ago.
    pub(super) fn get(&mut self, id: &TokenId, now: Timestamp) -> Option<&Verified> {
        let place = *self.places.get(id)?;
        if self.slots.get(place)?.until <= now {
            self.remove(place);
            return None;
        }
        let slot = self.slots.get_mut(place)?;
        slot.used = true;
        Some(&slot.token)
    }

    /// Keeps a token, in place of others if need be.
    pub(super) fn insert(&mut self, id: TokenId, token: Verified, now: Timestamp) {
        let weight = weigh(&token);
        if weight > MAX_ENTRY_WEIGHT {
            return;
        }
        while self.slots.len() >= MAX_ENTRIES || self.weight + weight > MAX_WEIGHT {
            if !self.evict(now) {
                return;
            }
        }
        if let Place::Vacant(place) = self.places.entry(id) {
            let expires = Timestamp::from_secs(token.claims.principal.expires);
            place.insert(self.slots.len());
            self.weight += weight;
            self.slots.push(Slot {
                id,
                token,
                weight,
                until: now.plus_millis(MAX_AGE_MS).min(expires),
                used: false,
            });
        }
    }

    /// Drops the tokens for which `keep` says no.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(RingId, &Verified) -> bool) {
        let mut place = 0;
        while let Some(slot) = self.slots.get(place) {
            if keep(slot.id.ring, &slot.token) {
                place += 1;
            } else {
                self.remove(place);
            }
        }
    }

    /// Makes room: the hand passes over tokens that were used since its last round. False if there
    /// is nothing to drop.
    fn evict(&mut self, now: Timestamp) -> bool {
        // After one round no token counts as used any more, so two are enough.
        for _ in 0..=2 * self.slots.len() {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            match self.slots.get_mut(self.hand) {
                None => return false,
                Some(slot) if slot.used && slot.until > now => {
                    slot.used = false;
                    self.hand += 1;
                }
                Some(_) => {
                    self.remove(self.hand);
                    return true;
                }
            }
        }
        false
    }

    fn remove(&mut self, place: usize) {
        if place >= self.slots.len() {
            return;
        }
        let gone = self.slots.swap_remove(place);
        self.places.remove(&gone.id);
        self.weight = self.weight.saturating_sub(gone.weight);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.id, place);
        }
    }
}

/// About how many bytes an entry takes up, rather too many than too few.
fn weigh(token: &Verified) -> usize {
    const ENTRY: usize = 512;
    let principal = &token.claims.principal;
    let texts = [&principal.issuer, &principal.subject]
        .into_iter()
        .chain(&principal.audiences)
        .chain(&principal.presenter)
        .chain(&principal.token_id);
    ENTRY + texts.map(|text| text.len() + 32).sum::<usize>() + weigh_members(&principal.claims)
}

fn weigh_members(members: &Map<String, Value>) -> usize {
    // The nodes of the map have room for eleven members and are at least half full.
    let nodes = members.len().div_ceil(5) * 640;
    nodes
        + members
            .iter()
            .map(|(name, value)| name.len() + weigh_value(value))
            .sum::<usize>()
}

fn weigh_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| 32 + weigh_value(value)).sum(),
        Value::Object(members) => weigh_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracegate_bundle::policy::{Algorithm, KeySource};

    use super::super::jws::MediaType;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn id(number: usize) -> TokenId {
        let ring = RingId::of(&KeySource::Inline(String::new()));
        TokenId::new(TokenId::digest(&number.to_le_bytes()), ring)
    }

    /// A token of the least or, with that many bytes more, of some weight.
    fn token(padding: usize) -> Verified {
        let claims = json!({
            "iss": "i", "sub": "s", "aud": "a", "exp": 1_800_001_000, "pad": "x".repeat(padding),
        });
        let Value::Object(members) = claims else {
            panic!("an object");
        };
        Verified {
            kind: Kind {
                algorithm: Algorithm::ES256,
                media_type: MediaType::Absent,
            },
            claims: Claims::read(members).unwrap(),
            key: [0; 32],
        }
    }

    /// A cache into which the tokens 0 to `count` were put.
    fn filled(count: usize, padding: usize) -> TokenCache {
        let mut cache = TokenCache::default();
        for number in 0..count {
            cache.insert(id(number), token(padding), NOW);
            assert!(cache.slots.len() <= MAX_ENTRIES && cache.weight <= MAX_WEIGHT);
            assert_eq!(cache.slots.len(), cache.places.len());
        }
        cache
    }

    #[test]
    fn a_thousand_and_twenty_four_tokens_are_kept_and_the_next_takes_the_place_of_one() {
        let mut cache = filled(1_024, 0);
        assert_eq!(cache.slots.len(), 1_024);
        // Those that were looked up are passed over.
        for number in (0..1_024).filter(|number| *number != 700) {
            assert!(cache.get(&id(number), NOW).is_some());
        }
        cache.insert(id(1_024), token(0), NOW);
        assert_eq!(cache.slots.len(), 1_024);
        assert!(cache.get(&id(1_024), NOW).is_some());
        assert!(cache.get(&id(700), NOW).is_none());
        assert!(cache.get(&id(0), NOW).is_some());
    }

    #[test]
    fn two_mebibytes_are_the_most_that_tokens_take_up_together() {
        let one = weigh(&token(20_000));
        let fit = MAX_WEIGHT / one;
        assert!(fit < MAX_ENTRIES);
        assert_eq!(filled(fit, 20_000).slots.len(), fit);
        let more = filled(fit + 50, 20_000);
        assert_eq!(more.slots.len(), fit);
        assert_eq!(more.weight, fit * one);
    }

    #[test]
    fn a_token_of_more_than_thirty_two_kibibytes_is_not_kept() {
        let padding = MAX_ENTRY_WEIGHT - weigh(&token(0));
        assert_eq!(weigh(&token(padding)), MAX_ENTRY_WEIGHT);
        assert_eq!(filled(1, padding).slots.len(), 1);
        assert_eq!(filled(1, padding + 1).slots.len(), 0);
    }

    #[test]
    fn a_token_that_lies_there_for_long_is_the_first_to_go() {
        let mut cache = filled(1_024, 0);
        let later = NOW.plus_millis(MAX_AGE_MS);
        assert!(cache.get(&id(3), later).is_none(), "after five minutes");
        assert_eq!(cache.slots.len(), 1_023);
        assert_eq!(cache.weight, 1_023 * weigh(&token(0)));
    }
}
