//! Project Wycheproof: signatures that one verifier or another has been found to get wrong.

use serde_json::{Value, json};
use tracegate_bundle::policy::Algorithm;
use wycheproof::ecdsa::TestName as Ecdsa;
use wycheproof::eddsa::TestName as EdDsa;
use wycheproof::rsa_pkcs1_verify::TestName as Pkcs1;
use wycheproof::rsa_pss_verify::TestName as Pss;
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::support::base64url;
use crate::identity::keys::Jwk;
use crate::identity::{PublicKey, RustVerifier, SignatureVerifier};

/// One signature, and what it is.
struct Vector<'a> {
    key: &'a PublicKey,
    message: &'a [u8],
    signature: &'a [u8],
    result: TestResult,
    /// For messages.
    name: String,
}

/// How many signatures were accepted and refused.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    accepted: usize,
    refused: usize,
}

fn key(jwk: Value) -> PublicKey {
    Jwk::parse(&jwk).unwrap().key
}

impl Count {
    /// What `acceptable` signatures (a missing NULL in a DigestInfo) are is left to verifiers. Ours is
    /// strict: one signature has one spelling.
    fn check(&mut self, algorithm: Algorithm, vector: &Vector<'_>) {
        let Vector {
            key,
            message,
            signature,
            result,
            name,
        } = vector;
        let verdict = RustVerifier.verify(algorithm, key, message, signature);
        // A signature of another length is not even shown to a verifier.
        let accepted = key.signature_len() == signature.len() && verdict == Some(true);
        match result {
            TestResult::Valid => assert!(accepted, "{name} is refused"),
            TestResult::Acceptable => assert!(!accepted, "{name} is accepted"),
            TestResult::Invalid => assert_ne!(verdict, Some(true), "{name} is accepted"),
        }
        match accepted {
            true => self.accepted += 1,
            false => self.refused += 1,
        }
    }
}

/// Shows every signature of a set to the verifier. `$jwk` makes a JWK of a group of the set.
macro_rules! check {
    ($module:ident, $set:expr, $algorithm:expr, $jwk:expr) => {{
        let (algorithm, set, mut count) = ($algorithm, $set, Count::default());
        for group in $module::TestSet::load(set).unwrap().test_groups {
            let jwk: fn(&$module::TestGroup) -> Value = $jwk;
            let key = key(jwk(&group));
            for test in &group.tests {
                let vector = Vector {
                    key: &key,
                    message: &test.msg,
                    signature: &test.sig,
                    result: test.result,
                    name: format!("{set:?} {}: {}", test.tc_id, test.comment),
                };
                count.check(algorithm, &vector);
            }
        }
        count
    }};
}

#[test]
fn ecdsa_signatures_of_wycheproof_are_what_they_are_said_to_be() {
    for (algorithm, set, curve) in [
        (Algorithm::ES256, Ecdsa::EcdsaSecp256r1Sha256P1363, "P-256"),
        (Algorithm::ES384, Ecdsa::EcdsaSecp384r1Sha384P1363, "P-384"),
    ] {
        let count = check!(ecdsa, set, algorithm, |group| {
            let point = &group.key.key[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let curve = if x.len() == 32 { "P-256" } else { "P-384" };
            json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
        });
        assert!(
            count.accepted > 100 && count.refused > 50,
            "{curve}: {count:?}"
        );
    }
}

#[test]
fn ed25519_signatures_of_wycheproof_are_what_they_are_said_to_be() {
    let count = check!(eddsa, EdDsa::Ed25519, Algorithm::EdDSA, |group| {
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&*group.key.pk)})
    });
    assert!(count.accepted > 50 && count.refused > 50, "{count:?}");
}

#[test]
fn rsa_signatures_of_wycheproof_are_what_they_are_said_to_be() {
    use Algorithm::{RS256, RS384, RS512};
    for (algorithm, set) in [
        (RS256, Pkcs1::Rsa2048Sha256),
        (RS384, Pkcs1::Rsa2048Sha384),
        (RS512, Pkcs1::Rsa2048Sha512),
        (RS256, Pkcs1::Rsa3072Sha256),
        (RS384, Pkcs1::Rsa3072Sha384),
        (RS512, Pkcs1::Rsa3072Sha512),
        (RS256, Pkcs1::Rsa4096Sha256),
        (RS384, Pkcs1::Rsa4096Sha384),
        (RS512, Pkcs1::Rsa4096Sha512),
        (RS256, Pkcs1::Rsa8192Sha256),
        (RS384, Pkcs1::Rsa8192Sha384),
        (RS512, Pkcs1::Rsa8192Sha512),
    ] {
        let count = check!(rsa_pkcs1_verify, set, algorithm, |group| {
            let [n, e] = [&group.key.n, &group.key.e].map(|number| base64url(&**number));
            json!({"kty": "RSA", "n": n, "e": e})
        });
        assert!(
            count.accepted > 3 && count.refused > 100,
            "{set:?}: {count:?}"
        );
    }
}

fn pss_key(group: &rsa_pss_verify::TestGroup) -> Value {
    let [n, e] = [&group.key.n, &group.key.e].map(|number| base64url(&**number));
    json!({"kty": "RSA", "n": n, "e": e})
}

#[test]
fn pss_signatures_of_wycheproof_are_what_they_are_said_to_be() {
    use Algorithm::{PS256, PS384, PS512};
    for (algorithm, set) in [
        (PS256, Pss::RsaPss2048Sha256Mgf1SaltLen32),
        (PS384, Pss::RsaPss2048Sha384Mgf1SaltLen48),
        (PS256, Pss::RsaPss3072Sha256Mgf1SaltLen32),
        (PS256, Pss::RsaPss4096Sha256Mgf1SaltLen32),
        (PS384, Pss::RsaPss4096Sha384Mgf1SaltLen48),
        (PS512, Pss::RsaPss4096Sha512Mgf1SaltLen64),
    ] {
        let count = check!(rsa_pss_verify, set, algorithm, pss_key);
        assert!(
            count.accepted > 10 && count.refused > 10,
            "{set:?}: {count:?}"
        );
    }
}

#[test]
fn pss_signatures_with_another_salt_or_mask_than_jws_has_are_refused() {
    // RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    for (algorithm, set) in [
        (Algorithm::PS256, Pss::RsaPss2048Sha256Mgf1SaltLen0),
        (Algorithm::PS256, Pss::RsaPss2048Sha256Mgf1Sha1_20),
        (Algorithm::PS512, Pss::RsaPss4096Sha512Mgf1SaltLen32),
    ] {
        let mut seen = 0;
        for group in rsa_pss_verify::TestSet::load(set).unwrap().test_groups {
            let key = key(pss_key(&group));
            // What is valid here has a salt or a mask of another kind; some of what is not has ours.
            let valid = |test: &&rsa_pss_verify::Test| test.result == TestResult::Valid;
            for test in group.tests.iter().filter(valid) {
                let verdict = RustVerifier.verify(algorithm, &key, &test.msg, &test.sig);
                assert_ne!(verdict, Some(true), "{set:?} {}", test.tc_id);
                seen += 1;
            }
        }
        assert!(seen > 10, "{set:?}: {seen}");
    }
}
