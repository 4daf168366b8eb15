//! Joins overlapping matches and hands them out once nothing can change them.

use super::Found;

/// A match that grows is handed out in pieces of at least this many bytes.
const PIECE: u64 = 256;

/// Matches that are not handed out yet, in order and apart from each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
}

/// One match, or several that overlap.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
    /// Everything before this has been handed out; `start` if nothing has.
    handed_out: u64,
    /// The end of the match that names the span.
    named_end: u64,
    detector: u8,
}

impl Span {
    fn is_handed_out(&self) -> bool {
        self.handed_out > self.start
    }

    /// Joins a match that overlaps. What has been handed out has its name already.
    fn join(mut self, other: Self) -> Self {
        let rank = |span: &Self| (span.start, u64::MAX - span.named_end, span.detector);
        if !self.is_handed_out() && rank(&other) < rank(&self) {
            self.named_end = other.named_end;
            self.detector = other.detector;
        }
        if !self.is_handed_out() {
            self.start = self.start.min(other.start);
            self.handed_out = self.start;
        }
        self.end = self.end.max(other.end);
        self
    }
}

impl Spans {
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Adds a match. Ends come in almost ascending order, so the search from the back is short.
    pub(super) fn insert(&mut self, start: u64, end: u64, detector: u8) {
        let mut span = Span {
            start,
            end,
            handed_out: start,
            named_end: end,
            detector,
        };
        let behind = self
            .spans
            .iter()
            .rev()
            .take_while(|other| other.start >= end)
            .count();
        let mut at = self.spans.len() - behind;
        while let Some(before) = at.checked_sub(1)
            && self
                .spans
                .get(before)
                .is_some_and(|other| other.end > start)
        {
            span = self.spans.remove(before).join(span);
            at = before;
        }
        self.spans.insert(at, span);
    }

    /// The last match goes on to `end`.
    pub(super) fn extend_last(&mut self, end: u64) {
        if let Some(last) = self.spans.last_mut() {
            last.end = last.end.max(end);
        }
    }

    /// Where the last match begins, if enough of it lies before `end` for a piece.
    pub(super) fn piece_due(&self, end: u64) -> Option<u64> {
        let last = self.spans.last()?;
        (end >= last.handed_out + PIECE).then_some(last.start)
    }

    /// Hands out the last match up to `end`; more of it follows. All matches before it must have been
    /// handed out.
    pub(super) fn hand_out_piece(&mut self, end: u64, found: &mut Vec<Found>) {
        if let Some(last) = self.spans.last_mut() {
            found.push(Found {
                start: last.handed_out,
                end,
                detector: last.detector,
                open: true,
            });
            last.handed_out = end;
        }
    }

    /// Hands out the matches that end at or before `decided`, except the last if it still grows.
    pub(super) fn hand_out(&mut self, decided: u64, last_grows: bool, found: &mut Vec<Found>) {
        let settled = self.spans.len() - usize::from(last_grows && !self.spans.is_empty());
        let ended = self
            .spans
            .iter()
            .take(settled)
            .take_while(|span| span.end <= decided);
        let count = ended.count();
        found.extend(self.spans.drain(..count).map(|span| Found {
            start: span.handed_out,
            end: span.end,
            detector: span.detector,
            open: false,
        }));
    }

    /// How far the text is decided if no candidate begins before `decided`.
    pub(super) fn decided(&self, decided: u64) -> u64 {
        match self.spans.first() {
            Some(span) if span.start <= decided => span.handed_out,
            _ => decided,
        }
    }
}
