//! Character references of markup: `&#64;`, `&#x40;`, `&commat;`.
//!
//! Read as a browser reads them (HTML, section 13.2.5.72): a number needs no semicolon, and a few old names do
//! not either. Of the 2231 names those are known that stand for ASCII or for a character that is folded into it:
//! no detector can want the others.

use std::ops::Range;

use super::MaskError;

/// Longest reference that is read, in bytes. Of a name no more is looked at; a longer number is refused,
/// because a browser would decode it.
const MAX_REFERENCE: usize = 64;

/// A reader of references, between two pieces of text.
#[derive(Debug, Default)]
pub(super) struct References {
    /// What may become a reference, from its `&` on, and where that stands.
    pending: Vec<u8>,
    start: u64,
}

impl References {
    /// Where the reference begins that is in progress.
    pub(super) fn unfinished(&self) -> Option<u64> {
        (!self.pending.is_empty()).then_some(self.start)
    }

    /// Reads the next piece of text; a decoded character comes alone.
    pub(super) fn push(
        &mut self,
        mut text: &[u8],
        raw: Range<u64>,
        each: &mut impl FnMut(&[u8], Range<u64>),
    ) -> Result<(), MaskError> {
        while let Some(&byte) = text.first() {
            let at = raw.end - text.len() as u64;
            let length = if self.pending.is_empty() {
                let plain = text.iter().take_while(|&&byte| byte != b'&').count();
                if plain > 0 {
                    each(text.get(..plain).unwrap_or_default(), at..at + plain as u64);
                    plain
                } else {
                    self.start = at;
                    self.pending.push(byte);
                    1
                }
            } else if !self.goes_on(byte) {
                self.resolve(each);
                0
            } else {
                self.pending.push(byte);
                if byte == b';' {
                    self.resolve(each);
                } else if self.pending.len() > MAX_REFERENCE {
                    self.give_up(each)?;
                }
                1
            };
            text = text.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// There is no more text.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(&[u8], Range<u64>)) {
        self.resolve(each);
    }

    fn goes_on(&self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b';' || byte == b'#' && self.pending.len() == 1
    }

    /// What has gathered is as long as a reference may be.
    fn give_up(&mut self, each: &mut impl FnMut(&[u8], Range<u64>)) -> Result<(), MaskError> {
        if decode(&self.pending).is_some_and(|(length, _)| length == self.pending.len()) {
            return Err(MaskError::Limit);
        }
        self.resolve(each);
        Ok(())
    }

    /// Shows what has gathered: the character that it stands for, and what follows that; or as it is.
    fn resolve(&mut self, each: &mut impl FnMut(&[u8], Range<u64>)) {
        let end = self.start + self.pending.len() as u64;
        let mut rest = &*self.pending;
        if let Some((length, character)) = decode(rest) {
            let middle = self.start + length as u64;
            let mut buffer = [0; 4];
            let decoded = character.encode_utf8(&mut buffer);
            each(decoded.as_bytes(), self.start..middle);
            rest = rest.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            each(rest, end - rest.len() as u64..end);
        }
        self.pending.clear();
    }
}

/// The length of the reference with which `text` begins, and the character for which it stands.
fn decode(text: &[u8]) -> Option<(usize, char)> {
    match text {
        [b'&', b'#', b'x' | b'X', digits @ ..] => number(digits, 16, 3),
        [b'&', b'#', digits @ ..] => number(digits, 10, 2),
        [b'&', name @ ..] => named(name),
        _ => None,
    }
}

fn number(text: &[u8], radix: u32, before: usize) -> Option<(usize, char)> {
    let digits = text
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(radix));
    let (count, code) = digits.fold((0, 0u32), |(count, code), digit| {
        let code = code.saturating_mul(radix).saturating_add(digit);
        (count + 1, code)
    });
    if count == 0 {
        return None;
    }
    let semicolon = text.get(count) == Some(&b';');
    let character = match code {
        // What these were in Windows-1252.
        0x96 => '\u{2013}',
        0x97 => '\u{2014}',
        code => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    Some((before + count + usize::from(semicolon), character))
}

fn named(text: &[u8]) -> Option<(usize, char)> {
    if let Some(name) = text.strip_suffix(b";")
        && let Ok(at) = NAMES.binary_search_by(|(known, _)| known.as_bytes().cmp(name))
    {
        let (_, character) = NAMES.get(at)?;
        return Some((text.len() + 1, *character));
    }
    let bare = BARE_NAMES
        .iter()
        .find(|(name, _)| text.starts_with(name.as_bytes()))?;
    Some((bare.0.len() + 1, bare.1))
}

/// Writes text as the content of an element or the value of an attribute.
pub(super) fn escape(text: &[u8], mut put: impl FnMut(&[u8])) {
    let special = |byte: u8| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'');
    for run in text.chunk_by(|&left, &right| !special(left) && !special(right)) {
        put(match run {
            b"<" => b"&lt;",
            b">" => b"&gt;",
            b"&" => b"&amp;",
            b"\"" => b"&quot;",
            b"'" => b"&#39;",
            plain => plain,
        });
    }
}

/// Names that need no semicolon.
const BARE_NAMES: &[(&str, char)] = &[
    ("AMP", '&'),
    ("GT", '>'),
    ("LT", '<'),
    ("QUOT", '"'),
    ("amp", '&'),
    ("gt", '>'),
    ("lt", '<'),
    ("nbsp", '\u{a0}'),
    ("quot", '"'),
    ("shy", '\u{ad}'),
];

/// Names, sorted by their bytes.
const NAMES: &[(&str, char)] = &[
    ("AMP", '&'),
    ("ApplyFunction", '\u{2061}'),
    ("DiacriticalGrave", '`'),
    ("GT", '>'),
    ("Hat", '^'),
    ("InvisibleComma", '\u{2063}'),
    ("InvisibleTimes", '\u{2062}'),
    ("LT", '<'),
    ("MediumSpace", '\u{205f}'),
    ("NegativeMediumSpace", '\u{200b}'),
    ("NegativeThickSpace", '\u{200b}'),
    ("NegativeThinSpace", '\u{200b}'),
    ("NegativeVeryThinSpace", '\u{200b}'),
    ("NewLine", '\n'),
    ("NoBreak", '\u{2060}'),
    ("NonBreakingSpace", '\u{a0}'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("ThinSpace", '\u{2009}'),
    ("UnderBar", '_'),
    ("VerticalLine", '|'),
    ("VeryThinSpace", '\u{200a}'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("af", '\u{2061}'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '\u{2010}'),
    ("dollar", '$'),
    ("emsp", '\u{2003}'),
    ("emsp13", '\u{2004}'),
    ("emsp14", '\u{2005}'),
    ("ensp", '\u{2002}'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hairsp", '\u{200a}'),
    ("horbar", '\u{2015}'),
    ("hyphen", '\u{2010}'),
    ("ic", '\u{2063}'),
    ("it", '\u{2062}'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lrm", '\u{200e}'),
    ("lsqb", '['),
    ("lt", '<'),
    ("mdash", '\u{2014}'),
    ("midast", '*'),
    ("minus", '\u{2212}'),
    ("nbsp", '\u{a0}'),
    ("ndash", '\u{2013}'),
    ("num", '#'),
    ("numsp", '\u{2007}'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("puncsp", '\u{2008}'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rlm", '\u{200f}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("shy", '\u{ad}'),
    ("sol", '/'),
    ("thinsp", '\u{2009}'),
    ("verbar", '|'),
    ("vert", '|'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Result<String, MaskError> {
        let mut references = References::default();
        let mut out = String::new();
        let mut places = Vec::new();
        let mut each = |text: &[u8], raw: Range<u64>| {
            out.push_str(std::str::from_utf8(text).unwrap());
            places.push(raw);
        };
        let mut at = 0;
        for piece in pieces {
            let end = at + piece.len() as u64;
            references.push(piece.as_bytes(), at..end, &mut each)?;
            at = end;
        }
        references.finish(&mut each);
        let mut expected = 0;
        for place in places {
            assert_eq!(place.start, expected, "{pieces:?}");
            expected = place.end;
        }
        assert_eq!(expected, at, "{pieces:?}");
        Ok(out)
    }

    /// Reads `text` whole, at every cut and byte by byte; all must agree.
    fn read_every_way(text: &str) -> String {
        let whole = read(&[text]).unwrap();
        for (cut, _) in text.char_indices() {
            let (left, right) = text.split_at(cut);
            assert_eq!(read(&[left, right]).unwrap(), whole, "{text} at {cut}");
        }
        whole
    }

    #[test]
    fn references_are_decoded() {
        for (text, expected) in [
            ("bob&#64;example&period;com", "bob@example.com"),
            ("bob&#x40;b&#X2e;co", "bob@b.co"),
            ("bob&commat;b.co", "bob@b.co"),
            ("&lt;a&gt; &amp;&quot;&apos;&nbsp;", "<a> &\"'\u{a0}"),
            ("&#0000064;", "@"),
            ("&#150;&#151;", "\u{2013}\u{2014}"),
            ("&#0;&#xd800;&#99999999999;", "\u{0}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(read_every_way(text), expected);
        }
    }

    #[test]
    fn a_number_and_some_old_names_need_no_semicolon() {
        for (text, expected) in [
            ("bob&#64bob", "bob@bob"),
            ("&#x40-", "@-"),
            ("&lt4111&ampx&nbsp", "<4111&x\u{a0}"),
            ("&commat", "&commat"),
        ] {
            assert_eq!(read_every_way(text), expected);
        }
    }

    #[test]
    fn what_is_no_reference_stays_as_it_is() {
        for text in [
            "&", "&&", "a & b", "&;", "&#;", "&#x;", "&nosuch;", "&\u{e9};", "&#&#",
        ] {
            assert_eq!(read_every_way(text), text);
        }
        assert_eq!(read_every_way("&&#64;&#64"), "&@@");
        // Decoded once.
        assert_eq!(read_every_way("&amp;#64;"), "&#64;");
    }

    #[test]
    fn a_reference_has_a_longest_length() {
        let padded = |zeros| format!("&#{}64;", "0".repeat(zeros));
        assert_eq!(read_every_way(&padded(MAX_REFERENCE - 4)), "@");
        assert_eq!(read(&[&padded(MAX_REFERENCE - 3)]), Err(MaskError::Limit));
        let name = format!("&{};", "x".repeat(1000));
        assert_eq!(read_every_way(&name), name);
    }

    #[test]
    fn names_are_sorted_and_short_enough() {
        assert!(NAMES.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(
            NAMES
                .iter()
                .all(|(name, _)| name.len() + 2 <= MAX_REFERENCE)
        );
    }

    #[test]
    fn escaped_text_reads_back() {
        let text = "a<b>&\"c\"'&lt;\u{e9}";
        let mut out = Vec::new();
        escape(text.as_bytes(), |bytes| out.extend_from_slice(bytes));
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains(['<', '>', '"', '\'']));
        assert_eq!(read_every_way(&out), text);
    }
}
