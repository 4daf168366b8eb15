//! What a refused caller reads: a problem document (RFC 9457) and, where a better token would help,
//! a challenge (RFC 6750 §3).
//!
//! The reply names the code, the rule and the request; nothing of the token, nothing of what else
//! the policy holds.

use serde::Serialize;

use crate::http::Reply;
use crate::refusal::Refusal;

/// Members of the problem document, RFC 9457 §3.1 first, then our extensions.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The answer to a refused request.
pub(super) fn refusal(refusal: Refusal, rule: Option<&str>, request_id: Option<&str>) -> Reply {
    let problem = Problem {
        r#type: format!("https://tracegate.dev/problems#{}", refusal.code()),
        title: refusal.title(),
        status: refusal.status(),
        code: refusal.code(),
        rule,
        request_id,
    };
    let mut headers = vec![
        ("content-type", "application/problem+json".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    if let Some(challenge) = challenge(refusal) {
        headers.push(("www-authenticate", challenge));
    }
    if refusal.status() == 503 {
        headers.push(("retry-after", "5".to_owned()));
    }
    // The members are strings and a number: there is nothing that cannot be written.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    Reply {
        status: refusal.status(),
        headers,
        body,
        details: refusal.code(),
    }
}

/// RFC 6750 §3.1: no `error` where no token came; `insufficient_scope` where another might do.
fn challenge(refusal: Refusal) -> Option<String> {
    let error = match (refusal, refusal.status()) {
        (Refusal::JwtMissing, _) => return Some("Bearer realm=\"tracegate\"".to_owned()),
        (Refusal::PolicyDenied | Refusal::PolicyNoRule, _) => "insufficient_scope",
        (_, 401) => "invalid_token",
        _ => return None,
    };
    let description = refusal.title();
    Some(format!(
        "Bearer realm=\"tracegate\", error=\"{error}\", error_description=\"{description}\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply
            .headers
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_missing_token_is_challenged_without_an_error() {
        let reply = refusal(Refusal::JwtMissing, None, None);
        assert_eq!(
            header(&reply, "www-authenticate"),
            Some("Bearer realm=\"tracegate\"")
        );
    }

    #[test]
    fn a_bad_token_is_challenged_as_invalid() {
        let reply = refusal(Refusal::JwtExpired, None, Some("r-1"));
        assert_eq!(
            header(&reply, "www-authenticate"),
            Some(
                "Bearer realm=\"tracegate\", error=\"invalid_token\", \
                 error_description=\"The token has expired.\""
            )
        );
    }

    #[test]
    fn a_denied_request_names_the_rule_and_the_request() {
        let reply = refusal(
            Refusal::PolicyDenied,
            Some("no-model-deletion"),
            Some("r-1"),
        );
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "https://tracegate.dev/problems#policy.denied",
                "title": "A rule of the policy denies this request.",
                "status": 403,
                "code": "policy.denied",
                "rule": "no-model-deletion",
                "request_id": "r-1",
            })
        );
    }

    #[test]
    fn titles_fit_into_a_quoted_string() {
        for title in Refusal::ALL.iter().map(|refusal| refusal.title()) {
            assert!(!title.contains(['"', '\\']) && title.is_ascii(), "{title}");
        }
    }
}
