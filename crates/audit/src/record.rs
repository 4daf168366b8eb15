//! What a record says, in types that leave no room for a secret.

use crate::outcome::Outcome;

/// Text from outside: a header, a claim, a name in a policy. Bytes that are not UTF-8 are written
/// as U+FFFD.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(text.as_bytes())
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// One exchange, as it stands. The default is an exchange of which nothing is known yet: it is
/// recorded as an error, so that a proxy VM that dies leaves a trace of what it was doing.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// How it was decided.
    pub outcome: Outcome,
    /// Who asked.
    pub caller: Caller<'a>,
    /// What was asked.
    pub request: Request<'a>,
    /// What was answered.
    pub response: Response<'a>,
    /// The policy in force; `None` when there was none.
    pub policy: Option<Policy<'a>>,
    /// Why the newest bundle was refused, when the policy in force is an older one: a code such as
    /// `bundle.untrusted`.
    pub refused_bundle: Option<&'static str>,
    /// The connection of the policy that the request belongs to.
    pub connection: Option<Connection<'a>>,
    /// The name of the rule that decided about the request, be it ALLOW or DENY.
    pub rule: Option<Text<'a>>,
    /// How much of the response was looked into.
    pub inspected: Inspected,
    /// What was hidden, or would have been: one entry for each message, path and detector.
    pub masked: &'a [Masked<'a>],
    /// More was hidden than `masked` lists: there were more paths than the masking keeps account of.
    pub masked_more: bool,
    /// When.
    pub times: Times,
    /// The ends of the two connections that the proxy holds.
    pub peers: Peers<'a>,
    /// The trace that the exchange is a part of.
    pub trace: Option<TraceId>,
}

/// Who asked.
#[derive(Clone, Debug, Default)]
pub enum Caller<'a> {
    /// Nobody that is known: no token, or one that was not accepted. What such a token claims is
    /// not recorded, for anyone can write it.
    #[default]
    Unverified,
    /// The bearer of a token whose signature and claims were accepted.
    Verified {
        /// `iss` (RFC 7519 §4.1.1).
        issuer: Text<'a>,
        /// `sub` (RFC 7519 §4.1.2).
        subject: Text<'a>,
        /// The groups that the token names, if the policy looks at them.
        groups: &'a [Text<'a>],
        /// `jti` (RFC 7519 §4.1.7): which token.
        token_id: Option<Text<'a>>,
        /// `exp`, in seconds since the Unix epoch.
        expires: Option<u64>,
        /// `azp`: the application that acts for the subject.
        presenter: Option<Text<'a>>,
    },
}

/// What was asked. Everything here is the caller's own word.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// `:method`.
    pub method: Text<'a>,
    /// `:authority`, with its port.
    pub authority: Text<'a>,
    /// `:path`. Of a query, only that there was one is recorded.
    pub path: Text<'a>,
    /// `:scheme`.
    pub scheme: Option<Text<'a>>,
    /// The protocol: `HTTP/2`.
    pub protocol: Option<Text<'a>>,
    /// `user-agent`.
    pub user_agent: Option<Text<'a>>,
    /// `x-request-id`.
    pub id: Option<Text<'a>>,
    /// Length of the body, in bytes.
    pub body_bytes: Option<u64>,
    /// SHA-256 of the body, when all of it was seen.
    pub body_sha256: Option<[u8; 32]>,
}

/// What was answered. The default: nothing (yet).
#[derive(Clone, Debug, Default)]
pub struct Response<'a> {
    /// The status code that the caller got.
    pub code: Option<u16>,
    /// `content-type`.
    pub content_type: Option<Text<'a>>,
    /// Length of the body as the caller got it, in bytes.
    pub body_bytes: Option<u64>,
    /// SHA-256 of the body as the caller got it, masked, when all of it was sent.
    pub body_sha256: Option<[u8; 32]>,
    /// Envoy's `response.code_details`: where the answer came from, or why it broke off.
    pub code_details: Option<Text<'a>>,
    /// Envoy's `response.flags`, the bit set.
    pub flags: Option<u64>,
}

/// The policy in force.
#[derive(Clone, Debug)]
pub struct Policy<'a> {
    /// `metadata.name`.
    pub name: Text<'a>,
    /// The digest of the bundle: `sha256:` and 64 hex digits.
    pub digest: Text<'a>,
    /// The revision of the bundle.
    pub revision: u64,
}

/// The connection of a request.
#[derive(Clone, Debug)]
pub struct Connection<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// The third party behind it.
    pub supplier: Option<Text<'a>>,
}

/// How much of a response was looked into. The reasons are constants of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// All of it.
    Full,
    /// A part: what the caller got of the rest was not looked into, or broke off.
    Partial(&'static str),
    /// Nothing.
    None(&'static str),
}

impl Default for Inspected {
    fn default() -> Self {
        Self::None("unfinished")
    }
}

/// What was hidden at one path. The value is not here, nor is anything computed from it.
#[derive(Clone, Debug)]
pub struct Masked<'a> {
    /// In which body.
    pub message: Message,
    /// It was not hidden: a rule that only observes would have done so.
    pub observed: bool,
    /// Where: a JSON path. Array indices should be `[*]`, so that a list is one entry.
    pub json_path: Text<'a>,
    /// The detector that found it; `field` for a rule that names the path.
    pub detector: Text<'a>,
    /// How it was hidden.
    pub action: MaskAction,
    /// How many values.
    pub count: u64,
}

/// One of the two messages of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Message {
    /// What went to the back end.
    Request,
    /// What the caller got.
    Response,
}

/// How a value was hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaskAction {
    /// The member or element was removed.
    Drop,
    /// An HMAC stands in its place.
    Hash,
    /// `null` stands in its place.
    Nullify,
    /// Some of its characters were kept.
    Partial,
    /// A fixed text stands in its place.
    Redact,
    /// A numbered token stands in its place.
    Tokenize,
}

impl MaskAction {
    /// Every action, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::Drop,
        Self::Hash,
        Self::Nullify,
        Self::Partial,
        Self::Redact,
        Self::Tokenize,
    ];
}

/// When an exchange happened. Milliseconds, as OCSF has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When the request headers arrived, since the Unix epoch.
    pub start: u64,
    /// From there to the end of the exchange.
    pub duration: Option<u64>,
    /// From there to the response headers.
    pub latency: Option<u64>,
}

/// The ends of the two connections that the proxy holds.
#[derive(Clone, Debug, Default)]
pub struct Peers<'a> {
    /// Envoy's `source.address`: `10.1.2.3:51000`.
    pub source: Option<Text<'a>>,
    /// The peer identity of mutual TLS.
    pub source_principal: Option<Text<'a>>,
    /// Envoy's `upstream.address`.
    pub upstream: Option<Text<'a>>,
}

/// A trace id of W3C Trace Context: 32 lower-case hex digits, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// The trace id in a `traceparent` header (W3C Trace Context §3.2), `None` if it is malformed.
    #[must_use]
    pub fn from_traceparent(header: &[u8]) -> Option<Self> {
        let (version, rest) = header.split_first_chunk::<2>()?;
        let rest = rest.strip_prefix(b"-")?;
        let (id, rest) = rest.split_first_chunk::<32>()?;
        let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let valid = rest.starts_with(b"-")
            && version.iter().all(hex)
            && version != b"ff"
            && id.iter().all(hex)
            && id.iter().any(|&digit| digit != b'0');
        valid.then_some(Self(*id))
    }

    pub(crate) const fn digits(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_id_is_taken_from_a_valid_traceparent_only() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parse = |header: String| TraceId::from_traceparent(header.as_bytes());
        let found = parse(format!("00-{id}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!(found.digits(), id.as_bytes());
        assert!(parse(format!("cc-{id}-00f067aa0ba902b7-01-later")).is_some());

        assert!(parse(format!("ff-{id}-00f067aa0ba902b7-01")).is_none());
        assert!(parse(format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))).is_none());
        assert!(parse(format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase())).is_none());
        assert!(parse(format!("00-{id}")).is_none());
        assert!(parse(String::new()).is_none());
    }

    #[test]
    fn debug_output_of_hostile_text_is_one_line_of_ascii() {
        let text = Text::from(&b"a\n\xff\""[..]);
        assert_eq!(format!("{text:?}"), r#""a\n\xff\"""#);
    }
}
