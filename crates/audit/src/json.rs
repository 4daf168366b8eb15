//! A writer of canonical JSON (RFC 8785) into one buffer.
//!
//! It knows the part of the format that records use: objects, arrays, strings, booleans and
//! integers up to 2^53 - 1, the largest that RFC 8785 writes exactly. Members must be written in
//! the order of their names; the tests compare every record with another implementation.

use crate::record::Text;

/// The largest integer that a double holds exactly along with all below it (RFC 7493 §2.2).
const MAX_INTEGER: u64 = (1 << 53) - 1;

const ELLIPSIS: &[u8] = "…".as_bytes();

/// Writes one value into a buffer.
pub(crate) struct Writer<'b> {
    out: &'b mut Vec<u8>,
    shortened: bool,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut Vec<u8>) -> Self {
        Self {
            out,
            shortened: false,
        }
    }

    /// Whether anything had to be shortened or left out.
    pub(crate) fn shortened(&self) -> bool {
        self.shortened
    }

    pub(crate) fn note_shortened(&mut self) {
        self.shortened = true;
    }

    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Members<'_, 'b>)) {
        self.out.push(b'{');
        members(&mut Members {
            writer: self,
            first: true,
        });
        self.out.push(b'}');
    }

    /// Writes the items one after the other.
    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self, item);
        }
        self.out.push(b']');
    }

    pub(crate) fn integer(&mut self, value: u64) {
        self.raw_integer(value.min(MAX_INTEGER));
    }

    fn raw_integer(&mut self, mut value: u64) {
        // As many digits as 2^64 has.
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            start -= 1;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.out
            .extend_from_slice(digits.get(start..).unwrap_or_default());
    }

    /// A string whose parts are written one after the other.
    pub(crate) fn string(&mut self, parts: impl FnOnce(&mut StringParts<'_, 'b>)) {
        self.out.push(b'"');
        parts(&mut StringParts { writer: self });
        self.out.push(b'"');
    }

    /// `text`, escaped (RFC 8785 §3.2.2.2), in at most `limit` bytes.
    fn escaped(&mut self, text: &[u8], limit: usize) {
        if text.len() <= limit && text.iter().all(|&byte| stands_for_itself(byte)) {
            self.out.extend_from_slice(text);
            return;
        }
        let start = self.out.len();
        let mut fits_with_ellipsis = start;
        let mut encoded = [0; 4];
        for chunk in text.utf8_chunks() {
            let replacement = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            for character in chunk.valid().chars().chain(replacement) {
                self.character(character, &mut encoded);
                let written = self.out.len() - start;
                if written > limit {
                    self.out.truncate(fits_with_ellipsis);
                    self.out.extend_from_slice(ELLIPSIS);
                    self.shortened = true;
                    return;
                }
                if written + ELLIPSIS.len() <= limit {
                    fits_with_ellipsis = self.out.len();
                }
            }
        }
    }

    fn character(&mut self, character: char, encoded: &mut [u8; 4]) {
        let escape: &[u8] = match character {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '\u{8}' => b"\\b",
            '\t' => b"\\t",
            '\n' => b"\\n",
            '\u{c}' => b"\\f",
            '\r' => b"\\r",
            '\0'..='\u{1f}' => {
                let code = character as u8;
                self.out.extend_from_slice(b"\\u00");
                self.out.extend([hex(code >> 4), hex(code & 15)]);
                return;
            }
            _ => character.encode_utf8(encoded).as_bytes(),
        };
        self.out.extend_from_slice(escape);
    }
}

const fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

const fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

/// The name of a member as it is written, comma and colon included: a record has a hundred of them, and
/// one copy for each is what most of its time goes into.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) &'static str);

/// The [`Key`] of a name that needs no escapes. With a value after it, as JSON, it is a whole member;
/// several of those are one key too.
macro_rules! key {
    ($name:literal) => {
        $crate::json::Key(concat!(",\"", $name, "\":"))
    };
    ($($name:literal: $value:expr),+ $(,)?) => {
        $crate::json::Key(concat!($(",\"", $name, "\":", $value),+))
    };
}
pub(crate) use key;

/// The members of an object.
pub(crate) struct Members<'w, 'b> {
    writer: &'w mut Writer<'b>,
    first: bool,
}

impl<'b> Members<'_, 'b> {
    /// Begins a member and gives its value to write.
    pub(crate) fn member(&mut self, key: Key) -> &mut Writer<'b> {
        // The first one needs no comma before it.
        let bytes = key.0.as_bytes();
        let bytes = bytes.get(usize::from(self.first)..).unwrap_or_default();
        self.first = false;
        self.writer.out.extend_from_slice(bytes);
        self.writer
    }

    /// Members that are the same in every record, as [`key!`](crate::json::key) writes them.
    pub(crate) fn same(&mut self, members: Key) {
        self.member(members);
    }

    pub(crate) fn object(&mut self, key: Key, members: impl FnOnce(&mut Members<'_, 'b>)) {
        self.member(key).object(members);
    }

    pub(crate) fn integer(&mut self, key: Key, value: u64) {
        self.member(key).integer(value);
    }

    pub(crate) fn boolean(&mut self, key: Key, value: bool) {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.member(key).out.extend_from_slice(text);
    }

    /// A text of the program's own, which is never shortened.
    pub(crate) fn constant(&mut self, key: Key, value: &'static str) {
        self.member(key).string(|string| string.constant(value));
    }

    /// A text from outside, in at most `limit` bytes.
    pub(crate) fn text(&mut self, key: Key, value: Text<'_>, limit: usize) {
        self.member(key).string(|string| string.text(value, limit));
    }

    /// A text from outside, if there is one.
    pub(crate) fn maybe_text(&mut self, key: Key, value: Option<Text<'_>>, limit: usize) {
        if let Some(value) = value {
            self.text(key, value, limit);
        }
    }

    pub(crate) fn maybe_integer(&mut self, key: Key, value: Option<u64>) {
        if let Some(value) = value {
            self.integer(key, value);
        }
    }

    /// A digest, as hex digits.
    pub(crate) fn maybe_digest(&mut self, key: Key, digest: Option<&[u8; 32]>) {
        if let Some(digest) = digest {
            self.member(key).string(|string| string.hex(digest));
        }
    }
}

/// The parts of one string.
pub(crate) struct StringParts<'w, 'b> {
    writer: &'w mut Writer<'b>,
}

impl StringParts<'_, '_> {
    pub(crate) fn constant(&mut self, text: &'static str) {
        self.writer.escaped(text.as_bytes(), usize::MAX);
    }

    pub(crate) fn text(&mut self, text: Text<'_>, limit: usize) {
        self.writer.escaped(text.bytes(), limit);
    }

    /// A number as text: all 64 bits of it.
    pub(crate) fn decimal(&mut self, number: u64) {
        self.writer.raw_integer(number);
    }

    fn hex(&mut self, bytes: &[u8; 32]) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        self.writer.out.extend_from_slice(&digits);
    }
}
