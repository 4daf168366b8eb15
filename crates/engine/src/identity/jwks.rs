//! Key sets of issuers (RFC 7517 §5).
//!
//! One bad key must not take the good ones with it: issuers publish encryption keys, new curves and
//! mistakes beside the keys that sign. So keys are judged one by one, and only a set without any
//! usable key, or one beyond the limits, is refused as a whole.

use std::fmt;

use serde_json::Value;
use tracegate_bundle::policy::Algorithm;

use super::json;
use super::keys::{Jwk, KeyError, PublicKey, Thumbprint};

/// Longest set, in bytes of JSON.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// Most keys in a set, the unusable ones too.
const MAX_KEYS: usize = 64;
/// How many keys are tried for one token: a signature costs, and the caller chooses the token.
const MAX_TRIED: usize = 4;

/// The usable keys of an issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Jwk>,
    skipped: Vec<(usize, KeyError)>,
}

/// Why a key set is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Longer than 256 KiB.
    TooLong,
    /// Not a JSON object with a `keys` array, or a name occurs twice in an object.
    NotAKeySet,
    /// More than 64 keys.
    TooManyKeys,
    /// No key that this filter can verify signatures with: the place of each key, and why it is none.
    NoUsableKey(Vec<(usize, KeyError)>),
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the key set is longer than 256 KiB",
            Self::NotAKeySet => "not a JWK set: a JSON object with an array `keys`, no name twice",
            Self::TooManyKeys => "the key set has more than 64 keys",
            Self::NoUsableKey(_) => "the key set has no key that can verify signatures",
        })
    }
}

impl std::error::Error for KeySetError {}

/// What a key set has for a token.
#[derive(Clone, Debug)]
pub(super) enum Found<'a> {
    /// These keys may have signed it: at least one, at most four.
    Keys(Vec<&'a PublicKey>),
    /// There are such keys, but not for that algorithm.
    OtherAlgorithm,
    /// There is no such key.
    Nothing,
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// [`KeySetError`] when the whole set is unusable. Single keys that are not used are listed in
    /// [`KeySet::skipped`].
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > MAX_BYTES {
            return Err(KeySetError::TooLong);
        }
        let set = json::object(text).ok_or(KeySetError::NotAKeySet)?;
        let Some(Value::Array(listed)) = set.get("keys") else {
            return Err(KeySetError::NotAKeySet);
        };
        if listed.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut usable = Vec::new();
        let mut skipped = Vec::new();
        for (index, value) in listed.iter().enumerate() {
            match Jwk::parse(value) {
                Ok(key) => usable.push((index, key)),
                Err(error) => skipped.push((index, error)),
            }
        }
        let (usable, twice) = without_ambiguous(usable);
        skipped.extend(twice.map(|index| (index, KeyError::DuplicateKeyId)));
        skipped.sort_unstable_by_key(|(index, _)| *index);
        if usable.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok(Self {
            keys: usable,
            skipped,
        })
    }

    /// The keys that are not used, by their place in the set, and why.
    #[must_use]
    pub fn skipped(&self) -> &[(usize, KeyError)] {
        &self.skipped
    }

    /// The keys that may verify a token with that `kid` and `alg`.
    pub(super) fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let named = |jwk: &&Jwk| key_id.is_none() || jwk.key_id.as_deref() == key_id;
        let keys: Vec<&PublicKey> = self
            .keys
            .iter()
            .filter(named)
            .filter(|jwk| jwk.permits(algorithm))
            .map(|jwk| &jwk.key)
            .take(MAX_TRIED)
            .collect();
        match keys.is_empty() {
            false => Found::Keys(keys),
            true if key_id.is_some() && self.keys.iter().any(|jwk| named(&jwk)) => {
                Found::OtherAlgorithm
            }
            true => Found::Nothing,
        }
    }

    /// Whether the set still has that key, and still for that algorithm.
    pub(super) fn has(&self, thumbprint: &Thumbprint, algorithm: Algorithm) -> bool {
        self.keys
            .iter()
            .any(|jwk| jwk.key.thumbprint() == thumbprint && jwk.permits(algorithm))
    }
}

/// Keeps one of equal keys, and none of different keys that a token could not tell apart: which of
/// them verifies must not depend on their order.
fn without_ambiguous(keys: Vec<(usize, Jwk)>) -> (Vec<Jwk>, impl Iterator<Item = usize>) {
    let same_name = |a: &Jwk, b: &Jwk| {
        a.key_id.is_some()
            && a.key_id == b.key_id
            && a.algorithm == b.algorithm
            && same_type(&a.key, &b.key)
    };
    let equal = |a: &Jwk, b: &Jwk| {
        a.key_id == b.key_id
            && a.algorithm == b.algorithm
            && a.key.thumbprint() == b.key.thumbprint()
    };
    let mut distinct: Vec<(usize, Jwk)> = Vec::new();
    for (index, key) in keys {
        if !distinct.iter().any(|(_, other)| equal(&key, other)) {
            distinct.push((index, key));
        }
    }
    let ambiguous: Vec<usize> = distinct
        .iter()
        .filter(|(index, key)| {
            distinct
                .iter()
                .any(|(other, twin)| index != other && same_name(key, twin))
        })
        .map(|(index, _)| *index)
        .collect();
    distinct.retain(|(index, _)| !ambiguous.contains(index));
    let keys = distinct.into_iter().map(|(_, key)| key).collect();
    (keys, ambiguous.into_iter())
}

/// The same `kty`: RSA keys of any size, EC keys of any curve, Ed25519 keys.
fn same_type(a: &PublicKey, b: &PublicKey) -> bool {
    std::mem::discriminant(&a.key_type()) == std::mem::discriminant(&b.key_type())
}
