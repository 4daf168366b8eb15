//! Issuers.

use tracegate_bundle::limits::MAX_PROVIDERS;
use tracegate_bundle::policy::{Algorithm, KeySource, Provider, TokenHeader};

use super::keys::inline;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::syntax::decode::List;
use crate::syntax::{JwtRule, Url};

pub(super) fn providers(rules: &List<JwtRule>, out: &mut Diagnostics) -> Vec<Provider> {
    super::connection::bounded(rules, MAX_PROVIDERS, "issuers", out);
    for (index, rule) in rules.items.iter().enumerate() {
        let same = |other: &&JwtRule| other.issuer.value == rule.issuer.value;
        if let Some(first) = rules.items.iter().take(index).find(same) {
            let message = format!("the issuer `{}` is set up twice", rule.issuer.value.0);
            out.push(
                Diagnostic::new(Code::DuplicateIssuer, rule.issuer.span, message)
                    .related(first.issuer.span, "first here")
                    .help("put all audiences into one entry"),
            );
        }
    }
    rules.items.iter().map(|rule| provider(rule, out)).collect()
}

fn provider(rule: &JwtRule, out: &mut Diagnostics) -> Provider {
    let algorithms = if rule.algorithms.items.is_empty() {
        Algorithm::ALL.to_vec()
    } else {
        rule.algorithms.items.clone()
    };
    Provider {
        issuer: rule.issuer.value.0.clone(),
        audiences: rule
            .audiences
            .0
            .items
            .iter()
            .map(|text| text.value.0.clone())
            .collect(),
        algorithms,
        keys: keys(rule, out),
        from_headers: from_headers(rule),
        clock_skew: rule.clock_skew.value.secs(),
        max_lifetime: rule.max_lifetime.as_ref().map(|limit| limit.value.secs()),
        token_type: rule.token_type,
    }
}

fn from_headers(rule: &JwtRule) -> Vec<TokenHeader> {
    if rule.from_headers.items.is_empty() {
        return vec![TokenHeader {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }];
    }
    let headers = rule.from_headers.items.iter();
    headers
        .map(|header| TokenHeader {
            name: header.name.0.clone(),
            prefix: header
                .prefix
                .as_ref()
                .map_or_else(String::new, |prefix| prefix.0.clone()),
        })
        .collect()
}

fn keys(rule: &JwtRule, out: &mut Diagnostics) -> KeySource {
    let none = KeySource::Inline(String::new());
    let mut fault = |code, span, message: &str, help: &str| {
        out.push(Diagnostic::new(code, span, message).help(help));
        none.clone()
    };
    match (&rule.jwks_uri, &rule.jwks, &rule.cluster) {
        (Some(_), Some(jwks), _) => fault(
            Code::KeySource,
            jwks.span,
            "the keys come from two places, `jwksUri` and `jwks`",
            "keep one of the two",
        ),
        (None, None, _) => fault(
            Code::KeySource,
            rule.issuer.span,
            "the issuer has no keys",
            "add `jwksUri` and `cluster`, or `jwks` with the key set itself",
        ),
        (Some(url), None, None) => fault(
            Code::FieldConflict,
            url.span,
            "`jwksUri` needs `cluster`",
            "add `cluster`: the name of the Envoy cluster through which the URL is called",
        ),
        (None, Some(_), Some(cluster)) => fault(
            Code::FieldConflict,
            cluster.span,
            "`cluster` has no use beside `jwks`",
            "delete it; it belongs to `jwksUri`",
        ),
        (Some(url), None, Some(cluster)) => remote(rule, &url.value, &cluster.value.0, out),
        (None, Some(jwks), None) => KeySource::Inline(inline(jwks, out).unwrap_or_default()),
    }
}

fn remote(rule: &JwtRule, url: &Url, cluster: &str, out: &mut Diagnostics) -> KeySource {
    if rule.timeout.value.millis() == 0 {
        let message = "a fetch cannot take no time";
        out.push(
            Diagnostic::new(Code::InvalidValue, rule.timeout.span, message)
                .help("write a duration such as `2s`"),
        );
    }
    KeySource::Remote {
        cluster: cluster.to_owned(),
        authority: url.authority.clone(),
        path: url.path.clone(),
        scheme: url.scheme.clone(),
        cache_seconds: rule.cache_duration.value.secs(),
        max_stale_seconds: rule.max_stale.value.secs(),
        timeout_ms: rule.timeout.value.millis(),
    }
}
