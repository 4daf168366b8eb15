//! What has to be known about the text of a YAML file beside its events.

use saphyr_parser::ScalarStyle;

use crate::source::Span;

/// Turns the parser's counts of characters into bytes.
pub(super) struct Offsets {
    /// The byte at which each character begins, and the length; empty if all are ASCII.
    bytes: Vec<usize>,
    length: usize,
}

impl Offsets {
    pub(super) fn new(source: &str) -> Self {
        let length = source.len();
        let bytes = if source.is_ascii() {
            Vec::new()
        } else {
            source.char_indices().map(|(at, _)| at).collect()
        };
        Self { bytes, length }
    }

    pub(super) fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.length);
        }
        self.bytes.get(character).copied().unwrap_or(self.length)
    }

    pub(super) fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span::new(start, self.byte(span.end.index()).max(start))
    }
}

/// The first character that a reviewer would not see: a control character (a NUL even ends the
/// document for the parser), or one that changes the direction of the text.
pub(super) fn hidden_character(source: &str) -> Option<(Span, String)> {
    let hidden = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
            || (c == '\u{feff}')
    };
    let (at, c) = source.char_indices().find(|&(_, c)| hidden(c))?;
    let name = format!("U+{:04X}", u32::from(c));
    Some((Span::new(at, at + c.len_utf8()), name))
}

/// The first tab in the white space at the start of a line, outside of texts of several lines.
pub(super) fn tab_in_indentation(source: &str, blocks: &[Span]) -> Option<Span> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let indentation = line.get(..line.len() - content.len()).unwrap_or_default();
        if let Some(tab) = indentation.find('\t')
            && !content.trim_end().is_empty()
        {
            let at = start + tab;
            if !blocks
                .iter()
                .any(|block| (block.start..block.end).contains(&at))
            {
                return Some(Span::new(at, at + 1));
            }
        }
        start += line.len();
    }
    None
}

pub(super) fn has_line_break(source: &str, span: Span) -> bool {
    source
        .get(span.start..span.end)
        .is_some_and(|text| text.contains('\n'))
}

/// The exact place of a scalar: the parser's spans can run on into white space and comments.
pub(super) fn scalar_span(source: &str, span: Span, style: ScalarStyle) -> Span {
    let rest = source.get(span.start..).unwrap_or_default();
    let length = match style {
        ScalarStyle::DoubleQuoted => quoted_length(rest, '"', '\\'),
        ScalarStyle::SingleQuoted => quoted_length(rest, '\'', '\''),
        _ => None,
    };
    match length {
        Some(length) => Span::new(span.start, span.start + length),
        None => trimmed(source, span),
    }
}

/// Length of the quoted text at the start of `text`, with its quotes.
fn quoted_length(text: &str, quote: char, escape: char) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    characters.next_if(|&(_, c)| c == quote)?;
    while let Some((at, c)) = characters.next() {
        let doubled = c == quote && characters.peek().is_some_and(|&(_, next)| next == quote);
        if c == escape && (escape != quote || doubled) {
            characters.next();
        } else if c == quote {
            return Some(at + quote.len_utf8());
        }
    }
    None
}

/// The place of a collection: its first line, and of a block its first key or item.
pub(super) fn collection_span(source: &str, start: Span, end: Span, first: Option<Span>) -> Span {
    if start.start == start.end {
        return first.unwrap_or(start);
    }
    let whole = Span::new(start.start, end.end);
    let text = source.get(whole.start..whole.end).unwrap_or_default();
    let line = text.split('\n').next().unwrap_or_default();
    trimmed(source, Span::new(whole.start, whole.start + line.len()))
}

fn trimmed(source: &str, span: Span) -> Span {
    let text = source.get(span.start..span.end).unwrap_or_default();
    Span::new(span.start, span.start + text.trim_end().len())
}

/// What an unquoted text is to some reader of YAML 1.1 or 1.2, if not text.
pub(super) fn plain_kind(text: &str) -> Option<&'static str> {
    const BOOLEANS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "" | "~" | "null") {
        return Some("the empty value");
    }
    if BOOLEANS.contains(&lower.as_str()) {
        return Some("the boolean");
    }
    let digits = lower.trim_start_matches(['+', '-', '.']);
    let number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '_' | '+' | '-' | 'x' | 'o'))
        && (lower.parse::<f64>().is_ok()
            || digits.starts_with("0x")
            || digits.starts_with("0o")
            || digits.chars().all(|c| c.is_ascii_digit() || c == '_'));
    let infinity = matches!(digits, "inf" | "nan") && lower != digits;
    (number || infinity).then_some("the number")
}
