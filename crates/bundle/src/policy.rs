//! The types of a compiled policy.
//!
//! They say what is enforced, not how it was written: comments, order of YAML keys and short forms
//! are gone. Where Istio has a word for a thing, that word is used (`AuthorizationPolicy`,
//! `RequestAuthentication`), and its semantics too.

use serde::{Deserialize, Serialize};

use crate::automaton::Automaton;

/// The `format` of bundles that this version writes and reads.
pub const FORMAT: u32 = 1;

/// A whole policy, compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version of this format. A filter refuses any other than [`FORMAT`].
    pub format: u32,
    /// `metadata.name` of the policy.
    pub name: String,
    /// Grows with every release of the policy. A filter refuses to go back.
    pub revision: u64,
    /// When the bundle stops being valid, in seconds since the Unix epoch.
    pub expires: Option<u64>,
    /// `sha256:` and the hex digest of the YAML that this was compiled from.
    pub source: String,
    /// Who issues the tokens that callers present.
    pub providers: Vec<Provider>,
    /// The back ends. A request belongs to the one with the most specific matching host.
    pub connections: Vec<Connection>,
    /// All detectors that any connection uses, in one automaton.
    pub detectors: DetectorSet,
    /// The regular expressions of conditions. [`ExpressionId`] is an index into this list.
    pub expressions: Vec<Automaton>,
}

/// Index into [`Bundle::expressions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExpressionId(pub u16);

// === Identity ===

/// One issuer of tokens: a `jwtRules` entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The exact value of the `iss` claim (RFC 7519 §4.1.1).
    pub issuer: String,
    /// A token must name one of these in `aud` (RFC 7519 §4.1.3). Never empty.
    pub audiences: Vec<String>,
    /// The signature algorithms accepted from this issuer. Never empty.
    pub algorithms: Vec<Algorithm>,
    /// Where its public keys come from.
    pub keys: KeySource,
    /// The request headers that may carry a token. Never empty.
    pub from_headers: Vec<TokenHeader>,
    /// Tolerance for `exp`, `nbf` and `iat`, in seconds.
    pub clock_skew: u64,
    /// Longest `exp - iat` that is accepted, in seconds.
    pub max_lifetime: Option<u64>,
    /// What the `typ` header must say.
    pub token_type: TokenType,
}

/// A JWS signature algorithm (RFC 7518 §3.1, RFC 8037). `none` and `HS*` cannot be expressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// ECDSA over P-384 with SHA-384.
    ES384,
    /// Ed25519 (RFC 8037).
    EdDSA,
}

impl Algorithm {
    /// Every algorithm, in the order of RFC 7518.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The value of the `alg` header parameter (RFC 7515 §4.1.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that `alg` value, compared exactly as RFC 7515 §4.1.1 demands.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// Where the keys of an issuer come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum KeySource {
    /// A JWK set (RFC 7517 §5), as JSON text, in the policy itself.
    Inline(String),
    /// A JWK set that is fetched over HTTP through an Envoy cluster.
    Remote {
        /// The Envoy cluster to call.
        cluster: String,
        /// `:authority` of the request.
        authority: String,
        /// `:path` of the request, with its query.
        path: String,
        /// `:scheme` of the request: `http` or `https`.
        scheme: String,
        /// How long a fetched set is fresh, in seconds.
        cache_seconds: u64,
        /// How long a stale set may still be used while the issuer does not answer, in seconds.
        max_stale_seconds: u64,
        /// Timeout of one fetch, in milliseconds.
        timeout_ms: u64,
    },
}

/// A request header that may carry a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenHeader {
    /// Name, in lower case.
    pub name: String,
    /// What stands before the token, `Bearer ` for example; may be empty. The scheme is compared
    /// without regard to case (RFC 7235 §2.1).
    pub prefix: String,
}

/// What the `typ` header parameter of a token must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenType {
    /// Absent, `JWT` or `at+jwt`.
    Any,
    /// `at+jwt` or `application/at+jwt` (RFC 9068 §4).
    AccessToken,
}

// === Connections and rules ===

/// One back end: which requests are meant for it and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its name, on every record.
    pub name: String,
    /// The authorities that are this connection.
    pub hosts: Vec<HostMatch>,
    /// The third party behind it, on every record.
    pub supplier: Option<String>,
    /// Indices into [`Bundle::providers`]: whose tokens are accepted here.
    pub providers: Vec<u16>,
    /// Whether a request without any token may be decided by the rules. It has no principal then.
    pub allow_missing: bool,
    /// Whether the verified subject is passed on as `x-tracegate-subject`.
    pub forward_subject: bool,
    /// Longest request body that is inspected, in bytes. A longer one is answered with 413.
    pub max_request_body: u64,
    /// Media types (`image/*`, `application/pdf`) that pass without inspection although the
    /// connection has mask rules.
    pub pass_types: Vec<String>,
    /// Content codings of responses that are undone so that the body can be masked. Any other is
    /// refused where there are mask rules.
    pub decode: Vec<ContentCoding>,
    /// Whether text (plain text, CSV, Markdown, HTML, XML) is passed on with what detectors find in it
    /// hidden although a mask rule names paths, which text does not have.
    pub scan_text: bool,
    /// The rules, in the order of the policy. DENY is tried before ALLOW whatever the order.
    pub rules: Vec<Rule>,
    /// What is hidden in responses, in the order of the policy.
    pub masks: Vec<MaskRule>,
    /// How streamed responses are masked.
    pub stream: StreamRules,
}

/// How streamed responses are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRules {
    /// Where text stands in an event that goes on in the next one, beside the places that are known of
    /// every stream. Names and `[*]` alone, which then stands for elements; at the end a name.
    pub channels: Vec<Path>,
    /// What happens when more is held back than may be.
    pub at_limit: AtLimit,
}

/// What happens to a stream when more of it is held back than may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AtLimit {
    /// The text that is held for the longest time is hidden.
    #[default]
    Mask,
    /// The stream ends.
    End,
}

/// A content coding (RFC 9110 §8.4.1) that the filter can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContentCoding {
    /// RFC 1952, `gzip` or `x-gzip`.
    Gzip,
    /// The zlib format of RFC 1950.
    Deflate,
}

impl ContentCoding {
    /// The coding of that name, which is compared without regard to case (RFC 9110 §8.4.1).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("deflate") {
            Some(Self::Deflate)
        } else {
            None
        }
    }
}

/// A pattern for the authority of a request, without the port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostMatch {
    /// Exactly this host.
    Exact(String),
    /// Any host that ends with this: `.corp.example` for `*.corp.example`.
    Suffix(String),
    /// Every host.
    Any,
}

impl HostMatch {
    /// Orders patterns that match the same host: an exact one beats a suffix, a longer suffix a
    /// shorter one, and every suffix beats [`HostMatch::Any`].
    #[must_use]
    pub fn specificity(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Suffix(text) => text.len(),
            Self::Any => 0,
        }
    }
}

/// What a rule does with the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Refuse, whatever another rule says.
    Deny,
    /// Let pass, unless a DENY matches.
    Allow,
}

/// One rule. It matches when `from`, `to` and `when` all match; an empty list matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, in replies and on records. Unique within the connection.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// Any one of these sources.
    pub from: Vec<Source>,
    /// Any one of these operations.
    pub to: Vec<Operation>,
    /// All of these conditions.
    pub when: Vec<Condition>,
}

/// Who asks. All members that are not empty must match; each lists alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// Peer identities of mutual TLS: `cluster.local/ns/prod/sa/web` (Istio drops `spiffe://`).
    pub principals: Vec<StringMatch>,
    /// Peer identities that must not match.
    pub not_principals: Vec<StringMatch>,
    /// `iss/sub` of the verified token.
    pub request_principals: Vec<StringMatch>,
    /// `iss/sub` that must not match.
    pub not_request_principals: Vec<StringMatch>,
}

/// What is asked. All members that are not empty must match; each lists alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operation {
    /// Authorities, compared without regard to case.
    pub hosts: Vec<StringMatch>,
    /// Authorities that must not match.
    pub not_hosts: Vec<StringMatch>,
    /// Methods.
    pub methods: Vec<StringMatch>,
    /// Methods that must not match.
    pub not_methods: Vec<StringMatch>,
    /// Paths without query.
    pub paths: Vec<PathMatch>,
    /// Paths that must not match.
    pub not_paths: Vec<PathMatch>,
}

/// Istio's string match: `abc`, `abc*`, `*abc`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StringMatch {
    /// Exactly this.
    Exact(String),
    /// Starts with this.
    Prefix(String),
    /// Ends with this.
    Suffix(String),
    /// Anything that is not empty.
    Present,
}

/// A match on a path: a string match, or Istio's template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// Istio's string match.
    String(StringMatch),
    /// `/v1/models/{*}/runs/{**}`, split at its slashes.
    Template(Vec<TemplateSegment>),
}

/// One segment of a path template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TemplateSegment {
    /// Exactly this text.
    Literal(String),
    /// `{*}`: exactly one segment, not empty.
    One,
    /// `{**}`: zero or more segments.
    Many,
}

/// One condition: an attribute of the request compared with values.
///
/// It holds when the attribute matches any of `values` and `matches` (or both are empty) and none
/// of `not_values` and `not_matches`. An attribute with several values (a list claim, a JSON path
/// with several nodes) matches when any of its values does. An absent attribute matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is compared.
    pub key: Attribute,
    /// Alternatives.
    #[serde(default)]
    pub values: Vec<StringMatch>,
    /// Alternatives that must not match.
    #[serde(default)]
    pub not_values: Vec<StringMatch>,
    /// Alternatives, as regular expressions that match anywhere in the value.
    #[serde(default)]
    pub matches: Vec<ExpressionId>,
    /// Regular expressions that must not match.
    #[serde(default)]
    pub not_matches: Vec<ExpressionId>,
}

/// An attribute of a request, by Istio's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Attribute {
    /// `request.headers[name]`, name in lower case.
    Header(String),
    /// `request.auth.claims[a][b]`: the member names from the outside in.
    Claim(Vec<String>),
    /// `request.auth.principal`: `iss/sub`.
    Principal,
    /// `request.auth.audiences`.
    Audiences,
    /// `request.auth.presenter`: the `azp` claim.
    Presenter,
    /// `source.principal`: the peer identity of mutual TLS.
    SourcePrincipal,
    /// `request.body[$.path]`: the strings, numbers and booleans at the path, as text.
    Body(Path),
}

// === Masking ===

/// One mask rule: what to hide, how, and from whom not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRule {
    /// What is hidden.
    pub target: MaskTarget,
    /// How.
    pub action: MaskAction,
    /// What takes the place of a whole value has its type: 0, `false`, `{}`, `[]`; `null` stays.
    pub keep_type: bool,
    /// Headers and trailers of responses, by name in lower case, that detectors look into as well.
    pub headers: Vec<StringMatch>,
    /// In which message.
    pub direction: Direction,
    /// Whether it is done, or only recorded that it would have been.
    pub mode: MaskMode,
    /// Callers for whom all of these hold see the original. Empty: nobody does.
    pub unless: Vec<Condition>,
    /// Only callers for whom all of these hold do not see the original. Empty: nobody does.
    pub only: Vec<Condition>,
}

impl MaskRule {
    /// A rule for every caller, without options.
    #[must_use]
    pub fn new(target: MaskTarget, action: MaskAction) -> Self {
        Self {
            target,
            action,
            keep_type: false,
            headers: Vec::new(),
            direction: Direction::Response,
            mode: MaskMode::Enforce,
            unless: Vec::new(),
            only: Vec::new(),
        }
    }

    /// What it depends on whether the rule holds for a caller. Without conditions it holds for all.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.unless.iter().chain(&self.only)
    }
}

/// One of the two messages of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// What goes to the back end.
    Request,
    /// What comes from it.
    Response,
}

/// Whether a mask rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaskMode {
    /// It is.
    Enforce,
    /// It changes nothing, and what it would have hidden is recorded.
    Observe,
}

/// What a mask rule hides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaskTarget {
    /// Whole values at these paths.
    Fields(Vec<Path>),
    /// Everything but the values at or below these paths: values of other types whole, and objects
    /// and lists whole in which none of the paths can end.
    AllowFields(Vec<Path>),
    /// Text that a detector finds.
    Detect {
        /// Bit `i` stands for detector `i` of [`DetectorSet::detectors`].
        detectors: u64,
        /// Only in values at or below these paths. Empty: in the whole body.
        within: Vec<Path>,
    },
}

/// Whether the values of a header or trailer of that name (in lower case) may be masked at all. Those
/// that frame a message or its way through proxies and caches may not.
#[must_use]
pub fn is_maskable_header(name: &str) -> bool {
    const NEVER: &[&str] = &[
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
    ];
    !name.starts_with(':') && !NEVER.contains(&name)
}

/// How a value is hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaskAction {
    /// Replace it with this text, or with the detector's own token (`[EMAIL]`; for fields
    /// `[REDACTED]`).
    Redact(Option<String>),
    /// Keep that many characters at the ends and put `*` for the others. Never shows more than half.
    Partial {
        /// Characters kept at the start.
        keep_first: u8,
        /// Characters kept at the end.
        keep_last: u8,
    },
    /// Replace it with an HMAC-SHA-256 under the key of the deployment, stable for joins.
    Hash,
    /// Remove the member or element.
    Drop,
    /// Put `null` in its place.
    Nullify,
    /// Replace it with a numbered token (`[EMAIL_1]`); within an exchange the same value has the same.
    Tokenize,
}

impl MaskAction {
    /// Whether it acts on whole values only, since nothing that could stand in a text remains.
    #[must_use]
    pub fn leaves_no_text(&self) -> bool {
        matches!(self, Self::Drop | Self::Nullify)
    }
}

/// A JSON path of the streamable subset of RFC 9535, split into steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// As the author wrote it; it names the path on records.
    pub text: String,
    /// Its segments, from the root. Empty for `$`.
    pub steps: Vec<Step>,
}

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `..`: this segment may lie at any depth (RFC 9535 §2.5.2).
    pub descendant: bool,
    /// Any of these selectors.
    pub selectors: Vec<Selector>,
}

/// A selector of RFC 9535 §2.3 that can be decided while the document streams by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Selector {
    /// A member of that name, after escapes are decoded.
    Name(String),
    /// Every member and element.
    Wildcard,
    /// The element at that index.
    Index(u64),
    /// Every `step`-th element from `start` to before `end`.
    Slice {
        /// First index.
        start: u64,
        /// Index after the last, or to the end.
        end: Option<u64>,
        /// Distance, at least 1.
        step: u64,
    },
}

/// The detectors of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSet {
    /// The anchored, all-matches automaton of every detector's skeleton pattern. Bit `i` of a
    /// state's match set stands for detector `i`.
    pub automaton: Option<Automaton>,
    /// The detectors, at most 64.
    pub detectors: Vec<Detector>,
}

impl DetectorSet {
    /// The bits of the detectors with a name: what is written in several ways has several.
    #[must_use]
    pub fn named(&self, name: &str) -> u64 {
        let bits = (0..64).map(|bit| 1u64 << bit).zip(&self.detectors);
        let named = bits.filter(|(_, detector)| detector.name == name);
        named.fold(0, |all, (bit, _)| all | bit)
    }
}

/// Largest [`Detector::max_len`]: as much text, and a little more, may have to be held back.
pub const MAX_MATCH_LEN: u32 = 8192;

/// A detector: a skeleton pattern (in the automaton) and what must hold for a candidate to count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Its name in policies and on records: `email`, or the name of an author's `pattern:`.
    pub name: String,
    /// What stands in place of a match under `redact` without text: `[EMAIL]`.
    pub token: String,
    /// What a match begins with, where that is found by looking back from the skeleton pattern.
    pub lead: Option<Lead>,
    /// What may stand before a match.
    pub left: Boundary,
    /// What may stand after a match.
    pub right: Boundary,
    /// Shortest match, in bytes.
    pub min_len: u32,
    /// Longest match, in bytes. At most [`MAX_MATCH_LEN`] counts.
    pub max_len: u32,
    /// What a candidate does when it grows past `max_len`.
    pub overlong: Overlong,
    /// The check that a candidate must pass.
    pub validator: Validator,
    /// Characters with which a match of the pattern begins that tell it and do not belong to it: `="`
    /// before a password. The beginning of a text counts as the first of them where the name of the
    /// member that holds the text has a word of `context`. Empty: the whole match counts.
    pub prelude: String,
    /// Words of which one must stand shortly before a match, or in the name of the member that holds the
    /// text. In lower case; a space stands for one separator or none. Empty: a match counts anywhere.
    pub context: Vec<String>,
    /// Matches that this accepts as a whole do not count, nor what lies in them.
    pub ignore: Option<Automaton>,
}

/// Most bytes of a word of [`Detector::context`], and of [`Detector::prelude`].
pub const MAX_CONTEXT_WORD: usize = 32;

/// A run of bytes before the skeleton pattern that belongs to the match.
///
/// The local part of an e-mail address is such a run: any word may begin one, and only the `@` tells.
/// So the pattern begins at the `@`, and the run is found by looking back: words cost nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lead {
    /// The ASCII characters that the run is made of. It has at least one.
    pub class: String,
    /// Most characters in the run: 64 for a local part (RFC 5321 §4.5.3.1.1). The match begins at the
    /// earliest character that is not farther back than this and that the left boundary allows.
    pub max: u32,
}

/// Which neighbour a match may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Boundary {
    /// Any byte: `TOKEN_ghp_…` must be found, so `\b` would be wrong for secrets.
    Any,
    /// No ASCII letter or digit, and no decimal point between digits.
    NotAlphanumeric,
    /// No ASCII digit, and no decimal point between digits.
    NotDigit,
}

/// What happens to a candidate that grows past its detector's `max_len` without an end in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Overlong {
    /// It is not what the detector looks for: let it go (an email's local part has 64 characters).
    Release,
    /// It is: mask it and swallow the rest of the run (a token, a private key).
    Mask,
}

/// A check on a candidate match, beyond what its pattern says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Validator {
    /// The pattern and the lengths suffice.
    None,
    /// Domain labels and domain of RFC 1035 §2.3.4 lengths, a top-level domain of letters.
    Email,
    /// 12 to 19 digits in an issuer's range and of its length that satisfy Luhn (ISO/IEC 7812-1).
    PaymentCard,
    /// ISO 13616: length of the country, mod 97.
    Iban,
    /// No SSN area 000, 666 or 9xx, no group 00, no serial 0000.
    UsSsn,
    /// Nine digits that are not all 0, with the sum of the eleven test.
    NlBsn,
    /// A month and a day that there are, in a year from 1800 to 2099.
    Date,
    /// 7 to 15 digits that are no date.
    BarePhone,
    /// A letter, and digits enough.
    Passport,
    /// A prefix that HMRC uses.
    UkNino,
    /// Eleven digits, not all the same, with two check digits modulo 11.
    BrCpf,
    /// Twelve digits with Verhoeff's check digit.
    InAadhaar,
    /// Eleven digits, of the first ten one twice or thrice, with the check digit of ISO/IEC 7064
    /// MOD 11,10.
    DeTaxId,
    /// A month that there is and a key modulo 97.
    FrNir,
    /// The letter is the number modulo 23.
    EsDni,
    /// Six letters first, and the check character modulo 26.
    ItCodiceFiscale,
    /// 7 to 15 digits (E.164), with a `+` or with separators.
    Phone,
    /// Four octets of 0 to 255 without leading zeros, not `N.0.0.0`, not after a word such as
    /// `version`.
    Ipv4,
    /// RFC 4291 §2.2, with a digit and at least two groups.
    Ipv6,
    /// Base58Check, Bech32 or Bech32m with a valid checksum.
    Bitcoin,
    /// The first segment decodes to JSON that begins with `{"` and ends with `}`.
    Jwt,
    /// At least 16 characters, letters and digits among them, of enough entropy.
    HighEntropy,
    /// What stands behind the word decodes from Base64 to text with a colon.
    BasicAuth,
}
