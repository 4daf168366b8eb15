//! What stands in place of a hidden value.
//!
//! A fill takes the hidden characters in as they come and writes their substitute, as text: who puts it
//! in its place escapes it as the place demands.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::tokens::Token;

/// The hash key of the deployment, ready for HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub(super) struct HashKey {
    keyed: Hmac<Sha256>,
    /// Names the key, so that nobody joins hashes of two keys: the first bytes of the HMAC of a fixed
    /// text. What is hashed otherwise has a zero byte in it.
    id: [u8; 4],
}

impl HashKey {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let keyed = Hmac::new_from_slice(key).ok()?;
        let mut named: Hmac<Sha256> = Clone::clone(&keyed);
        named.update(b"tracegate hash key id");
        let id = *named.finalize().into_bytes().first_chunk()?;
        Some(Self { keyed, id })
    }

    /// Begins the hash of a value that a detector of that name found.
    pub(super) fn hash(&self, what: &str) -> Hash {
        let mut keyed = self.keyed.clone();
        keyed.update(what.as_bytes());
        keyed.update(&[0]);
        Hash { keyed, id: self.id }
    }
}

impl std::fmt::Debug for HashKey {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}

/// The hash of a value, in the making.
pub(super) struct Hash {
    keyed: Hmac<Sha256>,
    id: [u8; 4],
}

impl Hash {
    pub(super) fn update(&mut self, hidden: &[u8]) {
        self.keyed.update(hidden);
    }

    /// `hmac:`, the name of the key, `:`, the first 128 bits.
    fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"hmac:");
        out.extend(self.id.iter().flat_map(|&byte| hex(byte)));
        out.push(b':');
        let digest = self.keyed.finalize().into_bytes();
        out.extend(digest.iter().take(16).flat_map(|&byte| hex(byte)));
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hash").finish_non_exhaustive()
    }
}

/// A substitute in the making.
#[derive(Debug)]
pub(super) enum Fill {
    /// It is written already.
    Written,
    /// A part of the characters.
    Partial(Partial),
    /// The hash of the characters.
    Hash(Box<Hash>),
    /// The token of the characters.
    Token(Box<Token>),
}

impl Fill {
    /// Takes the next hidden characters in; `hidden` holds whole ones.
    pub(super) fn feed(&mut self, hidden: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Written => {}
            Self::Partial(partial) => partial.feed(hidden, out),
            Self::Hash(hash) => hash.update(hidden),
            Self::Token(token) => token.feed(hidden),
        }
    }

    /// There are no more.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        match self {
            Self::Written => {}
            Self::Partial(partial) => partial.finish(out),
            Self::Hash(hash) => hash.finish(out),
            Self::Token(token) => token.finish(out),
        }
    }
}

/// Shows the first and the last characters of a value and a `*` for every other one. A value of which
/// this would be more than half is not shown at all: four digits of a PIN are the PIN.
#[derive(Debug)]
pub(super) struct Partial {
    first: usize,
    last: usize,
    /// Characters whose fate is open.
    pending: Vec<u8>,
    /// How many they are.
    count: usize,
    /// Whether the value is long enough to be shown in part; its first characters are written then.
    showing: bool,
}

impl Partial {
    pub(super) fn new(keep_first: u8, keep_last: u8) -> Self {
        Self {
            first: keep_first.into(),
            last: keep_last.into(),
            pending: Vec::new(),
            count: 0,
            showing: false,
        }
    }

    fn feed(&mut self, hidden: &[u8], out: &mut Vec<u8>) {
        self.pending.extend_from_slice(hidden);
        self.count += hidden
            .iter()
            .filter(|&&byte| begins_character(byte))
            .count();
        if !self.showing {
            if self.count < 2 * (self.first + self.last) {
                return;
            }
            self.showing = true;
            out.extend(self.take(self.first));
        }
        let hidden = self.count.saturating_sub(self.last);
        self.take(hidden);
        stars(hidden, out);
    }

    /// Removes the first `count` characters from those that are pending.
    fn take(&mut self, count: usize) -> std::vec::Drain<'_, u8> {
        self.count -= count;
        let mut starts = (0..).zip(&self.pending);
        let end = starts
            .by_ref()
            .filter(|(_, byte)| begins_character(**byte))
            .nth(count)
            .map_or(self.pending.len(), |(at, _)| at);
        self.pending.drain(..end)
    }

    fn finish(self, out: &mut Vec<u8>) {
        if self.showing {
            out.extend_from_slice(&self.pending);
        } else {
            stars(self.count, out);
        }
    }
}

fn stars(count: usize, out: &mut Vec<u8>) {
    out.extend(std::iter::repeat_n(b'*', count));
}

/// Whether a byte of UTF-8 is not the continuation of a character.
pub(super) const fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Two hex digits, in lower case.
fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| {
        if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        }
    })
}

/// Writes `text` as the inside of a JSON string (RFC 8259 §7).
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    for run in text.chunk_by(|&left, &right| is_plain(left) && is_plain(right)) {
        match run {
            [byte @ (b'"' | b'\\')] => out.extend_from_slice(&[b'\\', *byte]),
            [byte] if !is_plain(*byte) => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex(*byte));
            }
            plain => out.extend_from_slice(plain),
        }
    }
}

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(first: u8, last: u8, value: &str) -> String {
        let mut whole = Vec::new();
        let mut fill = Fill::Partial(Partial::new(first, last));
        fill.feed(value.as_bytes(), &mut whole);
        fill.finish(&mut whole);
        let mut pieces = Vec::new();
        let mut fill = Fill::Partial(Partial::new(first, last));
        for character in value.chars() {
            fill.feed(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut pieces);
        }
        fill.finish(&mut pieces);
        assert_eq!(whole, pieces, "{value}");
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn partial_keeps_the_ends() {
        assert_eq!(partial(0, 4, "4111111111111111"), "************1111");
        assert_eq!(partial(2, 3, "0123456789"), "01*****789");
        assert_eq!(partial(1, 0, "ab"), "a*");
        assert_eq!(partial(0, 0, "abc"), "***");
        assert_eq!(partial(0, 0, ""), "");
    }

    #[test]
    fn partial_shows_nothing_where_it_would_show_more_than_half() {
        assert_eq!(partial(0, 4, "1234"), "****");
        assert_eq!(partial(0, 4, "1234567"), "*******");
        assert_eq!(partial(0, 4, "12345678"), "****5678");
        assert_eq!(partial(255, 255, "short"), "*****");
    }

    #[test]
    fn partial_counts_characters_and_not_bytes() {
        assert_eq!(partial(1, 1, "\u{e9}\u{20ac}\u{1f600}x"), "\u{e9}**x");
        assert_eq!(partial(1, 1, "a\u{e9}\u{20ac}\u{1f600}"), "a**\u{1f600}");
    }

    #[test]
    fn escaped_text_reads_back() {
        let text = "a\"b\\c\n\u{0}\u{1f}\u{7f}\u{e9}\\\\\"\"";
        let mut out = vec![b'"'];
        escape(text.as_bytes(), &mut out);
        out.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
