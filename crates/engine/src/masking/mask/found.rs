//! What the masker does with text that detectors read.

use std::ops::Range;
use std::rc::Rc;

use super::super::paths::Cursor;
use super::super::plan::{Hiding, Plan, Scope, Type};
use super::super::report::{ActionKind, Trail};
use super::super::strand::{Splice, Strand, begins_document, first_of_text};
use super::super::tape::Output;
use super::nested::MAX_NESTED;
use super::{Pass, Site};

impl<O: Output> Pass<'_, O> {
    /// The strand, and what rewrites the bytes of the document for it.
    fn strand(&mut self) -> (&mut Strand, &Plan, Patch<'_, O>) {
        let state = &mut *self.state;
        let patch = Patch {
            plan: &state.plan,
            everywhere: state.everywhere,
            cursor: &state.cursor,
            trail: &state.trail,
            drops: state.drops,
            depth: state.depth,
            out: &mut self.out,
        };
        (&mut state.strand, &state.plan, patch)
    }

    /// Whether a document in a string could hold what a path names.
    pub(super) fn may_nest(&self) -> bool {
        self.state.depth < MAX_NESTED && self.state.cursor.leads_on(&self.state.plan.paths)
    }

    /// The next characters of a string that is of no interest unless it holds a document.
    pub(super) fn peek(&mut self, decoded: &[u8], raw: Range<u64>) {
        let Some(first) = first_of_text(decoded) else {
            return;
        };
        self.state.peeking = false;
        if begins_document(first) {
            self.state.strand.begin(Scope::default(), raw.start);
            self.state.reading = true;
            self.read(decoded, raw);
        }
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
            self.out.put(number.as_bytes());
        }
        self.out.put(b"\"");
        self.out.skip_to(raw.end);
    }

    /// Masks a number; what it leaves is a string, or a number that says nothing.
    pub(super) fn mask_number(&mut self, text: &[u8], raw: Range<u64>, scope: Scope) {
        if self
            .mask_whole(text, Type::Number, raw.start, scope)
            .is_some()
        {
            self.out.put(b"\"");
            self.out.skip_to(raw.end);
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
struct Patch<'p, O> {
    plan: &'p Rc<Plan>,
    everywhere: Scope,
    cursor: &'p Cursor,
    trail: &'p Trail,
    drops: bool,
    depth: u8,
    out: &'p mut O,
}

impl<O: Output> Splice for Patch<'_, O> {
    fn count(&mut self, hiding: Hiding<'_>) {
        self.out.count(self.trail, hiding.what, hiding.kind());
    }

    fn count_inside(&mut self, trail: &Trail, what: &str, action: ActionKind) {
        self.out.count(trail, what, action);
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let mut substitute = Some(substitute);
        for piece in pieces {
            self.out.pass_to(piece.start);
            if let Some(substitute) = substitute.take() {
                self.out.put_text(substitute);
            }
            self.out.skip_to(piece.end);
        }
    }

    fn nest(&self, scope: Scope) -> Option<Site> {
        (self.depth < MAX_NESTED).then(|| Site {
            plan: Rc::clone(self.plan),
            everywhere: self.everywhere,
            cursor: self.cursor.as_root(),
            trail: self.trail.as_root(),
            drops: self.drops,
            named: scope.named,
            depth: self.depth + 1,
        })
    }
}

/// Writes a name or number anew if something in it is hidden. Its places are offsets in `text`.
struct Whole<'p, O> {
    patch: Patch<'p, O>,
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

impl<O: Output> Whole<'_, O> {
    fn write_to(&mut self, end: usize) {
        let out = &mut *self.patch.out;
        let from = self.written.replace(end).unwrap_or_else(|| {
            out.pass_to(self.at);
            out.put(b"\"");
            0
        });
        out.put_text(self.text.get(from..end).unwrap_or_default());
    }

    fn finish(mut self) -> Option<bool> {
        if let Some(blank) = self.blank {
            let out = self.patch.out;
            out.pass_to(self.at);
            out.put(blank);
            out.skip_to(self.at + self.text.len() as u64);
            return None;
        }
        self.written?;
        self.write_to(self.text.len());
        Some(self.unique)
    }
}

impl<O: Output> Splice for Whole<'_, O> {
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
                self.patch.out.put_text(substitute);
            }
            self.written = Some(index(piece.end));
        }
    }
}
