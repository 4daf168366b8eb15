//! The claims of a token: read once, checked on every request.
//!
//! A signature stays valid; a token does not. So the two are kept apart: [`Claims::read`] needs the
//! token, [`Claims::check`] only what was read and the time, and it runs on every request, whether
//! or not the signature was verified before.

use std::rc::Rc;

use serde_json::{Map, Number, Value};
use tracegate_bundle::policy::Provider;

use crate::Timestamp;
use crate::refusal::Refusal;

/// Longest `sub`, in bytes. It stands in headers and on records.
const MAX_SUBJECT: usize = 1_024;

/// The last second of the year 9999, beyond which RFC 3339 has no dates.
const MAX_DATE: u64 = 253_402_300_799;

/// A verified caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// `iss`: one of the issuers in the policy (RFC 7519 §4.1.1).
    pub issuer: String,
    /// `sub`: never empty, at most 1,024 bytes, without control characters (RFC 7519 §4.1.2).
    pub subject: String,
    /// `aud` (RFC 7519 §4.1.3).
    pub audiences: Vec<String>,
    /// `azp`: the client that the token was issued to (OpenID Connect Core §2).
    pub presenter: Option<String>,
    /// `jti` (RFC 7519 §4.1.7).
    pub token_id: Option<String>,
    /// `exp`, in whole seconds since the Unix epoch (RFC 7519 §4.1.4).
    pub expires: u64,
    /// Every claim, those above too.
    pub claims: Map<String, Value>,
}

impl Principal {
    /// `iss/sub`, as Istio's `request.auth.principal` has it.
    #[must_use]
    pub fn request_principal(&self) -> String {
        format!("{}/{}", self.issuer, self.subject)
    }

    /// The claim at that path: member names from the outside in.
    #[must_use]
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.claims.get(first)?, |value, name| value.get(name))
    }
}

/// The claims of a token, well-formed but perhaps not acceptable (now, or here).
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) principal: Rc<Principal>,
    not_before: Option<u64>,
    issued_at: Option<u64>,
}

/// `iss`, by which the provider is chosen.
pub(super) fn issuer(members: &Map<String, Value>) -> Result<&str, Refusal> {
    match members.get("iss") {
        Some(Value::String(issuer)) if !issuer.is_empty() => Ok(issuer),
        _ => Err(Refusal::JwtIssuer),
    }
}

impl Claims {
    /// Reads the registered claims.
    pub(super) fn read(members: Map<String, Value>) -> Result<Self, Refusal> {
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::JwtMalformed),
        };
        // A token without an end is valid for longer than anyone accepts.
        let expires = date(&members, "exp", Rounding::Down)?.ok_or(Refusal::JwtLifetime)?;
        let not_before = date(&members, "nbf", Rounding::Up)?;
        let issued_at = date(&members, "iat", Rounding::Up)?;
        let principal = Principal {
            issuer: issuer(&members)?.to_owned(),
            subject: subject(&members)?,
            audiences: audiences(&members)?,
            presenter: text("azp")?,
            token_id: text("jti")?,
            expires,
            claims: members,
        };
        Ok(Self {
            principal: Rc::new(principal),
            not_before,
            issued_at,
        })
    }

    /// Whether `provider` vouches for these claims now.
    pub(super) fn check(&self, provider: &Provider, now: Timestamp) -> Result<(), Refusal> {
        let (now, skew) = (now.secs(), provider.clock_skew);
        let ahead = |date: Option<u64>| date.is_some_and(|date| now.saturating_add(skew) < date);
        if self.principal.issuer != provider.issuer {
            return Err(Refusal::JwtIssuer);
        }
        // RFC 7519 §4.1.4: "on or after" the date the token must not be accepted.
        if now >= self.principal.expires.saturating_add(skew) {
            return Err(Refusal::JwtExpired);
        }
        if ahead(self.not_before) {
            return Err(Refusal::JwtNotBefore);
        }
        if ahead(self.issued_at) {
            return Err(Refusal::JwtIssuedAt);
        }
        if let Some(longest) = provider.max_lifetime {
            let issued_at = self.issued_at.ok_or(Refusal::JwtLifetime)?;
            if self.principal.expires.saturating_sub(issued_at) > longest {
                return Err(Refusal::JwtLifetime);
            }
        }
        let ours = |audience| provider.audiences.contains(audience);
        if !self.principal.audiences.iter().any(ours) {
            return Err(Refusal::JwtAudience);
        }
        Ok(())
    }
}

/// `sub`: RFC 7519 leaves it optional, but a record without a subject is none.
fn subject(members: &Map<String, Value>) -> Result<String, Refusal> {
    match members.get("sub") {
        Some(Value::String(subject))
            if !subject.is_empty()
                && subject.len() <= MAX_SUBJECT
                && !subject.contains(char::is_control) =>
        {
            Ok(subject.clone())
        }
        _ => Err(Refusal::JwtSubject),
    }
}

/// `aud`: a string or a list of nothing but strings.
fn audiences(members: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    match members.get("aud") {
        Some(Value::String(audience)) => Ok(vec![audience.clone()]),
        Some(Value::Array(audiences)) => audiences
            .iter()
            .map(|audience| audience.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(Refusal::JwtAudience),
        _ => Err(Refusal::JwtAudience),
    }
}

/// Which whole second a fraction counts as: the one at which less is accepted.
#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn date(
    members: &Map<String, Value>,
    name: &str,
    rounding: Rounding,
) -> Result<Option<u64>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => whole_seconds(number, rounding)
            .filter(|&date| date <= MAX_DATE)
            .map(Some)
            .ok_or(Refusal::JwtMalformed),
        Some(_) => Err(Refusal::JwtMalformed),
    }
}

fn whole_seconds(number: &Number, rounding: Rounding) -> Option<u64> {
    if let Some(seconds) = number.as_u64() {
        return Some(seconds);
    }
    let seconds = match rounding {
        Rounding::Down => number.as_f64()?.floor(),
        Rounding::Up => number.as_f64()?.ceil(),
    };
    // The strict reader has kept out what a double cannot hold; a cast saturates besides.
    (seconds >= 0.0).then_some(seconds as u64)
}
