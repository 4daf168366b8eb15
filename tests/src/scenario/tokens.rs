//! Mints the tokens that scenarios ask for, good ones and bad ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::format::{Tamper, Token};
use crate::standins::idp::{Idp, now};
use crate::standins::keys::{Key, merge, signing_input};

/// The token of that description.
pub(super) fn mint(idp: &Idp, token: &Token) -> String {
    let key = match &token.kid {
        Some(kid) => idp.key_named(kid),
        None => idp.first_key(),
    };
    let own;
    let key = match token.tamper {
        Some(Tamper::OwnKey) => {
            own = Key::generate(&key.kid, &key.algorithm);
            &own
        }
        _ => &*key,
    };
    let mut header = json!({"alg": key.algorithm, "typ": "JWT", "kid": key.kid});
    if let Some(Tamper::PublicKeyAsSecret) = token.tamper {
        header["alg"] = json!("HS256");
    }
    merge(&mut header, &token.header);
    let claims = idp.claims(&times(&token.claims)).to_string();
    let header = token
        .header_text
        .clone()
        .unwrap_or_else(|| header.to_string());
    let claims = match &token.claims_text {
        Some(text) => text.replace("${usual}", claims.trim_matches(['{', '}'])),
        None => claims,
    };
    let message = signing_input(&header, &claims);
    let signature = match token.tamper {
        Some(Tamper::PublicKeyAsSecret) => hs256(&key.jwk().to_string(), &message),
        _ => key.sign(message.as_bytes()),
    };
    tamper(token.tamper, &message, &signature)
}

fn hs256(secret: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn tamper(how: Option<Tamper>, message: &str, signature: &[u8]) -> String {
    let encoded = BASE64URL.encode(signature);
    match how {
        None | Some(Tamper::OwnKey | Tamper::PublicKeyAsSecret) => format!("{message}.{encoded}"),
        Some(Tamper::NoSignature) => format!("{message}."),
        Some(Tamper::Padding) => format!("{message}.{encoded}=="),
        Some(Tamper::FourthSegment) => format!("{message}.{encoded}.e30"),
        Some(Tamper::Space) => format!("{}.{encoded}", message.replace('.', ". ")),
        Some(Tamper::Signature) => {
            let mut changed = signature.to_vec();
            *changed.last_mut().expect("a signature") ^= 1;
            format!("{message}.{}", BASE64URL.encode(changed))
        }
        Some(Tamper::UnusedBits) => {
            let mut digits = encoded.into_bytes();
            let last = digits.last_mut().expect("a signature");
            // 64 bytes leave four bits unused, 256 bytes too: the next digit means the same.
            *last += 1;
            format!("{message}.{}", String::from_utf8_lossy(&digits))
        }
        Some(Tamper::Claims) => {
            let (header, claims) = message.split_once('.').expect("two segments");
            let claims = BASE64URL.decode(claims).expect("Base64url");
            let mut claims: Value = serde_json::from_slice(&claims).expect("claims");
            claims["sub"] = json!("mallory");
            format!(
                "{header}.{}.{encoded}",
                BASE64URL.encode(claims.to_string())
            )
        }
    }
}

/// Puts times in place of `now+60`.
fn times(claims: &Value) -> Value {
    let mut claims = claims.clone();
    for value in claims
        .as_object_mut()
        .into_iter()
        .flat_map(|claims| claims.values_mut())
    {
        let Some(offset) = value.as_str().and_then(|text| text.strip_prefix("now")) else {
            continue;
        };
        let offset: i64 = match offset {
            "" => 0,
            _ => offset.parse().expect("`now` and a number with its sign"),
        };
        *value = json!(now() + offset);
    }
    claims
}
