//! Key sets that stand in the policy itself.
//!
//! The filter judges keys one by one and leaves out those that it cannot verify with, for the set of
//! an issuer changes while nobody looks. The set in a policy does not change, so its author is told
//! here, by the filter's own reader, which keys will never count, and why.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};
use tracegate_engine::identity::{self, KeyError, KeySetError};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::syntax::KeySet;
use crate::syntax::decode::Spanned;

/// The key set as compact JSON, if the filter can verify tokens with it.
pub(super) fn inline(jwks: &Spanned<KeySet>, out: &mut Diagnostics) -> Option<String> {
    let text = jwks.value.0.as_str();
    let fault = |message: String| {
        Diagnostic::new(Code::KeySet, jwks.span, message)
            .help("write `jwks: '{\"keys\": […]}'` as the issuer publishes it")
    };
    let set: Value = match serde_json::from_str(text) {
        Ok(set) => set,
        Err(error) => {
            out.push(fault(format!("`jwks` is not JSON: {error}")));
            return None;
        }
    };
    let keys = Keys {
        text,
        span: jwks.span,
        places: elements_of_keys(text).unwrap_or_default(),
    };
    let unusable = match identity::KeySet::parse(text.as_bytes()) {
        Ok(usable) => usable.skipped().to_vec(),
        Err(KeySetError::NoUsableKey(unusable)) => {
            let private = |(_, error): &(usize, KeyError)| *error == KeyError::NotPublic;
            if !unusable.iter().any(private) {
                let message = "`jwks` has no key that can verify signatures".to_owned();
                out.push(fault(message));
            }
            unusable
        }
        Err(error) => {
            out.push(fault(format!("`jwks` cannot be used: {error}")));
            return None;
        }
    };
    for (index, error) in &unusable {
        keys.unusable(*index, *error, out);
    }
    keys.unnamed(&set, &unusable, out);
    Some(set.to_string())
}

/// The keys of a set, and where they stand in its text.
struct Keys<'a> {
    text: &'a str,
    span: Span,
    places: Vec<Range<usize>>,
}

impl Keys<'_> {
    fn place(&self, index: usize, out: &Diagnostics) -> Span {
        match self.places.get(index) {
            Some(place) => out.within(self.span, self.text, place.clone()),
            None => self.span,
        }
    }

    fn unusable(&self, index: usize, error: KeyError, out: &mut Diagnostics) {
        let place = self.place(index, out);
        let number = index + 1;
        // Bundles are no secret, so a private key in one is lost.
        let diagnostic = if error == KeyError::NotPublic {
            let message = format!("key {number} of `jwks` is a private or symmetric key");
            Diagnostic::new(Code::PrivateKey, place, message)
                .help("keep only the public members, and replace the key: it has been seen")
        } else {
            let message = format!("key {number} of `jwks` verifies no token: {error}");
            Diagnostic::new(Code::UnusableKey, place, message).help(remedy(error))
        };
        out.push(diagnostic);
    }

    /// Tells of keys without a name among several: a token that names its key is not for them.
    fn unnamed(&self, set: &Value, unusable: &[(usize, KeyError)], out: &mut Diagnostics) {
        let listed = set.get("keys").and_then(Value::as_array);
        let usable = |index: &usize| !unusable.iter().any(|(other, _)| other == index);
        let keys: Vec<(usize, &Value)> = listed.into_iter().flatten().enumerate().collect();
        if keys.len() < 2 {
            return;
        }
        for (index, key) in keys {
            if key.get("kid").is_none() && usable(&index) {
                let message = format!(
                    "key {} of `jwks` has no `kid`, and it is not alone",
                    index + 1
                );
                let help = "a token whose header names a key is not verified with it; add the `kid` that \
                            the issuer's tokens have";
                let place = self.place(index, out);
                out.push(Diagnostic::new(Code::KeyWithoutId, place, message).help(help));
            }
        }
    }
}

/// What to do about a key that is not used.
fn remedy(error: KeyError) -> &'static str {
    match error {
        KeyError::Malformed(_) | KeyError::Point => "copy the key anew, as the issuer publishes it",
        KeyError::Unsupported => {
            "delete it; tokens are verified with RSA keys, with EC keys on P-256 and P-384, and with \
             Ed25519 keys"
        }
        KeyError::NotPublic => "keep only the public members",
        KeyError::Purpose => "delete it; it is for encryption, or for signing alone",
        KeyError::Algorithm => {
            "delete it; the algorithms are RS, PS, ES256, ES384 and EdDSA, each with its own type of key"
        }
        KeyError::RsaModulus | KeyError::RsaExponent => "have the issuer replace the key",
        KeyError::DuplicateKeyId => {
            "neither of the two is used, for a token could not say which it means; give each its own"
        }
    }
}

// === Places in JSON ===

/// Where the elements of the array `keys` stand in the text of an object.
fn elements_of_keys(text: &str) -> Option<Vec<Range<usize>>> {
    let mut at = step(text, 0, '{')?;
    loop {
        let name = value(text, at)?;
        let after = step(text, name.end, ':')?;
        let member = value(text, after)?;
        let name: String = serde_json::from_str(text.get(name)?).ok()?;
        if name == "keys" {
            return elements(text, member.start);
        }
        at = step(text, member.end, ',')?;
    }
}

/// Where the elements of the array that begins at `start` stand.
fn elements(text: &str, start: usize) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut next = step(text, start, '[');
    while let Some(element) = value(text, next?) {
        next = step(text, element.end, ',');
        found.push(element);
        if next.is_none() {
            break;
        }
    }
    Some(found)
}

/// Behind `sign` and the white space around it.
fn step(text: &str, at: usize, sign: char) -> Option<usize> {
    let rest = text.get(at..)?.trim_start().strip_prefix(sign)?;
    Some(text.len() - rest.trim_start().len())
}

/// Where the JSON value that begins at `at` stands.
fn value(text: &str, at: usize) -> Option<Range<usize>> {
    let mut values = Deserializer::from_str(text.get(at..)?).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(at..at + values.byte_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_where_it_stands() {
        let cases: &[(&str, &[&str])] = &[
            (
                r#"{"keys":[{"a":1},{"b":"]}"}]}"#,
                &[r#"{"a":1}"#, r#"{"b":"]}"}"#],
            ),
            (
                r#" { "x" : {"keys":[9]} , "keys" : [ 1 , "é" ] } "#,
                &["1", "\"é\""],
            ),
            (r#"{"\u006beys":[[]]}"#, &["[]"]),
            (r#"{"keys":[]}"#, &[]),
        ];
        for (text, expected) in cases {
            let places = elements_of_keys(text).unwrap();
            let found: Vec<_> = places
                .into_iter()
                .map(|place| text.get(place).unwrap())
                .collect();
            assert_eq!(found, *expected, "{text}");
        }
        assert_eq!(elements_of_keys(r#"{"other":[]}"#), None);
    }
}
