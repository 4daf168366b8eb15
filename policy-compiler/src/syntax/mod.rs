//! The policy language as types.
//!
//! The declarations below are the language: the decoder and the reference (`docs/policy.md`) are made
//! from them, doc comments included. Where Istio has a word for a thing, it is that word.

mod attribute;
pub(crate) mod decode;
mod json_path;
mod mask;
mod matching;
pub(crate) mod reference;
mod scalar;
pub(crate) mod suggest;
mod time;
mod url;

use tracegate_bundle::policy::{
    Action, Algorithm, AtLimit, Attribute, ContentCoding, HostMatch, Path, PathMatch, StringMatch,
    TokenType,
};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;
use decode::{
    Decode, Field, Fields, List, Mapping, NonEmpty, Presence, Shape, Spanned, choice,
    choices_shape, later_shape, mapping, text,
};
pub(crate) use mask::{Detect, MaskAction, MaskRule, Pattern};
pub(crate) use matching::{Method, OperationHost};
pub(crate) use scalar::{ByteSize, Duration, HeaderName, MediaRange, Name, Text};
pub use time::Instant;
pub(crate) use url::Url;

mapping! {
    /// A policy: one YAML document per file.
    struct Document = "policy" {
        /// The version of the language.
        required api_version: ApiVersion = "apiVersion";
        /// The kind of document.
        required kind: Kind = "kind";
        /// What the policy is called.
        required metadata: Metadata = "metadata";
        /// What it says.
        required spec: Spec = "spec";
    }

    /// What the policy is called.
    struct Metadata = "metadata" {
        /// The name of the policy, on every record.
        required name: Name = "name";
        /// The number of this release: a filter replaces the policy that it runs only by one with a
        /// larger number. `policy-compiler build --revision` overrides it.
        optional revision: Option<Spanned<u64>> = "revision";
    }

    /// What the policy says.
    struct Spec = "spec" {
        /// `enforce`. (`shadow`, which only records, comes with a later version.)
        default("enforce") mode: Mode = "mode";
        /// When the bundle stops being valid. After that the filter refuses to load it.
        /// `policy-compiler build --expires` overrides it.
        optional expires: Option<Spanned<Instant>> = "expires";
        /// Who issues the tokens that callers present.
        list jwt_rules: List<JwtRule> = "jwtRules";
        /// The back ends. A request whose host is none of theirs is refused.
        required connections: NonEmpty<Connection> = "connections";
    }

    /// An issuer of tokens. The fields are those of Istio's `RequestAuthentication`.
    struct JwtRule = "jwtRule" {
        /// The exact value of the `iss` claim.
        required issuer: Spanned<Text> = "issuer";
        /// A token must name one of these in its `aud` claim.
        required audiences: NonEmpty<Spanned<Text>> = "audiences";
        /// Where the issuer's keys are, a JSON Web Key Set. Needs `cluster`.
        either jwks_uri: Option<Spanned<Url>> = "jwksUri";
        /// The Envoy cluster through which `jwksUri` is called.
        either cluster: Option<Spanned<Text>> = "cluster";
        /// The JSON Web Key Set itself, as JSON text, in place of `jwksUri`.
        either jwks: Option<Spanned<KeySet>> = "jwks";
        /// The request headers that may carry the token. Default: `Authorization` with the prefix
        /// `Bearer `.
        list from_headers: List<FromHeader> = "fromHeaders";
        /// The signature algorithms that are accepted. Default: all. `none` and `HS256` do not exist.
        list algorithms: List<Algorithm> = "algorithms";
        /// Tolerance for `exp`, `nbf` and `iat`.
        default("60s") clock_skew: Spanned<Duration> = "clockSkew";
        /// Longest time between `iat` and `exp` that is accepted.
        optional max_lifetime: Option<Spanned<Duration>> = "maxLifetime";
        /// What the `typ` header of a token must say: `at+jwt` demands an access token of RFC 9068.
        default("any") token_type: TokenType = "tokenType";
        /// How long a fetched key set is fresh, unless the answer says less.
        default("5m") cache_duration: Spanned<Duration> = "cacheDuration";
        /// How long a fetched key set may still be used while the issuer does not answer.
        default("24h") max_stale: Spanned<Duration> = "maxStale";
        /// How long one fetch of the key set may take.
        default("2s") timeout: Spanned<Duration> = "timeout";
    }

    /// A header that may carry the token.
    struct FromHeader = "fromHeader" {
        /// Its name.
        required name: HeaderName = "name";
        /// What stands before the token. Default: nothing.
        optional prefix: Option<Prefix> = "prefix";
    }

    /// A back end.
    struct Connection = "connection" {
        /// Its name, on every record.
        required name: Spanned<Name> = "name";
        /// The hosts that are this back end. The most specific one wins: `api.corp.example` before
        /// `*.corp.example` before `*`.
        required hosts: NonEmpty<Spanned<HostMatch>> = "hosts";
        /// The third party behind it, on every record.
        optional supplier: Option<Text> = "supplier";
        /// Whose tokens are accepted here, by `issuer`. Default: those of all `jwtRules`.
        optional issuers: Option<NonEmpty<Spanned<Text>>> = "issuers";
        /// Whether a request without any token is decided by the rules. Otherwise it is refused.
        default("false") allow_missing: bool = "allowMissing";
        /// Whether the back end is told the caller's `sub` in `x-tracegate-subject`.
        default("false") forward_subject: bool = "forwardSubject";
        /// Longest request body. A longer one is answered with 413.
        default("1MiB") max_request_body: Spanned<ByteSize> = "maxRequestBody";
        /// Media types of responses that pass without inspection although `mask` is set.
        list pass_types: List<MediaRange> = "passTypes";
        /// Content codings of responses that are undone so that `mask` can see what is in them. The
        /// caller gets the plain body. Without this, and in any other coding, a response that is
        /// encoded is refused; back ends are asked for plain ones in any case.
        list decode: List<ContentCoding> = "decode";
        /// What is done with text (plain text, CSV, Markdown, HTML, XML) although a mask rule names
        /// paths, which text does not have. `scan` hides what the detectors of all mask rules find,
        /// wherever `in` looks for it. Default: it is not passed on.
        optional text: Option<Spanned<TextBodies>> = "text";
        /// What is allowed and what is denied. What no rule allows is denied.
        list rules: List<Rule> = "rules";
        /// What is hidden in responses and requests.
        list mask: List<Spanned<MaskRule>> = "mask";
        /// How streamed responses are masked.
        optional stream: Option<Stream> = "stream";
        later {
            /// Which bodies are kept with the record. Until then their digests are.
            "record";
        }
    }

    /// How streamed responses are masked. The formats of the usual engines need no entry.
    struct Stream = "stream" {
        /// Where in an event text stands that goes on in the next event, for formats of your own:
        /// `$.token.text`. Names and `[*]`, which stands for the elements of a list.
        list channels: List<Spanned<Path>> = "channels";
        /// What happens when more is held back than may be: `mask` hides the text that is held for the
        /// longest time, `end` ends the stream.
        default("mask") at_limit: AtLimit = "atLimit";
    }

    /// A rule, as in Istio's `AuthorizationPolicy`: it matches when one of `from`, one of `to` and all
    /// of `when` match; what is left out matches everything. DENY comes before ALLOW.
    struct Rule = "rule" {
        /// Its name, in replies and on records; unique within the connection.
        required name: Spanned<Name> = "name";
        /// `ALLOW` or `DENY`. (`APPROVE`, which asks a second person, comes with a later version.)
        required action: Spanned<Action> = "action";
        /// Who asks: any of these.
        list from: List<From> = "from";
        /// What is asked: any of these.
        list to: List<To> = "to";
        /// Conditions, all of which must hold.
        list when: List<Condition> = "when";
        later {
            /// Who must approve.
            "approve";
        }
    }

    /// One entry of `from`.
    struct From = "from" {
        /// The source.
        required source: Spanned<Source> = "source";
    }

    /// Who asks. All fields that are set must match; each lists alternatives.
    struct Source = "source" {
        /// Peer identities of mutual TLS: `cluster.local/ns/prod/sa/web`.
        list principals: List<StringMatch> = "principals";
        /// Peer identities that must not match.
        list not_principals: List<StringMatch> = "notPrincipals";
        /// `iss/sub` of the token.
        list request_principals: List<StringMatch> = "requestPrincipals";
        /// `iss/sub` that must not match.
        list not_request_principals: List<StringMatch> = "notRequestPrincipals";
    }

    /// One entry of `to`.
    struct To = "to" {
        /// The operation.
        required operation: Spanned<Operation> = "operation";
    }

    /// What is asked. All fields that are set must match; each lists alternatives.
    struct Operation = "operation" {
        /// Hosts, without port.
        list hosts: List<OperationHost> = "hosts";
        /// Hosts that must not match.
        list not_hosts: List<OperationHost> = "notHosts";
        /// Methods.
        list methods: List<Method> = "methods";
        /// Methods that must not match.
        list not_methods: List<Method> = "notMethods";
        /// Paths, decoded and without the query. `{*}` is exactly one segment, `{**}` any number.
        list paths: List<PathMatch> = "paths";
        /// Paths that must not match.
        list not_paths: List<PathMatch> = "notPaths";
    }

    /// A condition. It holds when the attribute has one of `values` or `matches` and none of
    /// `notValues` and `notMatches`. An absent attribute matches nothing; of an attribute with several
    /// values any one may match.
    struct Condition = "condition" {
        /// The attribute: `request.headers[name]`, `request.auth.claims[a][b]`,
        /// `request.auth.principal`, `request.auth.audiences`, `request.auth.presenter`,
        /// `source.principal` or `request.body[$.json.path]`.
        required key: Spanned<Attribute> = "key";
        /// Alternatives.
        list values: List<StringMatch> = "values";
        /// Values that must not match.
        list not_values: List<StringMatch> = "notValues";
        /// Alternatives as regular expressions, which match anywhere in the value.
        list matches: List<Spanned<Text>> = "matches";
        /// Regular expressions that must not match.
        list not_matches: List<Spanned<Text>> = "notMatches";
    }
}

/// Declares words of which some are for a later version.
macro_rules! words {
    ($( $type:ty: [$(($word:literal, $value:expr)),*], later [$($later:literal),*]; )*) => { $(
        impl Decode for $type {
            fn shape() -> Shape {
                choices_shape(&[$(($word, $value)),*])
            }

            fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
                let later: &[&str] = &[$($later),*];
                if let Some(word) = text(node, out).filter(|word| later.contains(word)) {
                    let message = format!("`{word}` is not supported yet");
                    let words: &[&str] = &[$($word),*];
                    out.push(Diagnostic::new(Code::NotYet, node.span, message).help(format!(
                        "it comes with a later version; until then use `{}`",
                        words.join("` or `")
                    )));
                    return None;
                }
                choice(node, &[$(($word, $value)),*], out)
            }
        }
    )* };
}

/// `tracegate.dev/v1alpha1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiVersion;

/// `TracePolicy`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind;

/// `enforce`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode;

/// `scan`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextBodies;

words! {
    ApiVersion: [("tracegate.dev/v1alpha1", ApiVersion)], later [];
    Kind: [("TracePolicy", Kind)], later [];
    Mode: [("enforce", Mode)], later ["shadow"];
    AtLimit: [("mask", AtLimit::Mask), ("end", AtLimit::End)], later [];
    TextBodies: [("scan", TextBodies)], later [];
    Action: [("ALLOW", Action::Allow), ("DENY", Action::Deny)], later ["APPROVE"];
    ContentCoding: [("gzip", ContentCoding::Gzip), ("deflate", ContentCoding::Deflate)], later [];
}

/// What stands before a token in a header.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(pub(crate) String);

impl Decode for Prefix {
    fn shape() -> Shape {
        Shape::words("text")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let message = "the prefix holds characters that a header cannot carry";
            out.push(
                Diagnostic::new(Code::InvalidValue, node.span, message)
                    .help("use printable ASCII characters"),
            );
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// The JSON text of a key set; its content is checked when it is lowered.
#[derive(Clone, Debug)]
pub(crate) struct KeySet(pub(crate) String);

impl Decode for KeySet {
    fn shape() -> Shape {
        Shape::words("JSON text")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        text(node, out).map(|text| Self(text.to_owned()))
    }
}
