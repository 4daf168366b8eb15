//! Attacks on the token itself: algorithm, encoding, JSON, header parameters (RFC 8725).
//!
//! Each row is a token and what must become of it. Where it matters the token is signed with the
//! right key, so that nothing but the check under test can refuse it.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tracegate_bundle::policy::{Algorithm, TokenType};

use super::support::{Gate, Key, base64url, claims, claims_with, key_set};
use crate::identity::jwks::Found;
use crate::identity::jwks::KeySet;
use crate::refusal::Refusal;

/// A token, and what must become of it.
struct Row {
    what: String,
    token: String,
    expected: Result<(), Refusal>,
}

fn refused(what: impl Into<String>, token: String, refusal: Refusal) -> Row {
    Row {
        what: what.into(),
        token,
        expected: Err(refusal),
    }
}

fn accepted(what: impl Into<String>, token: String) -> Row {
    Row {
        what: what.into(),
        token,
        expected: Ok(()),
    }
}

/// Presents every row twice: what was refused once must not be known the second time.
#[track_caller]
fn check(gate: &mut Gate, rows: Vec<Row>) {
    for row in rows {
        for _ in 0..2 {
            let outcome = gate.present(&row.token).map(|_| ());
            assert_eq!(outcome, row.expected, "{}: {}", row.what, row.token);
        }
    }
}

/// A token whose header is `header`, good otherwise, signed with the Ed25519 key.
fn with_header(header: &str) -> String {
    Key::Ed25519.token_with(header, claims().to_string())
}

/// A token whose payload is `payload`, good otherwise, signed with the Ed25519 key.
fn with_payload(payload: impl AsRef<[u8]>) -> String {
    Key::Ed25519.token_with(r#"{"alg":"EdDSA","kid":"ed"}"#, payload)
}

#[test]
fn a_token_of_every_algorithm_is_accepted() {
    let rows = Algorithm::ALL.map(|algorithm| {
        let (key, kid) = match algorithm {
            Algorithm::ES256 => (Key::P256, "p256"),
            Algorithm::ES384 => (Key::P384, "p384"),
            Algorithm::EdDSA => (Key::Ed25519, "ed"),
            _ => (Key::Rsa, "rsa"),
        };
        let header = json!({"alg": algorithm.name(), "kid": kid, "typ": "JWT"}).to_string();
        let token = key.token_by(algorithm, &header, claims().to_string());
        accepted(algorithm.name(), token)
    });
    check(&mut Gate::usual(), rows.into());
}

#[test]
fn none_is_never_an_algorithm() {
    let mut rows = Vec::new();
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": none, "kid": "ed"}).to_string();
        let kept = with_header(&header);
        let (unsigned, _) = kept.rsplit_once('.').unwrap();
        rows.push(refused("A1", format!("{unsigned}."), Refusal::JwtAlgorithm));
        rows.push(refused("A2", kept, Refusal::JwtAlgorithm));
    }
    check(&mut Gate::usual(), rows);
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let set = KeySet::parse(key_set().to_string().as_bytes()).unwrap();
    let Found::Keys(keys) = set.find(Some("rsa"), Algorithm::RS256) else {
        panic!("no RSA key");
    };
    let der = keys[0].spki_der();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, der)
    );
    let jwk = Key::Rsa.jwk().to_string();
    let n = super::support::RSA_N.as_bytes();
    let rows = [pem.as_bytes(), der, jwk.as_bytes(), n].map(|secret| {
        let header = base64url(r#"{"alg":"HS256","kid":"rsa"}"#);
        let signed = format!("{header}.{}", base64url(claims().to_string()));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(signed.as_bytes());
        let tag = base64url(mac.finalize().into_bytes());
        refused("A3", format!("{signed}.{tag}"), Refusal::JwtAlgorithm)
    });
    check(&mut Gate::usual(), rows.into());
}

#[test]
fn the_algorithm_must_fit_the_key() {
    let cross = |id: &str, key: Key, by, alg: &str, kid: &str| {
        let header = json!({"alg": alg, "kid": kid}).to_string();
        let token = key.token_by(by, &header, claims().to_string());
        refused(format!("{id} {alg} {kid}"), token, Refusal::JwtAlgorithm)
    };
    use Algorithm::{ES256, EdDSA, PS256, RS256, RS384};
    let rows = vec![
        cross("A4", Key::P256, ES256, "HS256", "p256"),
        cross("A4", Key::P256, ES256, "EdDSA", "p256"),
        cross("A5", Key::Rsa, PS256, "PS256", "rsa-rs256"),
        cross("A5", Key::Rsa, RS384, "RS384", "rsa-rs256"),
        cross("A8", Key::P256, ES256, "ES256", "p384"),
        cross("A8", Key::P256, ES256, "ES512", "p256"),
        cross("A8", Key::P256, ES256, "ES384", "p256"),
        cross("A8", Key::Ed25519, EdDSA, "RS256", "ed"),
        cross("A8", Key::Rsa, RS256, "ES256", "rsa"),
    ];
    check(&mut Gate::usual(), rows);
}

#[test]
fn only_the_exact_names_of_supported_algorithms_count() {
    let rows = [
        r#""hs256""#,
        r#""eddsa""#,
        r#""EdDSA ""#,
        r#"["EdDSA"]"#,
        "null",
        "256",
        r#""""#,
        r#""ES256K""#,
        r#""RS1""#,
        r#""HS1""#,
        r#""dir""#,
        r#""RSA-OAEP""#,
        r#""ML-DSA-44""#,
        r#""Ed25519""#,
    ]
    .map(|alg| {
        let header = format!(r#"{{"alg":{alg},"kid":"ed"}}"#);
        refused(
            format!("A6 A9 {alg}"),
            with_header(&header),
            Refusal::JwtAlgorithm,
        )
    });
    let missing = refused(
        "A6 missing",
        with_header(r#"{"kid":"ed"}"#),
        Refusal::JwtAlgorithm,
    );
    check(
        &mut Gate::usual(),
        rows.into_iter().chain([missing]).collect(),
    );
}

#[test]
fn an_algorithm_that_the_provider_does_not_accept_is_refused() {
    let mut gate = Gate::changed(|provider| provider.algorithms = vec![Algorithm::ES256]);
    let rows = vec![
        refused("A7", Key::Rsa.token(&claims()), Refusal::JwtAlgorithm),
        accepted("A7", Key::P256.token(&claims())),
    ];
    check(&mut gate, rows);
}

#[test]
fn each_segment_has_one_spelling() {
    let (header, payload) = (r#"{"alg":"EdDSA","kid":"ed" }"#, claims().to_string());
    let (header, payload) = (base64url(header), base64url(payload));
    let sealed = |input: String| Key::Ed25519.seal(Algorithm::EdDSA, &input);
    let good = sealed(format!("{header}.{payload}"));
    let mut rows = vec![
        accepted("good", good.clone()),
        refused(
            "E1",
            sealed(format!("{header}=.{payload}")),
            Refusal::JwtMalformed,
        ),
        refused(
            "E1",
            sealed(format!("{header}.{payload}=")),
            Refusal::JwtMalformed,
        ),
        refused("E1", format!("{good}="), Refusal::JwtMalformed),
        refused("E1", format!("{good}=="), Refusal::JwtMalformed),
        refused(
            "E4",
            sealed(format!("{header}A.{payload}AAA")),
            Refusal::JwtMalformed,
        ),
    ];
    // The last of 86 characters holds four bits that are not used.
    let last = good.chars().last().unwrap();
    let all_but_last = good.strip_suffix(last).unwrap();
    let spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .filter(|&other| other != last)
        .map(|other| format!("{all_but_last}{other}"));
    for token in spare {
        let outcome = Gate::usual().present(&token).map(|_| ());
        assert!(
            matches!(outcome, Err(Refusal::JwtMalformed | Refusal::JwtSignature)),
            "E2 {token}: {outcome:?}"
        );
    }
    for inserted in ["+", "/", " ", "\n", "\t", "\0", "%20", "\u{feff}", "é"] {
        for segment in 0..3 {
            let mut segments: Vec<String> = good.split('.').map(str::to_owned).collect();
            segments[segment].insert_str(4, inserted);
            let what = format!("E3 {inserted:?} in {segment}");
            rows.push(refused(what, segments.join("."), Refusal::JwtMalformed));
        }
    }
    check(&mut Gate::usual(), rows);
}

#[test]
fn a_token_has_exactly_three_segments() {
    let good = Key::Ed25519.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [h, p, s] = parts[..] else { panic!() };
    let rows = [
        format!(".{good}"),
        format!("{h}..{p}.{s}"),
        format!("{good}."),
        format!("{h}.{p}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}.{p}.{s}.{s}.{s}"),
        h.to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        format!(".{p}.{s}"),
        format!("{h}..{s}"),
        r#"{"payload":"e30","protected":"e30","signature":"e30"}"#.replace(',', ";"),
    ]
    .map(|token| refused("E5 T6", token, Refusal::JwtMalformed));
    let unsigned = refused("E5", format!("{h}.{p}."), Refusal::JwtSignature);
    check(
        &mut Gate::usual(),
        rows.into_iter().chain([unsigned]).collect(),
    );
}

#[test]
fn a_payload_that_can_be_read_in_two_ways_is_refused() {
    let text = claims().to_string();
    let open = text.strip_suffix('}').unwrap();
    let more = |members: &str| with_payload(format!("{open},{members}}}"));
    let deep = |levels: usize| {
        let nest = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        more(&format!(r#""deep":{nest}"#))
    };
    let mut rows = vec![
        refused(
            "E6",
            with_payload([text.as_bytes(), b"\xff"].concat()),
            Refusal::JwtMalformed,
        ),
        refused("E6", more(r#""x":"\ud800""#), Refusal::JwtMalformed),
        refused(
            "E6 BOM",
            with_payload(format!("\u{feff}{text}")),
            Refusal::JwtMalformed,
        ),
        refused("J2", more(r#""exp":4102444800"#), Refusal::JwtMalformed),
        refused("J2", more(r#""sub":"root""#), Refusal::JwtMalformed),
        refused(
            "J2",
            more(r#""groups":["auditors"]"#),
            Refusal::JwtMalformed,
        ),
        refused("J3", more(r#""\u0073ub":"root""#), Refusal::JwtMalformed),
        refused(
            "J3",
            more(r#""x":{"role":1,"r\u006fle":2}"#),
            Refusal::JwtMalformed,
        ),
        accepted("J4", deep(31)),
        refused("J4", deep(32), Refusal::JwtMalformed),
        refused("J4", deep(129), Refusal::JwtMalformed),
        refused("J4", deep(2_500), Refusal::JwtMalformed),
        refused(
            "J5",
            with_payload(format!("{open},}}")),
            Refusal::JwtMalformed,
        ),
        refused(
            "J5",
            with_payload(text.replace('"', "'")),
            Refusal::JwtMalformed,
        ),
        refused(
            "J5",
            with_payload(format!("{text}//")),
            Refusal::JwtMalformed,
        ),
        refused(
            "J5",
            with_payload(format!("{text}{text}")),
            Refusal::JwtMalformed,
        ),
        refused(
            "J7",
            more(r#""n":9007199254740993.0"#),
            Refusal::JwtMalformed,
        ),
        accepted("J7", more(r#""n":9007199254740993"#)),
    ];
    for payload in ["[]", r#""x""#, "1", "null", "", "NaN"] {
        rows.push(refused("J5", with_payload(payload), Refusal::JwtMalformed));
    }
    for number in ["NaN", "1e400", "Infinity", "01", "+1"] {
        rows.push(refused(
            "J5",
            more(&format!(r#""x":{number}"#)),
            Refusal::JwtMalformed,
        ));
    }
    check(&mut Gate::usual(), rows);
}

#[test]
fn a_header_that_can_be_read_in_two_ways_is_refused() {
    let rows = [
        r#"{"alg":"EdDSA","alg":"none","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"x","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"ed","typ":"JWT","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","kid":"ed","\u0061lg":"none"}"#,
        r#"{"alg":"EdDSA","kid":"ed","x":{"a":1,"a":2}}"#,
        r#"{"alg":"EdDSA","kid":"ed",}"#,
        r#"["EdDSA"]"#,
    ]
    .map(|header| {
        refused(
            format!("J1 {header}"),
            with_header(header),
            Refusal::JwtMalformed,
        )
    });
    check(&mut Gate::usual(), rows.into());
}

#[test]
fn keys_and_addresses_in_the_header_are_ignored() {
    let embedded = json!({"alg": "EdDSA", "kid": "ed", "jwk": Key::Attacker.jwk(),
        "x5c": ["MIIB"], "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x"});
    let header = embedded.to_string();
    let forged = Key::Attacker.token_with(&header, claims().to_string());
    let honest = Key::Ed25519.token_with(&header, claims().to_string());
    let rows = vec![
        refused("K2 K3", forged, Refusal::JwtSignature),
        accepted("K2 K3", honest),
    ];
    check(&mut Gate::usual(), rows);
}

#[test]
fn a_strange_key_id_is_only_an_unknown_one() {
    let long = format!(r#""{}""#, "k".repeat(5_000));
    let mut rows: Vec<Row> = [
        r#""../../etc/passwd""#,
        r#""' OR 1=1--""#,
        r#""\u0000""#,
        r#""""#,
        r#""ED""#,
        &long,
    ]
    .map(|kid| {
        let header = format!(r#"{{"alg":"EdDSA","kid":{kid}}}"#);
        refused("K1", with_header(&header), Refusal::JwtUnknownKey)
    })
    .into();
    for kid in ["1", "null", "{}", r#"["ed"]"#, "true"] {
        let header = format!(r#"{{"alg":"EdDSA","kid":{kid}}}"#);
        rows.push(refused("K1", with_header(&header), Refusal::JwtMalformed));
    }
    check(&mut Gate::usual(), rows);
}

#[test]
fn without_a_key_id_the_keys_that_fit_are_tried() {
    let header = |alg| json!({"alg": alg}).to_string();
    let rows = vec![
        accepted(
            "K6",
            Key::P256.token_with(&header("ES256"), claims().to_string()),
        ),
        accepted(
            "K6",
            Key::Rsa.token_with(&header("RS256"), claims().to_string()),
        ),
        refused(
            "K6",
            Key::Attacker.token_with(&header("EdDSA"), claims().to_string()),
            Refusal::JwtSignature,
        ),
    ];
    check(&mut Gate::usual(), rows);
}

#[test]
fn what_changes_the_meaning_of_a_token_is_refused() {
    let rows = [
        r#""crit":["x"]"#,
        r#""crit":[]"#,
        r#""crit":"exp""#,
        r#""crit":["alg"]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""zip":"DEF""#,
        r#""cty":"JWT""#,
        r#""cty":"jwt""#,
        r#""cty":"application/JWT""#,
        r#""enc":"A256GCM""#,
    ]
    .map(|member| {
        let header = format!(r#"{{"alg":"EdDSA","kid":"ed",{member}}}"#);
        refused(
            format!("T1 T2 T5 {member}"),
            with_header(&header),
            Refusal::JwtCritical,
        )
    });
    check(&mut Gate::usual(), rows.into());
}

#[test]
fn the_type_of_a_token_is_what_the_policy_asks_for() {
    let typed = |typ: &str| with_header(&format!(r#"{{"alg":"EdDSA","kid":"ed","typ":{typ}}}"#));
    let untyped = || Key::Ed25519.token(&claims());
    let strict = [r#""at+jwt""#, r#""AT+JWT""#, r#""application/at+jwt""#];
    let plain = [r#""JWT""#, r#""jwt""#, r#""application/jwt""#];
    let foreign = [
        r#""at+jwt; x""#,
        r#""dpop+jwt""#,
        r#""secevent+jwt""#,
        r#""logout+jwt""#,
        r#""""#,
        r#""text/at+jwt""#,
    ];

    let mut rows = vec![accepted("T3", untyped())];
    rows.extend(
        strict
            .iter()
            .chain(&plain)
            .map(|typ| accepted("T3", typed(typ))),
    );
    rows.extend(foreign.map(|typ| refused("T3 T4", typed(typ), Refusal::JwtType)));
    rows.push(refused("T3", typed("1"), Refusal::JwtMalformed));
    check(&mut Gate::usual(), rows);

    let mut rows = vec![refused("P1", untyped(), Refusal::JwtType)];
    rows.extend(strict.map(|typ| accepted("P1", typed(typ))));
    let others = plain.iter().chain(&foreign);
    rows.extend(others.map(|typ| refused("P1 T4", typed(typ), Refusal::JwtType)));
    check(
        &mut Gate::changed(|it| it.token_type = TokenType::AccessToken),
        rows,
    );
}

#[test]
fn eight_kibibytes_are_the_limit() {
    let sized = |length: usize| {
        let token =
            |filler: usize| Key::Ed25519.token(&claims_with(json!({"filler": "x".repeat(filler)})));
        (0..length)
            .rev()
            .map(token)
            .find(|token| token.len() <= length)
            .unwrap()
    };
    let fits = sized(8_192);
    assert!(fits.len() > 8_190, "{}", fits.len());
    let long = format!("{fits}{}", "A".repeat(8_193 - fits.len()));
    let rows = vec![
        accepted("H12", fits),
        refused("H12", long, Refusal::JwtTooLarge),
        refused("J6", "a".repeat(2_000_000), Refusal::JwtTooLarge),
    ];
    check(&mut Gate::usual(), rows);
}
