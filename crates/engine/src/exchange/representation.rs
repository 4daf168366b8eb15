//! What messages say about a representation, and what may not be said about one that is masked.
//!
//! A masked body is another representation than the one that the back end describes. Digests and
//! validators of the original would be worse than wrong: with them anyone could test a guess of what was
//! hidden. A validator cannot be carried over in a weaker form either, because what it is made of is the
//! original. So `etag` and `last-modified` go, and with them the requests that ask by them: a
//! conditional `GET` becomes a plain one, and a 304 that comes all the same is refused, for it would tell
//! a cache to use a copy that may be another caller's. Preconditions of requests that change something
//! stay: without them a lost update would go unnoticed.
//!
//! Where callers see different things of one resource, a response is theirs alone: `cache-control:
//! private`, and `vary` on what tells them apart.

use std::ops::ControlFlow;

use crate::http::{HeaderEdit, HeaderMap};

/// Headers and trailers that describe the body as the back end sent it.
const DESCRIBES_THE_ORIGINAL: &[&str] = &[
    "accept-ranges",
    "content-digest",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
    "signature",
    "signature-input",
    "unencoded-digest",
    "x-goog-hash",
    "x-goog-stored-content-length",
    "x-ms-blob-content-md5",
    "x-ms-content-crc64",
];

/// What the names of others begin with. The last are of Envoy's decompressor.
const DESCRIBES_THE_ORIGINAL_TOO: &[&str] = &[
    "x-amz-checksum-",
    "x-amz-content-sha256",
    "x-checksum-",
    DECOMPRESSOR,
];

/// Trailers in which Envoy's decompressor tells how long a body was.
const DECOMPRESSOR: &str = "x-envoy-decompressor-";

/// What asks for a part of a representation.
const ASKS_FOR_A_PART: &[&str] = &["range", "if-range"];

/// What asks for a representation on a condition about another one (RFC 9110 §13.1).
const ASKS_ON_A_CONDITION: &[&str] = &[
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
];

/// What caches in front of back ends obey before `cache-control`.
const FOR_SHARED_CACHES: &[&str] = &["surrogate-control"];
/// The rest of the names of RFC 9213: `cdn-cache-control`.
const TARGETED: &str = "-cache-control";

fn describes_the_original(name: &[u8]) -> bool {
    let is = |known: &&str| name == known.as_bytes();
    let begins = |known: &&str| name.starts_with(known.as_bytes());
    DESCRIBES_THE_ORIGINAL.iter().any(is) || DESCRIBES_THE_ORIGINAL_TOO.iter().any(begins)
}

/// Removes from headers or trailers what describes the original body.
pub(super) fn hide_original(fields: &HeaderMap) -> Vec<HeaderEdit> {
    remove(fields, describes_the_original)
}

/// Whether Envoy's decompressor has written these trailers.
pub(super) fn is_decompressed(trailers: &HeaderMap) -> bool {
    let mut names = trailers.iter().map(|(name, _)| name);
    names.any(|name| name.starts_with(DECOMPRESSOR.as_bytes()))
}

/// The headers that a request for a masked response must not have.
pub(super) fn not_to_be_asked(method: &str) -> impl Iterator<Item = &'static str> {
    let safe = matches!(method, "GET" | "HEAD");
    let conditions = ASKS_ON_A_CONDITION.iter().filter(move |_| safe);
    ASKS_FOR_A_PART.iter().chain(conditions).copied()
}

/// Makes a response the caller's own. `vary_on`: the headers that tell callers apart, in lower case.
pub(super) fn keep_private(headers: &HeaderMap, vary_on: &[String]) -> Vec<HeaderEdit> {
    let mut edits = remove(headers, |name| {
        FOR_SHARED_CACHES
            .iter()
            .any(|known| name == known.as_bytes())
            || name.ends_with(TARGETED.as_bytes())
    });
    let set = |name: &str, value| HeaderEdit::Set(name.to_owned(), value);
    edits.extend(private(headers).map(|value| set("cache-control", value)));
    edits.extend(varying(headers, vary_on).map(|value| set("vary", value)));
    edits
}

/// The value of `cache-control` that keeps shared caches away; `None` if it does so already.
fn private(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let keep = |directive: &[u8]| {
        let name = directive.split(|&byte| byte == b'=').next();
        let is = |known: &str| {
            name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
        };
        if is("no-store") || is("private") && !directive.contains(&b'=') {
            return ControlFlow::Break(());
        }
        // `private="name"` is about a header only.
        if !is("public") && !is("s-maxage") && !is("private") {
            kept.extend_from_slice(directive);
            kept.extend_from_slice(b", ");
        }
        ControlFlow::Continue(())
    };
    if headers
        .all("cache-control")
        .flat_map(directives)
        .try_for_each(keep)
        .is_break()
    {
        return None;
    }
    kept.extend_from_slice(b"private");
    Some(kept)
}

/// The elements of a list whose elements may hold quoted texts (RFC 9110 §5.6.1).
fn directives(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |&byte| {
            let literal = std::mem::take(&mut escaped);
            match byte {
                b'"' if !literal => quoted = !quoted,
                b'\\' if quoted && !literal => escaped = true,
                _ => {}
            }
            byte == b',' && !quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|directive| !directive.is_empty())
}

/// The value of `vary` that has these names too; `None` if it has.
fn varying(headers: &HeaderMap, names: &[String]) -> Option<Vec<u8>> {
    let has = |name: &[u8]| {
        let mut values = headers.all("vary").flat_map(directives);
        values.any(|found| found == b"*" || found.eq_ignore_ascii_case(name))
    };
    let missing: Vec<_> = names.iter().filter(|name| !has(name.as_bytes())).collect();
    if missing.is_empty() {
        return None;
    }
    let values = headers.all("vary").flat_map(directives);
    let all: Vec<&[u8]> = values
        .chain(missing.iter().map(|name| name.as_bytes()))
        .collect();
    Some(all.join(&b", "[..]))
}

/// Removes every field whose name is meant.
fn remove(fields: &HeaderMap, meant: impl Fn(&[u8]) -> bool) -> Vec<HeaderEdit> {
    let mut edits = Vec::new();
    for (name, _) in fields.iter().filter(|(name, _)| meant(name)) {
        // What is meant has a name of ours, or begins or ends with one; Envoy's names are ASCII.
        let edit = HeaderEdit::Remove(String::from_utf8_lossy(name).into_owned());
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_control(values: &[&str]) -> Option<String> {
        let headers: HeaderMap = values
            .iter()
            .map(|value| ("cache-control", value))
            .collect();
        private(&headers).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_response_becomes_private_and_keeps_what_the_callers_own_cache_may_do() {
        for (values, expected) in [
            (&[][..], "private"),
            (&["public"], "private"),
            (
                &["Public, MAX-AGE=60 , s-maxage=600"],
                "MAX-AGE=60, private",
            ),
            (
                &["max-age=60", "must-revalidate,public"],
                "max-age=60, must-revalidate, private",
            ),
            (
                &["private=\"set-cookie, x\", max-age=1"],
                "max-age=1, private",
            ),
            (
                &["x=\"no-store, \\\"\", public"],
                "x=\"no-store, \\\"\", private",
            ),
            (&[", ,"], "private"),
            (&["no-cache"], "no-cache, private"),
        ] {
            assert_eq!(
                cache_control(values).as_deref(),
                Some(expected),
                "{values:?}"
            );
        }
        for values in [
            &["no-store"][..],
            &["private"],
            &["max-age=3, Private"],
            &["public", "no-store"],
        ] {
            assert_eq!(cache_control(values), None, "{values:?}");
        }
    }

    #[test]
    fn vary_gets_the_names_that_it_lacks() {
        let names = ["authorization".to_owned(), "x-team".to_owned()];
        let vary = |values: &[&str]| {
            let headers: HeaderMap = values.iter().map(|value| ("vary", value)).collect();
            varying(&headers, &names).map(|value| String::from_utf8(value).unwrap())
        };
        assert_eq!(vary(&[]).as_deref(), Some("authorization, x-team"));
        assert_eq!(
            vary(&["Accept, X-Team"]).as_deref(),
            Some("Accept, X-Team, authorization")
        );
        assert_eq!(
            vary(&["accept", "origin"]).as_deref(),
            Some("accept, origin, authorization, x-team")
        );
        assert_eq!(vary(&["Authorization,x-team"]), None);
        assert_eq!(vary(&["*"]), None);
    }

    #[test]
    fn what_describes_the_original_is_removed_once_and_the_rest_stays() {
        let headers: HeaderMap = [
            ("etag", "1"),
            ("etag", "2"),
            ("x-amz-checksum-sha256", "s"),
            ("x-envoy-decompressor-gzip-uncompressed-bytes", "12"),
            ("x-etag", "kept"),
            ("content-language", "da"),
        ]
        .into_iter()
        .collect();
        let removed = |name: &str| HeaderEdit::Remove(name.to_owned());
        assert_eq!(
            hide_original(&headers),
            [
                removed("etag"),
                removed("x-amz-checksum-sha256"),
                removed("x-envoy-decompressor-gzip-uncompressed-bytes"),
            ]
        );
    }

    #[test]
    fn only_requests_that_change_nothing_lose_their_preconditions() {
        assert_eq!(not_to_be_asked("GET").count(), 6);
        assert_eq!(not_to_be_asked("HEAD").count(), 6);
        for method in ["PUT", "POST", "DELETE", "get"] {
            let names: Vec<_> = not_to_be_asked(method).collect();
            assert_eq!(names, ["range", "if-range"]);
        }
    }
}
