//! Matches of detectors that ignore some: they count once it is known that none of those holds them.
//!
//! `ignore: [noreply@mail.example.com]` must not leave a match `noreply@mail.example` behind, and which
//! of two matches ends first says nothing. So both wait until no candidate can become a longer one.

use super::spans::Spans;

/// From this many matches on that wait, those that waited longest do not wait any more.
const MOST: usize = 64;

/// A match of a detector that ignores some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) detector: u8,
    /// It is one of those that are ignored.
    pub(super) ignored: bool,
}

impl Doubt {
    fn contains(&self, other: &Self) -> bool {
        self.detector == other.detector && self.start <= other.start && other.end <= self.end
    }
}

/// The matches of one text that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    doubts: Vec<Doubt>,
}

impl Doubts {
    pub(super) fn clear(&mut self) {
        self.doubts.clear();
    }

    pub(super) fn insert(&mut self, doubt: Doubt) {
        self.doubts.push(doubt);
    }

    pub(super) fn are_many(&self) -> bool {
        self.doubts.len() >= MOST
    }

    /// Everything that begins before `decided` is known: what of that is not ignored counts.
    pub(super) fn settle(&mut self, decided: u64, spans: &mut Spans) {
        if self.doubts.is_empty() {
            return;
        }
        for doubt in &self.doubts {
            let waits = doubt.ignored || doubt.start >= decided;
            let mut ignored = self.doubts.iter().filter(|other| other.ignored);
            if !waits && !ignored.any(|other| other.contains(doubt)) {
                spans.insert(doubt.start, doubt.end, doubt.detector);
            }
        }
        self.doubts.retain(|doubt| {
            if doubt.ignored {
                doubt.end > decided
            } else {
                doubt.start >= decided
            }
        });
    }
}
