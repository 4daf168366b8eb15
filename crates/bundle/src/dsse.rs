//! The envelope in which a bundle travels: DSSE v1.0.2 with Ed25519.
//!
//! The signature covers the payload's type and its exact bytes (the *pre-authentication encoding*),
//! so nothing has to be parsed, let alone re-serialised, before it is known who made it. An envelope
//! can carry several signatures, of the author and of the security team for example, or of an old and
//! a new key during a rotation; one by a trusted key suffices.
//!
//! Trust comes by another road than the bundle: from the proxy's environment ([`TrustKeys::parse`]).
//! Who can edit the policy cannot bring a key of his own.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codec::hex;

/// The `payloadType` of a bundle.
pub const PAYLOAD_TYPE: &str = "application/vnd.tracegate.bundle.v1+json";

/// Most signatures of an envelope, and most keys that are trusted at a time.
pub const MAX_SIGNATURES: usize = 16;

/// The signed form of a payload.
///
/// Members that DSSE does not define are ignored, as it demands of every reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload in Base64, standard or URL-safe.
    payload: String,
    /// What the payload is.
    payload_type: String,
    /// The signatures. Empty in an envelope that is not signed yet.
    signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Names the key; a hint. Empty or absent: any trusted key may have signed.
    #[serde(default)]
    pub keyid: String,
    /// The 64 bytes of the Ed25519 signature in Base64, standard or URL-safe.
    pub sig: String,
}

/// Why the payload of an envelope is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The payload is something else than a bundle.
    PayloadType(String),
    /// The payload is not Base64.
    Payload,
    /// There is no signature at all.
    Unsigned,
    /// There are more than [`MAX_SIGNATURES`].
    TooManySignatures,
    /// No key is trusted.
    NoTrustedKey,
    /// Signatures there are, but none names a key that is trusted.
    UnknownKeys(Vec<String>),
    /// A trusted key is named and its signature is not valid.
    Invalid(String),
}

impl std::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PayloadType(found) => {
                write!(f, "the payload is `{found}`, expected `{PAYLOAD_TYPE}`")
            }
            Self::Payload => f.write_str("the payload is not Base64"),
            Self::Unsigned => f.write_str("the bundle is not signed"),
            Self::TooManySignatures => {
                write!(f, "the bundle has more than {MAX_SIGNATURES} signatures")
            }
            Self::NoTrustedKey => f.write_str("no key is trusted"),
            Self::UnknownKeys(found) => write!(
                f,
                "the bundle is signed by {}, which is not trusted",
                found.join(", ")
            ),
            Self::Invalid(keyid) => write!(
                f,
                "the signature of {keyid} is not valid; the bundle was changed after it was signed"
            ),
        }
    }
}

impl std::error::Error for VerifyError {}

impl Envelope {
    /// An envelope around the canonical bytes of a bundle, not signed yet.
    #[must_use]
    pub fn new(payload: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: Vec::new(),
        }
    }

    /// The signatures, whether valid or not.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The payload as it is: **nobody vouches for it**. For tools that show a bundle; whoever
    /// enforces one calls [`Envelope::verify`].
    ///
    /// # Errors
    ///
    /// [`VerifyError::PayloadType`] and [`VerifyError::Payload`].
    pub fn unverified_payload(&self) -> Result<Vec<u8>, VerifyError> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(VerifyError::PayloadType(self.payload_type.clone()));
        }
        decode(&self.payload).ok_or(VerifyError::Payload)
    }

    /// Adds the signature of `key`, or replaces the one that it has.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if there is no payload to sign, or no room for another signature.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), VerifyError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.unverified_payload()?);
        let keyid = key_id(&key.verifying_key());
        self.signatures.retain(|signature| signature.keyid != keyid);
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(VerifyError::TooManySignatures);
        }
        let sig = STANDARD.encode(key.sign(&message).to_bytes());
        self.signatures.push(Signature { keyid, sig });
        Ok(())
    }

    /// The payload, if at least one trusted key has signed it.
    ///
    /// Signatures of keys that are not trusted do no harm and no good.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] says what is missing.
    pub fn verify(&self, trust: &TrustKeys) -> Result<Vec<u8>, VerifyError> {
        let payload = self.unverified_payload()?;
        if self.signatures.is_empty() {
            return Err(VerifyError::Unsigned);
        }
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(VerifyError::TooManySignatures);
        }
        if trust.is_empty() {
            return Err(VerifyError::NoTrustedKey);
        }
        let message = pre_authentication_encoding(&self.payload_type, &payload);
        let mut invalid = None;
        for signature in &self.signatures {
            for key in trust.named(&signature.keyid) {
                if signature.is_by(&key.key, &message) {
                    return Ok(payload);
                }
                invalid.get_or_insert_with(|| key.id.clone());
            }
        }
        Err(match invalid {
            Some(keyid) => VerifyError::Invalid(keyid),
            None => VerifyError::UnknownKeys(
                self.signatures
                    .iter()
                    .map(|signature| signature.keyid.clone())
                    .collect(),
            ),
        })
    }
}

impl Signature {
    fn is_by(&self, key: &VerifyingKey, message: &[u8]) -> bool {
        decode(&self.sig)
            .and_then(|bytes| Ed25519Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| key.verify_strict(message, &signature).is_ok())
    }
}

/// DSSE lets the writer choose the alphabet.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .ok()
}

/// `PAE(type, body)` of DSSE: what is signed.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

// === Keys ===

/// The name of a public key: `sha256:` and the first 16 hex digits of its SHA-256.
#[must_use]
pub fn key_id(key: &VerifyingKey) -> String {
    let digest = hex(&Sha256::digest(key.as_bytes()));
    format!("sha256:{}", digest.get(..16).unwrap_or_default())
}

/// A public key as [`TrustKeys::parse`] reads it: `keyid=base64`.
#[must_use]
pub fn trust_entry(key: &VerifyingKey) -> String {
    format!("{}={}", key_id(key), STANDARD.encode(key.as_bytes()))
}

/// The keys whose signature makes a bundle trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustKeys(Vec<TrustKey>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct TrustKey {
    id: String,
    key: VerifyingKey,
}

/// Why a text is not a list of keys. Entries are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// Not of the form `keyid=base64`.
    Syntax(usize),
    /// The key is not the Base64 of 32 bytes.
    Encoding(usize),
    /// The bytes are no Ed25519 public key, or one for which signatures can be made without the
    /// private key.
    Key(usize),
    /// The name belongs to another key.
    Name {
        /// The entry.
        entry: usize,
        /// The name that the key has.
        expected: String,
    },
    /// More than [`MAX_SIGNATURES`] keys.
    TooMany,
}

impl std::fmt::Display for TrustError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax(entry) => {
                write!(f, "trusted key {entry} is not of the form `keyid=base64`")
            }
            Self::Encoding(entry) => {
                write!(f, "trusted key {entry} is not the Base64 of 32 bytes")
            }
            Self::Key(entry) => write!(f, "trusted key {entry} is not an Ed25519 public key"),
            Self::Name { entry, expected } => write!(
                f,
                "trusted key {entry} has the name of another key; its own is `{expected}`"
            ),
            Self::TooMany => write!(f, "there are more than {MAX_SIGNATURES} trusted keys"),
        }
    }
}

impl std::error::Error for TrustError {}

impl TrustKeys {
    /// Reads `keyid=base64` entries between commas or white space: the value of the environment
    /// variable `TRACEGATE_TRUST_KEYS`, and what `policy-compiler keygen` prints.
    ///
    /// The name is compared with the key, so that a swapped or damaged entry is found when it is
    /// read and not when a bundle is refused. An empty text trusts nobody.
    ///
    /// # Errors
    ///
    /// [`TrustError`] names the entry that is wrong. One wrong entry spoils the list: half a list
    /// would be noticed only at the next rotation.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let separator = |c: char| c == ',' || c.is_ascii_whitespace();
        let mut keys: Vec<TrustKey> = Vec::new();
        for (index, entry) in text
            .split(separator)
            .filter(|entry| !entry.is_empty())
            .enumerate()
        {
            let key = TrustKey::parse(entry, index + 1)?;
            if keys.contains(&key) {
                continue;
            }
            if keys.len() >= MAX_SIGNATURES {
                return Err(TrustError::TooMany);
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// The keys that a signature with that hint can be of.
    fn named<'a>(&'a self, keyid: &'a str) -> impl Iterator<Item = &'a TrustKey> {
        self.0
            .iter()
            .filter(move |key| keyid.is_empty() || key.id == keyid)
    }
}

impl TrustKey {
    fn parse(text: &str, entry: usize) -> Result<Self, TrustError> {
        let (id, encoded) = text.split_once('=').ok_or(TrustError::Syntax(entry))?;
        let bytes: [u8; 32] = STANDARD_NO_PAD
            .decode(encoded.trim_end_matches('='))
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(TrustError::Encoding(entry))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| TrustError::Key(entry))?;
        if key.is_weak() {
            return Err(TrustError::Key(entry));
        }
        let expected = key_id(&key);
        if id != expected {
            return Err(TrustError::Name { entry, expected });
        }
        Ok(Self { id: expected, key })
    }
}

#[cfg(test)]
mod tests;
