//! The bytes of the body on their way out.
//!
//! A masker decides about stretches of the body in order: pass, skip, put something else there. It
//! decides lazily, so that what nobody touches is copied in one piece, from the chunk in which it came.
//! Bytes that a chunk leaves undecided are kept.

use super::fill::escape;
use super::plan::Plan;
use super::report::{ActionKind, Tally, Trail};

/// Where a masked document goes, and what is counted on its way. Places ascend.
pub(super) trait Output {
    /// The bytes before offset `at` that are not decided yet pass.
    fn pass_to(&mut self, at: u64);
    /// The bytes before offset `at` that are not decided yet do not pass.
    fn skip_to(&mut self, at: u64);
    /// As [`Output::skip_to`], but shows the bytes.
    fn read_to(&mut self, at: u64, read: impl FnMut(&[u8]));
    /// Puts something in place of bytes that are skipped.
    fn put(&mut self, bytes: &[u8]);
    /// Puts text there, as the inside of a JSON string.
    fn put_text(&mut self, text: &[u8]);
    /// How many bytes have been written so far.
    fn written(&self) -> u64;
    /// Something is hidden at the end of `trail`.
    fn count(&mut self, trail: &Trail, what: &str, action: ActionKind);
}

/// The body itself.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tally: &'a mut Tally,
    pub(super) reel: Reel<'a>,
}

impl Output for Sheet<'_> {
    #[inline]
    fn pass_to(&mut self, at: u64) {
        self.reel.pass_to(at);
    }

    #[inline]
    fn skip_to(&mut self, at: u64) {
        self.reel.skip_to(at);
    }

    fn read_to(&mut self, at: u64, read: impl FnMut(&[u8])) {
        self.reel.read_to(at, read);
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.reel.put(bytes);
    }

    #[inline]
    fn put_text(&mut self, text: &[u8]) {
        self.reel.put_text(text);
    }

    fn written(&self) -> u64 {
        self.reel.written()
    }

    fn count(&mut self, trail: &Trail, what: &str, action: ActionKind) {
        self.tally.count(self.plan, trail, what, action);
    }
}

/// What is kept from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Tape {
    /// Every byte of the body before this offset is decided.
    decided: u64,
    /// The bytes from `decided` to the beginning of the chunk in hand, after `taken` others.
    held: Vec<u8>,
    taken: usize,
}

/// A tape with a chunk in hand.
#[derive(Debug)]
pub(super) struct Reel<'a> {
    tape: &'a mut Tape,
    chunk: &'a [u8],
    /// Offset of the chunk in the body.
    base: u64,
    out: &'a mut Vec<u8>,
}

impl Tape {
    /// Another body begins, whatever is held of this one.
    pub(super) fn rewind(&mut self) {
        self.decided = 0;
        self.held.clear();
        self.taken = 0;
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Puts in the chunk that begins at offset `base` of the body; what is decided goes to `out`.
    pub(super) fn load<'a>(
        &'a mut self,
        chunk: &'a [u8],
        base: u64,
        out: &'a mut Vec<u8>,
    ) -> Reel<'a> {
        Reel {
            tape: self,
            chunk,
            base,
            out,
        }
    }
}

impl Reel<'_> {
    /// The bytes before offset `at` that are not decided yet pass.
    pub(super) fn pass_to(&mut self, at: u64) {
        let Some((held, fresh)) = self.take(at) else {
            return;
        };
        self.out
            .extend_from_slice(self.tape.held.get(held).unwrap_or_default());
        self.out
            .extend_from_slice(self.chunk.get(fresh).unwrap_or_default());
    }

    /// The bytes before offset `at` that are not decided yet do not pass.
    pub(super) fn skip_to(&mut self, at: u64) {
        let _ = self.take(at);
    }

    /// As [`Reel::skip_to`], but shows the bytes.
    pub(super) fn read_to(&mut self, at: u64, mut read: impl FnMut(&[u8])) {
        if let Some((held, fresh)) = self.take(at) {
            read(self.tape.held.get(held).unwrap_or_default());
            read(self.chunk.get(fresh).unwrap_or_default());
        }
    }

    /// Decides the bytes before `at`: which of those that were held, and which of the chunk.
    fn take(&mut self, at: u64) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let start = self.tape.decided;
        if at <= start {
            return None;
        }
        self.tape.decided = at;
        let within = |offset: u64| usize::try_from(offset.saturating_sub(self.base)).unwrap_or(0);
        let fresh = within(start)..within(at);
        let held = self.tape.taken;
        let old = at.min(self.base).saturating_sub(start);
        self.tape.taken += usize::try_from(old).unwrap_or(0);
        Some((held..self.tape.taken, fresh))
    }

    /// How much has come out, by where it goes.
    pub(super) fn written(&self) -> u64 {
        self.out.len() as u64
    }

    /// Puts something in place of bytes that are skipped.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Puts text there, as the inside of a JSON string.
    pub(super) fn put_text(&mut self, text: &[u8]) {
        escape(text, self.out);
    }

    /// Takes the chunk out: what is undecided before `hold` passes, the rest is kept.
    pub(super) fn unload(mut self, hold: u64) {
        self.pass_to(hold);
        self.tape.held.drain(..self.tape.taken);
        self.tape.taken = 0;
        let fresh = self.tape.decided.saturating_sub(self.base);
        let fresh = usize::try_from(fresh).unwrap_or(usize::MAX);
        self.tape
            .held
            .extend_from_slice(self.chunk.get(fresh..).unwrap_or_default());
    }
}
