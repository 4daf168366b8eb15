//! The part of a text that can still be looked at.

/// How many bytes before a candidate may be looked at: words of context begin in the last 64, and one
/// byte more tells whether they do.
pub(super) const CONTEXT: usize = 72;

/// A stretch of text, with at least [`CONTEXT`] bytes (or the beginning of the text) before
/// everything that is not decided yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// Offset of the first byte in the text.
    pub(super) base: u64,
    pub(super) bytes: &'a [u8],
}

/// The run of bytes with which the matches of a detector begin, before its skeleton.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeadRun {
    pub(super) detector: u8,
    /// The ASCII characters of the run, one bit each.
    pub(super) class: u128,
    /// Most characters.
    pub(super) max: usize,
}

impl LeadRun {
    pub(super) fn contains(&self, byte: u8) -> bool {
        byte.is_ascii() && self.class >> byte & 1 != 0
    }
}

/// What stands before a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Neighbour {
    Letter,
    Digit,
    /// A `.` after a digit: a decimal point if a digit follows.
    Point,
    /// Anything else, or the beginning of the text.
    Other,
}

impl<'a> Window<'a> {
    pub(super) fn offset(&self, index: usize) -> u64 {
        self.base + index as u64
    }

    /// The index of `offset`; the first byte if that lies before the window.
    pub(super) fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// The byte `back` places before `index`.
    pub(super) fn before(&self, index: usize, back: usize) -> Option<u8> {
        self.bytes.get(index.checked_sub(back)?).copied()
    }

    pub(super) fn left_of(&self, index: usize) -> Neighbour {
        match self.before(index, 1) {
            Some(byte) if byte.is_ascii_alphabetic() => Neighbour::Letter,
            Some(byte) if byte.is_ascii_digit() => Neighbour::Digit,
            Some(b'.') if self.is_digit_before(index, 2) => Neighbour::Point,
            _ => Neighbour::Other,
        }
    }

    pub(super) fn is_digit_before(&self, index: usize, back: usize) -> bool {
        self.before(index, back)
            .is_some_and(|byte| byte.is_ascii_digit())
    }

    /// The bytes between two offsets, and up to [`CONTEXT`] bytes before them.
    pub(super) fn candidate(&self, start: u64, end: u64) -> Option<(&'a [u8], &'a [u8])> {
        let (start, end) = (self.index(start), self.index(end));
        let candidate = self.bytes.get(start..end)?;
        let before = self.bytes.get(start.saturating_sub(CONTEXT)..start)?;
        Some((candidate, before))
    }

    /// Where a match with `lead` begins whose skeleton begins at `index`: the earliest place in the run
    /// before it that `may_begin` allows.
    pub(super) fn lead_start(
        &self,
        lead: &LeadRun,
        index: usize,
        may_begin: impl Fn(Neighbour, u8) -> bool,
    ) -> Option<u64> {
        // The neighbours of the first two bytes are known only if the text begins with them.
        let floor = if self.base == 0 { 0 } else { 2 };
        let run = self
            .bytes
            .get(..index)?
            .iter()
            .enumerate()
            .rev()
            .take(lead.max);
        run.take_while(|&(at, &byte)| at >= floor && lead.contains(byte))
            .filter(|&(at, &byte)| may_begin(self.left_of(at), byte))
            .last()
            .map(|(at, _)| self.offset(at))
    }
}
