//! Forged and malleable signatures, and the trust in the host's verifier.

use p256::ecdsa::signature::Signer;
use p256::elliptic_curve::ops::Neg;
use rsa::sha2::Sha256;
use serde_json::json;
use tracegate_bundle::policy::Algorithm;

use super::support::{Gate, Key, RSA_N, base64url, claims, hex, pss};
use crate::identity::json;
use crate::identity::jwks::{Found, KeySet};
use crate::identity::{
    Curve, KeyType, PublicKey, RustVerifier, SelfTested, SignatureVerifier, ecdsa_signature_der,
};
use crate::refusal::Refusal;

/// What becomes of a token whose signature is `signature(what is signed)`.
fn outcome(alg: &str, kid: &str, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
    let header = json!({"alg": alg, "kid": kid}).to_string();
    let input = format!("{}.{}", base64url(header), base64url(claims().to_string()));
    let signature = base64url(signature(input.as_bytes()));
    let token = format!("{input}.{signature}");
    Gate::usual().present(&token).map(|_| ())
}

const FORGED: Result<(), Refusal> = Err(Refusal::JwtSignature);

fn public_key(key: Key) -> PublicKey {
    let set = KeySet::parse(json!({"keys": [key.jwk()]}).to_string().as_bytes()).unwrap();
    let found = Algorithm::ALL
        .into_iter()
        .find_map(|algorithm| match set.find(None, algorithm) {
            Found::Keys(keys) => Some(keys[0].clone()),
            _ => None,
        });
    found.unwrap()
}

#[test]
fn an_rsa_signature_has_exactly_the_length_of_the_modulus() {
    let rs256 = |change: fn(Vec<u8>) -> Vec<u8>| {
        outcome("RS256", "rsa", |input| {
            change(Key::Rsa.sign(Algorithm::RS256, input))
        })
    };
    assert_eq!(rs256(|it| it), Ok(()));
    assert_eq!(rs256(|it| it[1..].to_vec()), FORGED, "C2 shorter");
    assert_eq!(
        rs256(|it| [&[0], &it[..]].concat()),
        FORGED,
        "C2 leading zero"
    );
    assert_eq!(rs256(|it| [&it[..], &[0]].concat()), FORGED, "C2 longer");
    assert_eq!(
        rs256(|_| json::base64url(RSA_N).unwrap()),
        FORGED,
        "C2 s = n"
    );
    assert_eq!(rs256(|_| vec![0xff; 256]), FORGED, "C2 s > n");
    assert_eq!(rs256(|_| vec![0; 256]), FORGED, "C2 s = 0");
    assert_eq!(
        rs256(|_| [vec![0; 255], vec![1]].concat()),
        FORGED,
        "C2 s = 1"
    );
}

#[test]
fn the_salt_of_pss_is_as_long_as_the_hash() {
    for salt in [0, 20, 31, 33, 222] {
        let forged = outcome("PS256", "rsa", |input| pss::<Sha256>(input, salt));
        assert_eq!(forged, FORGED, "C4 salt of {salt}");
    }
    assert_eq!(
        outcome("PS256", "rsa", |input| pss::<Sha256>(input, 32)),
        Ok(())
    );
    let other_hash = outcome("PS384", "rsa", |input| pss::<Sha256>(input, 32));
    assert_eq!(other_hash, FORGED, "C4 other hash");
}

/// The order of P-256 (FIPS 186-5).
const P256_ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

#[test]
fn degenerate_ecdsa_signatures_are_refused() {
    let order = json::base64url(P256_ORDER).unwrap();
    let (zero, one) = (vec![0; 32], [vec![0; 31], vec![1]].concat());
    for (what, r, s) in [
        ("psychic signature", &zero, &zero),
        ("r = 0", &zero, &one),
        ("s = 0", &one, &zero),
        ("r = n", &order, &one),
        ("s = n", &one, &order),
        ("r = s = 1", &one, &one),
    ] {
        let forged = outcome("ES256", "p256", |_| [&r[..], &s[..]].concat());
        assert_eq!(forged, FORGED, "C5 {what}");
    }
}

#[test]
fn an_ecdsa_signature_is_two_whole_coordinates() {
    let es256 = |change: fn(Vec<u8>) -> Vec<u8>| {
        outcome("ES256", "p256", |input| {
            change(Key::P256.sign(Algorithm::ES256, input))
        })
    };
    assert_eq!(es256(|it| it), Ok(()));
    assert_eq!(es256(|it| it[..63].to_vec()), FORGED, "C5 63");
    assert_eq!(es256(|it| [&it[..], &[0]].concat()), FORGED, "C5 65");
    assert_eq!(
        es256(|it| [&[0], &it[..32], &[0], &it[32..]].concat()),
        FORGED,
        "C5 66"
    );
    assert_eq!(es256(|it| [&it[..], &it[..]].concat()), FORGED, "C5 128");
    let der = es256(|it| ecdsa_signature_der(Curve::P256, &it).unwrap());
    assert_eq!(der, FORGED, "C5 DER");
}

#[test]
fn the_other_ecdsa_signature_of_the_same_token_is_valid_too() {
    let mirrored = outcome("ES256", "p256", |input| {
        let signature: p256::ecdsa::Signature = Key::p256().sign(input);
        let (r, s) = signature.split_scalars();
        let mirrored = p256::ecdsa::Signature::from_scalars(r, s.neg()).unwrap();
        assert_ne!(mirrored, signature);
        mirrored.to_bytes().to_vec()
    });
    assert_eq!(mirrored, Ok(()), "C6");
}

/// The order of the Ed25519 base point (RFC 8032 §5.1), little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn an_ed25519_signature_is_canonical() {
    let eddsa = |change: fn(Vec<u8>) -> Vec<u8>| {
        outcome("EdDSA", "ed", |input| {
            change(Key::Ed25519.sign(Algorithm::EdDSA, input))
        })
    };
    assert_eq!(eddsa(|it| it), Ok(()));
    let beyond_order = eddsa(|mut signature| {
        let mut carry = 0;
        for (digit, order) in signature[32..].iter_mut().zip(ED25519_ORDER) {
            let sum = u16::from(*digit) + u16::from(order) + carry;
            (*digit, carry) = (sum as u8, sum >> 8);
        }
        signature
    });
    assert_eq!(beyond_order, FORGED, "C8 S + L");
    assert_eq!(eddsa(|_| vec![0; 64]), FORGED, "C8");
    assert_eq!(eddsa(|it| it[..63].to_vec()), FORGED, "C8");
    let small_order = eddsa(|it| [&[1], &[0; 31][..], &it[32..]].concat());
    assert_eq!(small_order, FORGED, "C8 R of small order");
}

#[test]
fn an_ecdsa_signature_becomes_minimal_der() {
    let raw = [&[0; 31][..], &[0x7f], &[0x80], &[1; 31]].concat();
    let der = ecdsa_signature_der(Curve::P256, &raw).unwrap();
    assert_eq!(der[..8], [0x30, 38, 0x02, 1, 0x7f, 0x02, 33, 0x00]);
    assert_eq!(der[8..], raw[32..]);
    assert_eq!(ecdsa_signature_der(Curve::P256, &raw[1..]), None);
    assert_eq!(ecdsa_signature_der(Curve::P384, &raw), None);
    for seed in 0..50_u8 {
        let signature: p384::ecdsa::Signature = Key::p384().sign(&[seed]);
        let raw = signature.to_bytes();
        let ours = ecdsa_signature_der(Curve::P384, &raw);
        assert_eq!(ours.as_deref(), Some(signature.to_der().as_bytes()));
    }
}

#[test]
fn public_keys_are_wrapped_for_the_host() {
    let ed = public_key(Key::Ed25519);
    assert_eq!(ed.spki_der()[..12], hex("302a300506032b6570032100"));
    assert_eq!(ed.spki_der().len(), 44);
    let p256 = public_key(Key::P256);
    let prefix = hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    assert_eq!(p256.spki_der()[..27], prefix);
    assert_eq!(p256.spki_der().len(), 91);
    let p384 = public_key(Key::P384);
    let prefix = hex("3076301006072a8648ce3d020106052b8104002203620004");
    assert_eq!(p384.spki_der()[..24], prefix);
    assert_eq!(p384.spki_der().len(), 120);
    let rsa = public_key(Key::Rsa);
    let prefix = hex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100");
    assert_eq!(rsa.spki_der()[..33], prefix);
    assert_eq!(rsa.spki_der()[289..], hex("0203010001"));
    assert_eq!(
        rsa.key_type(),
        KeyType::Rsa {
            modulus_bits: 2_048
        }
    );
}

/// A host that answers as a function says.
struct Host<F>(F);

impl<F: FnMut(Algorithm, &PublicKey, &[u8], &[u8]) -> Option<bool>> SignatureVerifier for Host<F> {
    fn verify(
        &mut self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        (self.0)(algorithm, key, message, signature)
    }
}

/// The verdicts on a good and on a forged signature.
fn verdicts(verifier: &mut impl SignatureVerifier, key: Key, by: Algorithm) -> [Option<bool>; 2] {
    let public = public_key(key);
    let signature = key.sign(by, b"message");
    [&b"message"[..], b"another"].map(|said| verifier.verify(by, &public, said, &signature))
}

const RIGHT: [Option<bool>; 2] = [Some(true), Some(false)];

#[test]
fn a_host_that_verifies_well_is_asked() {
    use Algorithm::{ES256, ES384, RS256, RS384, RS512};
    for (key, algorithm) in [
        (Key::Rsa, RS256),
        (Key::Rsa, RS384),
        (Key::Rsa, RS512),
        (Key::P256, ES256),
        (Key::P384, ES384),
    ] {
        let mut asked = 0;
        let mut verifier = SelfTested::new(Host(
            |algorithm, key: &PublicKey, message: &[u8], signature: &[u8]| {
                asked += 1;
                RustVerifier.verify(algorithm, key, message, signature)
            },
        ));
        assert_eq!(
            verdicts(&mut verifier, key, algorithm),
            RIGHT,
            "{algorithm:?}"
        );
        assert_eq!(
            asked, 5,
            "three questions of the test, two of ours: {algorithm:?}"
        );
    }
}

#[test]
fn a_host_that_verifies_badly_is_not_believed() {
    for answer in [Some(true), Some(false), None] {
        let mut verifier = SelfTested::new(Host(|_, _: &_, _: &_, _: &_| answer));
        for (key, algorithm) in [(Key::Rsa, Algorithm::RS256), (Key::P256, Algorithm::ES256)] {
            assert_eq!(verdicts(&mut verifier, key, algorithm), RIGHT, "{answer:?}");
        }
    }
}

#[test]
fn a_host_that_stops_answering_is_replaced() {
    let mut answers = 3;
    let mut verifier = SelfTested::new(Host(
        |algorithm, key: &PublicKey, message: &[u8], signature: &[u8]| {
            answers -= 1;
            (answers >= 0)
                .then(|| RustVerifier.verify(algorithm, key, message, signature))
                .flatten()
        },
    ));
    assert_eq!(verdicts(&mut verifier, Key::P384, Algorithm::ES384), RIGHT);
}

#[test]
fn a_host_is_never_asked_for_what_it_was_not_tested_with() {
    for (key, algorithm) in [
        (Key::Rsa, Algorithm::PS256),
        (Key::Rsa, Algorithm::PS384),
        (Key::Rsa, Algorithm::PS512),
        (Key::Ed25519, Algorithm::EdDSA),
    ] {
        let mut verifier = SelfTested::new(Host(|_, _: &_, _: &_, _: &_| panic!("asked")));
        assert_eq!(
            verdicts(&mut verifier, key, algorithm),
            RIGHT,
            "{algorithm:?}"
        );
    }
}
