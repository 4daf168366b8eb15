//! The path of a request, in the one form in which rules see it.
//!
//! A rule is only as good as the agreement between the proxy and the back end on what a path means.
//! Envoy normalizes (`normalize_path`, `merge_slashes`), but it leaves escapes of ordinary
//! characters alone, and a back end decodes them: `/v1/%6dodels` would walk past a rule for
//! `/v1/models`. So rules are matched against the decoded path, and a path whose decoded form could
//! be read in a second way (an encoded slash, a dot segment, a second layer of escapes) is refused.

/// A decoded path without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedPath(String);

/// The path can be read in more than one way, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

impl DecodedPath {
    /// Decodes the value of `:path`.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] if it does not begin with a slash; holds a fragment, a backslash, an empty or
    /// dot segment, a control character or a byte above ASCII; or if an escape is malformed, or
    /// decodes to a slash, a backslash, a control character, another escape or invalid UTF-8.
    pub fn parse(raw: &[u8]) -> Result<Self, Ambiguous> {
        let path = raw.split(|&byte| byte == b'?').next().unwrap_or_default();
        if path.first() != Some(&b'/') {
            return Err(Ambiguous);
        }
        let mut decoded = Vec::with_capacity(path.len());
        let mut bytes = path.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => {
                    let value = escape(bytes.next(), bytes.next()).ok_or(Ambiguous)?;
                    if matches!(value, b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f) {
                        return Err(Ambiguous);
                    }
                    decoded.push(value);
                }
                b'\\' | b'#' | 0..=0x20 | 0x7f.. => return Err(Ambiguous),
                _ => decoded.push(byte),
            }
        }
        // Rust's decoder accepts the shortest form only, so overlong UTF-8 ends here.
        let decoded = String::from_utf8(decoded).map_err(|_| Ambiguous)?;
        let mut segments = decoded.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            // A path parameter (`..;x`) hides a dot segment from who does not strip it.
            let name = segment.split(';').next().unwrap_or_default();
            if matches!(name, "." | "..") || (segment.is_empty() && !last) {
                return Err(Ambiguous);
            }
        }
        Ok(Self(decoded))
    }

    /// The decoded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn escape(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_ordinary_characters_are_decoded() {
        let path = DecodedPath::parse(b"/v1/%6d%6Fdels/caf%C3%A9?x=%2f").unwrap();
        assert_eq!(path.as_str(), "/v1/models/café");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for raw in [
            "",
            "v1",
            "*",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e%2e/b",
            "/a/.%2E/b",
            "/a//b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/a%252fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a#b",
            "/a%c0%afb",
            "/a%ffb",
            "/a b",
            "/a/..;x/b",
            "/a%7fb",
            "/é",
        ] {
            assert_eq!(DecodedPath::parse(raw.as_bytes()), Err(Ambiguous), "{raw}");
        }
    }

    #[test]
    fn a_trailing_slash_and_dots_inside_names_are_ordinary() {
        for raw in ["/", "/a/", "/a..b", "/.well-known/x", "/a;b=c", "/..."] {
            assert!(DecodedPath::parse(raw.as_bytes()).is_ok(), "{raw}");
        }
    }
}
