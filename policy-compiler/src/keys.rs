//! The keys that sign bundles.
//!
//! A private key is a PKCS#8 PEM file with an Ed25519 key (RFC 8410 §7), the form that
//! `openssl genpkey -algorithm ed25519` writes. Its public half travels as one `keyid=base64` entry,
//! the form in which the filter reads the keys that it trusts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::{Envelope, VerifyError, key_id, trust_entry};

/// What stands before the 32 bytes of the key: the DER of `PrivateKeyInfo` with algorithm
/// 1.3.101.112 (RFC 8410 §7). Every Ed25519 key in PKCS#8 version 1 begins like this.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// An Ed25519 private key.
pub struct PrivateKey(SigningKey);

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// Not a PEM file with one private key.
    #[error("this is not a PEM file with one `PRIVATE KEY`; `policy-compiler keygen` writes one")]
    Pem,
    /// A private key of another algorithm.
    #[error("this is not an Ed25519 private key in PKCS#8 (RFC 8410)")]
    Algorithm,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).map_err(KeyError::Random)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of that seed, for tests: who knows the seed can sign.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a PKCS#8 PEM file.
    ///
    /// # Errors
    ///
    /// [`KeyError::Pem`] and [`KeyError::Algorithm`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let body = text
            .trim()
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(END))
            .ok_or(KeyError::Pem)?;
        let encoded: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(encoded).map_err(|_| KeyError::Pem)?;
        let seed = der
            .strip_prefix(&PKCS8_PREFIX)
            .and_then(|seed| <&[u8; 32]>::try_from(seed).ok())
            .ok_or(KeyError::Algorithm)?;
        Ok(Self::from_seed(seed))
    }

    /// The PKCS#8 PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [PKCS8_PREFIX.as_slice(), self.0.as_bytes()].concat();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// `sha256:` and 16 hex digits of the public key's digest.
    #[must_use]
    pub fn id(&self) -> String {
        key_id(&self.0.verifying_key())
    }

    /// The public key as an entry of `TRACEGATE_TRUST_KEYS`: `keyid=base64`.
    #[must_use]
    pub fn trust_entry(&self) -> String {
        trust_entry(&self.0.verifying_key())
    }

    /// Adds a signature to an envelope.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if the envelope holds no bundle or has no room.
    pub fn sign(&self, envelope: &mut Envelope) -> Result<(), VerifyError> {
        envelope.sign(&self.0)
    }

    /// A bundle in an envelope with this signature.
    ///
    /// # Errors
    ///
    /// None in practice: a new envelope holds a bundle and has room.
    pub fn seal(&self, bundle: &Bundle) -> Result<Envelope, VerifyError> {
        let mut envelope = Envelope::new(&bundle.to_bytes());
        self.sign(&mut envelope)?;
        Ok(envelope)
    }
}

impl std::fmt::Debug for PrivateKey {
    /// The name only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file() {
        let key = PrivateKey::generate().unwrap();
        let read = PrivateKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(read.trust_entry(), key.trust_entry());
    }

    #[test]
    fn the_example_of_rfc_8410_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let key = PrivateKey::from_pem(pem).unwrap();
        let public = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert!(key.trust_entry().ends_with(public), "{}", key.trust_entry());
        assert_eq!(key.to_pem(), pem);
    }

    #[test]
    fn another_kind_of_file_is_refused_with_a_reason() {
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        assert!(matches!(PrivateKey::from_pem(public), Err(KeyError::Pem)));
        let other = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode([0x30; 48]));
        assert!(matches!(
            PrivateKey::from_pem(&other),
            Err(KeyError::Algorithm)
        ));
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let key = PrivateKey::from_seed(&[7; 32]);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.id()));
    }
}
