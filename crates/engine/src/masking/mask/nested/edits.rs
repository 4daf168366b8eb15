//! What becomes of a text, as a list of edits.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::super::fill::escape;
use super::super::super::report::{ActionKind, Trail};
use super::super::super::tape::Output;
use super::Pending;
use super::tokens::Kind;

/// A stretch of the text that goes, and what stands there instead. It may be of no length.
#[derive(Debug)]
pub(in super::super::super) struct Edit {
    pub(in super::super::super) range: Range<u64>,
    pub(in super::super::super) text: Vec<u8>,
    pub(in super::super::super) counted: Vec<Counted>,
}

/// Something that is counted with the edit that hides it, so that what is counted first does not depend
/// on how the text was cut.
#[derive(Debug)]
pub(in super::super::super) enum Counted {
    /// In the text as such, by this detector.
    Here(u8),
    /// At this place in the document: under this name, with this action.
    Inside(Trail, String, ActionKind),
}

/// Edits that are not made yet, in order.
#[derive(Debug, Default)]
pub(super) struct Edits {
    queue: VecDeque<Edit>,
    /// Every character before this offset is decided.
    decided: u64,
    /// What the next edit hides.
    counted: Vec<Counted>,
}

impl Edits {
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.decided = 0;
        self.counted.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The edit that ends where everything is decided; a new one if there is none.
    fn last(&mut self) -> Option<&mut Edit> {
        let at = self.decided;
        if self.queue.back().is_none_or(|last| last.range.end != at) {
            self.queue.push_back(Edit {
                range: at..at,
                text: Vec::new(),
                counted: Vec::new(),
            });
        }
        let last = self.queue.back_mut()?;
        last.counted.append(&mut self.counted);
        Some(last)
    }

    /// Whether an edit touches `range`.
    pub(super) fn touch(&self, range: &Range<u64>) -> bool {
        self.overlapping(range).next().is_some()
    }

    fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = &Edit> {
        let (start, end) = (range.start, range.end);
        let before = self.queue.partition_point(|edit| edit.range.end <= start);
        let edits = self.queue.iter().skip(before);
        edits.take_while(move |edit| edit.range.start < end)
    }

    /// The parts of `range` that are in no edit. What goes as a whole goes with the first edit in it.
    pub(super) fn free(&self, kind: Kind, range: Range<u64>) -> Vec<Range<u64>> {
        if !kind.can_be_cut() {
            return match self.touch(&range) {
                true => Vec::new(),
                false => vec![range],
            };
        }
        let mut from = range.start;
        let mut free = Vec::new();
        for edit in self.overlapping(&range) {
            if from < edit.range.start {
                free.push(from..edit.range.start);
            }
            from = edit.range.end;
        }
        if from < range.end {
            free.push(from..range.end);
        }
        free
    }

    /// Adds an edit among the others; it overlaps none.
    pub(super) fn insert(&mut self, range: Range<u64>, text: Vec<u8>, counted: Option<Counted>) {
        let at = self
            .queue
            .partition_point(|edit| edit.range.end <= range.start);
        let edit = Edit {
            range,
            text,
            counted: counted.into_iter().collect(),
        };
        self.queue.insert(at, edit);
    }

    /// No edit is made before `end`.
    pub(super) fn give_up(&mut self, end: u64) {
        self.decided = self.decided.max(end);
        self.counted.clear();
        while self.next(end).is_some() {}
    }

    /// The next edit before `offset`, or the part of it that is.
    pub(super) fn next(&mut self, offset: u64) -> Option<Edit> {
        let first = self.queue.front_mut()?;
        if first.range.end <= offset {
            return self.queue.pop_front();
        }
        if first.range.start >= offset {
            return None;
        }
        let range = first.range.start..offset;
        first.range.start = offset;
        Some(Edit {
            range,
            text: std::mem::take(&mut first.text),
            counted: std::mem::take(&mut first.counted),
        })
    }
}

/// The text that a nested document is written on.
pub(super) struct Page<'a> {
    pub(super) edits: &'a mut Edits,
    pub(super) pending: Pending<'a>,
}

impl Output for Page<'_> {
    fn pass_to(&mut self, at: u64) {
        self.edits.decided = self.edits.decided.max(at);
    }

    fn skip_to(&mut self, at: u64) {
        if at > self.edits.decided {
            if let Some(last) = self.edits.last() {
                last.range.end = at;
            }
            self.edits.decided = at;
        }
    }

    fn read_to(&mut self, at: u64, mut read: impl FnMut(&[u8])) {
        if at > self.edits.decided {
            read(self.pending.get(self.edits.decided..at));
            self.skip_to(at);
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(last) = self.edits.last() {
            last.text.extend_from_slice(bytes);
        }
    }

    fn put_text(&mut self, text: &[u8]) {
        if !text.is_empty()
            && let Some(last) = self.edits.last()
        {
            escape(text, &mut last.text);
        }
    }

    /// Nobody asks: what is nested is no event.
    fn written(&self) -> u64 {
        self.edits.decided
    }

    fn count(&mut self, trail: &Trail, what: &str, action: ActionKind) {
        let counted = Counted::Inside(trail.clone(), what.to_owned(), action);
        self.edits.counted.push(counted);
    }
}
