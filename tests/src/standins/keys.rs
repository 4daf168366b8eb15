//! Signing keys of an identity provider and the tokens that they sign.
//!
//! The signatures are made by `jwt-compact` and the crates beneath it, which share no code with the
//! versions that the filter verifies with. The compact serialization is put together here, so that a
//! test can put it together wrongly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jwt_compact::Algorithm;
use jwt_compact::alg::{Ed25519, Es256, ModulusBits, Rsa, RsaPrivateKey};
use p384::ecdsa::signature::Signer;
use rand_core_06::{OsRng, RngCore};
use serde_json::{Value, json};

type P256Key = <Es256 as Algorithm>::SigningKey;
type Ed25519Key = <Ed25519 as Algorithm>::SigningKey;

enum Secret {
    Rsa(Box<RsaPrivateKey>),
    P256(P256Key),
    P384(Box<p384::ecdsa::SigningKey>),
    Ed25519(Ed25519Key),
}

/// A signing key.
pub struct Key {
    /// Its `kid` (RFC 7517 §4.5).
    pub kid: String,
    /// Its `alg` (RFC 7517 §4.4).
    pub algorithm: String,
    secret: Secret,
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

impl Key {
    /// A new key for that JWS algorithm (RFC 7518 §3.1).
    ///
    /// # Panics
    /// When it is not an algorithm with a public key that Tracegate knows.
    #[must_use]
    pub fn generate(kid: &str, algorithm: &str) -> Self {
        let secret = match algorithm {
            "ES256" => Secret::P256(P256Key::from_slice(&random::<32>()).expect("a scalar")),
            "ES384" => {
                let scalar = random::<48>();
                let key = p384::ecdsa::SigningKey::from_slice(&scalar).expect("a scalar");
                Secret::P384(Box::new(key))
            }
            "EdDSA" => Secret::Ed25519(Ed25519Key::from_bytes(&random::<32>())),
            _ if algorithm.parse::<Rsa>().is_ok() => {
                let pair = Rsa::generate(&mut OsRng, ModulusBits::TwoKibibytes);
                Secret::Rsa(Box::new(pair.expect("an RSA key").0.into_inner()))
            }
            _ => panic!("no such algorithm: {algorithm}"),
        };
        Self {
            kid: kid.to_owned(),
            algorithm: algorithm.to_owned(),
            secret,
        }
    }

    /// The signature over `message`, as RFC 7518 §3 wants it.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        fn sign<A: Algorithm>(algorithm: &A, key: &A::SigningKey, message: &[u8]) -> Vec<u8> {
            let signature = algorithm.sign(key, message);
            jwt_compact::AlgorithmSignature::as_bytes(&signature).into_owned()
        }
        match &self.secret {
            Secret::Rsa(key) => sign(&Rsa::with_name(&self.algorithm), key, message),
            Secret::P256(key) => sign(&Es256, key, message),
            Secret::Ed25519(key) => sign(&Ed25519, key, message),
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    /// The public key as a JWK (RFC 7517 §4).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Rsa(key) => {
                public_jwk(&jwt_compact::jwk::JsonWebKey::from(&key.to_public_key()))
            }
            Secret::P256(key) => {
                public_jwk(&jwt_compact::jwk::JsonWebKey::from(key.verifying_key()))
            }
            Secret::Ed25519(key) => {
                let x = BASE64URL.encode(key.verifying_key().as_bytes());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
            Secret::P384(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(48);
                json!({"kty": "EC", "crv": "P-384", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims, in the JWS compact serialization (RFC 7515 §7.1). Members of
    /// `header` are added to `alg`, `typ` and `kid`, or take their place; `null` leaves one out.
    #[must_use]
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let mut full = json!({"alg": self.algorithm, "typ": "JWT", "kid": self.kid});
        merge(&mut full, header);
        let message = signing_input(&full.to_string(), &claims.to_string());
        let signature = BASE64URL.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn public_jwk(key: &jwt_compact::jwk::JsonWebKey<'_>) -> Value {
    serde_json::to_value(key).expect("a JWK is JSON")
}

/// The first two segments of a token.
#[must_use]
pub fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims))
}

/// Sets the members of `changes` in `object`; `null` removes one (RFC 7396, one level deep).
pub fn merge(object: &mut Value, changes: &Value) {
    let (Value::Object(object), Value::Object(changes)) = (object, changes) else {
        return;
    };
    for (name, value) in changes {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}
