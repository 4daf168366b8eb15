//! The URL of a key set, split as the filter calls it.

use super::decode::{Decode, Shape, text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

/// An absolute `http` or `https` URL without user information and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) authority: String,
    /// Path and query; at least `/`.
    pub(crate) path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !matches!(scheme.as_str(), "http" | "https") || !printable || text.contains(['#', '\\'])
        {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, port)| {
                let is_port = port.parse::<u16>().is_ok();
                if is_port { host } else { authority }
            });
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let valid = !host.is_empty() && !host.contains('@') && (bracketed || !host.contains(':'));
        valid.then(|| Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
        })
    }
}

impl Decode for Url {
    fn shape() -> Shape {
        Shape::words("URL (`https://…`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let url = Self::parse(text);
        if url.is_none() {
            let message = format!("`{}` is not a URL that can be fetched", text.escape_debug());
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("write an absolute `http` or `https` URL without user name and fragment"),
            );
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_what_a_request_needs() {
        for (text, expected) in [
            (
                "https://idp.example/jwks",
                Some(("https", "idp.example", "/jwks")),
            ),
            (
                "HTTP://IDP.example:8080",
                Some(("http", "idp.example:8080", "/")),
            ),
            (
                "https://[::1]:443/a?b=c",
                Some(("https", "[::1]:443", "/a?b=c")),
            ),
            (
                "https://idp.example?x",
                Some(("https", "idp.example", "/?x")),
            ),
            ("ftp://idp.example/", None),
            ("https://user@idp.example/", None),
            ("https://idp.example/#x", None),
            ("https:///jwks", None),
            ("https://idp.example:99999/", None),
            ("https://idp example/", None),
            ("/jwks", None),
        ] {
            let found = Url::parse(text);
            let parts = found.as_ref().map(|url| {
                (
                    url.scheme.as_str(),
                    url.authority.as_str(),
                    url.path.as_str(),
                )
            });
            assert_eq!(parts, expected, "{text}");
        }
    }
}
