//! What the masker does with text that detectors find.

use std::ops::Range;
use std::rc::Rc;

use super::super::detect::Found;
use super::super::fill::{begins_character, escape};
use super::super::plan::{Plan, Scope};
use super::{Pass, Staged};

/// Longest stretch of the body on the stage, in bytes. In a string that is longer, what comes later
/// loses the match alone.
const MAX_STAGED: u64 = 16 * 1024;

/// How many characters gather before detectors read them, in bytes: an escape ends a piece of text, and
/// to read many small pieces costs more than to read them together.
const BLOCK: usize = 4096;

// === Strings, while they stream by ===

impl Pass<'_> {
    /// The next characters of a string.
    pub(super) fn read(&mut self, mut decoded: &[u8], mut raw: Range<u64>, scope: Scope) {
        // A long piece, in which every byte stands for itself, is read bit by bit.
        while let Some((block, rest)) = split_block(decoded) {
            let middle = raw.start + block.len() as u64;
            self.state.text.push(block, raw.start..middle);
            self.detect(scope);
            decoded = rest;
            raw.start = middle;
        }
        self.state.text.push(decoded, raw);
        if self.state.text.unread().len() >= BLOCK {
            self.detect(scope);
        }
    }

    /// Detectors read what has gathered, and what is settled by that happens.
    pub(super) fn detect(&mut self, scope: Scope) {
        let state = &mut *self.state;
        let decided = state.scanner.push(
            &state.plan.detectors,
            scope.detectors,
            state.text.unread(),
            &mut state.found,
        );
        state.text.mark_read();
        self.hide_found(scope);
        self.state.text.decide(decided);
        self.leave_stage();
    }

    /// The string ends.
    pub(super) fn end_reading(&mut self, scope: Scope) {
        let state = &mut *self.state;
        let (detectors, active) = (&state.plan.detectors, scope.detectors);
        if state.text.is_read() {
            state
                .scanner
                .push(detectors, active, state.text.unread(), &mut state.found);
            state.scanner.finish(detectors, active, &mut state.found);
        } else {
            state
                .scanner
                .scan(detectors, active, state.text.unread(), &mut state.found);
        }
        self.hide_found(scope);
        self.state.reading = None;
    }

    /// Puts substitutes in place of what was found.
    fn hide_found(&mut self, scope: Scope) {
        if self.state.found.is_empty() {
            return;
        }
        let plan = Rc::clone(&self.state.plan);
        let mut found = std::mem::take(&mut self.state.found);
        for found in found.drain(..) {
            if self.state.reading.is_some() {
                self.hide_one(&plan, scope, found);
            }
        }
        self.state.found = found;
    }

    fn hide_one(&mut self, plan: &Plan, scope: Scope, found: Found) {
        let hiding = plan.found(found.detector, scope);
        let text = &self.state.text;
        let start = text.character_at(found.start).max(text.start());
        let end = text.character_end(found.end);
        let open = self.state.reading.as_mut().and_then(|it| it.open.take());
        let mut fill = match open {
            Some(fill) => fill,
            None => {
                self.count(hiding);
                let place = self.state.text.place(start);
                if hiding.drops()
                    && let Some(staged) = self.staged_before(place)
                {
                    self.revoke(staged);
                    return;
                }
                self.reel.pass_to(place);
                hiding.fill(self.reel.out())
            }
        };
        let text = &self.state.text;
        fill.feed(text.characters(start..end), self.reel.out());
        self.reel.skip_to(text.place(end));
        self.state.text.decide(end);
        if !found.open {
            fill.finish(self.reel.out());
        } else if let Some(reading) = &mut self.state.reading {
            reading.open = Some(fill);
        }
    }

    /// The value on the stage, if a match at `place` is early enough to drop it.
    fn staged_before(&mut self, place: u64) -> Option<Staged> {
        if self.is_beyond_stage(place) {
            self.commit();
        }
        self.state.staged
    }

    /// What is decided beyond the stage lets the value on it stay.
    fn leave_stage(&mut self) {
        if self.state.reading.is_some()
            && self.is_beyond_stage(self.state.text.place(self.state.text.start()))
        {
            self.commit();
        }
    }

    fn is_beyond_stage(&self, place: u64) -> bool {
        self.state
            .staged
            .is_some_and(|staged| place > staged.start + MAX_STAGED)
    }
}

// === Names and numbers, which are there as a whole ===

impl Pass<'_> {
    /// Masks the name of a member. A masked name gets a number, because two names that look the same
    /// afterwards must not become one; hashes differ by themselves.
    pub(super) fn mask_name(&mut self, name: &[u8], raw: Range<u64>, scope: Scope) {
        if self.state.clean_names.contains(name, scope.detectors) {
            return;
        }
        let Some(unique) = self.mask_whole(name, raw.start, scope) else {
            if self.state.swallow.is_none() {
                self.state.clean_names.insert(name, scope.detectors);
            }
            return;
        };
        if !unique {
            self.state.masked_names = self.state.masked_names.saturating_add(1);
            let number = format!("#{}", self.state.masked_names);
            self.reel.out().extend_from_slice(number.as_bytes());
        }
        self.reel.out().push(b'"');
        self.reel.skip_to(raw.end);
    }

    /// Masks a number; what it leaves is a string.
    pub(super) fn mask_number(&mut self, text: &[u8], raw: Range<u64>, scope: Scope) {
        if self.mask_whole(text, raw.start, scope).is_some() {
            self.reel.out().push(b'"');
            self.reel.skip_to(raw.end);
        }
    }

    /// Writes `text`, masked, behind an opening quote in place of what begins at `at`, and says
    /// whether every substitute is unique. `None` if nothing was found or the value was dropped.
    fn mask_whole(&mut self, text: &[u8], at: u64, scope: Scope) -> Option<bool> {
        let state = &mut *self.state;
        state.scanner.scan(
            &state.plan.detectors,
            scope.detectors,
            text,
            &mut state.found,
        );
        if state.found.is_empty() {
            return None;
        }
        let plan = Rc::clone(&self.state.plan);
        let mut found = std::mem::take(&mut self.state.found);
        let unique = self.hide_whole(&plan, text, &found, at, scope);
        found.clear();
        self.state.found = found;
        unique
    }

    fn hide_whole(
        &mut self,
        plan: &Plan,
        text: &[u8],
        found: &[Found],
        at: u64,
        scope: Scope,
    ) -> Option<bool> {
        let hidings = || found.iter().map(|found| plan.found(found.detector, scope));
        for (found, hiding) in found.iter().zip(hidings()) {
            if !found.open {
                self.count(hiding);
            }
        }
        if hidings().any(|hiding| hiding.drops())
            && let Some(staged) = self.state.staged
        {
            self.revoke(staged);
            return None;
        }
        let out = self.begin_substitute(at);
        let mut from = 0;
        let mut open = None;
        for (found, hiding) in found.iter().zip(hidings()) {
            let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            let (start, end) = (index(found.start), index(found.end));
            escape(text.get(from..start).unwrap_or_default(), out);
            let mut fill = open.take().unwrap_or_else(|| hiding.fill(out));
            fill.feed(text.get(start..end).unwrap_or_default(), out);
            if found.open {
                open = Some(fill);
            } else {
                fill.finish(out);
            }
            from = end;
        }
        escape(text.get(from..).unwrap_or_default(), out);
        Some(hidings().all(|hiding| hiding.is_unique()))
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
