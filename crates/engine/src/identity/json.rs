//! JSON and Base64url without second readings.
//!
//! `serde_json` keeps the last of two members of the same name; another reader keeps the first. A
//! token that two programs read differently is an attack (RFC 8725 §2.4, RFC 7515 §4), so here
//! every duplicate is an error, at any depth and after escapes are decoded. For the same reason
//! Base64url has exactly one spelling: no padding, no white space, no spare bits (RFC 7515 §2).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
const MAX_DEPTH: u8 = 32;

/// Whole numbers from here on are not all exact in a double (RFC 7493 §2.2).
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Decodes Base64url in its only canonical spelling.
pub(super) fn base64url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Parses a JSON object in which no name occurs twice. Numbers that would have to be rounded to a
/// whole number are refused: what is compared must be what was signed.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: MAX_DEPTH }
        .deserialize(&mut deserializer)
        .ok()?;
    deserializer.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Builds a [`Value`], with that many levels of nesting left.
#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate names")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.abs() >= MAX_EXACT {
            return Err(E::custom("a number that cannot be kept exactly"));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if values.contains_key(&name) {
                return Err(A::Error::custom("a name occurs twice"));
            }
            values.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(base64url("-_8"), Some(vec![0xfb, 0xff]));
        for other in [
            "-_8=",
            "+/8",
            "-_9",
            " -_8",
            "-_8\n",
            "-",
            "-_8%3D",
            "\u{feff}-_8",
        ] {
            assert_eq!(base64url(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_an_error_at_every_depth() {
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#,
        ] {
            assert_eq!(object(twice.as_bytes()), None, "{twice}");
        }
        assert!(object(br#"{"a":{"a":{"a":1}},"A":2}"#).is_some());
    }

    #[test]
    fn thirty_two_levels_are_the_limit() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert!(object(nested(32).as_bytes()).is_some());
        for levels in [33, 100, 128, 129, 5_000, 100_000] {
            assert_eq!(object(nested(levels).as_bytes()), None, "{levels}");
        }
    }

    #[test]
    fn only_rfc_8259_is_json() {
        for wrong in [
            "",
            "[]",
            "\"a\"",
            "1",
            "null",
            r#"{"a":1,}"#,
            r"{'a':1}",
            r#"{"a":1}x"#,
            r#"{"a":1}{}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e400}"#,
            r#"{"a":01}"#,
            r#"{/**/"a":1}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
        ] {
            assert_eq!(object(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
        assert_eq!(object(b"{\"a\":\"\xc0\xaf\"}"), None);
    }

    #[test]
    fn whole_numbers_are_kept_exactly_or_refused() {
        let parsed = object(br#"{"a":9007199254740993,"b":18446744073709551615,"c":-5,"d":1e2}"#);
        let parsed = parsed.unwrap();
        assert_eq!(parsed["a"].to_string(), "9007199254740993");
        assert_eq!(parsed["b"].as_u64(), Some(u64::MAX));
        assert_eq!(parsed["c"].as_i64(), Some(-5));
        assert_eq!(parsed["d"].as_f64(), Some(100.0));
        for rounded in [
            "18446744073709551616",
            "9007199254740993.0",
            "1e300",
            "-1e16",
        ] {
            let text = format!("{{\"a\":{rounded}}}");
            assert_eq!(object(text.as_bytes()), None, "{rounded}");
        }
    }
}
