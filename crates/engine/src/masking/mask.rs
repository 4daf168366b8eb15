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
//! - A string that holds JSON is read once more, as a document in the document: see `nested`.

use std::ops::Range;
use std::rc::Rc;

use super::Report;
use super::body::MaskError;
use super::fill::Fill;
use super::json::{MAX_DEPTH, Tokenizer};
use super::paths::Cursor;
use super::plan::{Plan, Scope};
use super::report::{Tally, Trail};
use super::strand::Strand;
use super::stream::watch::{Kind, Watch};
use super::tape::{Output, Sheet, Tape};

use clean::CleanTexts;
use names::CleanNames;
pub(super) use nested::{Counted, Edit, Nested, Pending};

mod children;
mod clean;
mod events;
mod found;
mod names;
mod nested;
mod tokens;
mod whole;

/// Masks one JSON body.
pub(super) struct DocumentMasker {
    tokenizer: Tokenizer,
    tape: Tape,
    plan: Rc<Plan>,
    tally: Tally,
    state: State,
    failed: Option<MaskError>,
}

/// What the masker knows beside the tokenizer and the tape.
#[derive(Debug)]
struct State {
    plan: Rc<Plan>,
    everywhere: Scope,
    cursor: Cursor,
    trail: Trail,
    levels: Levels,
    /// How many documents this one is nested in.
    depth: u8,
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
    /// The value in hand is a string that no detector reads, but paths lead on into it: does it hold a
    /// document?
    peeking: bool,
    /// The value in hand is a string that is read.
    reading: bool,
    strand: Strand,
    /// The part of a substitute that is being put in place.
    substitute: Vec<u8>,
    clean_names: CleanNames,
    clean: CleanTexts,
    /// Names that were masked so far; tells them apart.
    masked_names: u32,
    watch: Watch,
    /// It is a list of events, and not to be masked as a document.
    listed: bool,
    /// The places of the table that stand for others in this event, a bit each.
    aliases: u64,
}

/// Where a document stands, and what holds there.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) plan: Rc<Plan>,
    pub(super) everywhere: Scope,
    pub(super) cursor: Cursor,
    pub(super) trail: Trail,
    /// Whether any rule drops.
    pub(super) drops: bool,
    /// [`Scope::named`] of the text that it is.
    pub(super) named: u64,
    /// How many documents it is nested in.
    pub(super) depth: u8,
}

impl State {
    fn new(site: Site, watch: Watch) -> Self {
        let Site {
            plan,
            everywhere,
            cursor,
            trail,
            drops,
            named,
            depth,
        } = site;
        Self {
            plan,
            everywhere,
            cursor,
            trail,
            levels: Levels {
                depth: 0,
                kept: [0; MAX_DEPTH / 64],
                named: vec![named],
            },
            depth,
            drops,
            comma: None,
            member: None,
            deferred: None,
            swallow: None,
            peeking: false,
            reading: false,
            strand: Strand::default(),
            substitute: Vec::new(),
            clean_names: CleanNames::default(),
            clean: CleanTexts::default(),
            masked_names: 0,
            watch,
            listed: false,
            aliases: 0,
        }
    }

    /// Another document begins, under the same plan.
    fn begin_again(&mut self, site: Site) {
        self.everywhere = site.everywhere;
        self.cursor = site.cursor;
        self.trail = site.trail;
        self.levels.depth = 0;
        self.levels.named.clear();
        self.levels.named.push(site.named);
        self.depth = site.depth;
        self.drops = site.drops;
        self.comma = None;
        self.member = None;
        self.deferred = None;
        self.swallow = None;
        self.peeking = false;
        self.reading = false;
        self.masked_names = 0;
        self.listed = false;
        self.watch.begin();
    }
}

/// A bit per open container.
#[derive(Debug)]
struct Levels {
    depth: usize,
    /// Set once a child stays.
    kept: [u64; MAX_DEPTH / 64],
    /// Per open container, and before them for the document: [`Scope::named`] of its place.
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
        let site = Site {
            everywhere: plan.everywhere(active),
            cursor: plan.cursor(active),
            drops: plan.may_drop(active),
            plan: Rc::clone(&plan),
            trail: Trail::default(),
            named: 0,
            depth: 0,
        };
        Self {
            tokenizer: Tokenizer::default(),
            tape: Tape::default(),
            state: State::new(site, watch),
            plan,
            tally: Tally::default(),
            failed: None,
        }
    }

    /// Takes in the next bytes and appends to `out` what may leave now.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let base = self.tokenizer.offset();
        let mut pass = Pass {
            state: &mut self.state,
            out: Sheet {
                plan: &self.plan,
                tally: &mut self.tally,
                reel: self.tape.load(chunk, base, out),
            },
        };
        let mut result = self
            .tokenizer
            .push(chunk, &mut pass)
            .map_err(MaskError::from);
        if pass.state.listed {
            result = Err(MaskError::Listed);
        }
        self.failed = result.err();
        let hold = pass.hold(self.tokenizer.offset(), self.tokenizer.unfinished());
        pass.out.reel.unload(hold);
        result
    }

    /// The body is complete: appends what was held back.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let end = self.tokenizer.offset();
        let mut pass = Pass {
            state: &mut self.state,
            out: Sheet {
                plan: &self.plan,
                tally: &mut self.tally,
                reel: self.tape.load(&[], end, out),
            },
        };
        let result = self.tokenizer.finish(&mut pass).map_err(MaskError::from);
        self.failed = result.err();
        if result.is_ok() {
            let hold = pass.hold(end, None);
            pass.out.reel.unload(hold);
        }
        result
    }

    /// What was hidden so far.
    pub(super) fn report(&self) -> &Report {
        self.tally.report()
    }
}

/// One chunk on its way through.
struct Pass<'a, O> {
    state: &'a mut State,
    out: O,
}

impl<O: Output> Pass<'_, O> {
    /// The chunk is read up to `end`; `unfinished` is where the token in progress began. The offset
    /// before which everything is decided.
    fn hold(&mut self, end: u64, unfinished: Option<u64>) -> u64 {
        let mut held = None;
        if self.state.reading {
            self.settle();
            held = self.state.strand.held_from();
        }
        if self.state.swallow.is_some() {
            self.swallow_to(end);
        }
        let deferred = self.state.deferred.as_ref().map(|it| it.raw.start);
        [self.state.comma, deferred, held, unfinished]
            .into_iter()
            .flatten()
            .fold(end, u64::min)
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
