//! Key sets: which keys are used, and which are left out.

use serde_json::{Value, json};
use tracegate_bundle::policy::Algorithm;

use super::support::{Gate, ISSUER, Key, RSA_N, base64url, claims, hex, inline, provider};
use crate::identity::jwks::Found;
use crate::identity::{
    KeyError, KeySet, KeySetError, PublicKey, RustVerifier, SignatureVerifier, json,
};
use crate::refusal::Refusal;

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
}

/// Why a key is not used, beside one that is.
fn error(key: Value) -> Option<KeyError> {
    let good = Key::Other.jwk_with(json!({"kid": "good"}));
    let set = parse(&[good, key]).unwrap();
    assert!(matches!(
        set.find(Some("good"), Algorithm::EdDSA),
        Found::Keys(_)
    ));
    set.skipped().first().map(|&(index, error)| {
        assert_eq!(index, 1);
        error
    })
}

/// An RSA key with a modulus of that many bits. It need not have factors: nothing is signed.
fn rsa(bits: usize, exponent: &[u8]) -> Value {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    json!({"kty": "RSA", "n": base64url(modulus), "e": base64url(exponent)})
}

const F4: &[u8] = &[1, 0, 1];

#[test]
fn rsa_keys_have_2048_to_8192_bits_and_a_sound_exponent() {
    for bits in [2_048, 2_049, 3_072, 4_096, 8_192] {
        assert_eq!(error(rsa(bits, F4)), None, "{bits}");
    }
    for bits in [1_024, 2_047, 8_193, 16_384] {
        assert_eq!(
            error(rsa(bits, F4)),
            Some(KeyError::RsaModulus),
            "C1 {bits}"
        );
    }
    assert_eq!(error(rsa(2_048, &[3])), None);
    assert_eq!(error(rsa(2_048, &[0xff; 4])), None);
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[1, 0, 0],
        &[1, 0, 0, 0, 1],
        &[0xff; 9],
    ] {
        let refused = Some(KeyError::RsaExponent);
        assert_eq!(error(rsa(2_048, exponent)), refused, "C1 {exponent:?}");
    }
    let mut even = json::base64url(RSA_N).unwrap();
    *even.last_mut().unwrap() &= 0xfe;
    let even = Key::Rsa.jwk_with(json!({"n": base64url(even)}));
    assert_eq!(error(even), Some(KeyError::RsaModulus), "C1 even");
}

#[test]
fn a_signature_of_any_bytes_is_verified_without_a_panic_whatever_the_size_of_the_key() {
    for bits in [2_048, 2_049, 2_055, 2_056, 2_057, 3_333, 4_096, 8_192] {
        let set = parse(&[rsa(bits, F4)]).unwrap();
        let Found::Keys(keys) = set.find(None, Algorithm::RS256) else {
            panic!("{bits}");
        };
        for byte in [0, 1, 0x7f, 0xff] {
            let mut signature = vec![byte; keys[0].signature_len()];
            signature[0] = 0;
            for algorithm in Algorithm::ALL {
                let verdict = RustVerifier.verify(algorithm, keys[0], b"message", &signature);
                assert_eq!(verdict, Some(false), "{bits} {algorithm:?} {byte}");
            }
        }
    }
}

#[test]
fn a_leading_zero_of_a_modulus_is_not_part_of_it() {
    let zero = [vec![0], json::base64url(RSA_N).unwrap()].concat();
    let padded = Key::Rsa.jwk_with(json!({"n": base64url(zero)}));
    let set = parse(std::slice::from_ref(&padded)).unwrap();
    let Found::Keys(keys) = set.find(None, Algorithm::RS256) else {
        panic!("{padded}");
    };
    assert_eq!(keys[0].signature_len(), 256);
    // It is the same key, so it counts once.
    let both = parse(&[padded, Key::Rsa.jwk()]).unwrap();
    assert!(matches!(both.find(None, Algorithm::RS256), Found::Keys(keys) if keys.len() == 1));
}

#[test]
fn points_lie_on_their_curve() {
    let point = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)});
    let jwk = Key::P256.jwk();
    let coordinate = |name: &str| json::base64url(jwk[name].as_str().unwrap()).unwrap();
    let (x, y) = (coordinate("x"), coordinate("y"));
    let prime = [&[0xff; 4][..], &[0, 0, 0, 1], &[0; 12], &[0xff; 12]].concat();
    assert_eq!(error(point(&x, &y)), None);
    for (what, x, y) in [
        ("swapped", &y, &x),
        ("x = p", &prime, &y),
        ("y = p", &x, &prime),
        ("infinity", &vec![0; 32], &vec![0; 32]),
        ("short x", &x[1..].to_vec(), &y),
        ("long y", &x, &[vec![0], y.clone()].concat()),
    ] {
        assert_eq!(error(point(x, y)), Some(KeyError::Point), "C7 {what}");
    }
    let one_coordinate = Key::P256.jwk_with(json!({"y": null}));
    assert_eq!(error(one_coordinate), Some(KeyError::Malformed("y")), "C7");
    let other_curve = Key::P256.jwk_with(json!({"crv": "P-384"}));
    assert_eq!(error(other_curve), Some(KeyError::Point), "C7");
}

#[test]
fn ed25519_keys_of_small_order_are_refused() {
    let small = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ];
    for octets in small {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(hex(octets))});
        assert_eq!(error(key), Some(KeyError::Point), "C8 {octets}");
    }
}

#[test]
fn secrets_are_never_keys() {
    let symmetric = json!({"kty": "oct", "k": base64url([7; 32])});
    assert_eq!(error(symmetric), Some(KeyError::NotPublic), "C9");
    assert_eq!(
        error(json!({"kty": "oct"})),
        Some(KeyError::NotPublic),
        "C9"
    );
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = Key::Rsa.jwk_with(json!({member: "AQAB"}));
        assert_eq!(error(private), Some(KeyError::NotPublic), "C9 {member}");
    }
}

#[test]
fn keys_for_other_purposes_are_left_out() {
    for (member, expected) in [
        (json!({"use": "sig"}), None),
        (json!({"key_ops": ["verify"]}), None),
        (json!({"alg": "PS512"}), None),
        (
            json!({"x5c": ["MIIB"], "x5t": "x", "whatever": {"a": [1]}}),
            None,
        ),
        (json!({"use": "enc"}), Some(KeyError::Purpose)),
        (json!({"use": 1}), Some(KeyError::Purpose)),
        (json!({"key_ops": ["encrypt"]}), Some(KeyError::Purpose)),
        (json!({"key_ops": []}), Some(KeyError::Purpose)),
        (json!({"key_ops": "verify"}), Some(KeyError::Purpose)),
        (json!({"alg": "RSA-OAEP"}), Some(KeyError::Algorithm)),
        (json!({"alg": "HS256"}), Some(KeyError::Algorithm)),
        (json!({"alg": "none"}), Some(KeyError::Algorithm)),
        (json!({"alg": "ES256"}), Some(KeyError::Algorithm)),
        (json!({"alg": 1}), Some(KeyError::Malformed("alg"))),
        (json!({"kid": 1}), Some(KeyError::Malformed("kid"))),
        (json!({"kty": "EC"}), Some(KeyError::Malformed("crv"))),
        (json!({"kty": "PQ"}), Some(KeyError::Unsupported)),
        (json!({"kty": null}), Some(KeyError::Malformed("kty"))),
        (json!({"n": "AQ=="}), Some(KeyError::Malformed("n"))),
        (json!({"n": 1}), Some(KeyError::Malformed("n"))),
    ] {
        assert_eq!(
            error(Key::Rsa.jwk_with(member.clone())),
            expected,
            "{member}"
        );
    }
    let curve = Key::P256.jwk_with(json!({"crv": "secp256k1"}));
    assert_eq!(error(curve), Some(KeyError::Unsupported));
    assert_eq!(error(json!("key")), Some(KeyError::Malformed("key")));
}

#[test]
fn two_keys_of_one_name_are_both_left_out() {
    let named =
        |key: Key, more: Value| super::support::merge(key.jwk_with(json!({"kid": "k"})), more);
    let twins = parse(&[
        named(Key::Ed25519, json!({})),
        named(Key::Other, json!({})),
        Key::P256.jwk(),
    ])
    .unwrap();
    assert!(matches!(
        twins.find(Some("k"), Algorithm::EdDSA),
        Found::Nothing
    ));
    let both = [(0, KeyError::DuplicateKeyId), (1, KeyError::DuplicateKeyId)];
    assert_eq!(twins.skipped(), both);

    let of_types = parse(&[named(Key::Ed25519, json!({})), named(Key::P256, json!({}))]).unwrap();
    assert!(matches!(
        of_types.find(Some("k"), Algorithm::EdDSA),
        Found::Keys(_)
    ));
    assert!(matches!(
        of_types.find(Some("k"), Algorithm::ES256),
        Found::Keys(_)
    ));
    assert!(matches!(
        of_types.find(Some("k"), Algorithm::RS256),
        Found::OtherAlgorithm
    ));

    let repeated = parse(&[named(Key::Other, json!({})), named(Key::Other, json!({}))]).unwrap();
    assert!(
        matches!(repeated.find(Some("k"), Algorithm::EdDSA), Found::Keys(keys) if keys.len() == 1)
    );
}

#[test]
fn at_most_four_keys_are_tried() {
    let many: Vec<Value> = (0..9).map(|more| rsa(2_048 + more, F4)).collect();
    let set = parse(&many).unwrap();
    assert!(
        matches!(set.find(None, Algorithm::RS256), Found::Keys(keys) if keys.len() == 4),
        "K6"
    );
}

#[test]
fn a_set_without_a_usable_key_is_no_set() {
    let refused = |text: &[u8]| KeySet::parse(text).unwrap_err();
    for text in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"error":"down"}"#,
    ] {
        assert_eq!(refused(text.as_bytes()), KeySetError::NotAKeySet, "{text}");
    }
    assert_eq!(
        refused(br#"{"keys":[]}"#),
        KeySetError::NoUsableKey(Vec::new())
    );
    assert_eq!(
        parse(&[rsa(1_024, F4), json!({"kty": "oct", "k": "AA"})]).unwrap_err(),
        KeySetError::NoUsableKey(vec![(0, KeyError::RsaModulus), (1, KeyError::NotPublic)])
    );
    assert_eq!(refused(&vec![b' '; 256 * 1024 + 1]), KeySetError::TooLong);
    let keys = vec![Key::P256.jwk(); 65];
    assert_eq!(parse(&keys).unwrap_err(), KeySetError::TooManyKeys);
    assert!(parse(&keys[..64]).is_ok());
}

#[test]
fn a_weak_key_in_the_policy_verifies_nothing() {
    let set = json!({"keys": [rsa(1_024, F4)]});
    let mut gate = Gate::new(&[provider(ISSUER, inline(&set))]);
    assert_eq!(
        gate.present(&Key::Rsa.token(&claims())),
        Err(Refusal::JwksUnavailable)
    );
}

/// The thumbprint of the only key of a set.
fn thumbprint(key: &Value, algorithm: Algorithm) -> String {
    let set = parse(std::slice::from_ref(key)).unwrap();
    let Found::Keys(keys) = set.find(None, algorithm) else {
        panic!("{key}");
    };
    let only: &PublicKey = keys[0];
    base64url(only.thumbprint())
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 7638 §3.1.
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B\
              JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F\
              DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4\
              vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(thumbprint(&rsa, Algorithm::RS256), expected);
    // RFC 8037 appendix A.3.
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(thumbprint(&ed25519, Algorithm::EdDSA), expected);
}
