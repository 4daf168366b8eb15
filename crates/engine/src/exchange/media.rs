//! What the headers of a message say about its body.

use tracegate_bundle::policy::ContentCoding;

use crate::http::HeaderMap;

/// What is known of a body's format from its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format<'a> {
    /// One JSON document in UTF-8.
    Json,
    /// Something else: its media type, in the case in which it came.
    Other(&'a str),
    /// No type, or several, or one that cannot be read.
    Unknown,
}

/// The format that `content-type` announces.
///
/// `application/json`, `text/json` and types with the suffix `+json` (RFC 6839 §3.1) are JSON, unless
/// a `charset` other than UTF-8 is named: JSON has no other (RFC 8259 §8.1), and a reader that
/// honours the parameter would see another document than the one that was inspected.
pub(super) fn format(headers: &HeaderMap) -> Format<'_> {
    let Some(value) = headers
        .only("content-type")
        .and_then(|v| std::str::from_utf8(v).ok())
    else {
        return Format::Unknown;
    };
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let charset_is_utf8 = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let subtype = media_type
        .split_once('/')
        .map_or("", |(_, subtype)| subtype);
    let json = ["application/json", "text/json"]
        .iter()
        .any(|t| media_type.eq_ignore_ascii_case(t))
        || subtype.len() > 5 && ends_with_ignore_case(subtype, "+json");
    match (json, charset_is_utf8, media_type.contains(',')) {
        (_, _, true) => Format::Unknown,
        (true, true, _) => Format::Json,
        (true, false, _) => Format::Unknown,
        (false, _, _) => Format::Other(media_type),
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

    #[test]
    fn json_is_recognised_in_its_spellings() {
        for value in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/vnd.api+json;charset=\"utf-8\"",
            "text/json",
        ] {
            assert_eq!(
                format(&with("content-type", &[value])),
                Format::Json,
                "{value}"
            );
        }
    }

    #[test]
    fn another_charset_two_types_or_none_are_not_json() {
        for values in [
            &["application/json; charset=utf-16"][..],
            &["application/json", "text/plain"],
            &["application/json, text/plain"],
            &[],
        ] {
            assert_eq!(
                format(&with("content-type", values)),
                Format::Unknown,
                "{values:?}"
            );
        }
        for value in [
            "text/event-stream",
            "application/x-ndjson",
            "application/+json",
            "json",
        ] {
            assert_eq!(
                format(&with("content-type", &[value])),
                Format::Other(value)
            );
        }
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
