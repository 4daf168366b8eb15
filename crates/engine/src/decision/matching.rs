//! Istio's matches on strings, hosts and path templates.

use tracegate_bundle::policy::{HostMatch, PathMatch, StringMatch, TemplateSegment};

/// Whether `value` matches.
#[must_use]
pub fn string(pattern: &StringMatch, value: &str) -> bool {
    match pattern {
        StringMatch::Exact(text) => value == text,
        StringMatch::Prefix(text) => value.starts_with(text.as_str()),
        StringMatch::Suffix(text) => value.ends_with(text.as_str()),
        StringMatch::Present => !value.is_empty(),
    }
}

/// Whether the decoded path matches.
#[must_use]
pub fn path(pattern: &PathMatch, path: &str) -> bool {
    match pattern {
        PathMatch::String(pattern) => string(pattern, path),
        PathMatch::Template(segments) => template(segments, path),
    }
}

/// Whether the host, in lower case and without its port, is one of a connection's.
#[must_use]
pub fn host(pattern: &HostMatch, host: &str) -> bool {
    match pattern {
        HostMatch::Exact(text) => host == text,
        HostMatch::Suffix(text) => host.len() > text.len() && host.ends_with(text.as_str()),
        HostMatch::Any => true,
    }
}

/// Matches segment by segment. After a `{**}` the search backtracks to it alone: where the shortest
/// stretch for the last `{**}` fails, a longer one for an earlier `{**}` cannot help, so the work is
/// bounded by segments times template length.
fn template(pattern: &[TemplateSegment], path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut rest = pattern;
    let mut segments = path.split('/');
    let mut resume: Option<(&[TemplateSegment], std::str::Split<'_, char>)> = None;
    loop {
        if let [TemplateSegment::Many, after @ ..] = rest {
            resume = Some((after, segments.clone()));
            rest = after;
            if rest.is_empty() {
                return true;
            }
            continue;
        }
        let mut ahead = segments.clone();
        let matched = match (rest.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((TemplateSegment::Literal(text), after)), Some(found)) => {
                (found == text).then_some(after)
            }
            (Some((TemplateSegment::One, after)), Some(found)) => {
                (!found.is_empty()).then_some(after)
            }
            _ => None,
        };
        match (matched, &mut resume) {
            (Some(after), _) => {
                rest = after;
                segments = ahead;
            }
            (None, Some((after, from))) => {
                if from.next().is_none() {
                    return false;
                }
                rest = after;
                segments = from.clone();
            }
            (None, None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<TemplateSegment> {
        text.strip_prefix('/')
            .unwrap()
            .split('/')
            .map(|segment| match segment {
                "{*}" => TemplateSegment::One,
                "{**}" => TemplateSegment::Many,
                text => TemplateSegment::Literal(text.to_owned()),
            })
            .collect()
    }

    #[test]
    fn templates_match_as_istio_describes_them() {
        let cases = [
            ("/v1/models/{**}", "/v1/models/a", true),
            ("/v1/models/{**}", "/v1/models/a/b", true),
            ("/v1/models/{**}", "/v1/models", true),
            ("/v1/models/{**}", "/v1/modelsx", false),
            ("/v1/{*}/runs", "/v1/a/runs", true),
            ("/v1/{*}/runs", "/v1/a/b/runs", false),
            ("/v1/{*}/runs", "/v1//runs", false),
            ("/{**}/runs/{*}", "/a/runs/runs/7", true),
            ("/{**}/runs/{*}", "/a/runs/7/x", false),
            ("/{**}/a/b", "/a/a/b", true),
            ("/{*}", "/", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                template(&parse(pattern), path),
                expected,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn a_suffix_host_needs_something_before_its_dot() {
        let pattern = HostMatch::Suffix(".corp.example".to_owned());
        assert!(host(&pattern, "a.corp.example"));
        assert!(!host(&pattern, ".corp.example"));
        assert!(!host(&pattern, "corp.example"));
        assert!(!host(&pattern, "a.corp.example.evil"));
    }
}
