//! JSON as a stream of tokens.
//!
//! A [`Tokenizer`] is fed chunks and tells a [`Sink`] what it finds, with every token's place in the
//! body, so that whoever rewrites the body can copy all that it does not touch. It is strict (RFC 8259,
//! UTF-8), because a reader that accepts more than the next one does sees another document than the
//! next one. It may be interrupted at any byte; its memory is a bit per open container and at most one
//! name or number. Text arrives decoded and in whole characters.

use std::ops::Range;

mod scalar;
mod text;

#[cfg(test)]
mod tests;

use scalar::Scalar;
use text::Text;

/// Most containers that may be open at once.
pub(crate) const MAX_DEPTH: usize = 512;
/// Longest member name and longest number, decoded, in bytes.
pub(crate) const MAX_TOKEN: usize = 4096;
/// Longest run of white space inside a container, in bytes. A masker may have to hold it.
const MAX_GAP: usize = 64 * 1024;

/// Why bytes are not a JSON document, or not one that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// They are not JSON (RFC 8259) in UTF-8.
    Syntax,
    /// They go beyond a bound: nesting, or the length of a name, a number or a run of white space.
    Limit,
    /// They end before their document does.
    Truncated,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the body is not valid JSON",
            Self::Limit => "the body is nested too deeply or has a name or number that is too long",
            Self::Truncated => "the body ends before its document does",
        })
    }
}

impl std::error::Error for JsonError {}

/// Which container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Array,
    Object,
}

pub(crate) const fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Takes tokens in. Places are offsets in the whole body; an end is the offset after the last byte.
pub(crate) trait Sink {
    /// A container opens with the bracket at `at`.
    fn open(&mut self, container: Container, at: u64);
    /// The innermost container closed with the bracket before `end`.
    fn close(&mut self, end: u64);
    /// A comma stands at `at`.
    fn comma(&mut self, at: u64);
    /// A member begins; `raw` are its quoted name.
    fn key(&mut self, name: &[u8], raw: Range<u64>);
    /// A string value begins with the quote at `at`.
    fn string_start(&mut self, at: u64);
    /// The next characters of a string value. `raw` is longer than `decoded` only for an escape,
    /// which always comes alone.
    fn text(&mut self, decoded: &[u8], raw: Range<u64>);
    /// The string value ended with the quote before `end`.
    fn string_end(&mut self, end: u64);
    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self, text: &[u8], raw: Range<u64>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but this many bytes of a byte order mark has come.
    Start(u8),
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    Colon,
    CommaOrClose,
    Scalar(Scalar),
    /// Inside the quotes of a name or a value.
    Text(Text),
    Done,
}

/// A push parser for one JSON document.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    state: State,
    error: Option<JsonError>,
    /// Offset in the body of the next byte.
    offset: u64,
    depth: usize,
    /// Bit per open container: set for an object.
    objects: [u64; MAX_DEPTH / 64],
    /// Whether the string in progress is a name.
    in_key: bool,
    /// Where the name or scalar in progress began.
    token_start: u64,
    /// The name or scalar in progress, as far as it came in earlier chunks or needed decoding.
    token: Vec<u8>,
    /// Where the escape in progress began.
    escape_start: u64,
    /// A high surrogate and where its escape began: the next escape tells which character it is.
    surrogate: Option<(u16, u64)>,
    /// The first bytes of a character that the end of a chunk cut.
    character: Vec<u8>,
    /// White space since the last token, in bytes.
    gap: usize,
}

/// The bytes of one call and how far they are read.
struct Input<'a> {
    chunk: &'a [u8],
    at: usize,
    base: u64,
}

impl<'a> Input<'a> {
    fn rest(&self) -> &'a [u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self {
            state: State::Start(0),
            error: None,
            offset: 0,
            depth: 0,
            objects: [0; MAX_DEPTH / 64],
            in_key: false,
            token_start: 0,
            token: Vec::new(),
            escape_start: 0,
            surrogate: None,
            character: Vec::new(),
            gap: 0,
        }
    }
}

impl Tokenizer {
    /// Another document begins, whatever has come of this one.
    pub(crate) fn rewind(&mut self) {
        self.state = State::Start(0);
        self.error = None;
        self.offset = 0;
        self.depth = 0;
        self.in_key = false;
        self.token.clear();
        self.surrogate = None;
        self.character.clear();
        self.gap = 0;
    }

    /// Another document begins, whose first byte has that offset.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        self.rewind();
        self.offset = offset;
    }

    /// Reads the next bytes of the document.
    ///
    /// # Errors
    ///
    /// [`JsonError::Syntax`] or [`JsonError::Limit`], now and from then on; [`Tokenizer::offset`]
    /// stays where it happened.
    pub(crate) fn push(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), JsonError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut input = Input {
            chunk,
            at: 0,
            base: self.offset,
        };
        let result = self.run(&mut input, sink);
        self.offset = input.offset();
        self.error = result.err();
        result
    }

    /// The document is complete. A number at its top level only ends here.
    ///
    /// # Errors
    ///
    /// [`JsonError::Truncated`], or the error that a push returned.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> Result<(), JsonError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.state {
            State::Done => Ok(()),
            State::Scalar(scalar) if self.depth == 0 && scalar.is_complete() => {
                self.state = State::Done;
                sink.scalar(&self.token, self.token_start..self.offset);
                Ok(())
            }
            _ => Err(JsonError::Truncated),
        }
    }

    /// The offset of the next byte, or of the one that is wrong.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the name, scalar, escape or character begins that the last push left unfinished.
    pub(crate) fn unfinished(&self) -> Option<u64> {
        match self.state {
            State::Scalar(_) => Some(self.token_start),
            State::Text(_) if self.in_key => Some(self.token_start),
            State::Text(text) => self.unfinished_text(text),
            _ => None,
        }
    }

    fn run(&mut self, input: &mut Input<'_>, sink: &mut impl Sink) -> Result<(), JsonError> {
        while let Some(&byte) = input.rest().first() {
            match self.state {
                State::Text(text) => self.text(text, byte, input, sink)?,
                State::Scalar(scalar) => self.scalar(scalar, input, sink)?,
                State::Start(seen) => self.byte_order_mark(seen, byte, input)?,
                _ if is_gap(byte) => self.skip_gap(input)?,
                _ => {
                    self.gap = 0;
                    self.structure(byte, input, sink)?;
                }
            }
        }
        Ok(())
    }

    /// A byte order mark is tolerated (RFC 8259 §8.1) and passes with the rest.
    fn byte_order_mark(
        &mut self,
        seen: u8,
        byte: u8,
        input: &mut Input<'_>,
    ) -> Result<(), JsonError> {
        self.state = match (seen, byte) {
            (0, 0xef) => State::Start(1),
            (1, 0xbb) => State::Start(2),
            (2, 0xbf) => State::Value,
            (0, _) => {
                self.state = State::Value;
                return Ok(());
            }
            _ => return Err(JsonError::Syntax),
        };
        input.at += 1;
        Ok(())
    }

    fn skip_gap(&mut self, input: &mut Input<'_>) -> Result<(), JsonError> {
        let run = input
            .rest()
            .iter()
            .take_while(|&&byte| is_gap(byte))
            .count();
        let allowed = if self.depth > 0 {
            MAX_GAP - self.gap
        } else {
            run
        };
        input.at += run.min(allowed);
        if run > allowed {
            return Err(JsonError::Limit);
        }
        if self.depth > 0 {
            self.gap += run;
        }
        Ok(())
    }

    /// A byte outside of strings and scalars that is not white space.
    #[inline]
    fn structure(
        &mut self,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        let at = input.offset();
        match (self.state, byte) {
            (State::Key | State::KeyOrClose, b'"') => {
                self.in_key = true;
                self.token_start = at;
                self.token.clear();
                self.state = State::Text(Text::Plain);
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrClose, b',') => {
                sink.comma(at);
                self.state = if self.in_object() {
                    State::Key
                } else {
                    State::Value
                };
            }
            (State::CommaOrClose | State::KeyOrClose, b'}') if self.in_object() => {
                self.close(at, sink);
            }
            (State::CommaOrClose | State::ValueOrClose, b']') if !self.in_object() => {
                self.close(at, sink);
            }
            (State::Value | State::ValueOrClose, _) => return self.value(byte, input, sink),
            _ => return Err(JsonError::Syntax),
        }
        input.at += 1;
        Ok(())
    }

    #[inline]
    fn value(
        &mut self,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        let at = input.offset();
        match byte {
            b'"' => {
                sink.string_start(at);
                self.in_key = false;
                self.state = State::Text(Text::Plain);
            }
            b'{' => {
                self.open(Container::Object)?;
                sink.open(Container::Object, at);
                self.state = State::KeyOrClose;
            }
            b'[' => {
                self.open(Container::Array)?;
                sink.open(Container::Array, at);
                self.state = State::ValueOrClose;
            }
            _ => {
                let scalar = Scalar::start(byte).ok_or(JsonError::Syntax)?;
                self.token_start = at;
                self.token.clear();
                // The first byte is read again with the others.
                self.state = State::Scalar(scalar);
                return Ok(());
            }
        }
        input.at += 1;
        Ok(())
    }

    fn in_object(&self) -> bool {
        let Some(innermost) = self.depth.checked_sub(1) else {
            return false;
        };
        self.objects
            .get(innermost / 64)
            .is_some_and(|word| word >> (innermost % 64) & 1 == 1)
    }

    fn open(&mut self, container: Container) -> Result<(), JsonError> {
        let word = self
            .objects
            .get_mut(self.depth / 64)
            .ok_or(JsonError::Limit)?;
        let bit = 1 << (self.depth % 64);
        match container {
            Container::Object => *word |= bit,
            Container::Array => *word &= !bit,
        }
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self, at: u64, sink: &mut impl Sink) {
        self.depth = self.depth.saturating_sub(1);
        sink.close(at + 1);
        self.after_value();
    }

    fn after_value(&mut self) {
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::CommaOrClose
        };
    }

    fn scalar(
        &mut self,
        mut scalar: Scalar,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        let rest = input.rest();
        let mut length = 0;
        let mut ended = false;
        for &byte in rest {
            match scalar.next(byte) {
                Some(next) => scalar = next,
                None => {
                    ended = true;
                    break;
                }
            }
            length += 1;
        }
        let piece = rest.get(..length).unwrap_or_default();
        input.at += length;
        if self.token.len() + length > MAX_TOKEN {
            return Err(JsonError::Limit);
        }
        if ended && !scalar.is_complete() {
            return Err(JsonError::Syntax);
        }
        if !ended {
            self.token.extend_from_slice(piece);
            self.state = State::Scalar(scalar);
            return Ok(());
        }
        let raw = self.token_start..input.offset();
        if self.token.is_empty() {
            sink.scalar(piece, raw);
        } else {
            self.token.extend_from_slice(piece);
            sink.scalar(&self.token, raw);
        }
        self.after_value();
        Ok(())
    }
}
