//! Public keys of issuers: from a JWK (RFC 7517) to the form in which signatures are verified.
//!
//! A key is judged once, when its set is loaded: type, curve, size, exponent, purpose. What comes
//! out of [`Jwk::parse`] can verify with the algorithms it permits and with no other, so no token
//! can choose how a key is used (RFC 8725 §3.1).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tracegate_bundle::policy::Algorithm;

use super::der;
use super::json::base64url;

/// The RFC 7638 thumbprint of a key, with SHA-256.
pub type Thumbprint = [u8; 32];

/// A public key in the form in which signatures are verified.
#[derive(Clone, Debug)]
pub struct PublicKey {
    material: Material,
    spki: Vec<u8>,
    thumbprint: Thumbprint,
}

/// The parsed key: setting it up costs as much as a verification.
#[derive(Clone, Debug)]
pub(super) enum Material {
    Rsa(Box<rsa::PublicKey>, u32),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
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

impl Curve {
    /// Octets of one coordinate, and of each half of a signature.
    const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// Why a key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A member is missing, of the wrong type or not canonical.
    Malformed(&'static str),
    /// `kty` or `crv` is none that this filter verifies with.
    Unsupported,
    /// A symmetric key, or a key with its private part. Whoever published it has lost it.
    NotPublic,
    /// `use` or `key_ops` says that it does not verify signatures.
    Purpose,
    /// `alg` is no signature algorithm of this filter, or does not fit the key.
    Algorithm,
    /// An RSA modulus below 2048 or above 8192 bits, or an even one.
    RsaModulus,
    /// An RSA exponent that is even, below 3 or above 2^32.
    RsaExponent,
    /// The coordinates are no point of the curve, or one of small order.
    Point,
    /// Another key of the set has the same `kid`, `kty` and `alg`.
    DuplicateKeyId,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(member) => write!(f, "`{member}` is missing or malformed"),
            Self::Unsupported => f.write_str("`kty` or `crv` is not supported"),
            Self::NotPublic => f.write_str("the key is not a public key: withdraw it"),
            Self::Purpose => f.write_str("`use` or `key_ops` excludes verifying signatures"),
            Self::Algorithm => f.write_str("`alg` is not supported or does not fit the key"),
            Self::RsaModulus => f.write_str("the modulus must be odd and have 2048 to 8192 bits"),
            Self::RsaExponent => f.write_str("the exponent must be odd and from 3 to 2^32"),
            Self::Point => f.write_str("the coordinates are not a usable point of the curve"),
            Self::DuplicateKeyId => f.write_str("another key has the same `kid`, `kty` and `alg`"),
        }
    }
}

impl std::error::Error for KeyError {}

/// One key of a set, with what the set says about it.
#[derive(Clone, Debug)]
pub(super) struct Jwk {
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) key: PublicKey,
}

impl Jwk {
    /// Reads a JWK. `x5c`, `x5t`, `x5u` and members that nobody knows are ignored.
    pub(super) fn parse(value: &Value) -> Result<Self, KeyError> {
        let members = value.as_object().ok_or(KeyError::Malformed("key"))?;
        check_purpose(members)?;
        let algorithm = match members.get("alg") {
            None => None,
            Some(Value::String(name)) => {
                Some(Algorithm::from_name(name).ok_or(KeyError::Algorithm)?)
            }
            Some(_) => return Err(KeyError::Malformed("alg")),
        };
        let key_id = match members.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(KeyError::Malformed("kid")),
        };
        let key = PublicKey::from_jwk(members)?;
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            return Err(KeyError::Algorithm);
        }
        Ok(Self {
            key_id,
            algorithm,
            key,
        })
    }

    /// Whether a token with that `alg` may be verified with this key.
    pub(super) fn permits(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3), and no private member (RFC 7518 §6.2.2, §6.3.2, §6.4).
fn check_purpose(members: &Map<String, Value>) -> Result<(), KeyError> {
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(KeyError::NotPublic);
    }
    match members.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(_) => return Err(KeyError::Purpose),
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|name| name == "verify") => Ok(()),
        Some(_) => Err(KeyError::Purpose),
    }
}

impl PublicKey {
    /// The key that the members of a JWK describe.
    fn from_jwk(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let text = |name: &'static str| match members.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(KeyError::Malformed(name)),
        };
        let octets = |name: &'static str| base64url(text(name)?).ok_or(KeyError::Malformed(name));
        match text("kty")? {
            "RSA" => Self::rsa(&octets("n")?, &octets("e")?),
            "EC" => match text("crv")? {
                "P-256" => Self::ec(Curve::P256, &octets("x")?, &octets("y")?),
                "P-384" => Self::ec(Curve::P384, &octets("x")?, &octets("y")?),
                _ => Err(KeyError::Unsupported),
            },
            "OKP" => match text("crv")? {
                "Ed25519" => Self::ed25519(&octets("x")?),
                _ => Err(KeyError::Unsupported),
            },
            "oct" => Err(KeyError::NotPublic),
            _ => Err(KeyError::Unsupported),
        }
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        // RFC 7518 §6.3.1.1 forbids the leading zero octet that some issuers send.
        let (modulus, exponent) = (der::strip_zeros(modulus), der::strip_zeros(exponent));
        let modulus_bits = bit_len(modulus);
        if !(2_048..=8_192).contains(&modulus_bits) || !is_odd(modulus) {
            return Err(KeyError::RsaModulus);
        }
        if exponent.len() > 4 || !is_odd(exponent) || exponent == [1] {
            return Err(KeyError::RsaExponent);
        }
        let number = rsa::BoxedUint::from_be_slice_vartime;
        let key = rsa::PublicKey::new(number(modulus), number(exponent))
            .map_err(|_| KeyError::RsaModulus)?;
        let [n, e] = [modulus, exponent].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        Ok(Self {
            material: Material::Rsa(Box::new(key), modulus_bits),
            spki: der::public_key_info(
                der::RSA_ENCRYPTION,
                &der::sequence(&[
                    &der::unsigned_integer(modulus),
                    &der::unsigned_integer(exponent),
                ]),
            ),
            thumbprint: digest(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)),
        })
    }

    fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        // RFC 7518 §6.2.1.2: coordinates have their full length.
        if x.len() != curve.coordinate_len() || y.len() != curve.coordinate_len() {
            return Err(KeyError::Point);
        }
        let point = [&[0x04], x, y].concat();
        let (material, algorithm, name) = match curve {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point);
                let key = key.map_err(|_| KeyError::Point)?;
                (Material::P256(Box::new(key)), der::EC_P256, "P-256")
            }
            Curve::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point);
                let key = key.map_err(|_| KeyError::Point)?;
                (Material::P384(Box::new(key)), der::EC_P384, "P-384")
            }
        };
        let [x, y] = [x, y].map(|coordinate| BASE64_URL_SAFE_NO_PAD.encode(coordinate));
        Ok(Self {
            material,
            spki: der::public_key_info(algorithm, &point),
            thumbprint: digest(&format!(
                r#"{{"crv":"{name}","kty":"EC","x":"{x}","y":"{y}"}}"#
            )),
        })
    }

    fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        let octets: &[u8; 32] = x.try_into().map_err(|_| KeyError::Point)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(octets).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        let text = BASE64_URL_SAFE_NO_PAD.encode(x);
        Ok(Self {
            material: Material::Ed25519(Box::new(key)),
            spki: der::public_key_info(der::ED25519, x),
            thumbprint: digest(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{text}"}}"#)),
        })
    }

    pub(super) fn material(&self) -> &Material {
        &self.material
    }

    /// What the key is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match &self.material {
            Material::Rsa(_, bits) => KeyType::Rsa {
                modulus_bits: *bits,
            },
            Material::P256(_) => KeyType::Ec(Curve::P256),
            Material::P384(_) => KeyType::Ec(Curve::P384),
            Material::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// Whether `algorithm` is defined for this type of key and this curve (RFC 7518 §3.1).
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => {
                matches!(self.key_type(), KeyType::Rsa { .. })
            }
            ES256 => self.key_type() == KeyType::Ec(Curve::P256),
            ES384 => self.key_type() == KeyType::Ec(Curve::P384),
            EdDSA => self.key_type() == KeyType::Ed25519,
        }
    }

    /// Octets that a signature of this key has, no more and no fewer.
    #[must_use]
    pub fn signature_len(&self) -> usize {
        match self.key_type() {
            KeyType::Rsa { modulus_bits } => modulus_bits.div_ceil(8) as usize,
            KeyType::Ec(curve) => 2 * curve.coordinate_len(),
            KeyType::Ed25519 => 64,
        }
    }

    /// The key as a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), which is what Envoy's
    /// `verify_signature` takes.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Names the key by what it is, not by what the issuer calls it (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }
}

/// Turns an ECDSA signature as a JWS has it (`r||s` of fixed length, RFC 7518 §3.4) into the DER
/// `ECDSA-Sig-Value` (RFC 3279 §2.2.3) that most libraries verify. `None` if it is not exactly two
/// coordinates of `curve` long.
#[must_use]
pub fn ecdsa_signature_der(curve: Curve, raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 2 * curve.coordinate_len() {
        return None;
    }
    let (r, s) = raw.split_at_checked(curve.coordinate_len())?;
    Some(der::sequence(&[
        &der::unsigned_integer(r),
        &der::unsigned_integer(s),
    ]))
}

fn digest(canonical: &str) -> Thumbprint {
    Sha256::digest(canonical).into()
}

/// Bits of a big-endian number without leading zero octets.
fn bit_len(number: &[u8]) -> u32 {
    let first = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() as u32)
        .saturating_mul(8)
        .saturating_sub(first)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}
