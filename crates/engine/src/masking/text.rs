//! One body of text: plain text, CSV, Markdown, or markup (HTML, XML).
//!
//! The body as a whole is one strand, so only rules without paths can say anything about it. It must be
//! UTF-8, since a reader that takes the bytes for something else sees another text than the detectors.
//! In markup, character references are decoded for matching (`bob&#64;example.com`), and what stands
//! in place of a match is escaped. Tags are text like any other: a value that they split is not found.
//! Plain text may be JSON that is announced as something else; it is read as both then, as a string
//! that holds JSON is.

use std::ops::Range;
use std::rc::Rc;

use super::body::MaskError;
use super::mask::Site;
use super::plan::{Hiding, Plan, Scope};
use super::report::{ActionKind, Report, Tally, Trail};
use super::strand::{Splice, Strand};
use super::tape::{Reel, Tape};

use characters::Characters;
use references::References;

mod characters;
mod references;

#[cfg(test)]
mod tests;

/// Masks one body of text.
pub(super) struct TextMasker {
    characters: Characters,
    /// Character references are decoded: the body is markup.
    references: Option<References>,
    tape: Tape,
    strand: Strand,
    plan: Rc<Plan>,
    active: u64,
    tally: Tally,
    failed: Option<MaskError>,
}

impl TextMasker {
    /// A masker for one body.
    pub(super) fn new(plan: Rc<Plan>, active: u64, markup: bool) -> Self {
        let mut strand = Strand::default();
        strand.begin(plan.without_paths(active), 0);
        Self {
            characters: Characters::default(),
            references: markup.then(References::default),
            tape: Tape::default(),
            strand,
            plan,
            active,
            tally: Tally::default(),
            failed: None,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        self.run(chunk, false, out)
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        self.run(&[], true, out)
    }

    pub(super) fn report(&self) -> &Report {
        self.tally.report()
    }

    fn run(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (plan, strand) = (&self.plan, &mut self.strand);
        let mut patch = Patch {
            plan,
            active: self.active,
            tally: &mut self.tally,
            reel: self.tape.load(chunk, self.characters.offset(), out),
            markup: self.references.is_some(),
        };
        let mut read = |text: &[u8], raw: Range<u64>| strand.push(plan, text, raw, &mut patch);
        let mut result = match &mut self.references {
            None => self.characters.push(chunk, |text, raw| {
                read(text, raw);
                Ok(())
            }),
            Some(references) => self
                .characters
                .push(chunk, |text, raw| references.push(text, raw, &mut read)),
        };
        if last && result.is_ok() {
            result = self.characters.finish();
            if let Some(references) = &mut self.references {
                references.finish(&mut read);
            }
        }
        self.failed = result.err();
        if last && result.is_ok() {
            strand.end(plan, &mut patch);
        } else {
            strand.settle(plan, &mut patch);
        }
        let references = self.references.as_ref();
        let hold = [
            strand.held_from(),
            references.and_then(References::unfinished),
        ];
        let hold = hold.into_iter().flatten();
        patch
            .reel
            .unload(hold.fold(self.characters.decoded(), u64::min));
        result
    }
}

/// Rewrites the bytes of a text.
struct Patch<'p, 'a> {
    plan: &'p Rc<Plan>,
    active: u64,
    tally: &'p mut Tally,
    reel: Reel<'a>,
    markup: bool,
}

impl Splice for Patch<'_, '_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        let root = Trail::default();
        self.tally
            .count(self.plan, &root, hiding.what, hiding.kind());
    }

    fn count_inside(&mut self, trail: &Trail, what: &str, action: ActionKind) {
        self.tally.count(self.plan, trail, what, action);
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let mut substitute = Some(substitute);
        for piece in pieces {
            self.reel.pass_to(piece.start);
            match substitute.take() {
                Some(substitute) if self.markup => {
                    references::escape(substitute, |bytes| self.reel.put(bytes));
                }
                Some(substitute) => self.reel.put(substitute),
                None => {}
            }
            self.reel.skip_to(piece.end);
        }
    }

    fn nest(&self, scope: Scope) -> Option<Site> {
        (!self.markup).then(|| Site {
            plan: Rc::clone(self.plan),
            everywhere: scope,
            cursor: self.plan.cursor(self.active),
            trail: Trail::default(),
            drops: self.plan.may_drop(self.active),
            named: scope.named,
            depth: 1,
        })
    }
}
