//! `jwt-compact` as issuer and as second opinion, and arbitrary bytes as tokens.

use jwt_compact::alg::{Ed25519, Es256, Rsa};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::prelude::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::support::{Gate, Key, RSA_D, RSA_N, RSA_P, RSA_Q, base64url, claims};

type AnyClaims = Claims<Map<String, Value>>;

/// The usual claims as `jwt-compact` has them.
fn their_claims() -> AnyClaims {
    serde_json::from_value(claims()).unwrap()
}

fn their_key<K>(jwk: Value) -> K
where
    K: for<'a, 'b> TryFrom<&'a JsonWebKey<'b>>,
    for<'a, 'b> <K as TryFrom<&'a JsonWebKey<'b>>>::Error: std::fmt::Debug,
{
    let jwk: JsonWebKey<'_> = serde_json::from_value(jwk).unwrap();
    K::try_from(&jwk).unwrap()
}

fn header(kid: &str) -> Header {
    Header::empty().with_key_id(kid).with_token_type("JWT")
}

#[test]
fn rsa_tokens_of_another_issuer_software_are_accepted() {
    let private = Key::Rsa.jwk_with(json!({"d": RSA_D, "p": RSA_P, "q": RSA_Q, "n": RSA_N}));
    let key = their_key(private);
    let mut gate = Gate::usual();
    for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = Rsa::with_name(name).token(&header("rsa"), &their_claims(), &key);
        let principal = gate.present(&token.unwrap()).unwrap();
        assert_eq!(principal.claims, *claims().as_object().unwrap(), "{name}");
    }
}

#[test]
fn elliptic_tokens_of_another_issuer_software_are_accepted() {
    let mut gate = Gate::usual();
    let p256 = Key::P256.jwk_with(json!({"d": base64url([7; 32])}));
    let token = Es256.token(&header("p256"), &their_claims(), &their_key(p256));
    assert!(gate.present(&token.unwrap()).is_ok());
    let seed = [Key::Ed25519 as u8 + 1; 32];
    let ed25519 = Key::Ed25519.jwk_with(json!({"d": base64url(seed)}));
    let token = Ed25519.token(&header("ed"), &their_claims(), &their_key(ed25519));
    assert!(gate.present(&token.unwrap()).is_ok());
}

/// Whether `jwt-compact` finds the token well-formed and its ES256 signature valid.
fn they_accept(token: &str) -> bool {
    let key = their_key(Key::P256.jwk());
    UntrustedToken::new(token).is_ok_and(|untrusted| {
        let validator = Es256.validator::<Map<String, Value>>(&key);
        validator.validate(&untrusted).is_ok()
    })
}

#[test]
fn both_accept_the_token_that_is_mutated_below() {
    let token = Key::P256.token(&claims());
    assert!(they_accept(&token));
    assert!(Gate::usual().present(&token).is_ok());
}

proptest! {
    #[test]
    fn a_changed_token_is_refused_by_both(place: prop::sample::Index, byte in 0x21_u8..0x7f) {
        let good = Key::P256.token(&claims());
        let mut changed = good.clone().into_bytes();
        let place = place.index(changed.len());
        changed[place] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assume!(changed != good);
        prop_assert!(Gate::usual().present(&changed).is_err(), "{}", changed);
        prop_assert!(!they_accept(&changed), "{}", changed);
    }

    #[test]
    fn what_we_accept_they_accept(
        typ in prop::option::of("JWT|at\\+jwt|[a-z]{1,4}"),
        extra in "[a-z]{1,6}",
        value in prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!([{"a": null}]))],
        exp in 0..2_000_000_000_u64,
    ) {
        let mut header = json!({"alg": "ES256", "kid": "p256"});
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let mut payload = claims();
        payload["exp"] = json!(exp);
        payload[extra] = value;
        let token = Key::P256.token_with(&header.to_string(), payload.to_string());
        if Gate::usual().present(&token).is_ok() {
            prop_assert!(they_accept(&token), "{}", token);
        }
    }

    #[test]
    fn no_bytes_make_the_gate_panic(token in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut gate = Gate::usual();
        let text = String::from_utf8_lossy(&token);
        prop_assert!(gate.present(&text).is_err());
    }

    #[test]
    fn no_json_in_three_segments_makes_the_gate_panic(
        header in ".{0,80}",
        payload in r#"\{("(iss|exp|aud|sub|nbf|x)":("[a-z]{0,5}"|-?[0-9]{1,25}|[\[\]{}]|null),?){0,6}\}"#,
        signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut gate = Gate::usual();
        for header in [header.as_str(), r#"{"alg":"EdDSA","kid":"ed"}"#] {
            let token = [base64url(header), base64url(&payload), base64url(&signature)].join(".");
            prop_assert!(gate.present(&token).is_err());
        }
    }
}
