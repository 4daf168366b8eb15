//! What the headers of a message say about its body.

use tracegate_bundle::policy::ContentCoding;

use crate::http::HeaderMap;
use crate::masking::Format;

/// What is known of a body's format from its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media<'a> {
    /// One that can be inspected, and its media type in the case in which it came.
    Known(Format, &'a str),
    /// Something else: its media type.
    Other(&'a str),
    /// No type, or several, or one that cannot be read.
    Unknown,
}

/// What a JSON document per line is called; nobody has registered it.
const LINES: &[&str] = &[
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
    "application/json-lines",
    "application/stream+json",
];

/// The media types that are text.
const TEXT: &[&str] = &[
    "text/plain",
    "text/csv",
    "text/tab-separated-values",
    "text/markdown",
];

/// The format that `content-type` announces, unless a `charset` other than UTF-8 is named: JSON has no
/// other (RFC 8259 §8.1), and a reader that honours the parameter would see another text than the one
/// that was inspected.
pub(super) fn media(headers: &HeaderMap) -> Media<'_> {
    let Some(value) = headers
        .only("content-type")
        .and_then(|v| std::str::from_utf8(v).ok())
    else {
        return Media::Unknown;
    };
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if media_type.contains(',') {
        return Media::Unknown;
    }
    match format(media_type) {
        None => Media::Other(media_type),
        Some(format) if parts.all(|parameter| allows(format, parameter)) => {
            Media::Known(format, media_type)
        }
        Some(_) => Media::Unknown,
    }
}

/// Whether a parameter leaves the body what it is.
fn allows(format: Format, parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    if !name.trim().eq_ignore_ascii_case("charset") {
        return true;
    }
    let value = value.trim().trim_matches('"');
    // ASCII is UTF-8.
    value.eq_ignore_ascii_case("utf-8")
        || !format.has_paths() && value.eq_ignore_ascii_case("us-ascii")
}

/// `application/json`, `text/json` and types with the suffix `+json` are JSON, those with the suffix
/// `+xml` XML (RFC 6839 §3.1, RFC 7303).
fn format(media_type: &str) -> Option<Format> {
    let is = |known: &&str| media_type.eq_ignore_ascii_case(known);
    let subtype = media_type.split_once('/').map_or("", |(_, sub)| sub);
    let ends_with =
        |suffix: &str| subtype.len() > suffix.len() && ends_with_ignore_case(subtype, suffix);
    // Lines first: one of their names ends like that of a document.
    if LINES.iter().any(is) {
        Some(Format::Lines)
    } else if media_type.eq_ignore_ascii_case("text/event-stream") {
        Some(Format::Events)
    } else if ["application/json", "text/json"].iter().any(is) || ends_with("+json") {
        Some(Format::Document)
    } else if TEXT.iter().any(is) {
        Some(Format::Text)
    } else if ["text/html", "text/xml", "application/xml"].iter().any(is) || ends_with("+xml") {
        Some(Format::Markup)
    } else {
        None
    }
}

fn ends_with_ignore_case(text: &str, suffix: &str) -> bool {
    let start = text.len().saturating_sub(suffix.len());
    text.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// What `content-encoding` says (RFC 9110 §8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Nothing, or `identity`.
    Plain,
    /// One coding that can be undone.
    Coded(ContentCoding),
    /// Another one, or several.
    Opaque,
}

/// The encoding of a body.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let mut codings = headers
        .all("content-encoding")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Encoding::Plain,
        (Some(coding), None) => {
            ContentCoding::from_name(coding).map_or(Encoding::Opaque, Encoding::Coded)
        }
        (Some(_), Some(_)) => Encoding::Opaque,
    }
}

/// Whether one of `patterns` (`image/*`, `application/pdf`) covers the media type.
pub(super) fn is_listed(patterns: &[String], media_type: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => media_type
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
            None => media_type.eq_ignore_ascii_case(pattern),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name, value)).collect()
    }

    /// What one `content-type` announces; `None` if it is not known.
    fn format_of(value: &str) -> Option<Format> {
        match media(&with("content-type", &[value])) {
            Media::Known(format, _) => Some(format),
            Media::Other(_) | Media::Unknown => None,
        }
    }

    #[test]
    fn formats_are_recognised_in_their_spellings() {
        for (value, format) in [
            ("application/json", Format::Document),
            ("Application/JSON; charset=UTF-8", Format::Document),
            (
                "application/vnd.api+json;charset=\"utf-8\"",
                Format::Document,
            ),
            ("text/json", Format::Document),
            ("text/plain", Format::Text),
            ("Text/CSV; header=present; charset=us-ascii", Format::Text),
            ("text/markdown;variant=GFM", Format::Text),
            ("text/tab-separated-values", Format::Text),
            ("text/html; charset=utf-8", Format::Markup),
            ("application/xml", Format::Markup),
            ("application/atom+xml", Format::Markup),
            ("image/svg+xml", Format::Markup),
        ] {
            assert_eq!(format_of(value), Some(format), "{value}");
        }
    }

    #[test]
    fn another_charset_two_types_or_none_are_not_known() {
        for values in [
            &["application/json; charset=utf-16"][..],
            &["application/json; charset=us-ascii"],
            &["text/plain; charset=iso-8859-1"],
            &["text/html; charset=utf-8; charset=utf-7"],
            &["text/html; charset"],
            &["application/json", "text/plain"],
            &["application/json, text/plain"],
            &["text/plain, text/plain"],
            &[],
        ] {
            let known = with("content-type", values);
            assert_eq!(media(&known), Media::Unknown, "{values:?}");
        }
        for value in [
            "text/event-streams",
            "application/+json",
            "application/+xml",
            "text/css",
            "json",
        ] {
            let other = with("content-type", &[value]);
            assert_eq!(media(&other), Media::Other(value));
        }
    }

    #[test]
    fn streams_are_recognised_in_their_spellings() {
        for (value, format) in [
            ("text/event-stream", Format::Events),
            ("Text/Event-Stream; charset=UTF-8", Format::Events),
            ("application/x-ndjson", Format::Lines),
            ("application/jsonl;charset=utf-8", Format::Lines),
            ("application/x-jsonlines", Format::Lines),
            ("application/stream+json", Format::Lines),
        ] {
            let headers = with("content-type", &[value]);
            let known = matches!(media(&headers), Media::Known(found, _) if found == format);
            assert!(known, "{value}");
        }
        let utf_16 = with("content-type", &["text/event-stream; charset=utf-16"]);
        assert_eq!(media(&utf_16), Media::Unknown);
    }

    #[test]
    fn one_known_coding_can_be_undone_and_several_cannot() {
        let encoding = |values: &[&str]| encoding(&with("content-encoding", values));
        for value in ["", "identity", "Identity , identity"] {
            assert_eq!(encoding(&[value]), Encoding::Plain, "{value}");
        }
        for value in ["gzip", "GZIP", "x-gzip", " gzip ", "identity, gzip"] {
            let gzip = Encoding::Coded(ContentCoding::Gzip);
            assert_eq!(encoding(&[value]), gzip, "{value}");
        }
        assert_eq!(
            encoding(&["deflate"]),
            Encoding::Coded(ContentCoding::Deflate)
        );
        for values in [
            &["br"][..],
            &["zstd"],
            &["gzip, gzip"],
            &["gzip", "gzip"],
            &["deflate, gzip"],
            &["compress"],
            &["gzip;q=1"],
        ] {
            assert_eq!(encoding(values), Encoding::Opaque, "{values:?}");
        }
    }

    #[test]
    fn listed_types_are_compared_without_case_and_by_their_main_type() {
        let patterns = ["image/*".to_owned(), "application/pdf".to_owned()];
        assert!(is_listed(&patterns, "Image/PNG"));
        assert!(is_listed(&patterns, "application/PDF"));
        assert!(!is_listed(&patterns, "imagex/png"));
        assert!(!is_listed(&patterns, "application/pdfx"));
    }
}
