//! The claims of a token: read once, checked on every request.

use serde_json::{Map, Value};

/// A verified caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// `iss`: one of the issuers in the policy (RFC 7519 §4.1.1).
    pub issuer: String,
    /// `sub`: never empty, at most 1,024 bytes, without control characters (RFC 7519 §4.1.2).
    pub subject: String,
    /// `aud` (RFC 7519 §4.1.3).
    pub audiences: Vec<String>,
    /// `azp`: the client that the token was issued to (OpenID Connect Core §2).
    pub presenter: Option<String>,
    /// `jti` (RFC 7519 §4.1.7).
    pub token_id: Option<String>,
    /// `exp`, in whole seconds since the Unix epoch (RFC 7519 §4.1.4).
    pub expires: u64,
    /// Every claim, those above too.
    pub claims: Map<String, Value>,
}

impl Principal {
    /// `iss/sub`, as Istio's `request.auth.principal` has it.
    #[must_use]
    pub fn request_principal(&self) -> String {
        format!("{}/{}", self.issuer, self.subject)
    }

    /// The claim at that path: member names from the outside in.
    #[must_use]
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.claims.get(first)?, |value, name| value.get(name))
    }
}
