//! Where a token sits in a request, and what counts as none.

use tracegate_bundle::policy::TokenHeader;

use super::support::{Gate, Key, bearer, claims, connection, provider, providers};
use super::support::{ISSUER, OTHER_ISSUER, claims_with, inline, key_set};
use crate::identity::{Authentication, token_headers};
use crate::refusal::Refusal;
use serde_json::json;

fn code(answer: &Authentication) -> &'static str {
    match answer {
        Authentication::Verified(_) => "verified",
        Authentication::Anonymous => "anonymous",
        Authentication::Refused(refusal) => refusal.code(),
        Authentication::Pending(_) => "pending",
    }
}

fn x_jwt() -> TokenHeader {
    TokenHeader {
        name: "x-jwt".to_owned(),
        prefix: String::new(),
    }
}

#[test]
fn a_request_without_a_token_is_refused_unless_the_connection_allows_it() {
    let mut gate = Gate::usual();
    for headers in [
        &[][..],
        &[("authorization", "Basic Zm9v")],
        &[("x-jwt", "a.b.c")],
    ] {
        gate.connection.allow_missing = false;
        assert_eq!(
            code(&gate.authenticate(headers)),
            "jwt.missing",
            "{headers:?}"
        );
        gate.connection.allow_missing = true;
        assert_eq!(
            code(&gate.authenticate(headers)),
            "anonymous",
            "{headers:?}"
        );
    }
}

#[test]
fn a_bad_token_is_refused_even_where_none_is_needed() {
    let mut gate = Gate::usual();
    gate.connection.allow_missing = true;
    let bad = Key::Attacker.token(&claims());
    assert_eq!(gate.present(&bad), Err(Refusal::JwtSignature));
    assert_eq!(
        code(&gate.authenticate(&[("authorization", "Bearer")])),
        "jwt.malformed"
    );
}

#[test]
fn two_tokens_are_refused_whichever_is_good() {
    let mut gate = Gate::changed(|provider| provider.from_headers.push(x_jwt()));
    let good = Key::Ed25519.token(&claims());
    let bad = Key::Attacker.token(&claims());
    let (good_bearer, bad_bearer) = (format!("Bearer {good}"), format!("Bearer {bad}"));
    let joined = format!("{good_bearer},{bad_bearer}");
    let after_basic = format!("Basic Zm9v, {good_bearer}");
    for (id, headers) in [
        (
            "H3",
            [
                ("authorization", &*good_bearer),
                ("authorization", &*bad_bearer),
            ],
        ),
        (
            "H3",
            [
                ("authorization", &bad_bearer),
                ("authorization", &good_bearer),
            ],
        ),
        (
            "H3",
            [
                ("authorization", &good_bearer),
                ("authorization", &good_bearer),
            ],
        ),
        (
            "H3",
            [
                ("authorization", &good_bearer),
                ("authorization", "Basic Zm9v"),
            ],
        ),
        ("H3", [("authorization", &joined), ("x-other", "")]),
        ("H2", [("authorization", &after_basic), ("x-other", "")]),
        ("H4", [("x-jwt", &good), ("x-jwt", &bad)]),
        ("H4", [("x-jwt", &bad), ("x-jwt", &good)]),
        ("H5", [("authorization", &good_bearer), ("x-jwt", &bad)]),
        ("H5", [("authorization", &bad_bearer), ("x-jwt", &good)]),
        ("H5", [("authorization", &good_bearer), ("x-jwt", &good)]),
    ] {
        assert_eq!(
            code(&gate.authenticate(&headers)),
            "jwt.multiple",
            "{id} {headers:?}"
        );
    }
    assert_eq!(code(&gate.authenticate(&[("x-jwt", &good)])), "verified");
}

#[test]
fn what_follows_a_token_is_part_of_it() {
    let mut gate = Gate::usual();
    let good = Key::Ed25519.token(&claims());
    for value in [
        format!("Bearer {good} x"),
        format!("Bearer {good};"),
        format!("Bearer \"{good}\""),
    ] {
        assert_eq!(
            code(&gate.authenticate(&[("authorization", &value)])),
            "jwt.malformed",
            "H2"
        );
    }
    let spaces = format!("bEaReR   {good}");
    assert_eq!(
        code(&gate.authenticate(&[("authorization", &spaces)])),
        "verified",
        "H1"
    );
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let mut gate = Gate::usual();
    let headers = [("authorization", &b"Bearer \xff\xfe.\x80.\xc0"[..])];
    let answer = gate.identity.authenticate(
        &headers.into_iter().collect(),
        &gate.connection,
        true,
        gate.now,
        &mut gate.metrics,
    );
    assert_eq!(code(&answer), "jwt.malformed");
}

#[test]
fn an_issuer_is_accepted_only_from_its_own_header() {
    let mut other = providers().remove(1);
    other.from_headers = vec![x_jwt()];
    let mut gate = Gate::new(&[provider(ISSUER, inline(&key_set())), other]);
    let token = Key::Other.token(&claims_with(json!({"iss": OTHER_ISSUER})));
    assert_eq!(code(&gate.authenticate(&[("x-jwt", &token)])), "verified");
    assert_eq!(gate.present(&token), Err(Refusal::JwtIssuer));
}

#[test]
fn the_headers_that_carry_tokens_are_known_for_removal() {
    let mut providers = providers();
    providers[1].from_headers = vec![x_jwt(), bearer()];
    let names = |indices: &[u16]| token_headers(&connection(indices), &providers);
    assert_eq!(names(&[0]), ["authorization"]);
    assert_eq!(names(&[0, 1]), ["authorization", "x-jwt"]);
    assert_eq!(names(&[]), [""; 0]);
    assert_eq!(names(&[7]), [""; 0]);
}
