//! The text of a policy and the places in it.

/// A stretch of the source, in bytes; the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` to before `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A place as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A named text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Where a byte stands.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// Where the byte `at` of a text stands in the source of the literal block that it was read from, whose
/// header and first indentation are not part of it. `None` where the block does not show the text line
/// by line.
pub(crate) fn in_block(block: &str, text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(line_start..)?.split('\n').next()?;
    let mut lines = block.split_inclusive('\n');
    let above = before.matches('\n').count();
    let start: usize = lines.by_ref().take(above).map(str::len).sum();
    let shown = lines.next()?.trim_end_matches(['\n', '\r']);
    let indentation = shown.strip_suffix(line)?;
    let is_blank = indentation.trim_start_matches(' ').is_empty();
    is_blank.then(|| start + indentation.len() + (at - line_start))
}
