//! Istio's patterns: strings, hosts, methods, paths.
//!
//! Beside the form, each is checked for patterns that no request can match. Such a pattern in an
//! ALLOW rule is a nuisance; in a DENY rule it is a hole that looks like a fence.

use tracegate_bundle::limits::MAX_STEPS;
use tracegate_bundle::policy::{
    HostMatch, PathMatch, StringMatch, TemplateSegment, is_maskable_header,
};

use super::decode::{Decode, Shape, text};
use super::scalar::HeaderName;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

/// What is wrong with a pattern.
struct Fault {
    code: Code,
    message: String,
    help: String,
}

impl Fault {
    fn new(code: Code, message: impl Into<String>, help: &str) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.to_owned(),
        }
    }
}

/// Reads a text with `parse` and reports its fault.
fn read<T>(
    node: &Node,
    out: &mut Diagnostics,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Option<T> {
    parse(text(node, out)?)
        .map_err(
            |Fault {
                 code,
                 message,
                 help,
             }| {
                out.push(Diagnostic::new(code, node.span, message).help(help));
            },
        )
        .ok()
}

fn string_match(text: &str) -> Result<StringMatch, Fault> {
    let (pattern, fixed) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (Some(""), _) => return Ok(StringMatch::Present),
        (Some(end), None) => (StringMatch::Suffix(end.to_owned()), end),
        (None, Some(start)) => (StringMatch::Prefix(start.to_owned()), start),
        (None, None) => (StringMatch::Exact(text.to_owned()), text),
        (Some(_), Some(_)) => (StringMatch::Present, "*"),
    };
    if fixed.contains('*') {
        return Err(Fault::new(
            Code::InvalidValue,
            format!("`{text}` has a `*` that is neither its first nor its only last character"),
            "a pattern is `abc`, `abc*`, `*abc` or `*`; conditions also have `matches` for \
             regular expressions",
        ));
    }
    Ok(pattern)
}

impl Decode for StringMatch {
    fn shape() -> Shape {
        Shape::words("pattern (`abc`, `abc*`, `*abc`, `*`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, string_match)
    }
}

// === Hosts ===

fn check_host(text: &str) -> Result<(), Fault> {
    if text.contains("://") || text.contains('/') {
        let message = format!("`{text}` is a URL, not a host");
        return Err(Fault::new(
            Code::NeverMatches,
            message,
            "write the host alone",
        ));
    }
    let bracketed = text.starts_with('[') && text.ends_with(']');
    if text.contains(':') && !bracketed {
        let message = format!("`{text}` has a port, and hosts are compared without it");
        return Err(Fault::new(
            Code::NeverMatches,
            message,
            "write the host without the port",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._*[]:".contains(c);
    if !text.chars().all(allowed) {
        let message = format!("`{}` is not a host", text.escape_debug());
        let help = "write international names in their ASCII form (`xn--…`)";
        return Err(Fault::new(Code::InvalidValue, message, help));
    }
    Ok(())
}

impl Decode for HostMatch {
    fn shape() -> Shape {
        Shape::words("host (`api.corp.example`, `*.corp.example`, `*`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, |text| {
            check_host(text)?;
            let lower = text.to_ascii_lowercase();
            match lower.strip_prefix('*') {
                Some("") => Ok(Self::Any),
                Some(end) if end.starts_with('.') && !end.contains('*') && end.len() > 1 => {
                    Ok(Self::Suffix(end.to_owned()))
                }
                None if !lower.contains('*') => Ok(Self::Exact(lower)),
                _ => Err(Fault::new(
                    Code::InvalidValue,
                    format!("`{text}` is not a pattern for hosts"),
                    "a pattern is `api.corp.example`, `*.corp.example` or `*`",
                )),
            }
        })
    }
}

/// A pattern for the host in a rule: a string match in lower case.
#[derive(Clone, Debug)]
pub(crate) struct OperationHost(pub(crate) StringMatch);

impl Decode for OperationHost {
    fn shape() -> Shape {
        StringMatch::shape()
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, |text| {
            check_host(text)?;
            string_match(&text.to_ascii_lowercase()).map(Self)
        })
    }
}

/// A pattern for the name of a header whose values are masked: a string match in lower case.
#[derive(Clone, Debug)]
pub(crate) struct HeaderPattern(pub(crate) StringMatch);

impl Decode for HeaderPattern {
    fn shape() -> Shape {
        Shape::words("name of a header, or pattern (`location`, `x-*`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, |text| {
            let pattern = string_match(&text.to_ascii_lowercase())?;
            let (StringMatch::Exact(name) | StringMatch::Prefix(name) | StringMatch::Suffix(name)) =
                &pattern
            else {
                return Ok(Self(pattern));
            };
            if HeaderName::parse(name).is_none() {
                let message = format!("`{}` is not the name of a header", text.escape_debug());
                let help = "it is made of letters, digits and `-`, as in `X-Team`";
                return Err(Fault::new(Code::InvalidValue, message, help));
            }
            if matches!(&pattern, StringMatch::Exact(name) if !is_maskable_header(name)) {
                let message = format!("`{text}` frames the message and is never masked");
                let help = "name headers that say something of their own: `location`, `x-*`";
                return Err(Fault::new(Code::NeverMatches, message, help));
            }
            Ok(Self(pattern))
        })
    }
}

/// A pattern for the method.
#[derive(Clone, Debug)]
pub(crate) struct Method(pub(crate) StringMatch);

impl Decode for Method {
    fn shape() -> Shape {
        Shape::words("method (`GET`, `*`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, |text| {
            if text.chars().any(|c| c.is_ascii_lowercase()) {
                let message = format!("`{text}` is not a method: methods are in upper case");
                let help = format!("write `{}`", text.to_ascii_uppercase());
                return Err(Fault::new(Code::NeverMatches, message, &help));
            }
            string_match(text).map(Self)
        })
    }
}

// === Paths ===

const TEMPLATE: &str = "a template is made of whole segments: text, `{*}` for exactly one segment, \
                        and at last `{**}` for any number: `/v1/{*}/runs/{**}`";

/// A path in a rule is compared with the decoded path without its query.
fn check_path(text: &str) -> Result<(), Fault> {
    let never = |what: &str, help: &str| {
        let message = format!("`{}` can match no path: {what}", text.escape_debug());
        Err(Fault::new(Code::NeverMatches, message, help))
    };
    if !text.starts_with(['/', '*']) {
        return never("a path begins with `/`", &format!("write `/{text}`"));
    }
    if text.contains(['?', '#']) {
        let help = "write the path alone; the query cannot be matched";
        return never("paths are compared without the query", help);
    }
    if text.contains('%') {
        return never(
            "paths are compared decoded",
            "write the character that is escaped",
        );
    }
    if text.contains(['\\', '\n', '\r', '\t', '\0']) {
        return never("such a path is refused", "delete the character");
    }
    let mut segments = text.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let empty = segment.is_empty() && segments.peek().is_some();
        if empty || matches!(segment, "." | "..") {
            return never(
                "a path with empty or dot segments is refused",
                "write the plain path",
            );
        }
    }
    Ok(())
}

fn template(text: &str) -> Result<Vec<TemplateSegment>, Fault> {
    let fault = |message: String| Err(Fault::new(Code::PathTemplate, message, TEMPLATE));
    let Some(path) = text.strip_prefix('/') else {
        return fault(format!("the template `{text}` does not begin with `/`"));
    };
    let mut segments = Vec::new();
    for segment in path.split('/') {
        if segments.len() >= MAX_STEPS {
            return fault(format!("the template has more than {MAX_STEPS} segments"));
        }
        let operator = matches!(segment, "{*}" | "{**}");
        if operator && segments.contains(&TemplateSegment::Many) {
            return fault(format!(
                "`{segment}` stands after `{{**}}`, which must be the last"
            ));
        }
        segments.push(match segment {
            "{*}" => TemplateSegment::One,
            "{**}" => TemplateSegment::Many,
            _ if segment.contains(['{', '}', '*']) => {
                return fault(format!(
                    "`{segment}` is neither text nor `{{*}}` nor `{{**}}`"
                ));
            }
            _ => TemplateSegment::Literal(segment.to_owned()),
        });
    }
    Ok(segments)
}

impl Decode for PathMatch {
    fn shape() -> Shape {
        Shape::words("path (`/v1/x`, `/v1/*`, `*/x`, `/v1/{*}/x/{**}`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        read(node, out, |text| {
            check_path(text)?;
            if text.contains(['{', '}']) {
                template(text).map(Self::Template)
            } else {
                string_match(text).map(Self::String)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded<T: Decode>(text: &str) -> Result<T, Code> {
        let mut out = Diagnostics::new("p.yaml", text);
        let node = Node::implied(text, crate::Span::new(0, text.len()));
        T::decode(&node, &mut out).ok_or_else(|| out.iter().next().unwrap().code)
    }

    #[test]
    fn strings_match_as_in_istio() {
        let own = str::to_owned;
        assert_eq!(decoded("abc"), Ok(StringMatch::Exact(own("abc"))));
        assert_eq!(decoded("abc*"), Ok(StringMatch::Prefix(own("abc"))));
        assert_eq!(decoded("*abc"), Ok(StringMatch::Suffix(own("abc"))));
        assert_eq!(decoded("*"), Ok(StringMatch::Present));
        for text in ["a*b", "*a*", "**", "a**", "*a*b"] {
            assert_eq!(
                decoded::<StringMatch>(text),
                Err(Code::InvalidValue),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts_are_exact_suffixes_of_whole_labels_or_any() {
        let own = str::to_owned;
        assert_eq!(
            decoded("API.corp.example"),
            Ok(HostMatch::Exact(own("api.corp.example")))
        );
        assert_eq!(
            decoded("*.corp.example"),
            Ok(HostMatch::Suffix(own(".corp.example")))
        );
        assert_eq!(decoded("*"), Ok(HostMatch::Any));
        assert_eq!(decoded("[::1]"), Ok(HostMatch::Exact(own("[::1]"))));
        for (text, code) in [
            ("*corp.example", Code::InvalidValue),
            ("api.*.example", Code::InvalidValue),
            ("*.", Code::InvalidValue),
            ("bücher.example", Code::InvalidValue),
            ("api.example:8443", Code::NeverMatches),
            ("https://api.example", Code::NeverMatches),
        ] {
            assert_eq!(decoded::<HostMatch>(text), Err(code), "{text}");
        }
    }

    #[test]
    fn templates_have_the_restrictions_of_istio() {
        let literal = |text: &str| TemplateSegment::Literal(text.to_owned());
        let template = |text| decoded::<PathMatch>(text);
        let many = vec![
            literal("v1"),
            TemplateSegment::One,
            literal("x"),
            TemplateSegment::Many,
        ];
        assert_eq!(template("/v1/{*}/x/{**}"), Ok(PathMatch::Template(many)));
        let literal_last = vec![TemplateSegment::Many, literal("x")];
        assert_eq!(template("/{**}/x"), Ok(PathMatch::Template(literal_last)));
        for text in [
            "/{**}/{*}",
            "/{**}/{**}",
            "/v1/{*}.txt",
            "/v1/a{*}",
            "/v1/{id}",
            "/v1/{*",
            "/v1/{*}/x*",
            "*/{*}",
        ] {
            assert_eq!(template(text), Err(Code::PathTemplate), "{text}");
        }
    }

    #[test]
    fn patterns_that_no_request_can_match_are_refused() {
        for text in [
            "v1/x", "/v1?a=b", "/v1#x", "/a%2Fb", "/a//b", "/a/../b", "/./a", "/a\\b",
        ] {
            assert_eq!(
                decoded::<PathMatch>(text),
                Err(Code::NeverMatches),
                "{text}"
            );
        }
        assert!(decoded::<PathMatch>("/v1/").is_ok());
        assert!(decoded::<PathMatch>("*.json").is_ok());
        assert_eq!(
            decoded::<Method>("get").map(|method| method.0),
            Err(Code::NeverMatches)
        );
    }
}
