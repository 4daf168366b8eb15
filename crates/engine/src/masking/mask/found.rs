//! What the masker does with text that detectors read.

use std::ops::Range;

use super::super::plan::{Hiding, Plan, Scope, Type};
use super::super::report::{Tally, Trail};
use super::super::strand::{Splice, Strand};
use super::super::tape::Reel;
use super::Pass;

impl<'a> Pass<'a> {
    /// The strand, and what rewrites the bytes of the document for it.
    fn strand(&mut self) -> (&mut Strand, &Plan, Patch<'_, 'a>) {
        let state = &mut *self.state;
        let patch = Patch {
            plan: &state.plan,
            trail: &state.trail,
            tally: &mut state.tally,
            reel: &mut self.reel,
        };
        (&mut state.strand, &state.plan, patch)
    }

    /// The next characters of a string.
    pub(super) fn read(&mut self, decoded: &[u8], raw: Range<u64>) {
        let (strand, plan, mut patch) = self.strand();
        strand.push(plan, decoded, raw, &mut patch);
    }

    /// What came of a string is read.
    pub(super) fn settle(&mut self) {
        let (strand, plan, mut patch) = self.strand();
        strand.settle(plan, &mut patch);
    }

    /// The string ends.
    pub(super) fn end_reading(&mut self) {
        self.state.reading = false;
        let state = &mut *self.state;
        let mut slot = None;
        if let Some((text, scope)) = state.strand.unread() {
            if state.clean.contains(text, scope) {
                return;
            }
            slot = state.clean.insert(text, scope);
        }
        let (strand, plan, mut patch) = self.strand();
        if strand.end(plan, &mut patch)
            && let Some(slot) = slot
        {
            self.state.clean.forget(slot);
        }
    }

    /// Masks the name of a member. A masked name gets a number, because two names that look the same
    /// afterwards must not become one; hashes differ by themselves.
    /// `scope` is that of the member.
    pub(super) fn mask_name(&mut self, name: &[u8], raw: Range<u64>, scope: Scope) {
        let own = scope.in_member(0);
        let Some(unique) = self.mask_whole(name, Type::String, raw.start, own) else {
            self.state
                .clean_names
                .insert(name, scope.detectors, scope.named);
            return;
        };
        if !unique {
            self.state.masked_names = self.state.masked_names.saturating_add(1);
            let number = format!("#{}", self.state.masked_names);
            self.reel.put(number.as_bytes());
        }
        self.reel.put(b"\"");
        self.reel.skip_to(raw.end);
    }

    /// Masks a number; what it leaves is a string, or a number that says nothing.
    pub(super) fn mask_number(&mut self, text: &[u8], raw: Range<u64>, scope: Scope) {
        if self
            .mask_whole(text, Type::Number, raw.start, scope)
            .is_some()
        {
            self.reel.put(b"\"");
            self.reel.skip_to(raw.end);
        }
    }

    /// Writes `text`, masked, behind an opening quote in place of what begins at `at`, and says
    /// whether every substitute is unique. `None` if nothing was found, or if another value, complete,
    /// stands there now.
    fn mask_whole(&mut self, text: &[u8], of: Type, at: u64, scope: Scope) -> Option<bool> {
        let (strand, plan, patch) = self.strand();
        let mut whole = Whole {
            patch,
            text,
            of,
            at,
            written: None,
            blank: None,
            unique: true,
        };
        strand.begin(scope, 0);
        strand.push(plan, text, 0..text.len() as u64, &mut whole);
        strand.end(plan, &mut whole);
        whole.finish()
    }
}

/// Rewrites the bytes of a string where they stand.
struct Patch<'p, 'a> {
    plan: &'p Plan,
    trail: &'p Trail,
    tally: &'p mut Tally,
    reel: &'p mut Reel<'a>,
}

impl Splice for Patch<'_, '_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        self.tally
            .count(self.plan, self.trail, hiding.what, hiding.kind());
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let mut substitute = Some(substitute);
        for piece in pieces {
            self.reel.pass_to(piece.start);
            if let Some(substitute) = substitute.take() {
                self.reel.put_text(substitute);
            }
            self.reel.skip_to(piece.end);
        }
    }
}

/// Writes a name or number anew if something in it is hidden. Its places are offsets in `text`.
struct Whole<'p, 'a> {
    patch: Patch<'p, 'a>,
    text: &'p [u8],
    of: Type,
    /// Where the name or number begins.
    at: u64,
    /// How much of `text` is written, once anything is.
    written: Option<usize>,
    /// What takes the place of the whole, if the first match says so.
    blank: Option<&'static [u8]>,
    /// Whether every substitute is unique.
    unique: bool,
}

impl Whole<'_, '_> {
    fn write_to(&mut self, end: usize) {
        let reel = &mut *self.patch.reel;
        let from = self.written.replace(end).unwrap_or_else(|| {
            reel.pass_to(self.at);
            reel.put(b"\"");
            0
        });
        reel.put_text(self.text.get(from..end).unwrap_or_default());
    }

    fn finish(mut self) -> Option<bool> {
        if let Some(blank) = self.blank {
            let reel = self.patch.reel;
            reel.pass_to(self.at);
            reel.put(blank);
            reel.skip_to(self.at + self.text.len() as u64);
            return None;
        }
        self.written?;
        self.write_to(self.text.len());
        Some(self.unique)
    }
}

impl Splice for Whole<'_, '_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        if self.written.is_none() {
            self.blank = self.blank.or(hiding.blank(self.of));
        }
        self.unique &= hiding.is_unique();
        self.patch.count(hiding);
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        if self.blank.is_some() {
            return;
        }
        let index = |place| usize::try_from(place).unwrap_or(usize::MAX);
        let mut substitute = Some(substitute);
        for piece in pieces {
            self.write_to(index(piece.start));
            if let Some(substitute) = substitute.take() {
                self.patch.reel.put_text(substitute);
            }
            self.written = Some(index(piece.end));
        }
    }
}
