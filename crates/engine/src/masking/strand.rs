//! One text under detectors, wherever its characters stand.
//!
//! A text may be a string in a document, a name, a whole body, or be spread over the events of a
//! stream. Detectors see its characters decoded and folded; what is rewritten are raw bytes somewhere
//! else. A [`Strand`] keeps the two together: it is fed characters with their places, asks the
//! detectors, and tells a [`Splice`] which bytes go and what stands there instead. Matches that overlap are one, under
//! the detector that begins first; its action is that of the first rule of the policy that runs this
//! detector here. So two rules never show more than either of them.

use std::collections::VecDeque;
use std::ops::Range;

use super::detect::{Found, Scanner};
use super::fill::{Fill, begins_character};
use super::fold::{self, Fold};
use super::json::is_gap;
use super::mask::{Counted, Edit, Nested, Pending, Site};
use super::plan::{Hiding, Plan, Scope};
use super::report::{ActionKind, Trail};

mod text;

use text::Text;

/// How many characters gather before detectors read them, in bytes: an escape ends a piece of text, and
/// to read many small pieces costs more than to read them together.
const BLOCK: usize = 4096;

/// Rewrites the bytes among which the characters of a strand stand.
pub(super) trait Splice {
    /// A match begins that is hidden like this.
    fn count(&mut self, hiding: Hiding<'_>);
    /// Something is hidden at `trail`, in a document in the text. For whoever says where that stands.
    fn count_inside(&mut self, _trail: &Trail, _what: &str, _action: ActionKind) {}
    /// The characters at `pieces` go: raw ranges, ascending, at least one. `substitute`, not escaped,
    /// stands where the first of them begins.
    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]);
    /// Where a document stands that is held by a text where `scope` holds; `None` if it is to be read as
    /// text only.
    fn nest(&self, _: Scope) -> Option<Site> {
        None
    }
}

/// The first character of a text that says what it is: no white space, and none that may not be seen.
pub(super) fn first_of_text(text: &[u8]) -> Option<u8> {
    let says = |byte: &&u8| byte.is_ascii() && !is_gap(**byte);
    text.iter().find(says).copied()
}

/// Whether a text that begins with `byte`, white space aside, may be a document in its own right.
pub(super) const fn begins_document(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}

/// One text under detectors. Made to be used again for the next text.
#[derive(Debug, Default)]
pub(super) struct Strand {
    scope: Scope,
    text: Text,
    scanner: Scanner,
    found: Vec<Found>,
    /// The substitute of a match that goes on.
    open: Option<Fill>,
    /// The part of a substitute that is being put in place.
    substitute: Vec<u8>,
    /// Whether it is known if the text begins like a document.
    begun: bool,
    /// The text as a document.
    nested: Option<Box<Nested>>,
    /// The memory of an earlier one.
    spare: Option<Box<Nested>>,
    /// What was found in the text, of which the document does not know yet whether it is in an edit.
    waiting: VecDeque<Found>,
}

impl Strand {
    /// A text begins, with its first character at `raw`, where `scope` holds.
    pub(super) fn begin(&mut self, scope: Scope, raw: u64) {
        self.scope = scope;
        self.text.begin(raw);
        self.scanner.reset();
        self.scanner.in_member(scope.named);
        self.open = None;
        self.begun = false;
        self.spare = self.nested.take().or(self.spare.take());
        self.waiting.clear();
    }

    /// More characters, which stand at `raw`. The two are of one length unless it is a single character
    /// that is written in another way.
    pub(super) fn push(
        &mut self,
        plan: &Plan,
        decoded: &[u8],
        raw: Range<u64>,
        out: &mut impl Splice,
    ) {
        if decoded.is_ascii() {
            self.push_folded(plan, decoded, raw, out);
            return;
        }
        let mut before = 0;
        for part in fold::parts(decoded) {
            let place = fold::place(&raw, decoded.len(), before, part.text.len());
            before += part.text.len();
            match part.fold {
                Some(Fold::Ascii(byte)) => self.push_folded(plan, &[byte], place, out),
                Some(Fold::Nothing) if self.text.push_unseen(place.clone()) => {}
                _ => self.push_folded(plan, part.text, place, out),
            }
        }
    }

    /// The same, of characters as detectors see them.
    fn push_folded(
        &mut self,
        plan: &Plan,
        mut decoded: &[u8],
        mut raw: Range<u64>,
        out: &mut impl Splice,
    ) {
        // A long piece, in which every byte stands for itself, is read bit by bit.
        while let Some((block, rest)) = split_block(decoded) {
            let middle = raw.start + block.len() as u64;
            self.text.push(block, raw.start..middle);
            self.settle(plan, out);
            decoded = rest;
            raw.start = middle;
        }
        self.text.push(decoded, raw);
        if self.text.unread().len() >= BLOCK {
            self.settle(plan, out);
        }
    }

    /// Detectors read what has gathered, and what is decided by that happens.
    pub(super) fn settle(&mut self, plan: &Plan, out: &mut impl Splice) {
        self.look(false, out);
        let decided = self.scanner.push(
            &plan.detectors,
            self.scope.detectors,
            self.text.unread(),
            &mut self.found,
        );
        self.text.mark_read();
        self.decide(plan, decided, out);
    }

    /// The text and where it stands, if detectors have read nothing of it and will read it alone: what
    /// holds in a document depends on more than its text.
    pub(super) fn unread(&self) -> Option<(&[u8], Scope)> {
        let text = self.text.unread();
        let first = text.iter().find(|byte| !is_gap(**byte));
        let alone = first.is_none_or(|first| !begins_document(*first));
        (alone && !self.text.is_read()).then_some((text, self.scope))
    }

    /// The text ends. Whether detectors found anything since it was last read.
    pub(super) fn end(&mut self, plan: &Plan, out: &mut impl Splice) -> bool {
        self.look(true, out);
        let (detectors, active) = (&plan.detectors, self.scope.detectors);
        let (unread, found) = (self.text.unread(), &mut self.found);
        if self.text.is_read() {
            self.scanner.push(detectors, active, unread, found);
            self.scanner.finish(detectors, active, found);
        } else {
            self.scanner.scan(detectors, active, unread, found);
        }
        let any = !self.found.is_empty();
        self.decide(plan, self.text.end(), out);
        any
    }

    /// What comes is read as a document too, if it begins like one.
    #[inline]
    fn look(&mut self, last: bool, out: &impl Splice) {
        if !self.begun {
            let mut unread = self.text.unread().iter();
            if let Some(first) = unread.find(|byte| !is_gap(**byte)) {
                self.begun = true;
                if begins_document(*first)
                    && let Some(site) = out.nest(self.scope)
                {
                    self.nest(site);
                }
            }
        }
        if let Some(nested) = &mut self.nested {
            nested.read(self.text.pending(), last);
        }
    }

    /// Nothing more will be found before `decided`.
    #[inline]
    fn decide(&mut self, plan: &Plan, decided: u64, out: &mut impl Splice) {
        if let Some(nested) = self.nested.take() {
            self.nested = self.decide_nested(nested, plan, decided, out);
        } else {
            self.hide_found(plan, out);
            self.text.decide(decided);
        }
    }

    /// The same with a document in the text. Both have their say about a character before it is decided.
    fn decide_nested(
        &mut self,
        mut nested: Box<Nested>,
        plan: &Plan,
        mut decided: u64,
        out: &mut impl Splice,
    ) -> Option<Box<Nested>> {
        self.waiting.extend(self.found.drain(..));
        while let Some(&found) = self.waiting.front() {
            if self.text.character_end(found.end) > nested.decided() {
                decided = decided.min(found.start);
                break;
            }
            self.waiting.pop_front();
            self.hide_beside(&mut nested, plan, found);
        }
        let decided = decided.min(nested.decided()).min(self.text.end());
        let decided = nested.settle(self.text.character_at(decided));
        while let Some(edit) = nested.next_edit(decided) {
            self.make(plan, edit, out);
        }
        self.text.decide(decided);
        if self.waiting.is_empty() && nested.is_over(decided) {
            self.spare = Some(nested);
            return None;
        }
        Some(nested)
    }

    fn nest(&mut self, site: Site) {
        let at = self.text.read();
        self.nested = Some(match self.spare.take() {
            None => Box::new(Nested::begin(site, at)),
            Some(mut spare) => {
                spare.begin_again(site, at);
                spare
            }
        });
    }

    /// Hides what was found in the text and is not hidden in the document.
    fn hide_beside(&mut self, nested: &mut Nested, plan: &Plan, found: Found) {
        let (start, end) = self.characters_of(found);
        if start == end && found.start < start && self.open.is_none() {
            return;
        }
        self.substitute.clear();
        let mut counted = None;
        let fill = match self.open.take() {
            Some(fill) => fill,
            // What the document says stands there already.
            None if nested.has_edit(start..end) => Fill::Written,
            None => {
                let hiding = plan.found(found.detector, self.scope);
                counted = Some(Counted::Here(found.detector));
                hiding.fill(&mut self.substitute)
            }
        };
        self.substitute(fill, start..end, found.open);
        nested.hide(start..end, &self.substitute, counted);
    }

    /// Writes what stands in place of these characters; more of them follow if it is `open`.
    fn substitute(&mut self, mut fill: Fill, characters: Range<u64>, open: bool) {
        fill.feed(self.text.characters(characters), &mut self.substitute);
        if open {
            self.open = Some(fill);
        } else {
            fill.finish(&mut self.substitute);
        }
    }

    fn make(&self, plan: &Plan, edit: Edit, out: &mut impl Splice) {
        for counted in &edit.counted {
            match counted {
                Counted::Here(detector) => out.count(plan.found(*detector, self.scope)),
                Counted::Inside(trail, what, action) => out.count_inside(trail, what, *action),
            }
        }
        out.hide(self.text.pieces(edit.range), &edit.text);
    }

    /// The text may be at its end: what is held is decided as though it were. Should it go on, and a
    /// match with it that began before, what comes of that is hidden.
    pub(super) fn pause(&mut self, plan: &Plan, out: &mut impl Splice) {
        self.settle(plan, out);
        if self.held_from().is_none() && self.open.is_none() {
            return;
        }
        let mut scanner = self.scanner.clone();
        scanner.finish(&plan.detectors, self.scope.detectors, &mut self.found);
        self.look(true, out);
        self.decide(plan, self.text.end(), out);
    }

    /// What is held is hidden, whatever it is. Should a match go on that began before, what comes of it
    /// is hidden, too.
    pub(super) fn give_up(&mut self, plan: &Plan, out: &mut impl Splice) {
        self.settle(plan, out);
        let (start, end) = (self.text.start(), self.text.end());
        if start < end {
            let hiding = plan.held();
            out.count(hiding);
            out.hide(self.text.pieces(start..end), hiding.text());
            self.waiting.clear();
            if let Some(nested) = &mut self.nested {
                nested.give_up(end);
            }
            self.text.decide(end);
        }
    }

    /// Where the first character stands whose fate is open.
    pub(super) fn held_from(&self) -> Option<u64> {
        let start = self.text.start();
        (start < self.text.end()).then(|| self.text.place(start))
    }

    /// Puts substitutes in place of what was found.
    fn hide_found(&mut self, plan: &Plan, out: &mut impl Splice) {
        if self.found.is_empty() {
            return;
        }
        let mut found = std::mem::take(&mut self.found);
        for found in found.drain(..) {
            self.hide(plan, found, out);
        }
        self.found = found;
    }

    /// The whole characters of a find that are not decided yet.
    fn characters_of(&self, found: Found) -> (u64, u64) {
        let start = self.text.character_at(found.start).max(self.text.start());
        (start, self.text.character_end(found.end).max(start))
    }

    fn hide(&mut self, plan: &Plan, found: Found, out: &mut impl Splice) {
        let (start, end) = self.characters_of(found);
        // What was given up or let go before has its fate.
        if start == end && found.start < start && self.open.is_none() {
            return;
        }
        self.substitute.clear();
        let fill = match self.open.take() {
            Some(fill) => fill,
            None => {
                let hiding = plan.found(found.detector, self.scope);
                out.count(hiding);
                hiding.fill(&mut self.substitute)
            }
        };
        self.substitute(fill, start..end, found.open);
        out.hide(self.text.pieces(start..end), &self.substitute);
        self.text.decide(end);
    }
}

/// Splits a block of whole characters off a longer text.
fn split_block(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.len() <= BLOCK {
        return None;
    }
    let head = text.get(..=BLOCK)?;
    let end = head.iter().rposition(|&byte| begins_character(byte))?;
    text.split_at_checked(end)
}
