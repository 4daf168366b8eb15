//! The inside of strings: plain runs, characters that a chunk cuts, escapes and surrogate pairs.

use std::ops::Range;

use super::{Input, JsonError, MAX_TOKEN, Sink, State, Tokenizer};

/// Where in a string the tokenizer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Between characters, or inside one that the end of a chunk cut.
    Plain,
    /// After a backslash.
    Escape,
    /// After `\u`: the digits so far, and how many.
    Unicode { unit: u16, digits: u8 },
}

impl Tokenizer {
    pub(super) fn unfinished_text(&self, text: Text) -> Option<u64> {
        match (self.surrogate, text) {
            (Some((_, start)), _) => Some(start),
            (None, Text::Escape | Text::Unicode { .. }) => Some(self.escape_start),
            (None, Text::Plain) => {
                let cut = self.character.len() as u64;
                (cut > 0).then(|| self.offset - cut)
            }
        }
    }

    pub(super) fn text(
        &mut self,
        text: Text,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        match text {
            Text::Plain if self.character.is_empty() => self.plain(input, sink),
            Text::Plain => self.rest_of_character(byte, input, sink),
            Text::Escape => self.escape(byte, input, sink),
            Text::Unicode { unit, digits } => self.unicode(unit, digits, byte, input, sink),
        }
    }

    /// Reads up to and with the next quote or backslash, or to the end of the chunk.
    fn plain(&mut self, input: &mut Input<'_>, sink: &mut impl Sink) -> Result<(), JsonError> {
        let rest = input.rest();
        let (length, ascii) = plain_prefix(rest);
        let next = rest.get(length).copied();
        let run = rest.get(..length).unwrap_or_default();
        let whole = if ascii { length } else { whole_characters(run) };
        let decoded = run.get(..whole).unwrap_or_default();
        if next == Some(b'"') && whole == length && self.is_whole_key() {
            return self.whole_key(decoded, input, sink);
        }
        if !decoded.is_empty() {
            self.lone_surrogate(sink)?;
            let start = input.offset();
            self.emit(decoded, start..start + whole as u64, sink)?;
            input.at += whole;
        }
        let cut = run.get(whole..).unwrap_or_default();
        if !cut.is_empty() {
            // A character that the end of the chunk cuts is no error yet.
            if next.is_some() || !may_be_cut(cut) {
                return Err(JsonError::Syntax);
            }
            self.character.extend_from_slice(cut);
            input.at += cut.len();
            return Ok(());
        }
        match next {
            None => Ok(()),
            Some(b'"') => self.end_of_text(input, sink),
            Some(b'\\') => {
                self.escape_start = input.offset();
                self.state = State::Text(Text::Escape);
                input.at += 1;
                Ok(())
            }
            Some(_) => Err(JsonError::Syntax),
        }
    }

    /// Whether nothing of a name has been put aside.
    fn is_whole_key(&self) -> bool {
        self.in_key && self.token.is_empty() && self.surrogate.is_none()
    }

    /// A name, or its end, that lies in this chunk and needs no decoding: passed on without a copy.
    fn whole_key(
        &mut self,
        name: &[u8],
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        if name.len() > MAX_TOKEN {
            return Err(JsonError::Limit);
        }
        input.at += name.len() + 1;
        self.state = State::Colon;
        sink.key(name, self.token_start..input.offset());
        Ok(())
    }

    fn end_of_text(
        &mut self,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        self.lone_surrogate(sink)?;
        input.at += 1;
        let end = input.offset();
        if self.in_key {
            self.state = State::Colon;
            sink.key(&self.token, self.token_start..end);
        } else {
            self.after_value();
            sink.string_end(end);
        }
        Ok(())
    }

    fn rest_of_character(
        &mut self,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        self.character.push(byte);
        if std::str::from_utf8(&self.character).is_ok() {
            let character = std::mem::take(&mut self.character);
            self.lone_surrogate(sink)?;
            let start = input.offset() + 1 - character.len() as u64;
            self.emit(&character, start..input.offset() + 1, sink)?;
        } else if !may_be_cut(&self.character) {
            self.character.pop();
            return Err(JsonError::Syntax);
        }
        input.at += 1;
        Ok(())
    }

    fn escape(
        &mut self,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Text(Text::Unicode { unit: 0, digits: 0 });
                input.at += 1;
                return Ok(());
            }
            _ => return Err(JsonError::Syntax),
        };
        self.lone_surrogate(sink)?;
        self.emit(&[decoded], self.escape_start..input.offset() + 1, sink)?;
        input.at += 1;
        self.state = State::Text(Text::Plain);
        Ok(())
    }

    fn unicode(
        &mut self,
        unit: u16,
        digits: u8,
        byte: u8,
        input: &mut Input<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(JsonError::Syntax),
        };
        let unit = unit << 4 | u16::from(digit);
        if digits < 3 {
            input.at += 1;
            let digits = digits + 1;
            self.state = State::Text(Text::Unicode { unit, digits });
            return Ok(());
        }
        self.code_unit(unit, input.offset() + 1, sink)?;
        input.at += 1;
        self.state = State::Text(Text::Plain);
        Ok(())
    }

    /// A whole `\uXXXX` was read. A surrogate without its other half is tolerated, as RFC 8259 §8.2
    /// allows; it stands for U+FFFD in the decoded text.
    fn code_unit(&mut self, unit: u16, end: u64, sink: &mut impl Sink) -> Result<(), JsonError> {
        const HIGH: std::ops::RangeInclusive<u16> = 0xd800..=0xdbff;
        const LOW: std::ops::RangeInclusive<u16> = 0xdc00..=0xdfff;
        let mut start = self.escape_start;
        let mut code = u32::from(unit);
        match self.surrogate {
            Some((high, high_start)) if LOW.contains(&unit) => {
                self.surrogate = None;
                start = high_start;
                code = 0x1_0000 + (u32::from(high & 0x3ff) << 10 | u32::from(unit & 0x3ff));
            }
            _ => self.lone_surrogate(sink)?,
        }
        if HIGH.contains(&unit) {
            self.surrogate = Some((unit, start));
            return Ok(());
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0; 4];
        self.emit(
            character.encode_utf8(&mut buffer).as_bytes(),
            start..end,
            sink,
        )
    }

    /// Something other than a low surrogate follows.
    fn lone_surrogate(&mut self, sink: &mut impl Sink) -> Result<(), JsonError> {
        match self.surrogate.take() {
            Some((_, start)) => self.emit("\u{fffd}".as_bytes(), start..start + 6, sink),
            None => Ok(()),
        }
    }

    /// Hands decoded characters on: to the name in progress, or to the sink.
    #[inline]
    fn emit(
        &mut self,
        decoded: &[u8],
        raw: Range<u64>,
        sink: &mut impl Sink,
    ) -> Result<(), JsonError> {
        if !self.in_key {
            sink.text(decoded, raw);
        } else if self.token.len() + decoded.len() > MAX_TOKEN {
            return Err(JsonError::Limit);
        } else {
            self.token.extend_from_slice(decoded);
        }
        Ok(())
    }
}

/// Length of the part of `run` that is whole characters of UTF-8.
fn whole_characters(run: &[u8]) -> usize {
    match std::str::from_utf8(run) {
        Ok(_) => run.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// Whether more bytes can make a character of `bytes`.
fn may_be_cut(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
}

/// Length of the prefix without quotes, backslashes and control characters, and whether it is ASCII.
///
/// Eight bytes at a time: a zero byte in `word ^ pattern`, or a byte below 0x20 in `word`, leaves its
/// top bit set after the subtraction. Borrows can only set bits above the first one that is right.
#[inline]
fn plain_prefix(bytes: &[u8]) -> (usize, bool) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0;
    let mut seen = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let stop = ((word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash))
            & TOPS;
        if stop != 0 {
            let before = stop.trailing_zeros() / 8;
            let mask = (1u64 << (before * 8)) - 1;
            return (length + before as usize, (seen | word & mask) & TOPS == 0);
        }
        seen |= word;
        length += 8;
    }
    let mut ascii = seen & TOPS == 0;
    for &byte in tail {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        ascii &= byte.is_ascii();
        length += 1;
    }
    (length, ascii)
}
