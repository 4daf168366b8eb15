//! Issuers, keys and tokens for the tests. The keys are for nothing else.

use std::rc::Rc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use rsa::sha2::{Sha256, Sha384, Sha512};
use serde_json::{Value, json};
use tracegate_bundle::policy::{
    Algorithm, Connection, KeySource, Provider, TokenHeader, TokenType,
};

use crate::Timestamp;
use crate::http::HeaderMap;
use crate::identity::{Authentication, Identity, Principal, RustVerifier};
use crate::metrics::{Metric, Metrics};
use crate::refusal::Refusal;

/// When the tests happen, in seconds since the Unix epoch.
pub(super) const NOW: u64 = 1_800_000_000;

pub(super) const ISSUER: &str = "https://idp.example";
pub(super) const OTHER_ISSUER: &str = "https://other.example";

pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// A private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// The Ed25519 key of the other issuer.
    Other,
    /// An Ed25519 key that no issuer has.
    Attacker,
}

impl Key {
    fn ed25519(self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[self as u8 + 1; 32])
    }

    pub(super) fn p256() -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()
    }

    pub(super) fn p384() -> p384::ecdsa::SigningKey {
        p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap()
    }

    pub(super) fn rsa() -> rsa::PrivateKey {
        let number = |text| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
            rsa::BoxedUint::from_be_slice_vartime(&bytes)
        };
        let primes = vec![number(RSA_P), number(RSA_Q)];
        rsa::PrivateKey::from_components(number(RSA_N), number("AQAB"), number(RSA_D), primes)
            .unwrap()
    }

    /// The public half as a JWK, without `kid` and `alg`.
    pub(super) fn jwk(self) -> Value {
        match self {
            Self::Rsa => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
            Self::P256 => {
                let point = Self::p256().verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Self::P384 => {
                let point = Self::p384().verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(48);
                json!({"kty": "EC", "crv": "P-384", "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed25519 | Self::Other | Self::Attacker => {
                let x = base64url(self.ed25519().verifying_key().as_bytes());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
        }
    }

    /// The JWK with more members.
    pub(super) fn jwk_with(self, more: Value) -> Value {
        merge(self.jwk(), more)
    }

    /// A signature with this key over `message`, as a JWS has it.
    pub(super) fn sign(self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let rsa = Self::rsa;
        match (self, algorithm) {
            (Self::Rsa, Algorithm::RS256) => rsa().pkcs1v15_sign::<Sha256>(message).unwrap(),
            (Self::Rsa, Algorithm::RS384) => rsa().pkcs1v15_sign::<Sha384>(message).unwrap(),
            (Self::Rsa, Algorithm::RS512) => rsa().pkcs1v15_sign::<Sha512>(message).unwrap(),
            (Self::Rsa, Algorithm::PS256) => pss::<Sha256>(message, 32),
            (Self::Rsa, Algorithm::PS384) => pss::<Sha384>(message, 48),
            (Self::Rsa, Algorithm::PS512) => pss::<Sha512>(message, 64),
            (Self::P256, _) => {
                let signature: p256::ecdsa::Signature = Self::p256().sign(message);
                signature.to_bytes().to_vec()
            }
            (Self::P384, _) => {
                let signature: p384::ecdsa::Signature = Self::p384().sign(message);
                signature.to_bytes().to_vec()
            }
            _ => self.ed25519().sign(message).to_bytes().to_vec(),
        }
    }

    /// The algorithm that this key signs with unless a test says otherwise, and its `kid`.
    fn usual(self) -> (Algorithm, &'static str) {
        match self {
            Self::Rsa => (Algorithm::RS256, "rsa"),
            Self::P256 => (Algorithm::ES256, "p256"),
            Self::P384 => (Algorithm::ES384, "p384"),
            Self::Ed25519 | Self::Attacker => (Algorithm::EdDSA, "ed"),
            Self::Other => (Algorithm::EdDSA, "other"),
        }
    }

    /// A token with these claims, well made.
    pub(super) fn token(self, claims: &Value) -> String {
        let (algorithm, kid) = self.usual();
        let header = json!({"alg": algorithm.name(), "kid": kid});
        self.token_with(&header.to_string(), claims.to_string())
    }

    /// A token with exactly this header and payload, signed.
    pub(super) fn token_with(self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let (algorithm, _) = self.usual();
        self.token_by(algorithm, header, payload)
    }

    /// A token with exactly this header and payload, signed with that algorithm whatever the header
    /// says.
    pub(super) fn token_by(
        self,
        algorithm: Algorithm,
        header: &str,
        payload: impl AsRef<[u8]>,
    ) -> String {
        self.seal(
            algorithm,
            &format!("{}.{}", base64url(header), base64url(payload)),
        )
    }

    /// Signs what is before the signature.
    pub(super) fn seal(self, algorithm: Algorithm, signing_input: &str) -> String {
        let signature = self.sign(algorithm, signing_input.as_bytes());
        format!("{signing_input}.{}", base64url(signature))
    }
}

/// A PSS signature with a salt of that length.
pub(super) fn pss<D>(message: &[u8], salt: usize) -> Vec<u8>
where
    D: sha2::Digest + rsa::sha2::digest::FixedOutputReset + rsa::sha2::digest::Update,
{
    use rsa::signature::{RandomizedSigner, SignatureEncoding};
    let key = rsa::pss::SigningKey::<D>::new_with_salt_len(Key::rsa(), salt);
    key.try_sign_with_rng(&mut Counter(0), message)
        .unwrap()
        .to_vec()
}

/// Numbers for salts: they need not be secret.
struct Counter(u64);

impl rsa::rand_core::TryRng for Counter {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl rsa::rand_core::TryCryptoRng for Counter {}

/// `base` with the members of `more` in place of its own; a null member is removed.
pub(super) fn merge(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => base.as_object_mut().unwrap().remove(name),
            value => base
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    base
}

/// Claims that are good for five minutes.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": "reasoning",
        "exp": NOW + 300, "iat": NOW - 10, "jti": "t1", "azp": "app",
        "groups": ["analysts", "staff"], "realm_access": {"roles": ["reader"]},
    })
}

pub(super) fn claims_with(more: Value) -> Value {
    merge(claims(), more)
}

/// The keys of [`ISSUER`].
pub(super) fn key_set() -> Value {
    json!({"keys": [
        Key::Rsa.jwk_with(json!({"kid": "rsa"})),
        Key::Rsa.jwk_with(json!({"kid": "rsa-rs256", "alg": "RS256", "use": "sig"})),
        Key::P256.jwk_with(json!({"kid": "p256"})),
        Key::P384.jwk_with(json!({"kid": "p384"})),
        Key::Ed25519.jwk_with(json!({"kid": "ed"})),
    ]})
}

pub(super) fn bearer() -> TokenHeader {
    TokenHeader {
        name: "authorization".to_owned(),
        prefix: "Bearer ".to_owned(),
    }
}

/// A provider with these keys that accepts every algorithm.
pub(super) fn provider(issuer: &str, keys: KeySource) -> Provider {
    Provider {
        issuer: issuer.to_owned(),
        audiences: vec!["reasoning".to_owned(), "gateway".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        keys,
        from_headers: vec![bearer()],
        clock_skew: 0,
        max_lifetime: None,
        token_type: TokenType::Any,
    }
}

pub(super) fn inline(set: &Value) -> KeySource {
    KeySource::Inline(set.to_string())
}

/// The usual two issuers.
pub(super) fn providers() -> Vec<Provider> {
    let other = json!({"keys": [Key::Other.jwk_with(json!({"kid": "other"}))]});
    vec![
        provider(ISSUER, inline(&key_set())),
        provider(OTHER_ISSUER, inline(&other)),
    ]
}

/// A connection on which the tokens of these providers are accepted.
pub(super) fn connection(providers: &[u16]) -> Connection {
    Connection {
        name: "engine".to_owned(),
        hosts: Vec::new(),
        supplier: None,
        providers: providers.to_vec(),
        allow_missing: false,
        forward_subject: false,
        max_request_body: 0,
        pass_types: Vec::new(),
        decode: Vec::new(),
        scan_text: false,
        rules: Vec::new(),
        masks: Vec::new(),
        stream: tracegate_bundle::policy::StreamRules::default(),
    }
}

/// One VM that knows some providers, all of them accepted.
pub(super) struct Gate {
    pub(super) identity: Identity,
    pub(super) connection: Connection,
    pub(super) metrics: Metrics,
    pub(super) now: Timestamp,
}

impl Gate {
    pub(super) fn new(providers: &[Provider]) -> Self {
        let mut identity = Identity::new(Box::new(RustVerifier));
        identity.configure(providers);
        let all: Vec<u16> = (0..).take(providers.len()).collect();
        Self {
            identity,
            connection: connection(&all),
            metrics: Metrics::default(),
            now: now(),
        }
    }

    pub(super) fn usual() -> Self {
        Self::new(&providers())
    }

    /// One provider, changed by `change`.
    pub(super) fn changed(change: impl FnOnce(&mut Provider)) -> Self {
        let mut provider = provider(ISSUER, inline(&key_set()));
        change(&mut provider);
        Self::new(&[provider])
    }

    pub(super) fn authenticate(&mut self, headers: &[(&str, &str)]) -> Authentication {
        let headers: HeaderMap = headers.iter().copied().collect();
        self.identity.authenticate(
            &headers,
            &self.connection,
            true,
            self.now,
            &mut self.metrics,
        )
    }

    /// What becomes of a request with this bearer token.
    pub(super) fn present(&mut self, token: &str) -> Result<Rc<Principal>, Refusal> {
        let value = format!("Bearer {token}");
        match self.authenticate(&[("authorization", &value)]) {
            Authentication::Verified(principal) => Ok(principal),
            Authentication::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// How often a token was found among the verified ones, and how often not, since last asked.
    pub(super) fn cache_counts(&mut self) -> (u64, u64) {
        let mut counts = (0, 0);
        for (metric, value) in self.metrics.take() {
            match metric {
                Metric::TokenCache { hit: true } => counts.0 += value,
                Metric::TokenCache { hit: false } => counts.1 += value,
                _ => {}
            }
        }
        counts
    }
}

/// Modulus.
pub(super) const RSA_N: &str = "\
    uxI7zFx4ySNjQ09Yg2LpuSM320k1tdKZvPfWOSKcgLDbP1XsGnBUJdwTK2706KbdaEncUK68Ppvk7PeF0kgZdbWYW30X\
    tNDxLJqCHkF1wPhqo6vvv94hBSdaE9fhB9MlBVL4U8Pyl31hgC1GqZbQY0RUuZMHMsoqrOqGRzHTh4KvljblRHHbl-6m\
    rtCPeC4Xn7mV1zntDqStYGoXuzcKiQm3I5-fsOh-XVIoerTEGlifLjjp7CRGE6zVcs61QHKsxCLMgjisSYLKs_9_G6G4\
    2LVkddGkT3BkiPlYiC9QzcTdHOshxjUTnun7bJaCDHOc9ss6KxAOQOsqlJbP1pXzzQ";

/// Private exponent.
pub(super) const RSA_D: &str = "\
    LLL1JeYcmFcD02QErtQ2K54uLRAHrOvm_z-q6NkL0zYvFSmnMkQP30IANJsdGvAwLEilw4OVCFLAtxyH1dCTgMxE3Ot9\
    fB-G2RUMLUWP6O2SsYwWS968PhqCjAZDx1Zc3LJQEtfZwffcEb__x-r43RdJNVRb3ndvDgU105IkzJZ0lF3nSKoHLn87\
    mXjhDd37y0_jSkIav-kkdj_Go7kh7x-KCAqGLF-4KnznsFO5moZcGOJMuIyLKsEIwRlt0jPHNYlJnq_ZT2e7dh30qq7c\
    6hCVHUjCeacE9Ny1QW-k7-RRvU1bGbtyK_zFYn0q0hnAYic0d-yttfTOygbiL2R2QQ";

/// First prime.
pub(super) const RSA_P: &str = "\
    95WCQ4sihIYQUYegEuwLFTiAaVwdv8XXnyVyPTeI-MilqfpXiWWsQZyxSB1UaDcH3TdUJYFuSTS01Zyg4NF5vK0RbTnD\
    VCgjx094T855tH2WseCfEDCpk06szSxqe1ruU_tLaOjcrI1V1LTLiMGSV7BMHsTGtDJFy9m2OJSEXaE";

/// Second prime.
pub(super) const RSA_Q: &str = "\
    wW4jhGDWkHeFajCCD-dEfLzoa-7Sfyu4R4xBFfjCWsHQQ4qPEwi98ODhtZYv0KHmYT8J4ioRI-FgdEOkP0XnpKn2ReMR\
    tkYWfOrT08iXNr_hWWH1BkVZf0DLayR_ja5CKwn7uLdPqHYccAi20efw9wDP55EATqC47SGQV_y37q0";
