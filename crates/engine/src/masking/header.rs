//! Values of headers and trailers under detectors.
//!
//! Rules name the fields that they look into. A value is a text like any other, but in a URL characters
//! may be percent-encoded (RFC 3986 §2.1), also several times over where one URL is a parameter of
//! another: detectors see them decoded. What is shown of a hidden text is encoded again where it
//! could not stand in a field, so that no decoded line break ever ends one.

use std::ops::Range;
use std::rc::Rc;

use super::plan::{Hiding, Plan};
use super::report::{Report, Tally};
use super::strand::{Splice, Strand};
use crate::http::{HeaderEdit, HeaderMap};

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Header,
    Trailer,
}

impl Section {
    /// What reports call it.
    const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Trailer => "trailer",
        }
    }
}

/// Masks the headers and trailers of one response.
pub(crate) struct HeaderMasker {
    plan: Rc<Plan>,
    active: u64,
    strand: Strand,
    tally: Tally,
}

impl HeaderMasker {
    /// Masks as the `active` rules say; `None` if none of them looks into headers.
    pub(crate) fn new(plan: &Rc<Plan>, active: u64) -> Option<Self> {
        plan.looks_into_headers(active).then(|| Self {
            plan: Rc::clone(plan),
            active,
            strand: Strand::default(),
            tally: Tally::default(),
        })
    }

    /// What has to change in these fields.
    pub(crate) fn mask(&mut self, section: Section, fields: &HeaderMap) -> Vec<HeaderEdit> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in fields.iter() {
            if let Ok(name) = std::str::from_utf8(name)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        let mut edits = Vec::new();
        for name in names {
            self.mask_field(section, name, fields, &mut edits);
        }
        edits
    }

    /// Masks the values of all fields of one name.
    fn mask_field(
        &mut self,
        section: Section,
        name: &str,
        fields: &HeaderMap,
        edits: &mut Vec<HeaderEdit>,
    ) {
        let scope = self.plan.header(self.active, name);
        if scope.detectors == 0 {
            return;
        }
        let mut changed = false;
        let mut values = Vec::new();
        for value in fields.all(name) {
            let mut line = Line {
                plan: &self.plan,
                tally: &mut self.tally,
                field: (section.name(), name),
                raw: value,
                copied: 0,
                out: Vec::new(),
            };
            self.strand.begin(scope, 0);
            for (decoded, raw) in characters(value) {
                self.strand.push(&self.plan, &decoded, raw, &mut line);
            }
            self.strand.end(&self.plan, &mut line);
            let masked = line.finish();
            changed |= masked.is_some();
            values.push(masked.unwrap_or_else(|| value.to_vec()));
        }
        if !changed {
            return;
        }
        // What the proxy would not take is left out rather than let through.
        values.retain(|value| is_field_value(value));
        let mut values = values.into_iter();
        edits.push(match values.next() {
            Some(first) => HeaderEdit::Set(name.to_owned(), first),
            None => HeaderEdit::Remove(name.to_owned()),
        });
        edits.extend(values.map(|value| HeaderEdit::Append(name.to_owned(), value)));
    }

    /// What was hidden so far.
    pub(crate) fn report(&self) -> &Report {
        self.tally.report()
    }
}

impl std::fmt::Debug for HeaderMasker {
    /// Shows nothing of the fields.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderMasker").finish_non_exhaustive()
    }
}

/// One value on its way out.
struct Line<'a> {
    plan: &'a Plan,
    tally: &'a mut Tally,
    /// Section and name.
    field: (&'static str, &'a str),
    raw: &'a [u8],
    /// How much of it is in `out` or hidden.
    copied: usize,
    out: Vec<u8>,
}

impl Line<'_> {
    fn copy_to(&mut self, end: usize) {
        let kept = self.raw.get(self.copied..end).unwrap_or_default();
        self.out.extend_from_slice(kept);
        self.copied = self.copied.max(end);
    }

    /// The masked value; `None` if nothing was hidden.
    fn finish(mut self) -> Option<Vec<u8>> {
        (self.copied > 0).then(|| {
            self.copy_to(self.raw.len());
            self.out
        })
    }
}

impl Splice for Line<'_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        let (section, name) = self.field;
        self.tally
            .count_field(self.plan, section, name, hiding.what, hiding.kind());
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        for (number, piece) in pieces.enumerate() {
            self.copy_to(index(piece.start));
            if number == 0 {
                encode(substitute, &mut self.out);
            }
            self.copied = self.copied.max(index(piece.end));
        }
    }
}

/// Writes a text as a field can hold it: what is neither a space nor a visible character of ASCII is
/// percent-encoded.
fn encode(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if matches!(byte, b' '..=b'~') {
            out.push(byte);
        } else {
            out.push(b'%');
            out.extend([byte >> 4, byte & 15].map(|digit| match digit {
                0..=9 => b'0' + digit,
                _ => b'A' + digit - 10,
            }));
        }
    }
}

/// Whether the proxy takes it as a value (RFC 9110 §5.5): no control characters but the tab.
fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

/// The characters of a value, with their places: runs that stand for themselves, and characters that are
/// percent-encoded, alone. Bytes that are no UTF-8 stand for themselves.
fn characters(value: &[u8]) -> impl Iterator<Item = (Vec<u8>, Range<u64>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = value.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let decoded = match encoded_character(rest) {
            Some((character, length)) => {
                at += length;
                character
            }
            None => {
                // A `%` that begins nothing stands for itself as well.
                let plain = rest
                    .iter()
                    .skip(1)
                    .take_while(|&&byte| byte != b'%')
                    .count()
                    + 1;
                at += plain;
                rest.get(..plain).unwrap_or_default().to_vec()
            }
        };
        Some((decoded, start as u64..at as u64))
    })
}

/// The encoded character that `text` begins with, and how many bytes that takes.
fn encoded_character(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (first, mut length) = encoded_byte(text)?;
    let more = match first {
        0..0x80 => 0,
        0xc2..0xe0 => 1,
        0xe0..0xf0 => 2,
        0xf0..0xf5 => 3,
        _ => return None,
    };
    let mut character = vec![first];
    for _ in 0..more {
        let (byte, taken) = encoded_byte(text.get(length..)?)?;
        character.push(byte);
        length += taken;
    }
    std::str::from_utf8(&character).ok()?;
    Some((character, length))
}

/// The byte that `text` encodes at its beginning, be it encoded again: `%40`, `%2540`, `%252540`.
fn encoded_byte(text: &[u8]) -> Option<(u8, usize)> {
    let mut length = 1;
    let mut digits = text.strip_prefix(b"%")?;
    while let Some(inner) = digits.strip_prefix(b"25")
        && hex(inner).is_some()
    {
        digits = inner;
        length += 2;
    }
    Some((hex(digits)?, length + 2))
}

/// The value of the two hex digits that `text` begins with.
fn hex(text: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let [high, low, ..] = text else { return None };
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests;
