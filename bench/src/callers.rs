//! A thousand callers: an issuer with one RSA key, and a ready-made request for each caller.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracegate_tests::standins::keys::Key;

/// `iss` of every token.
pub(crate) const ISSUER: &str = "https://login.corp.example";

/// `aud` of every token.
pub(crate) const AUDIENCE: &str = "reasoning";

/// The host that requests name.
pub(crate) const HOST: &str = "reasoning.corp.example";

const PROMPT: &str = r#"{"model":"o-large","messages":[{"role":"user","content":"Summarise the
 quarterly review for the board, in five sentences, and name the customers that complained."}]}"#;

/// The issuer's key set and the requests of its callers.
pub(crate) struct Callers {
    /// The public keys as a JWK set (RFC 7517 §5).
    pub(crate) jwks: String,
    /// One HTTP/1.1 request for each caller, as sent.
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Callers {
    /// Issues `count` tokens, valid for a day.
    pub(crate) fn new(count: usize) -> Self {
        let key = Key::generate("bench-2026", "RS256");
        let jwks = json!({"keys": [key.jwk()]}).to_string();
        let requests = (0..count).map(|number| {
            let token = key.token(&json!({}), &claims(number));
            request(&token)
        });
        Self {
            jwks,
            requests: requests.collect(),
        }
    }
}

fn claims(number: usize) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{number:04}"),
        "jti": format!("{number:032x}"),
        "groups": ["analysts"],
        "iat": now,
        "exp": now + 86_400,
    })
}

fn request(token: &str) -> Vec<u8> {
    let prompt = PROMPT.replace('\n', "");
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nuser-agent: bench/1\r\n\
         accept: application/json\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n{prompt}",
        prompt.len()
    )
    .into_bytes()
}
