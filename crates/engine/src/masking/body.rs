//! A body of any format, masked while it streams by.

use std::rc::Rc;

use super::Report;
use super::json::JsonError;
use super::mask::DocumentMasker;
use super::plan::Plan;
use super::stream::{Framing, StreamMasker};
use super::text::TextMasker;

/// How much white space may stand before the first byte that tells what a body is, in bytes.
const MAX_LEAD: usize = 1024;

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Document,
    /// Events of a stream, with JSON in them (`text/event-stream`).
    Events,
    /// A JSON document per line.
    Lines,
    /// Text in UTF-8.
    Text,
    /// HTML or XML in UTF-8.
    Markup,
}

impl Format {
    /// Whether it has places that a path can name.
    #[must_use]
    pub const fn has_paths(self) -> bool {
        matches!(self, Self::Document | Self::Events | Self::Lines)
    }
}

/// Why a body could not be masked. What was appended before may have gone out; nothing more may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskError {
    /// It is not what its media type says: no JSON, or no UTF-8.
    Syntax,
    /// It goes beyond a bound: nesting, or the length of a name, a number, a run of white space or a
    /// character reference.
    Limit,
    /// It ends too early.
    Truncated,
    /// It is a list of events, whose texts would have to be joined, in one document.
    Listed,
}

impl From<JsonError> for MaskError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax => Self::Syntax,
            JsonError::Limit => Self::Limit,
            JsonError::Truncated => Self::Truncated,
        }
    }
}

impl std::fmt::Display for MaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the body is not what its media type says",
            Self::Limit => "the body is nested too deeply or holds a token that is too long",
            Self::Truncated => "the body ends too early",
            Self::Listed => "the body streams its events as a list in one document",
        })
    }
}

impl std::error::Error for MaskError {}

/// Masks one body.
pub struct BodyMasker(Kind);

enum Kind {
    Document(Box<DocumentMasker>),
    Stream(Box<StreamMasker>),
    Text(Box<TextMasker>),
    /// It is called a stream of events and may be a document all the same, as errors often are. A reader
    /// of events would see nothing in it; others would.
    Undecided(Lead),
}

/// The white space that a body begins with.
struct Lead {
    bytes: Vec<u8>,
    plan: Rc<Plan>,
    active: u64,
    /// About nothing.
    report: Report,
}

impl BodyMasker {
    /// A masker for one body. Bit `i` of `active` tells whether rule `i` applies to this caller; with
    /// none that does, the body needs no masker.
    ///
    /// A format without paths is masked by the detectors of every active rule, wherever the rule
    /// looks for them; what a rule on fields hides is not known in it. See [`Plan::has_paths`].
    #[must_use]
    pub fn new(format: Format, plan: Rc<Plan>, active: u64) -> Self {
        Self(match format {
            Format::Document => Kind::Document(Box::new(DocumentMasker::new(plan, active))),
            Format::Events => Kind::Undecided(Lead {
                bytes: Vec::new(),
                plan,
                active,
                report: Report::default(),
            }),
            Format::Lines => {
                Kind::Stream(Box::new(StreamMasker::new(Framing::Lines, plan, active)))
            }
            Format::Text | Format::Markup => {
                let markup = format == Format::Markup;
                Kind::Text(Box::new(TextMasker::new(plan, active, markup)))
            }
        })
    }

    /// Takes in the next bytes and appends to `out` what may leave now.
    ///
    /// # Errors
    ///
    /// [`MaskError`]; the masker is of no use after it.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        match &mut self.0 {
            Kind::Document(document) => document.push(chunk, out),
            Kind::Stream(stream) => stream.push(chunk, out),
            Kind::Text(text) => text.push(chunk, out),
            Kind::Undecided(lead) => {
                lead.bytes.extend_from_slice(chunk);
                match lead.decide() {
                    None => Ok(()),
                    Some(decided) => self.begin(decided, out),
                }
            }
        }
    }

    /// The body is complete: appends what was held back.
    ///
    /// # Errors
    ///
    /// [`MaskError::Truncated`] if the body is not whole, or the error that a push returned.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Kind::Undecided(lead) = &self.0 {
            let events = lead.events();
            self.begin(events, out)?;
        }
        match &mut self.0 {
            Kind::Document(document) => document.finish(out),
            Kind::Stream(stream) => stream.finish(out),
            Kind::Text(text) => text.finish(out),
            Kind::Undecided(_) => Ok(()),
        }
    }

    /// Whether a body that [`BodyMasker::finish`] took for whole has said itself that it ends there. Text
    /// has no way to.
    #[must_use]
    pub fn has_said_its_end(&self) -> bool {
        match &self.0 {
            Kind::Document(_) => true,
            Kind::Stream(stream) => stream.has_said_its_end(),
            Kind::Text(_) | Kind::Undecided(_) => false,
        }
    }

    /// What was hidden so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        match &self.0 {
            Kind::Document(document) => document.report(),
            Kind::Stream(stream) => stream.report(),
            Kind::Text(text) => text.report(),
            Kind::Undecided(lead) => &lead.report,
        }
    }

    /// It is known what the body is.
    fn begin(&mut self, decided: Kind, out: &mut Vec<u8>) -> Result<(), MaskError> {
        match std::mem::replace(&mut self.0, decided) {
            Kind::Undecided(lead) => self.push(&lead.bytes, out),
            Kind::Document(_) | Kind::Stream(_) | Kind::Text(_) => Ok(()),
        }
    }
}

impl Lead {
    /// What the body is, if that can be said.
    fn decide(&self) -> Option<Kind> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let rest = match self.bytes.strip_prefix(MARK) {
            Some(rest) => rest,
            None if MARK.starts_with(&self.bytes) => return None,
            None => &self.bytes,
        };
        match rest.trim_ascii_start().first() {
            Some(b'{' | b'[') => {
                let document = DocumentMasker::new(Rc::clone(&self.plan), self.active);
                Some(Kind::Document(Box::new(document)))
            }
            None if self.bytes.len() <= MAX_LEAD => None,
            _ => Some(self.events()),
        }
    }

    fn events(&self) -> Kind {
        let plan = Rc::clone(&self.plan);
        let events = StreamMasker::new(Framing::Events, plan, self.active);
        Kind::Stream(Box::new(events))
    }
}

impl std::fmt::Debug for BodyMasker {
    /// Shows nothing of the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyMasker").finish_non_exhaustive()
    }
}
