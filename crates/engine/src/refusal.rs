//! Every reason to refuse, in one table.
//!
//! A refusal has one stable code. The same code stands in the reply, in the metric and in the audit
//! record, so that what a caller reports is what an operator searches for. Codes are never renamed
//! or given a second meaning; a new reason gets a new code.

/// Declares the reasons: variant, code, status, title.
macro_rules! refusals {
    ($( $(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal; )*) => {
        /// Why an exchange was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Refusal { $( $(#[$doc])* $variant, )* }

        impl Refusal {
            /// Every refusal, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// The stable code: `jwt.expired`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $( Self::$variant => $code, )* }
            }

            /// The HTTP status of the reply.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }

            /// One line for people: the `title` of the problem document (RFC 9457 §3.1.3).
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $( Self::$variant => $title, )* }
            }
        }
    };
}

refusals! {
    /// The request carries no token where one is needed.
    JwtMissing = "jwt.missing", 401, "This request needs a bearer token.";
    /// More than one token, or more than one header of the name that carries it.
    JwtMultiple = "jwt.multiple", 401, "The request carries more than one token.";
    /// Longer than the limit.
    JwtTooLarge = "jwt.too_large", 401, "The token is longer than this proxy accepts.";
    /// Not three Base64url segments of strict JSON objects.
    JwtMalformed = "jwt.malformed", 401, "The token is not a well-formed JWT.";
    /// `alg` is not accepted from this issuer, or does not fit the key.
    JwtAlgorithm = "jwt.algorithm", 401, "The token is signed with an algorithm that is not accepted.";
    /// `crit`, `b64`, `zip` or another header parameter that changes the meaning of the token.
    JwtCritical = "jwt.crit", 401, "The token demands a feature that is not supported.";
    /// `typ` is not what the policy asks for.
    JwtType = "jwt.typ", 401, "The token is not of the type that is accepted here.";
    /// `iss` is none of the issuers of this connection.
    JwtIssuer = "jwt.iss", 401, "The token comes from an issuer that is not accepted here.";
    /// `aud` does not name this service.
    JwtAudience = "jwt.aud", 401, "The token is meant for another audience.";
    /// `sub` is missing, empty or not a string.
    JwtSubject = "jwt.sub", 401, "The token does not say who it stands for.";
    /// `exp` has passed.
    JwtExpired = "jwt.expired", 401, "The token has expired.";
    /// `nbf` lies ahead.
    JwtNotBefore = "jwt.nbf", 401, "The token is not valid yet.";
    /// `iat` lies ahead.
    JwtIssuedAt = "jwt.iat", 401, "The token was issued in the future.";
    /// Valid for longer than the policy accepts.
    JwtLifetime = "jwt.lifetime", 401, "The token is valid for longer than is accepted here.";
    /// No key of the issuer fits the token.
    JwtUnknownKey = "jwt.unknown_key", 401, "The token is signed with a key that the issuer does not publish.";
    /// The signature does not verify.
    JwtSignature = "jwt.signature", 401, "The signature of the token is not valid.";
    /// There are no keys of the issuer to verify with.
    JwksUnavailable = "jwks.unavailable", 503, "The keys of the token's issuer cannot be had at the moment.";
    /// Too many requests wait for the keys of an issuer.
    JwksBusy = "jwks.busy", 503, "Too many requests wait for the keys of the token's issuer.";

    /// A DENY rule matches.
    PolicyDenied = "policy.denied", 403, "A rule of the policy denies this request.";
    /// No rule allows the request.
    PolicyNoRule = "policy.no_rule", 403, "No rule of the policy allows this request.";
    /// No connection has this host.
    PolicyNoConnection = "policy.no_connection", 403, "The policy has no connection for this host.";

    /// The path can be read in more than one way.
    RequestPath = "request.path", 400, "The path of the request can be read in more than one way.";
    /// A pseudo-header is missing or there are two.
    RequestHead = "request.head", 400, "The request lacks a method, an authority or a path, or has two.";
    /// An upgrade on a connection whose responses must be inspected.
    RequestUpgrade = "request.upgrade", 403, "This service does not accept protocol upgrades.";
    /// The body is longer than the connection inspects.
    RequestBodyTooLarge = "request.body_too_large", 413, "The body of the request is longer than this service accepts.";
    /// A rule looks into the body and it is not JSON.
    RequestBodySyntax = "request.body_syntax", 400, "The body of the request is not valid JSON.";
    /// A rule looks into the body and it is encoded.
    RequestBodyEncoding = "request.body_encoding", 415, "The body of the request must not be encoded.";
    /// A rule looks into the body and its media type is not JSON.
    RequestBodyType = "request.body_type", 415, "The body of the request must be JSON.";

    /// The response has a content encoding that cannot be inspected.
    MaskEncoding = "mask.encoding", 502, "The response is encoded and cannot be inspected.";
    /// The encoded response is damaged, has something behind its end, or expands beyond a limit.
    MaskDecoding = "mask.decoding", 502, "The encoded response is damaged, or expands beyond a limit of the inspection.";
    /// The response has a media type that cannot be inspected.
    MaskMediaType = "mask.media_type", 502, "The response has a media type that cannot be inspected.";
    /// The response is a part of a document.
    MaskPartial = "mask.partial_content", 502, "The response is only a part of a document and cannot be inspected.";
    /// The response tells to use a copy of before.
    MaskNotModified = "mask.not_modified", 502, "The response refers to a copy of the document that was not inspected.";
    /// The response switches the protocol.
    MaskUpgrade = "mask.upgrade", 502, "The response switches the protocol and cannot be inspected.";
    /// The response says JSON and is not.
    MaskSyntax = "mask.syntax", 502, "The response is not valid JSON and cannot be inspected.";
    /// The response goes beyond a limit of the inspection (depth, length of a name or number).
    MaskLimit = "mask.limit", 502, "The response goes beyond a limit of the inspection.";
    /// The response ended before its document did.
    MaskTruncated = "mask.truncated", 502, "The response ended before its document did.";
    /// Envoy's decompressor has ended it, whole or not, and its format does not tell.
    MaskIncomplete = "mask.incomplete", 502, "Nothing tells whether the response is whole.";

    /// There is no policy.
    BundleMissing = "bundle.missing", 503, "This proxy has no policy to decide by.";
    /// No trusted key has signed the policy.
    BundleUntrusted = "bundle.untrusted", 503, "The policy of this proxy is not signed by a trusted key.";
    /// The policy is past its expiry.
    BundleExpired = "bundle.expired", 503, "The policy of this proxy has expired.";
    /// The policy is older than the one that ran before.
    BundleRollback = "bundle.rollback", 503, "The policy of this proxy is older than one that ran before.";
    /// The policy is written in a format that this version does not read.
    BundleFormat = "bundle.format", 503, "The policy of this proxy has a format that this version does not read.";
    /// The policy uses `hash` and the deployment has no key for it.
    BundleHashKey = "bundle.hash_key", 503, "The policy of this proxy needs a hash key that it was not given.";

    /// An event came that cannot come in this state, or a hostcall failed.
    InternalState = "internal.state", 500, "The proxy could not handle this request.";
}

impl Refusal {
    /// The refusal of that code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|refusal| refusal.code() == code)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_leads_back_to_its_refusal() {
        for &refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
    }

    #[test]
    fn titles_are_sentences_and_statuses_are_errors() {
        for refusal in Refusal::ALL {
            assert!(refusal.title().ends_with('.'), "{refusal}");
            assert!((400..600).contains(&refusal.status()), "{refusal}");
        }
    }
}
