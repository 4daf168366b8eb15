//! Finding the one token of a request.
//!
//! A request with two tokens has two callers, and which of them counts would depend on who reads it
//! (RFC 6750 §2: one method per request). So everything that may carry a token is looked at, and
//! more than one is refused, not chosen from. A proxy joins repeated headers with a comma, hence a
//! comma counts as two values.

use tracegate_bundle::policy::TokenHeader;

use crate::http::HeaderMap;
use crate::refusal::Refusal;

/// A token and where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'r, 'p> {
    pub(super) token: &'r [u8],
    pub(super) location: &'p TokenHeader,
}

/// The token of a request, looked for in `locations`; `None` if there is none.
pub(super) fn token<'r, 'p>(
    headers: &'r HeaderMap,
    locations: &[&'p TokenHeader],
) -> Result<Option<Found<'r, 'p>>, Refusal> {
    let mut found = None;
    for (index, location) in locations.iter().enumerate() {
        let name = location.name.as_str();
        let seen = |other: &&TokenHeader| other.name == name;
        if locations.iter().take(index).any(seen) {
            continue;
        }
        let mut values = headers.all(name);
        let Some(value) = values.next() else {
            continue;
        };
        if values.next().is_some() || value.contains(&b',') {
            return Err(Refusal::JwtMultiple);
        }
        let here = locations.iter().copied().filter(|other| other.name == name);
        match credential(value, here)? {
            Some(_) if found.is_some() => return Err(Refusal::JwtMultiple),
            Some(token) => found = Some(token),
            None => {}
        }
    }
    Ok(found)
}

/// The token in a header value, by the longest prefix that it begins with.
fn credential<'r, 'p>(
    value: &'r [u8],
    locations: impl Iterator<Item = &'p TokenHeader>,
) -> Result<Option<Found<'r, 'p>>, Refusal> {
    let best = locations
        .filter_map(|location| Some((location, after_prefix(value, &location.prefix)?)))
        .max_by_key(|(location, _)| location.prefix.len());
    match best {
        None => Ok(None),
        Some((_, Remainder::Malformed)) => Err(Refusal::JwtMalformed),
        Some((location, Remainder::Token(token))) => Ok(Some(Found { token, location })),
    }
}

enum Remainder<'r> {
    Token(&'r [u8]),
    Malformed,
}

/// What follows the prefix; `None` if the value begins with something else.
///
/// A prefix that ends with a space is an authentication scheme: any case, then one or more spaces
/// (RFC 9110 §11.4), and `BearerX` is another scheme.
fn after_prefix<'r>(value: &'r [u8], prefix: &str) -> Option<Remainder<'r>> {
    let scheme = prefix.trim_end_matches(' ');
    let (start, rest) = value.split_at_checked(scheme.len())?;
    if !start.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    let token = if scheme.len() == prefix.len() {
        rest
    } else {
        match rest.first() {
            Some(b' ') => skip_spaces(rest),
            Some(&next) if is_token_char(next) => return None,
            _ => return Some(Remainder::Malformed),
        }
    };
    match token.is_empty() {
        true => Some(Remainder::Malformed),
        false => Some(Remainder::Token(token)),
    }
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|&&byte| byte == b' ').count();
    text.get(spaces..).unwrap_or_default()
}

/// `tchar` of RFC 9110 §5.6.2, of which the names of schemes are made.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(name: &str, prefix: &str) -> TokenHeader {
        TokenHeader {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// What is found in these headers: a token, nothing, or the code of a refusal.
    fn find(headers: &[(&str, &str)]) -> String {
        let locations = [
            location("authorization", "Bearer "),
            location("x-jwt", ""),
            location("authorization", "Token "),
            location("authorization", "Bearer "),
        ];
        let locations: Vec<&TokenHeader> = locations.iter().collect();
        let headers: HeaderMap = headers.iter().copied().collect();
        match token(&headers, &locations) {
            Ok(Some(found)) => String::from_utf8(found.token.to_vec()).unwrap(),
            Ok(None) => "nothing".to_owned(),
            Err(refusal) => refusal.code().to_owned(),
        }
    }

    #[test]
    fn the_scheme_is_compared_without_case_and_followed_by_spaces() {
        for value in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER   a.b.c",
            "token a.b.c",
        ] {
            assert_eq!(find(&[("authorization", value)]), "a.b.c", "{value}");
        }
        assert_eq!(find(&[("x-jwt", "a.b.c")]), "a.b.c");
    }

    #[test]
    fn another_scheme_is_no_token() {
        for value in ["Basic Zm9v", "xBearer a.b.c", "BearerX a.b.c", "Bear", ""] {
            assert_eq!(find(&[("authorization", value)]), "nothing", "{value}");
        }
        assert_eq!(find(&[("other", "Bearer a.b.c")]), "nothing");
    }

    #[test]
    fn a_scheme_without_a_token_is_malformed() {
        for value in [
            "Bearer",
            "Bearer ",
            "bearer    ",
            "Bearer\ta.b.c",
            "Bearer\"a.b.c",
        ] {
            assert_eq!(
                find(&[("authorization", value)]),
                "jwt.malformed",
                "{value}"
            );
        }
        assert_eq!(find(&[("x-jwt", "")]), "jwt.malformed");
    }

    #[test]
    fn two_values_are_refused_even_if_only_one_is_a_token() {
        let good = "Bearer a.b.c";
        for headers in [
            &[("authorization", good), ("authorization", good)][..],
            &[("authorization", good), ("authorization", "Basic Zm9v")],
            &[("authorization", "Basic Zm9v"), ("authorization", good)],
            &[("authorization", "Basic Zm9v, Bearer a.b.c")],
            &[("authorization", "Bearer a.b.c,Bearer d.e.f")],
            &[("authorization", "Bearer a.b.c,")],
            &[("x-jwt", "a.b.c"), ("x-jwt", "d.e.f")],
            &[("x-jwt", "a.b.c"), ("authorization", good)],
        ] {
            assert_eq!(find(headers), "jwt.multiple", "{headers:?}");
        }
    }

    #[test]
    fn basic_credentials_beside_a_token_header_are_one_token() {
        let headers = [("authorization", "Basic Zm9v"), ("x-jwt", "a.b.c")];
        assert_eq!(find(&headers), "a.b.c");
    }
}
