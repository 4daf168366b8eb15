//! The small values of a policy: names, durations, sizes.

use tracegate_bundle::policy::{Algorithm, TokenType};

use super::decode::{Decode, Shape, choice, choices_shape, text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

/// Longest text of a policy that is no pattern: a name, an issuer, an audience.
const MAX_TEXT: usize = 1024;

/// Longest name of a policy, connection or rule, which stands on every record.
const MAX_NAME: usize = 63;

/// Any text, not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl Decode for Text {
    fn shape() -> Shape {
        Shape::words("text")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        if text.len() > MAX_TEXT {
            let message = format!("the text is longer than {MAX_TEXT} bytes");
            out.push(Diagnostic::new(Code::InvalidValue, node.span, message).help("shorten it"));
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// A name of the author's, fit for records and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl Decode for Name {
    fn shape() -> Shape {
        Shape::words("name")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let valid = text.len() <= MAX_NAME
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !valid {
            let message = format!("`{}` is not a name", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message).help(format!(
                    "a name has at most {MAX_NAME} letters, digits, `-`, `_` and `.`, and begins \
                     with a letter or digit"
                )),
            );
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// Name of a header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderName(pub(crate) String);

/// `token` of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl HeaderName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl Decode for HeaderName {
    fn shape() -> Shape {
        Shape::words("name of a header")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let name = Self::parse(text);
        if name.is_none() {
            let message = format!("`{}` is not the name of a header", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("it is made of letters, digits and `-`, as in `X-Team`"),
            );
        }
        name
    }
}

/// A media type or a range of them: `application/pdf`, `image/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaRange(pub(crate) String);

impl Decode for MediaRange {
    fn shape() -> Shape {
        Shape::words("media type (`application/pdf`, `image/*`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let range = text.split_once('/').filter(|(kind, subtype)| {
            is_token(kind)
                && !kind.contains('*')
                && is_token(subtype)
                && (*subtype == "*" || !subtype.contains('*'))
        });
        if range.is_none() {
            let message = format!("`{}` is not a media type", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("write it without parameters: `application/pdf`, `image/*`"),
            );
        }
        range.map(|_| Self(text.to_ascii_lowercase()))
    }
}

/// A span of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration(u64);

impl Duration {
    /// Milliseconds.
    pub(crate) fn millis(self) -> u64 {
        self.0
    }

    /// Seconds, rounded up: a limit does not become 0.
    pub(crate) fn secs(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// Numbers with the units `h`, `m`, `s` and `ms`, the largest first: `1h30m`.
    fn parse(text: &str) -> Option<Self> {
        const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total = 0u64;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at_checked(digits)?;
            let letters = tail.len()
                - tail
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .len();
            let (unit, tail) = tail.split_at_checked(letters)?;
            let (_, factor) = units.find(|(name, _)| *name == unit)?;
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
            rest = tail;
        }
        (!text.is_empty()).then_some(Self(total))
    }
}

impl Decode for Duration {
    fn shape() -> Shape {
        Shape::words("duration (`25s`, `1h30m`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let duration = Self::parse(text);
        if duration.is_none() {
            let message = format!("`{}` is not a duration", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("write a number and a unit: `500ms`, `25s`, `15m`, `1h30m`"),
            );
        }
        duration
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    fn parse(text: &str) -> Option<Self> {
        let (number, factor) = match text.strip_suffix("KiB") {
            Some(number) => (number, 1024),
            None => (text.strip_suffix("MiB")?, 1024 * 1024),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| number.parse::<u64>().ok()?.checked_mul(factor).map(Self))?
    }
}

impl Decode for ByteSize {
    fn shape() -> Shape {
        Shape::words("size (`512KiB`, `1MiB`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let size = Self::parse(text);
        if size.is_none() {
            let message = format!("`{}` is not a size", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("write a number and `KiB` or `MiB`: `512KiB`, `1MiB`"),
            );
        }
        size
    }
}

const TOKEN_TYPES: &[(&str, TokenType)] =
    &[("any", TokenType::Any), ("at+jwt", TokenType::AccessToken)];

impl Decode for TokenType {
    fn shape() -> Shape {
        choices_shape(TOKEN_TYPES)
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        choice(node, TOKEN_TYPES, out)
    }
}

impl Decode for Algorithm {
    fn shape() -> Shape {
        choices_shape(&Self::ALL.map(|algorithm| (algorithm.name(), algorithm)))
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let written = text(node, out)?;
        if matches!(written, "none" | "HS256" | "HS384" | "HS512") {
            let message = format!("`{written}` is never accepted");
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message).help(
                    "whoever can verify such a token can also make one; use RS256, ES256 or EdDSA",
                ),
            );
            return None;
        }
        let choices = Self::ALL.map(|algorithm| (algorithm.name(), algorithm));
        choice(node, &choices, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_from_large_to_small() {
        for (text, expected) in [
            ("25s", Some(25_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("1m1ms", Some(60_001)),
            ("", None),
            ("s", None),
            ("25", None),
            ("30m1h", None),
            ("1s1s", None),
            ("-1s", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
            ("9999999999999999h", None),
        ] {
            assert_eq!(
                Duration::parse(text).map(Duration::millis),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(Duration::parse("1ms").map(Duration::secs), Some(1));
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, expected) in [
            ("1MiB", Some(1 << 20)),
            ("512KiB", Some(512 << 10)),
            ("1MB", None),
            ("+1MiB", None),
            ("MiB", None),
            ("99999999999999MiB", None),
        ] {
            assert_eq!(
                ByteSize::parse(text).map(|size| size.0),
                expected,
                "{text:?}"
            );
        }
    }
}
