//! The candidates of one text, stepped over its bytes.
//!
//! Three loops share the work. [`Candidates::skip`] looks for a byte that may begin a match while there
//! is no candidate: most text never leaves it. [`Candidates::follow`] runs a lone candidate.
//! [`Candidates::step`] does everything else, one byte at a time. Nothing here depends on where a
//! piece of text ends, except that a candidate that the next byte will end may live for that one byte.

use super::Found;
use super::detectors::{Detectors, members};
use super::doubts::Doubts;
use super::ending::{AtPoint, Ending, record};
use super::spans::Spans;
use super::thread::{Thread, lowest};
use super::window::Window;

/// Most candidates at one time: bounds the work per byte. The built-in detectors stay below it on every
/// text but one made of `eyJeyJeyJ…`.
const MAX_THREADS: usize = 64;

/// From this many candidates on they are compared with one another now and then.
const CROWD: usize = 16;

/// What stays the same while a piece is scanned.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) detectors: &'a Detectors,
    active: u64,
    /// The detectors that need words before a match.
    pub(super) needs_context: u64,
    /// The detectors for which the text begins as if their prelude stood before it.
    opening: u64,
    pub(super) window: Window<'a>,
}

impl<'a> Run<'a> {
    /// `named` are the detectors of which a word stands in the name of the member that holds the text.
    pub(super) fn new(
        detectors: &'a Detectors,
        active: u64,
        named: u64,
        window: Window<'a>,
    ) -> Self {
        Self {
            detectors,
            active,
            needs_context: detectors.need_context() & !named,
            opening: detectors.preludes() & named & active,
            window,
        }
    }

    /// The detectors of which a word stands before `start`.
    pub(super) fn context_before(&self, start: u64) -> u64 {
        let start = self.window.index(start);
        self.detectors.words().before(self.window.bytes, start)
    }

    /// The detectors whose skeleton may begin with the byte at `index`.
    #[inline]
    fn may_begin(&self, index: usize, byte: u8) -> u64 {
        match self.detectors.triggers(byte) & self.active {
            0 => 0,
            triggered => triggered & self.detectors.may_begin_at(&self.window, index, byte),
        }
    }

    /// The same, as far as the byte after it tells too, if that is there.
    #[inline]
    fn begins(&self, index: usize, byte: u8) -> u64 {
        let begins = self.may_begin(index, byte);
        let next = self.window.bytes.get(index + 1);
        if let (1.., Some(&next)) = (begins, next) {
            let detectors = self.detectors;
            let first = detectors.first(byte);
            return begins
                & (detectors.matches(first) | detectors.live(detectors.next(first, next)));
        }
        begins
    }
}

/// The candidates of one text, and what was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    threads: Vec<Thread>,
    /// Matches that ended at the `.` before, which is a decimal point if a digit comes next.
    at_point: Vec<AtPoint>,
    /// Detectors with a candidate for which there was no room. All that it may contain is masked.
    lost: u64,
    /// The byte before is masked because of a candidate that is too long or lost.
    covered: bool,
    doubts: Doubts,
    spans: Spans,
    overflows: u64,
}

impl Candidates {
    pub(super) fn clear(&mut self) {
        self.threads.clear();
        self.at_point.clear();
        self.lost = 0;
        self.covered = false;
        self.doubts.clear();
        self.spans.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.threads.len()
    }

    pub(super) fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Scans the window from index `from` on. The offset before which no candidate begins.
    pub(super) fn run(&mut self, run: &Run<'_>, from: usize, found: &mut Vec<Found>) -> u64 {
        let bytes = run.window.bytes;
        let mut at = from;
        if run.opening != 0 && run.window.base == 0 && from == 0 && !bytes.is_empty() {
            self.open(run);
        }
        loop {
            if self.is_calm() {
                if self.threads.is_empty() {
                    at = self.skip(run, at);
                }
                if self.threads.len() == 1 {
                    at = self.follow(run, at);
                }
            }
            let Some(&byte) = bytes.get(at) else {
                break;
            };
            if !self.threads.is_empty() || !self.is_calm() {
                self.step(run, at, byte, found);
                at += 1;
            }
        }
        self.decide(run, bytes.len())
    }

    /// Ends the text where the window ends.
    pub(super) fn end(&mut self, run: &Run<'_>, found: &mut Vec<Found>) {
        let end = run.window.offset(run.window.bytes.len());
        self.settle_at_point(run, end, true);
        for thread in &mut self.threads {
            let matched = run.detectors.matches(thread.state) & thread.eligible;
            let doubts = &mut self.doubts;
            let (start, context) = (thread.start, &mut thread.context);
            record(run, &mut self.spans, doubts, start..end, matched, context);
        }
        self.doubts.settle(u64::MAX, &mut self.spans);
        self.spans.hand_out(u64::MAX, false, found);
    }

    /// Hands out what is found if no candidate begins before `decided`. How far the text is decided.
    pub(super) fn hand_out(&mut self, decided: u64, found: &mut Vec<Found>) -> u64 {
        self.spans.hand_out(decided, self.covered, found);
        self.spans.decided(decided)
    }

    /// Whether there is nothing but candidates to look after.
    fn is_calm(&self) -> bool {
        self.at_point.is_empty() && self.lost == 0 && !self.covered
    }

    /// Looks for the first candidate from `from` on. The index after its first byte.
    fn skip(&mut self, run: &Run<'_>, from: usize) -> usize {
        let bytes = run.window.bytes;
        let pairs = bytes.iter().zip(bytes.iter().skip(1));
        for (index, (&byte, &next)) in pairs.enumerate().skip(from) {
            if run.detectors.triggers_pair(byte, next) & run.active == 0 {
                continue;
            }
            let begins = run.begins(index, byte);
            if begins != 0 && self.begin(run, index, byte, begins) {
                return index + 1;
            }
        }
        if let Some(index) = bytes.len().checked_sub(1).filter(|&last| last >= from)
            && let Some(&byte) = bytes.last()
        {
            self.begin(run, index, byte, run.may_begin(index, byte));
        }
        bytes.len()
    }

    /// Steps a lone candidate until it dies or something happens that [`Candidates::step`] must see to.
    /// The index of the first byte that is not stepped over.
    fn follow(&mut self, run: &Run<'_>, from: usize) -> usize {
        let Some(thread) = self.threads.first_mut() else {
            return from;
        };
        let detectors = run.detectors;
        let eligible = thread.eligible;
        let mergeable = eligible & detectors.elder_suffices();
        let mut state = thread.state;
        let bytes = run.window.bytes;
        let limit = run.window.index(thread.deadline).min(bytes.len());
        for (index, &byte) in bytes.iter().enumerate().take(limit).skip(from) {
            let ended = detectors.matches(state) & eligible;
            let next = detectors.next(state, byte);
            let begins = run.begins(index, byte);
            let joins = begins & !mergeable == 0 && detectors.first(byte) == next;
            if ended & detectors.may_end(byte) != 0 || begins != 0 && !joins {
                thread.state = state;
                return index;
            }
            if detectors.live(next) & eligible == 0 {
                self.threads.clear();
                return index + 1;
            }
            state = next;
        }
        thread.state = state;
        limit.max(from)
    }

    /// Steps everything over one byte.
    fn step(&mut self, run: &Run<'_>, index: usize, byte: u8, found: &mut Vec<Found>) {
        let offset = run.window.offset(index);
        self.settle_at_point(run, offset, !byte.is_ascii_digit());
        let ending = Ending::new(run, index, byte);
        let mut swallowing = false;
        self.threads.retain_mut(|thread| {
            let ended = run.detectors.matches(thread.state) & thread.eligible & ending.may_end;
            if ended != 0 {
                let (start, at_point) = (thread.start, &mut self.at_point);
                let now = ending.settle(start, ended, at_point);
                let (doubts, context) = (&mut self.doubts, &mut thread.context);
                record(run, &mut self.spans, doubts, start..offset, now, context);
                thread.heed_context(run);
            }
            let lives = thread.step(run, byte, offset + 1, &mut self.spans);
            swallowing |= lives && thread.swallowing != 0;
            lives
        });
        self.cover(run, offset, byte, swallowing);
        // What is lost must not depend on whether the next byte is there already.
        let begins = if self.threads.len() < MAX_THREADS / 2 {
            run.begins(index, byte)
        } else {
            run.may_begin(index, byte)
        };
        self.begin(run, index, byte, begins);
        if self.threads.len() >= CROWD && offset.is_multiple_of(8) {
            self.merge(run.detectors);
        }
        if self.doubts.are_many() {
            self.decide(run, index + 1);
            if self.doubts.are_many() {
                self.doubts.settle(u64::MAX, &mut self.spans);
            }
        }
        if self.covered && !is_continuation(byte) {
            self.hand_out_piece(run, index, found);
        }
    }

    /// Starts the candidates that begin with the text because of the name of its member.
    fn open(&mut self, run: &Run<'_>) {
        for detector in members(run.opening) {
            let state = run.detectors.opening(detector);
            self.threads
                .push(Thread::new(run.detectors, 0, state, 1 << detector));
        }
    }

    /// Adds the matches that ended at the `.` before `end` if that is no decimal point.
    fn settle_at_point(&mut self, run: &Run<'_>, end: u64, is_match: bool) {
        for at_point in self.at_point.drain(..) {
            if is_match {
                let AtPoint { start, detectors } = at_point;
                let end = end.saturating_sub(1);
                let (spans, doubts) = (&mut self.spans, &mut self.doubts);
                record(run, spans, doubts, start..end, detectors, &mut None);
            }
        }
    }

    /// Starts a candidate for the detectors in `begins`, and one more for each that has a lead. Whether
    /// there is any candidate then.
    fn begin(&mut self, run: &Run<'_>, index: usize, byte: u8, begins: u64) -> bool {
        let leads = begins & run.detectors.leads();
        if begins != leads {
            self.push(run, index, byte, run.window.offset(index), begins & !leads);
        }
        for detector in members(leads) {
            if let Some(start) = run.detectors.lead_start(detector, &run.window, index) {
                self.push(run, index, byte, start, 1 << detector);
            }
        }
        !self.threads.is_empty()
    }

    fn push(&mut self, run: &Run<'_>, index: usize, byte: u8, start: u64, eligible: u64) {
        let detectors = run.detectors;
        let mut thread = Thread::new(detectors, start, detectors.first(byte), eligible);
        thread.leave_to(&self.threads, detectors);
        if thread.eligible == 0 {
            return;
        }
        if self.threads.len() < MAX_THREADS {
            self.threads.push(thread);
            return;
        }
        thread.look_for_context(run);
        if thread.eligible == 0 {
            return;
        }
        self.overflows += 1;
        self.lost |= thread.eligible;
        self.covered = true;
        let end = run.window.offset(index) + 1;
        self.spans.insert(start, end, lowest(thread.eligible));
    }

    /// Drops candidates whose every match an elder one covers.
    fn merge(&mut self, detectors: &Detectors) {
        for count in 1..self.threads.len() {
            if let Some((elders, [thread, ..])) = self.threads.split_at_mut_checked(count) {
                thread.leave_to(elders, detectors);
            }
        }
        self.threads
            .retain(|thread| thread.eligible | thread.swallowing != 0);
    }

    /// Masks `byte` if a candidate that is too long or lost goes on with it. What is masked ends between
    /// characters, not within one.
    fn cover(&mut self, run: &Run<'_>, offset: u64, byte: u8, swallowing: bool) {
        let within = is_continuation(byte);
        if !within {
            self.lost &= run.detectors.continues(byte);
        }
        self.covered = swallowing || self.lost != 0 || self.covered && within;
        if self.covered {
            self.spans.extend_last(offset + 1);
        }
    }

    /// Hands out what is masked before `index`, if that is enough for a piece and nothing that began
    /// before it can still become a part of it.
    fn hand_out_piece(&mut self, run: &Run<'_>, index: usize, found: &mut Vec<Found>) {
        let offset = run.window.offset(index);
        if let Some(start) = self.spans.piece_due(offset)
            && self.decide(run, index + 1) >= start
        {
            self.spans.hand_out(start, true, found);
            self.spans.hand_out_piece(offset, found);
        }
    }

    /// The same as [`Candidates::undecided`]; matches that begin before it do not wait any more.
    fn decide(&mut self, run: &Run<'_>, index: usize) -> u64 {
        let decided = self.undecided(run, index);
        self.doubts.settle(decided, &mut self.spans);
        decided
    }

    /// The offset of the first byte before `index` from which on a match may begin that is not known
    /// yet.
    fn undecided(&self, run: &Run<'_>, index: usize) -> u64 {
        let open = self.threads.iter().filter(|thread| thread.eligible != 0);
        let starts = open.map(|thread| thread.start);
        let at_point = self.at_point.iter().map(|at_point| at_point.start);
        let lead = run.detectors.earliest_lead(run.active, &run.window, index);
        starts
            .chain(at_point)
            .chain(lead)
            .fold(run.window.offset(index), u64::min)
    }
}

/// Whether `byte` stands within a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
