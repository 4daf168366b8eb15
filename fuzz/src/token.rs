//! Authentication: only what the issuer signed, as it signed it, is a token.

use tracegate_bundle::policy::Connection;
use tracegate_engine::http::HeaderMap;
use tracegate_engine::identity::{Authentication, Identity, Principal, RustVerifier};
use tracegate_engine::metrics::Metrics;

use super::fixture::{self, AUDIENCE, ISSUER, NOW};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"fuzz","typ":"JWT"}"#;

const CLAIMS: &str = r#"{"iss":"https://login.corp.example","sub":"ana","aud":["reasoning","x"],
    "exp":1795420800,"nbf":1795417000,"iat":1795417000,"jti":"1","groups":["analysts"]}"#;

/// What the first byte of an input says about the others.
#[derive(Clone, Copy)]
enum Part {
    Token,
    Claims,
    Header,
}

/// A token, and its parts, to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    let input = |part: Part, text: &str| [&[part as u8], text.as_bytes()].concat();
    vec![
        input(Part::Token, &valid_token()),
        input(Part::Claims, CLAIMS),
        input(Part::Header, HEADER),
        input(Part::Header, r#"{"alg":"none"}"#),
        input(
            Part::Header,
            r#"{"alg":"EdDSA","kid":"fuzz","crit":["b64"],"b64":false}"#,
        ),
    ]
}

pub(super) fn valid_token() -> String {
    fixture::token(HEADER.as_bytes(), CLAIMS.as_bytes())
}

/// A token that the issuer did not sign is refused, however small the difference. One that it did
/// sign is accepted only with the claims that the policy asks for.
pub fn run(data: &[u8]) {
    let Some((&part, rest)) = data.split_first() else {
        return;
    };
    match part % 3 {
        0 => {
            if authenticate(rest).is_some() {
                assert_eq!(rest, valid_token().as_bytes(), "a forged token");
            }
        }
        1 => {
            let token = fixture::token(HEADER.as_bytes(), rest);
            if let Some(principal) = authenticate(token.as_bytes()) {
                assert_claims(rest, &principal);
            }
        }
        _ => {
            let token = fixture::token(rest, CLAIMS.as_bytes());
            if authenticate(token.as_bytes()).is_some() {
                assert_header(rest);
            }
        }
    }
}

fn authenticate(token: &[u8]) -> Option<Principal> {
    let bundle = fixture::bundle();
    let connection: &Connection = &bundle.connections[0];
    let mut identity = Identity::new(Box::new(RustVerifier));
    identity.configure(&bundle.providers);
    let value = [b"Bearer ", token].concat();
    let headers: HeaderMap = [(&b"authorization"[..], value)].into_iter().collect();
    let mut ask = || {
        let mut metrics = Metrics::default();
        identity.authenticate(&headers, connection, false, NOW, &mut metrics)
    };
    let first = ask();
    // The second answer may come from the cache. It must be the same.
    assert_eq!(first, ask());
    match first {
        Authentication::Verified(principal) => Some((*principal).clone()),
        _ => None,
    }
}

/// Reads the claims with another parser, and as the RFC says.
fn assert_claims(claims: &[u8], principal: &Principal) {
    let claims: serde_json::Value = serde_json::from_slice(claims).expect("claims are JSON");
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], principal.subject);
    assert!(!principal.subject.is_empty());
    let audience = &claims["aud"];
    let names = audience
        .as_array()
        .is_some_and(|list| list.iter().any(|one| one == AUDIENCE));
    assert!(audience == AUDIENCE || names, "{audience}");
    let now = NOW.secs() as f64;
    let skew = fixture::bundle().providers[0].clock_skew as f64;
    let time = |name: &str| claims.get(name).and_then(serde_json::Value::as_f64);
    assert!(time("exp").expect("exp is a number") > now - skew - 1.0);
    assert!(time("nbf").is_none_or(|start| start <= now + skew + 1.0));
}

fn assert_header(header: &[u8]) {
    let header: serde_json::Value = serde_json::from_slice(header).expect("the header is JSON");
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header.get("crit"), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_the_seeds_is_accepted_and_other_algorithms_are_not() {
        let issued = |header: &str| fixture::token(header.as_bytes(), CLAIMS.as_bytes());
        assert!(authenticate(valid_token().as_bytes()).is_some());
        assert!(authenticate(issued(r#"{"alg":"none","kid":"fuzz"}"#).as_bytes()).is_none());
    }
}
