//! Claims: issuer, audience, subject, time (RFC 7519 §4.1), on first sight and from the cache.

use serde_json::{Value, json};
use tracegate_bundle::policy::Provider;

use super::support::{
    Gate, ISSUER, Key, NOW, OTHER_ISSUER, claims, claims_with, inline, key_set, provider,
};
use crate::Timestamp;
use crate::refusal::Refusal;

/// What becomes of a token with these claims in place of the usual ones, twice.
#[track_caller]
fn expect(gate: &mut Gate, id: &str, change: Value, expected: Result<(), Refusal>) {
    let token = Key::Ed25519.token(&claims_with(change.clone()));
    for _ in 0..2 {
        let outcome = gate.present(&token).map(|_| ());
        assert_eq!(outcome, expected, "{id} {change}");
    }
}

/// The same, with a member that is written as it stands.
#[track_caller]
fn expect_raw(gate: &mut Gate, id: &str, name: &str, value: &str, expected: Result<(), Refusal>) {
    let rest = claims_with(json!({name: null})).to_string();
    let payload = format!(r#"{},"{name}":{value}}}"#, rest.strip_suffix('}').unwrap());
    let token = Key::Ed25519.token_with(r#"{"alg":"EdDSA","kid":"ed"}"#, payload);
    let outcome = gate.present(&token).map(|_| ());
    assert_eq!(outcome, expected, "{id} {name}: {value}");
}

#[test]
fn a_verified_caller_is_described_by_its_claims() {
    let principal = Gate::usual().present(&Key::Rsa.token(&claims())).unwrap();
    assert_eq!(principal.issuer, ISSUER);
    assert_eq!(principal.subject, "alice");
    assert_eq!(principal.audiences, ["reasoning"]);
    assert_eq!(principal.presenter.as_deref(), Some("app"));
    assert_eq!(principal.token_id.as_deref(), Some("t1"));
    assert_eq!(principal.expires, NOW + 300);
    assert_eq!(principal.request_principal(), "https://idp.example/alice");
    let claim = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        principal.claim(&path).cloned()
    };
    assert_eq!(claim(&["groups"]), Some(json!(["analysts", "staff"])));
    assert_eq!(claim(&["realm_access", "roles"]), Some(json!(["reader"])));
    for absent in [
        &["realm_access.roles"][..],
        &["groups", "0"],
        &["sub", "x"],
        &[],
    ] {
        assert_eq!(claim(absent), None, "{absent:?}");
    }
}

#[test]
fn the_issuer_is_compared_exactly() {
    let mut gate = Gate::usual();
    for wrong in [
        json!(null),
        json!(""),
        json!("HTTPS://idp.example"),
        json!("https://idp.example/"),
        json!([ISSUER]),
        json!(1),
        json!("https://evil.example"),
        json!({}),
    ] {
        expect(
            &mut gate,
            "I1",
            json!({"iss": wrong}),
            Err(Refusal::JwtIssuer),
        );
    }
}

#[test]
fn a_key_vouches_only_for_its_own_issuer() {
    let mut gate = Gate::usual();
    let header = r#"{"alg":"EdDSA","kid":"other"}"#;
    let foreign = Key::Other.token_with(header, claims().to_string());
    assert_eq!(gate.present(&foreign), Err(Refusal::JwtUnknownKey), "I2");
    let nameless = Key::Other.token_with(r#"{"alg":"EdDSA"}"#, claims().to_string());
    assert_eq!(gate.present(&nameless), Err(Refusal::JwtSignature), "I2");
    let own = Key::Other.token(&claims_with(json!({"iss": OTHER_ISSUER})));
    assert!(gate.present(&own).is_ok());
}

#[test]
fn an_issuer_of_another_connection_is_refused_here() {
    let mut gate = Gate::usual();
    let token = Key::Other.token(&claims_with(json!({"iss": OTHER_ISSUER})));
    assert!(gate.present(&token).is_ok());
    gate.connection.providers = vec![0];
    assert_eq!(gate.present(&token), Err(Refusal::JwtIssuer));
}

#[test]
fn an_unknown_issuer_is_refused_even_where_no_token_is_needed() {
    let mut gate = Gate::usual();
    gate.connection.allow_missing = true;
    expect(
        &mut gate,
        "I3",
        json!({"iss": "https://x.example"}),
        Err(Refusal::JwtIssuer),
    );
}

#[test]
fn the_audience_must_be_ours() {
    let mut gate = Gate::usual();
    for ours in [
        json!("reasoning"),
        json!("gateway"),
        json!(["reasoning", "x"]),
        json!(["x", "gateway"]),
    ] {
        expect(&mut gate, "I4", json!({"aud": ours}), Ok(()));
    }
    for other in [
        json!(null),
        json!([]),
        json!(["x"]),
        json!("x"),
        json!([null]),
        json!([["reasoning"]]),
        json!(["reasoning", 1]),
        json!({"reasoning": 1}),
        json!(1),
        json!(""),
        json!("Reasoning"),
        json!("reasoning.evil"),
        json!("evil.reasoning"),
        json!("reason"),
        json!("reasoning "),
        json!("reasoning,x"),
    ] {
        expect(
            &mut gate,
            "I4 I5",
            json!({"aud": other}),
            Err(Refusal::JwtAudience),
        );
    }
}

#[test]
fn a_token_says_who_it_stands_for() {
    let mut gate = Gate::usual();
    expect(&mut gate, "I6", json!({"sub": "a".repeat(1_024)}), Ok(()));
    expect(
        &mut gate,
        "I6",
        json!({"sub": "Zoë O'Neill <z@example.org>"}),
        Ok(()),
    );
    for wrong in [
        json!(null),
        json!(""),
        json!(1),
        json!(["alice"]),
        json!("a".repeat(1_025)),
        json!("alice\r\nx-admin: 1"),
        json!("alice\u{0}"),
        json!("alice\u{7f}"),
    ] {
        expect(
            &mut gate,
            "I6 E7",
            json!({"sub": wrong}),
            Err(Refusal::JwtSubject),
        );
    }
}

#[test]
fn other_registered_claims_have_their_types() {
    let mut gate = Gate::usual();
    expect(
        &mut gate,
        "jti",
        json!({"jti": 7}),
        Err(Refusal::JwtMalformed),
    );
    expect(
        &mut gate,
        "azp",
        json!({"azp": ["app"]}),
        Err(Refusal::JwtMalformed),
    );
    expect(
        &mut gate,
        "absent",
        json!({"azp": null, "jti": null, "iat": null}),
        Ok(()),
    );
}

#[test]
fn a_token_has_an_end() {
    let mut gate = Gate::usual();
    expect(
        &mut gate,
        "X1",
        json!({"exp": null}),
        Err(Refusal::JwtLifetime),
    );
    expect(&mut gate, "X2", json!({"exp": 0}), Err(Refusal::JwtExpired));
    for wrong in [
        "null",
        "true",
        r#""4102444800""#,
        "[4102444800]",
        "{}",
        "-1",
        "-0.5",
        "1e300",
        "1e400",
        "18446744073709551615",
        "184467440737095516160",
        "9223372036854775807",
        "253402300800",
    ] {
        expect_raw(
            &mut gate,
            "X3 X4 X10",
            "exp",
            wrong,
            Err(Refusal::JwtMalformed),
        );
    }
    for good in ["4102444800.5", "4.1024448e9", "253402300799"] {
        expect_raw(&mut gate, "X5", "exp", good, Ok(()));
    }
}

#[test]
fn a_token_ends_on_its_date_and_not_after() {
    let mut gate = Gate::usual();
    expect(
        &mut gate,
        "X6",
        json!({"exp": NOW}),
        Err(Refusal::JwtExpired),
    );
    expect(
        &mut gate,
        "X6",
        json!({"exp": NOW as f64 + 0.9}),
        Err(Refusal::JwtExpired),
    );
    expect(&mut gate, "X6", json!({"exp": NOW + 1}), Ok(()));
    let mut gate = Gate::changed(|provider| provider.clock_skew = 60);
    expect(
        &mut gate,
        "X6",
        json!({"exp": NOW - 60}),
        Err(Refusal::JwtExpired),
    );
    expect(&mut gate, "X6", json!({"exp": NOW - 59}), Ok(()));
}

#[test]
fn a_token_is_not_used_before_its_time() {
    let mut gate = Gate::changed(|provider| provider.clock_skew = 60);
    expect(&mut gate, "X7", json!({"nbf": NOW + 60}), Ok(()));
    expect(
        &mut gate,
        "X7",
        json!({"nbf": NOW + 61}),
        Err(Refusal::JwtNotBefore),
    );
    expect(
        &mut gate,
        "X7",
        json!({"nbf": NOW as f64 + 60.5}),
        Err(Refusal::JwtNotBefore),
    );
    expect(&mut gate, "X8", json!({"iat": NOW + 60}), Ok(()));
    expect(
        &mut gate,
        "X8",
        json!({"iat": NOW + 61}),
        Err(Refusal::JwtIssuedAt),
    );
    for name in ["nbf", "iat"] {
        for wrong in [r#""1""#, "null", "-1", "1e300"] {
            expect_raw(&mut gate, "X7", name, wrong, Err(Refusal::JwtMalformed));
        }
    }
}

#[test]
fn a_lifetime_beyond_the_limit_is_refused() {
    let mut gate = Gate::changed(|provider| provider.max_lifetime = Some(300));
    expect(
        &mut gate,
        "X9",
        json!({"iat": NOW, "exp": NOW + 300}),
        Ok(()),
    );
    let long = json!({"iat": NOW, "exp": NOW + 301});
    expect(&mut gate, "X9", long, Err(Refusal::JwtLifetime));
    expect(
        &mut gate,
        "X9",
        json!({"iat": null}),
        Err(Refusal::JwtLifetime),
    );
}

#[test]
fn no_skew_overflows() {
    let mut gate = Gate::changed(|provider| {
        provider.clock_skew = u64::MAX;
        provider.max_lifetime = Some(u64::MAX);
    });
    expect(&mut gate, "X10", json!({"exp": NOW - 1_000_000}), Ok(()));
    expect(&mut gate, "X10", json!({"nbf": NOW + 1_000_000}), Ok(()));
}

#[test]
fn a_known_token_is_not_verified_again() {
    let mut gate = Gate::usual();
    let token = Key::P384.token(&claims());
    let first = gate.present(&token).unwrap();
    assert_eq!(gate.cache_counts(), (0, 1));
    assert_eq!(gate.present(&token).unwrap(), first);
    assert_eq!(gate.cache_counts(), (1, 0));
}

#[test]
fn a_known_token_still_expires() {
    let mut gate = Gate::usual();
    let token = Key::Ed25519.token(&claims_with(json!({"exp": NOW + 5, "nbf": NOW})));
    assert!(gate.present(&token).is_ok());
    gate.now = Timestamp::from_secs(NOW + 4);
    assert!(gate.present(&token).is_ok());
    gate.now = Timestamp::from_secs(NOW + 5);
    assert_eq!(gate.present(&token), Err(Refusal::JwtExpired), "X11");
    gate.now = Timestamp::from_secs(NOW - 1);
    assert_eq!(
        gate.present(&token),
        Err(Refusal::JwtNotBefore),
        "clock went back"
    );
}

#[test]
fn a_known_token_is_verified_anew_after_five_minutes() {
    let mut gate = Gate::usual();
    let token = Key::Ed25519.token(&claims_with(json!({"exp": NOW + 3_600})));
    assert!(gate.present(&token).is_ok());
    gate.now = Timestamp::from_secs(NOW + 299);
    assert!(gate.present(&token).is_ok());
    assert_eq!(gate.cache_counts(), (1, 1));
    gate.now = Timestamp::from_secs(NOW + 300);
    assert!(gate.present(&token).is_ok());
    assert_eq!(gate.cache_counts(), (0, 1));
}

#[test]
fn a_known_token_with_another_signature_is_not_known() {
    let mut gate = Gate::usual();
    let good = Key::Ed25519.token(&claims());
    assert!(gate.present(&good).is_ok());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    assert_eq!(gate.present(&forged), Err(Refusal::JwtSignature));
    assert_eq!(gate.cache_counts(), (0, 2));
}

/// One key source behind two providers that differ in what they accept.
fn two_audiences() -> Vec<Provider> {
    let mut narrow = provider(ISSUER, inline(&key_set()));
    narrow.audiences = vec!["approvals".to_owned()];
    vec![provider(ISSUER, inline(&key_set())), narrow]
}

#[test]
fn a_token_known_on_one_connection_is_judged_anew_on_another() {
    let mut gate = Gate::new(&two_audiences());
    let token = Key::Ed25519.token(&claims());
    gate.connection.providers = vec![0];
    assert!(gate.present(&token).is_ok());
    gate.connection.providers = vec![1];
    assert_eq!(gate.present(&token), Err(Refusal::JwtAudience));
}

#[test]
fn a_new_policy_judges_known_tokens_too() {
    let mut gate = Gate::usual();
    let token = Key::Ed25519.token(&claims());
    assert!(gate.present(&token).is_ok());
    let mut stricter = super::support::providers();
    stricter[0].max_lifetime = Some(60);
    gate.identity.configure(&stricter);
    assert_eq!(gate.present(&token), Err(Refusal::JwtLifetime));
    assert_eq!(
        gate.cache_counts(),
        (1, 1),
        "its keys did not change, so it is still known"
    );
}

#[test]
fn a_known_token_is_forgotten_when_a_new_policy_has_other_keys() {
    let mut gate = Gate::usual();
    let token = Key::Ed25519.token(&claims());
    assert!(gate.present(&token).is_ok());
    let set = json!({"keys": [Key::Attacker.jwk_with(json!({"kid": "ed"}))]});
    gate.identity.configure(&[provider(ISSUER, inline(&set))]);
    gate.connection.providers = vec![0];
    assert_eq!(gate.present(&token), Err(Refusal::JwtSignature));
}

#[test]
fn the_cache_lets_go_of_old_tokens_when_it_is_full() {
    let mut gate = Gate::usual();
    let token = |number: u32| {
        let sub = format!("user-{number}");
        Key::Ed25519.token(&claims_with(json!({"sub": sub, "pad": "x".repeat(1_000)})))
    };
    // Three times as many as it has room for.
    for number in 0..3_000 {
        assert!(gate.present(&token(number)).is_ok());
    }
    gate.cache_counts();
    assert!(gate.present(&token(2_999)).is_ok());
    assert!(gate.present(&token(0)).is_ok());
    assert_eq!(gate.cache_counts(), (1, 1));
}
