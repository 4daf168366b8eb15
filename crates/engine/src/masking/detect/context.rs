//! Words that make of a candidate a match: `passport` before a number that could be anything.
//!
//! They are looked for only when a candidate has matched, once for each place where one begins: text in
//! which nothing matches costs nothing. What follows a candidate is not looked at, because it would
//! have to be waited for.

use std::ops::Range;

use tracegate_bundle::policy::Detector;

/// How far before a candidate a word may begin, in bytes.
const REACH: usize = 64;

/// What may stand for the space in a word of several parts.
const SEPARATORS: &[u8] = b" _-.";

/// The words of all detectors.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// In the order of their first byte.
    words: Vec<Word>,
    /// Per byte: the words that begin with it.
    by_first: Box<[Range<u16>; 256]>,
}

#[derive(Clone, Debug)]
struct Word {
    text: Box<[u8]>,
    /// The detectors that it is for.
    detectors: u64,
}

impl Words {
    pub(super) fn new(detectors: &[Detector]) -> Self {
        let mut words: Vec<Word> = Vec::new();
        for (bit, detector) in (0..64).zip(detectors) {
            for text in &detector.context {
                match words.iter_mut().find(|word| *word.text == *text.as_bytes()) {
                    Some(word) => word.detectors |= 1 << bit,
                    None => words.push(Word {
                        text: text.as_bytes().into(),
                        detectors: 1 << bit,
                    }),
                }
            }
        }
        words.sort_by_key(|word| word.text.first().copied());
        let mut by_first = Box::new([const { 0..0 }; 256]);
        for (first, range) in (0..=u8::MAX).zip(by_first.iter_mut()) {
            let before = |word: &&Word| word.text.first().is_some_and(|&byte| byte < first);
            let same = |word: &&Word| word.text.first() == Some(&first);
            let start = words.iter().filter(before).count();
            let end = start + words.iter().filter(same).count();
            let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
            *range = number(start)..number(end);
        }
        Self { words, by_first }
    }

    /// The detectors of which a word stands in a name.
    pub(super) fn in_name(&self, name: &[u8]) -> u64 {
        self.within(name, 0..name.len())
    }

    /// The detectors of which a word stands in `text` before the candidate at `start`.
    pub(super) fn before(&self, text: &[u8], start: usize) -> u64 {
        self.within(text, start.saturating_sub(REACH)..start)
    }

    /// The detectors of which a whole word stands in a part of `text`.
    fn within(&self, text: &[u8], part: Range<usize>) -> u64 {
        let Some(bytes) = text.get(part.clone()) else {
            return 0;
        };
        if bytes.iter().all(|&byte| !is_letter(byte)) {
            return 0;
        }
        let mut found = 0;
        for (index, &byte) in part.clone().zip(bytes) {
            let range = self.by_first.get(usize::from(byte.to_ascii_lowercase()));
            let Some(range) = range.filter(|range| !range.is_empty()) else {
                continue;
            };
            if !begins_word(text, index) {
                continue;
            }
            let words = self
                .words
                .get(usize::from(range.start)..usize::from(range.end));
            let words = words.unwrap_or_default();
            let rest = text.get(index..part.end).unwrap_or_default();
            for word in words {
                if word.detectors & !found != 0
                    && let Some(length) = word.length_in(rest)
                    && ends_word(text, index + length, part.end)
                {
                    found |= word.detectors;
                }
            }
        }
        found
    }
}

impl Word {
    /// How many bytes at the beginning of `text` are this word.
    fn length_in(&self, text: &[u8]) -> Option<usize> {
        let mut rest = text;
        for &expected in &self.text {
            match rest.split_first() {
                Some((byte, after)) if byte.to_ascii_lowercase() == expected => rest = after,
                Some((byte, after)) if expected == b' ' && SEPARATORS.contains(byte) => {
                    rest = after
                }
                _ if expected == b' ' => {}
                _ => return None,
            }
        }
        Some(text.len() - rest.len())
    }
}

/// Whether a byte belongs to a word. Of other scripts every character does.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// Whether a word may begin at `index`: not within another, unless there is a hump (`userPhone`).
fn begins_word(text: &[u8], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| text.get(before));
    before.is_none_or(|before| !is_letter(*before) || is_hump(text, index))
}

/// Whether a word may end before `index`; it may have a plural `s` before `end`.
fn ends_word(text: &[u8], index: usize, end: usize) -> bool {
    let is_end = |index: usize| {
        let next = text.get(index);
        next.is_none_or(|next| !is_letter(*next) || is_hump(text, index))
    };
    let is_plural = index < end && matches!(text.get(index), Some(b's' | b'S'));
    is_end(index) || is_plural && is_end(index + 1)
}

/// Whether a letter in upper case stands at `index` behind one in lower case.
fn is_hump(text: &[u8], index: usize) -> bool {
    let is_upper = |index: usize| text.get(index).map(u8::is_ascii_uppercase);
    let before = index.checked_sub(1).and_then(is_upper);
    is_upper(index) == Some(true) && before == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Words {
        let detector = |word: &&str| Detector {
            name: String::new(),
            token: String::new(),
            lead: None,
            left: tracegate_bundle::policy::Boundary::Any,
            right: tracegate_bundle::policy::Boundary::Any,
            min_len: 1,
            max_len: 1,
            overlong: tracegate_bundle::policy::Overlong::Release,
            validator: tracegate_bundle::policy::Validator::None,
            prelude: String::new(),
            context: vec![(*word).to_owned()],
            ignore: None,
        };
        Words::new(&words.iter().map(detector).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_has_a_word_in_any_of_its_spellings() {
        let words = words(&["phone", "date of birth"]);
        for name in [
            "phone",
            "Phone",
            "PHONE",
            "phones",
            "user_phone",
            "userPhone",
            "phoneNo",
            "phone2",
            "x-phone-y",
        ] {
            assert_eq!(words.in_name(name.as_bytes()), 0b01, "{name}");
        }
        for name in [
            "dateOfBirth",
            "date_of_birth",
            "DATE-OF-BIRTH",
            "dateofbirth",
            "her date of birth",
        ] {
            assert_eq!(words.in_name(name.as_bytes()), 0b10, "{name}");
        }
        for name in [
            "",
            "phon",
            "headphone",
            "phonetic",
            "dateOf",
            "phoné",
            "éphone",
        ] {
            assert_eq!(words.in_name(name.as_bytes()), 0, "{name}");
        }
    }

    #[test]
    fn a_word_stands_as_a_whole_in_the_64_bytes_before_a_candidate() {
        let words = words(&["tel"]);
        for gap in 0..80 {
            let text = format!("a tel{}5551234567", "-".repeat(gap));
            let start = text.len() - 10;
            assert_eq!(
                words.before(text.as_bytes(), start) != 0,
                gap <= 61,
                "{gap}"
            );
        }
        assert_eq!(words.before(b"hotel: 5", 7), 0);
        assert_eq!(words.before(b"5 tel", 0), 0);
        assert_eq!(words.before(b"tel5", 3), 1);
    }
}
