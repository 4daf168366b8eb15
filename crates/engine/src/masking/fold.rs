//! Characters in disguise.
//!
//! A card number with no-break spaces in it, an address in full-width letters and a token with a
//! zero-width space look to their reader like the plain ones. Detectors read ASCII, so such characters
//! are *folded* into it before they look: for matching only, the bytes of what is not hidden stay as
//! they are. What a substitute shows or hashes is folded, so that one value joins with itself however
//! it is written.

use std::ops::Range;

/// What a character is for a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// This one of ASCII.
    Ascii(u8),
    /// Nothing: it is not seen.
    Nothing,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'t> {
    pub(super) text: &'t [u8],
    /// If this is one character that does not stay as it is.
    pub(super) fold: Option<Fold>,
}

/// Splits a text of whole characters into parts that stay and single characters that do not.
pub(super) fn parts(mut text: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        text.first()?;
        let (length, fold) = match disguise(text) {
            Some((length, fold)) => (length, Some(fold)),
            None => (plain(text), None),
        };
        let (part, rest) = text.split_at_checked(length)?;
        text = rest;
        Some(Part { text: part, fold })
    })
}

/// The text as detectors see it; `None` if that is as it is.
pub(super) fn folded(text: &[u8]) -> Option<Vec<u8>> {
    if text.is_ascii() || parts(text).all(|part| part.fold.is_none()) {
        return None;
    }
    let mut folded = Vec::with_capacity(text.len());
    for part in parts(text) {
        match part.fold {
            None => folded.extend_from_slice(part.text),
            Some(Fold::Ascii(byte)) => folded.push(byte),
            Some(Fold::Nothing) => {}
        }
    }
    Some(folded)
}

/// Whether a character that is folded may begin with `byte`.
const fn is_lead(byte: u8) -> bool {
    matches!(
        byte,
        0xc2 | 0xcd | 0xd9 | 0xdb | 0xe0..=0xe3 | 0xef | 0xf0 | 0xf3
    )
}

/// Length of the part of `text`, whose first character stays, up to the first one that does not.
fn plain(text: &[u8]) -> usize {
    let mut leads = (0..).zip(text).skip(1).filter(|(_, byte)| is_lead(**byte));
    let disguised = leads.find(|&(at, _)| text.get(at..).and_then(disguise).is_some());
    disguised.map_or(text.len(), |(at, _)| at)
}

/// What the first character of `text` is folded to, and its length in bytes.
fn disguise(text: &[u8]) -> Option<(usize, Fold)> {
    use Fold::{Ascii, Nothing};
    let digit = |byte: u8, zero: u8| Ascii(b'0' + (byte - zero));
    Some(match *text {
        // No-break space, soft hyphen, combining grapheme joiner.
        [0xc2, 0xa0, ..] => (2, Ascii(b' ')),
        [0xc2, 0xad, ..] | [0xcd, 0x8f, ..] => (2, Nothing),
        // Arabic-Indic, extended Arabic-Indic and Devanagari digits.
        [0xd9, byte @ 0xa0..=0xa9, ..] => (2, digit(byte, 0xa0)),
        [0xdb, byte @ 0xb0..=0xb9, ..] => (2, digit(byte, 0xb0)),
        [0xe0, 0xa5, byte @ 0xa6..=0xaf, ..] => (3, digit(byte, 0xa6)),
        // Mongolian vowel separator.
        [0xe1, 0xa0, 0x8e, ..] => (3, Nothing),
        [0xe2, middle, last, ..] => (3, punctuation(middle, last)?),
        // Ideographic space.
        [0xe3, 0x80, 0x80, ..] => (3, Ascii(b' ')),
        // Variation selectors, the byte order mark.
        [0xef, 0xb8, 0x80..=0x8f, ..] | [0xef, 0xbb, 0xbf, ..] => (3, Nothing),
        // Small full stop, colon, hyphen and commercial at.
        [0xef, 0xb9, 0x92, ..] => (3, Ascii(b'.')),
        [0xef, 0xb9, 0x95, ..] => (3, Ascii(b':')),
        [0xef, 0xb9, 0xa3, ..] => (3, Ascii(b'-')),
        [0xef, 0xb9, 0xab, ..] => (3, Ascii(b'@')),
        // Full-width forms of ASCII.
        [0xef, 0xbc, byte @ 0x81..=0xbf, ..] => (3, Ascii(byte - 0x81 + b'!')),
        [0xef, 0xbd, byte @ 0x80..=0x9e, ..] => (3, Ascii(byte - 0x80 + b'`')),
        // Mathematical letters and digits.
        [0xf0, 0x9d, ..] => (4, mathematical(text)?),
        // Tags: ASCII that nobody sees but a program.
        [0xf3, 0xa0, 0x80, byte @ 0xa0..=0xbf, ..] => (4, Ascii(byte - 0xa0 + b' ')),
        [0xf3, 0xa0, 0x81, byte @ 0x80..=0xbe, ..] => (4, Ascii(byte - 0x80 + b'@')),
        _ => return None,
    })
}

/// Characters from U+2000 to U+2FFF, by the second and third of their bytes.
fn punctuation(middle: u8, last: u8) -> Option<Fold> {
    Some(match (middle, last) {
        // Spaces of every width.
        (0x80, 0x80..=0x8a | 0xaf) | (0x81, 0x9f) => Fold::Ascii(b' '),
        // Zero-width characters, marks of direction, invisible operators.
        (0x80, 0x8b..=0x8f | 0xaa..=0xae) | (0x81, 0xa0..=0xaf) => Fold::Nothing,
        // Hyphens and dashes, the minus sign.
        (0x80, 0x90..=0x95) | (0x88, 0x92) => Fold::Ascii(b'-'),
        _ => return None,
    })
}

/// Letters and digits from U+1D400 to U+1D7FF: alphabet after alphabet, then digits after digits.
fn mathematical(text: &[u8]) -> Option<Fold> {
    let character = std::str::from_utf8(text.get(..4)?).ok()?.chars().next()?;
    let nth = |first: u32, count: u32| u8::try_from((u32::from(character) - first) % count).ok();
    match character {
        '\u{1d400}'..='\u{1d6a3}' => {
            let letter = nth(0x1d400, 52)?;
            let first = if letter < 26 { b'A' } else { b'a' - 26 };
            Some(Fold::Ascii(first + letter))
        }
        '\u{1d7ce}'..='\u{1d7ff}' => Some(Fold::Ascii(b'0' + nth(0x1d7ce, 10)?)),
        _ => None,
    }
}

/// Where a part of a piece of text stands: `before` bytes from its beginning. A single character that is
/// written in another way cannot be split.
pub(super) fn place(raw: &Range<u64>, piece: usize, before: usize, part: usize) -> Range<u64> {
    if raw.end - raw.start == piece as u64 {
        raw.start + before as u64..raw.start + (before + part) as u64
    } else {
        raw.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(text: &str) -> String {
        let folded = folded(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec());
        String::from_utf8(folded).unwrap()
    }

    #[test]
    fn characters_that_look_like_ascii_are_folded_into_it() {
        for (text, expected) in [
            (
                "4111\u{a0}1111\u{202f}1111\u{2007}1111",
                "4111 1111 1111 1111",
            ),
            ("\u{2000}\u{2009}\u{200a}\u{205f}\u{3000}", "     "),
            (
                "078\u{2010}05\u{2011}1120\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}",
                "078-05-1120-----",
            ),
            (
                "\u{ff01}\u{ff20}\u{ff21}\u{ff3f}\u{ff40}\u{ff41}\u{ff5e}",
                "!@A_`a~",
            ),
            ("\u{660}\u{669}\u{6f0}\u{6f9}\u{966}\u{96f}", "090909"),
            (
                "\u{1d400}\u{1d419}\u{1d41a}\u{1d433}\u{1d7ce}\u{1d7d7}\u{1d7d8}\u{1d7ff}",
                "AZaz0909",
            ),
            (
                "\u{e0062}\u{e006f}\u{e0062}\u{e0040}\u{e0020}\u{e007e}",
                "bob@ ~",
            ),
            ("a\u{fe6b}b\u{fe52}c\u{fe63}d\u{fe55}", "a@b.c-d:"),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }

    #[test]
    fn characters_that_nobody_sees_are_gone() {
        let text = "a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{feff}f\u{ad}g\u{200e}\u{202e}\u{2066}\u{fe0f}\u{34f}\u{180e}h";
        assert_eq!(fold(text), "abcdefgh");
    }

    #[test]
    fn every_other_character_stays() {
        let disguised = |character: char| {
            let mut buffer = [0; 4];
            folded(character.encode_utf8(&mut buffer).as_bytes()).is_some()
        };
        for character in "caf\u{e9}\u{4e2d}\u{3001}\u{1f600}\u{2026}\u{20ac}\u{ff5f}".chars() {
            assert!(!disguised(character), "{character:?}");
        }
        let spaces_and_dashes = 2 + 13 + 7 + 1;
        let unseen = 2 + 1 + 26 + 17;
        let digits_and_forms = 30 + 4 + 94;
        let mathematical = 13 * 52 + 50;
        let tags = 95;
        assert_eq!(
            ('\0'..=char::MAX)
                .filter(|&character| disguised(character))
                .count(),
            spaces_and_dashes - 1 + unseen + digits_and_forms + mathematical + tags
        );
    }

    #[test]
    fn parts_are_the_text() {
        let text = "x\u{e9}\u{a0}\u{200b}\u{3001}4\u{ff11}".as_bytes();
        let joined: Vec<u8> = parts(text).flat_map(|part| part.text.to_vec()).collect();
        assert_eq!(joined, text);
        let folds: Vec<_> = parts(text).map(|part| part.fold).collect();
        assert_eq!(
            folds,
            [
                None,
                Some(Fold::Ascii(b' ')),
                Some(Fold::Nothing),
                None,
                Some(Fold::Ascii(b'1'))
            ]
        );
    }
}
