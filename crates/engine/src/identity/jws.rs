//! The compact serialisation of a JWS (RFC 7515 §7.1) and its header.
//!
//! Everything that a header can ask for is either understood or refused. Keys and addresses of keys
//! in the header (`jwk`, `jku`, `x5c`, `x5u`) are ignored: keys come from the policy alone.

use serde_json::{Map, Value};
use tracegate_bundle::policy::{Algorithm, TokenType};

use super::json::{base64url, object};
use crate::refusal::Refusal;

/// Longest token, in bytes.
pub(super) const MAX_TOKEN: usize = 8 * 1024;

/// A token cut at its dots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compact<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    /// What the signature is over: header, dot, payload (RFC 7515 §5.1).
    pub(super) signing_input: &'t [u8],
}

impl<'t> Compact<'t> {
    /// Cuts a token into exactly three segments.
    pub(super) fn split(token: &'t [u8]) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::JwtTooLarge);
        }
        let mut segments = token.split(|&byte| byte == b'.');
        match [(); 4].map(|()| segments.next()) {
            [Some(header), Some(payload), Some(signature), None] => {
                let signed = header.len() + 1 + payload.len();
                Ok(Self {
                    header,
                    payload,
                    signature,
                    signing_input: token.get(..signed).unwrap_or_default(),
                })
            }
            _ => Err(Refusal::JwtMalformed),
        }
    }

    /// Reads the header.
    pub(super) fn header(&self) -> Result<Header, Refusal> {
        Header::read(&json_segment(self.header)?)
    }

    /// Reads the payload, which for a JWT is an object (RFC 7519 §7.2).
    pub(super) fn payload(&self) -> Result<Map<String, Value>, Refusal> {
        json_segment(self.payload)
    }

    /// Decodes the signature.
    pub(super) fn signature(&self) -> Result<Vec<u8>, Refusal> {
        base64url(self.signature).ok_or(Refusal::JwtMalformed)
    }
}

fn json_segment(segment: &[u8]) -> Result<Map<String, Value>, Refusal> {
    base64url(segment)
        .and_then(|bytes| object(&bytes))
        .ok_or(Refusal::JwtMalformed)
}

/// What a header says, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) key_id: Option<String>,
}

/// What sort of token it is; a provider may accept some and not others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) algorithm: Algorithm,
    pub(super) media_type: MediaType,
}

/// The `typ` parameter (RFC 7515 §4.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    Absent,
    Jwt,
    AccessToken,
    Other,
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Self, Refusal> {
        let algorithm = members
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::from_name)
            .ok_or(Refusal::JwtAlgorithm)?;
        // We understand no extension (RFC 7515 §4.1.11), unencoded payload (RFC 7797) or
        // compression, so nothing that names one can be right.
        if ["crit", "b64", "zip", "enc"]
            .iter()
            .any(|name| members.contains_key(*name))
        {
            return Err(Refusal::JwtCritical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Refusal::JwtMalformed),
        };
        if text("cty")?.is_some_and(|cty| subtype(cty).eq_ignore_ascii_case("jwt")) {
            return Err(Refusal::JwtCritical);
        }
        Ok(Self {
            kind: Kind {
                algorithm,
                media_type: MediaType::of(text("typ")?),
            },
            key_id: text("kid")?.map(str::to_owned),
        })
    }
}

impl MediaType {
    fn of(typ: Option<&str>) -> Self {
        match typ.map(subtype) {
            None => Self::Absent,
            Some(typ) if typ.eq_ignore_ascii_case("jwt") => Self::Jwt,
            Some(typ) if typ.eq_ignore_ascii_case("at+jwt") => Self::AccessToken,
            Some(_) => Self::Other,
        }
    }

    /// Whether it is what a provider asks for.
    pub(super) fn is(self, wanted: TokenType) -> bool {
        match wanted {
            TokenType::Any => self != Self::Other,
            TokenType::AccessToken => self == Self::AccessToken,
        }
    }
}

/// A media type without `application/`, which may be left out (RFC 7515 §4.1.9).
fn subtype(media_type: &str) -> &str {
    match media_type.split_once('/') {
        Some((application, rest)) if application.eq_ignore_ascii_case("application") => rest,
        _ => media_type,
    }
}
