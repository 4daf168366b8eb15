//! One JSON body, masked while it streams by.
//!
//! The tokenizer says what stands where, the cursor which rules hold there, and the tape moves the
//! bytes. What happens to a value is settled at the first byte at which it can be:
//!
//! - A value that a rule on *fields* names is replaced as a whole: its substitute is begun at its first
//!   byte, and the value is *swallowed* to its end, still checked to be JSON. Of several such rules the
//!   first of the policy counts. Detectors are not asked any more.
//! - Text in strings, numbers and names is replaced where a detector finds something: each is a strand.
//! - A member or element that is *dropped* takes one comma with it, so a comma waits until its
//!   successor is known to stay.

use std::ops::Range;
use std::rc::Rc;

use super::Report;
use super::body::MaskError;
use super::fill::Fill;
use super::json::{JsonError, MAX_DEPTH, Tokenizer};
use super::paths::Cursor;
use super::plan::{Plan, Scope};
use super::report::{Tally, Trail};
use super::strand::Strand;
use super::stream::watch::{Kind, Watch};
use super::tape::{Reel, Tape};

use clean::CleanTexts;
use names::CleanNames;

mod children;
mod clean;
mod events;
mod found;
mod names;
mod tokens;
mod whole;

/// Masks one JSON body.
pub(super) struct DocumentMasker {
    tokenizer: Tokenizer,
    tape: Tape,
    state: State,
    failed: Option<JsonError>,
}

/// What the masker knows beside the tokenizer and the tape.
#[derive(Debug)]
struct State {
    plan: Rc<Plan>,
    everywhere: Scope,
    cursor: Cursor,
    trail: Trail,
    tally: Tally,
    levels: Levels,
    /// Whether any rule drops, so that commas have to wait.
    drops: bool,
    /// The comma that waits for its successor.
    comma: Option<u64>,
    /// What holds for the member whose name was just read.
    member: Option<Scope>,
    /// That member, if its value tells whether it stays.
    deferred: Option<Deferred>,
    /// The value in hand is not shown.
    swallow: Option<Swallow>,
    /// The value in hand is a string that detectors read.
    reading: bool,
    strand: Strand,
    /// The part of a substitute that is being put in place.
    substitute: Vec<u8>,
    clean_names: CleanNames,
    clean: CleanTexts,
    /// Names that were masked so far; tells them apart.
    masked_names: u32,
    watch: Watch,
    /// The places of the table that stand for others in this event, a bit each.
    aliases: u64,
}

/// A bit per open container.
#[derive(Debug)]
struct Levels {
    depth: usize,
    /// Set once a child stays.
    kept: [u64; MAX_DEPTH / 64],
    /// Per open container: [`Scope::named`] of its place.
    named: Vec<u64>,
}

/// A member whose value tells whether it stays.
#[derive(Debug)]
struct Deferred {
    /// Its name, if it may have to be masked.
    unclean: Option<Vec<u8>>,
    raw: Range<u64>,
}

/// A value that is skipped to its end.
#[derive(Debug)]
struct Swallow {
    /// Containers open in it.
    depth: usize,
    substitute: Substitute,
}

/// What stands in place of a value that is skipped.
#[derive(Debug)]
enum Substitute {
    /// Nothing, or something that stands there already.
    Settled,
    /// A string made of the characters of the value, which is a string.
    OfText(Fill),
    /// A string made of the bytes of the value, as they came.
    OfBytes(Fill),
}

impl DocumentMasker {
    /// A masker for one body.
    pub(super) fn new(plan: Rc<Plan>, active: u64) -> Self {
        Self::of(plan, active, Kind::Document)
    }

    fn of(plan: Rc<Plan>, active: u64, kind: Kind) -> Self {
        let watch = Watch::new(Rc::clone(&plan.places), kind, plan.copies(active));
        Self {
            tokenizer: Tokenizer::default(),
            tape: Tape::default(),
            state: State {
                everywhere: plan.everywhere(active),
                cursor: plan.cursor(active),
                drops: plan.may_drop(active),
                plan,
                trail: Trail::default(),
                tally: Tally::default(),
                levels: Levels {
                    depth: 0,
                    kept: [0; MAX_DEPTH / 64],
                    named: Vec::new(),
                },
                comma: None,
                member: None,
                deferred: None,
                swallow: None,
                reading: false,
                strand: Strand::default(),
                substitute: Vec::new(),
                clean_names: CleanNames::default(),
                clean: CleanTexts::default(),
                masked_names: 0,
                watch,
                aliases: 0,
            },
            failed: None,
        }
    }

    /// Takes in the next bytes and appends to `out` what may leave now.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let base = self.tokenizer.offset();
        let mut pass = Pass {
            state: &mut self.state,
            reel: self.tape.load(chunk, base, out),
        };
        let result = self.tokenizer.push(chunk, &mut pass);
        self.failed = result.err();
        pass.unload(self.tokenizer.offset(), self.tokenizer.unfinished());
        result.map_err(MaskError::from)
    }

    /// The body is complete: appends what was held back.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let end = self.tokenizer.offset();
        let mut pass = Pass {
            state: &mut self.state,
            reel: self.tape.load(&[], end, out),
        };
        let result = self.tokenizer.finish(&mut pass);
        self.failed = result.err();
        if result.is_ok() {
            pass.unload(end, None);
        }
        result.map_err(MaskError::from)
    }

    /// What was hidden so far.
    pub(super) fn report(&self) -> &Report {
        self.state.tally.report()
    }
}

/// One chunk on its way through.
struct Pass<'a> {
    state: &'a mut State,
    reel: Reel<'a>,
}

impl Pass<'_> {
    /// The chunk is read up to `end`; `unfinished` is where the token in progress began.
    fn unload(mut self, end: u64, unfinished: Option<u64>) {
        let mut held = None;
        if self.state.reading {
            self.settle();
            held = self.state.strand.held_from();
        }
        if self.state.swallow.is_some() {
            self.swallow_to(end);
        }
        let deferred = self.state.deferred.as_ref().map(|it| it.raw.start);
        let hold = [self.state.comma, deferred, held, unfinished]
            .into_iter()
            .flatten()
            .fold(end, u64::min);
        self.reel.unload(hold);
    }
}

impl Levels {
    fn open(&mut self, named: u64) {
        self.depth += 1;
        self.named.push(named);
        self.set_kept(false);
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.named.pop();
    }

    fn named(&self) -> u64 {
        self.named.last().copied().unwrap_or(0)
    }

    /// Whether a child of the innermost container stays.
    fn kept(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        let word = self.kept.get(level / 64);
        word.is_some_and(|word| word >> (level % 64) & 1 == 1)
    }

    fn set_kept(&mut self, kept: bool) {
        let level = self.depth.saturating_sub(1);
        if let Some(word) = self.kept.get_mut(level / 64) {
            *word = *word & !(1 << (level % 64)) | u64::from(kept) << (level % 64);
        }
    }
}

#[cfg(test)]
mod tests;
