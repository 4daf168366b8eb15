//! The `key` of a condition: an attribute of the request, by Istio's names.

use tracegate_bundle::limits::MAX_STEPS;
use tracegate_bundle::policy::Attribute;

use super::decode::{Decode, Shape, text};
use super::json_path::{self, PathError};
use super::scalar::HeaderName;
use super::suggest;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

const NAMES: &[&str] = &[
    "request.headers[…]",
    "request.auth.claims[…]",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "source.principal",
    "request.body[…]",
];

impl Decode for Attribute {
    fn shape() -> Shape {
        Shape::words("attribute (`request.auth.claims[groups]`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        let (name, argument) = match text.split_once('[') {
            Some((name, rest)) => (name, rest.strip_suffix(']')),
            None => (text, None),
        };
        let invalid = |message: String, help: &str| {
            Diagnostic::new(Code::UnknownAttribute, node.span, message).help(help)
        };
        let diagnostic = match (name, argument) {
            ("request.auth.principal", None) if name == text => return Some(Self::Principal),
            ("request.auth.audiences", None) if name == text => return Some(Self::Audiences),
            ("request.auth.presenter", None) if name == text => return Some(Self::Presenter),
            ("source.principal", None) if name == text => return Some(Self::SourcePrincipal),
            ("request.headers", Some(header)) => match HeaderName::parse(header) {
                Some(HeaderName(header)) => return Some(Self::Header(header)),
                None => invalid(
                    format!("`{header}` is not the name of a header"),
                    "method, path and host are matched under `to: [{operation: …}]`",
                ),
            },
            ("request.auth.claims", Some(claims)) => match claim(claims) {
                Some(names) => return Some(Self::Claim(names)),
                None => invalid(
                    format!("`[{claims}]` does not name a claim"),
                    "write `request.auth.claims[groups]`, for a nested claim \
                     `request.auth.claims[realm][roles]`",
                ),
            },
            ("request.body", Some(path)) => match json_path::parse(path) {
                Ok(path) => return Some(Self::Body(path)),
                Err(PathError { at, message, help }) => {
                    let offset = name.len() + 1;
                    let span = out.within(node.span, text, at.start + offset..at.end + offset);
                    Diagnostic::new(Code::JsonPath, span, message).help(help)
                }
            },
            ("request.headers" | "request.auth.claims" | "request.body", None) => invalid(
                format!("`{text}` does not say which one"),
                &format!("add a name in brackets: `{name}[…]`"),
            ),
            _ => unknown(node, text),
        };
        out.push(diagnostic);
        None
    }
}

/// `a][b` of `[a][b]`.
fn claim(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.split("][").map(str::to_owned).collect();
    let valid = |name: &String| !name.is_empty() && !name.contains(['[', ']']);
    (names.len() <= MAX_STEPS && names.iter().all(valid)).then_some(names)
}

fn unknown(node: &Node, text: &str) -> Diagnostic {
    let message = format!("`{}` is not an attribute of a request", text.escape_debug());
    let bare = text.split('[').next().unwrap_or_default();
    Diagnostic::new(Code::UnknownAttribute, node.span, message).help(suggest::among(bare, NAMES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<Attribute, String> {
        let mut out = Diagnostics::new("p.yaml", text);
        let node = Node::implied(text, crate::Span::new(0, text.len()));
        Attribute::decode(&node, &mut out).ok_or_else(|| {
            let found = out.iter().next().unwrap();
            format!("{} {}", found.code, found.help.clone().unwrap_or_default())
        })
    }

    #[test]
    fn attributes_have_the_names_of_istio() {
        let own = str::to_owned;
        assert_eq!(
            decoded("request.headers[X-Team]"),
            Ok(Attribute::Header(own("x-team")))
        );
        let claim = Attribute::Claim(vec![own("realm"), own("https://x.y/z.w")]);
        assert_eq!(
            decoded("request.auth.claims[realm][https://x.y/z.w]"),
            Ok(claim)
        );
        assert_eq!(decoded("request.auth.principal"), Ok(Attribute::Principal));
        let body = json_path::parse("$.messages[*]['a]b']").unwrap();
        assert_eq!(
            decoded("request.body[$.messages[*]['a]b']]"),
            Ok(Attribute::Body(body))
        );
    }

    #[test]
    fn what_is_no_attribute_is_refused_with_the_nearest_that_is() {
        for (text, expected) in [
            (
                "request.header[x]",
                "TG0308 did you mean `request.headers[…]`?",
            ),
            (
                "request.auth.principals",
                "TG0308 did you mean `request.auth.principal`?",
            ),
            ("request.headers", "TG0308 add a name in brackets"),
            ("request.headers[:path]", "TG0308 method, path and host"),
            (
                "request.auth.claims[]",
                "TG0308 write `request.auth.claims[groups]`",
            ),
            (
                "request.auth.claims[a]b]",
                "TG0308 write `request.auth.claims[groups]`",
            ),
            (
                "request.auth.principal[x]",
                "TG0308 did you mean `request.auth.principal`?",
            ),
            ("request.body[$.a[-1]]", "TG0401 count from the start"),
            ("destination.port", "TG0308 it can be"),
        ] {
            let error = decoded(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
