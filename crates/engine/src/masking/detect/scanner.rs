//! The state of one text while detectors run over it.

use super::Found;
use super::candidates::{Candidates, Run};
use super::detectors::Detectors;
use super::window::{CONTEXT, Window};

/// How much of a new piece is joined at a time to what is held of the last.
const JOIN: usize = 512;

/// The state of one text while detectors run over it.
///
/// Memory is bounded whatever the text is. A scanner is made to be used again for the next text:
/// [`Scanner::finish`] leaves it as new, without giving its memory back.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    candidates: Candidates,
    /// Text that may still be looked at.
    held: Vec<u8>,
    /// The offset of its first byte.
    held_base: u64,
    /// How many bytes the text has so far.
    position: u64,
    /// How much of it is decided.
    decided: u64,
    /// The detectors of which a word stands in the name of the member that holds the text.
    named: u64,
}

impl Scanner {
    /// A scanner at the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the text.
    pub fn reset(&mut self) {
        self.candidates.clear();
        self.held.clear();
        self.held_base = 0;
        self.position = 0;
        self.decided = 0;
        self.named = 0;
    }

    /// The text that begins now stands in a member whose name has words of these detectors:
    /// [`Detectors::context_in`].
    pub fn in_member(&mut self, named: u64) {
        self.named = named;
    }

    /// Feeds the next piece of the text, of any length.
    ///
    /// Bit `i` of `active` switches detector `i` on; it must not change within a text. Appends to
    /// `found` what is decided, in order, never overlapping. Returns the offset before which every
    /// byte is decided: bytes before it that are in no `Found` may leave, bytes from it on must be
    /// held back.
    pub fn push(
        &mut self,
        detectors: &Detectors,
        active: u64,
        piece: &[u8],
        found: &mut Vec<Found>,
    ) -> u64 {
        if piece.is_empty() {
            return self.decided;
        }
        let base = self.position;
        self.position += piece.len() as u64;
        let mut decided = base;
        let mut done = 0;
        for block in piece.chunks(JOIN) {
            if self.held.is_empty() {
                break;
            }
            done += block.len();
            decided = self.join(detectors, active, block, found);
            if done < piece.len() && decided >= base + CONTEXT as u64 {
                // The rest can be scanned where it is.
                self.held.clear();
            }
        }
        if self.held.is_empty() {
            let window = Window { base, bytes: piece };
            let run = Run::new(detectors, active, self.named, window);
            decided = self.candidates.run(&run, done, found);
            let keep = window.index(decided.saturating_sub(CONTEXT as u64));
            self.held.extend(piece.iter().skip(keep));
            self.held_base = window.offset(keep);
        }
        self.decided = self.candidates.hand_out(decided, found);
        self.decided
    }

    /// Ends the text: appends what was not decided yet. The scanner is as new after it.
    pub fn finish(&mut self, detectors: &Detectors, active: u64, found: &mut Vec<Found>) {
        let window = Window {
            base: self.held_base,
            bytes: &self.held,
        };
        self.candidates
            .end(&Run::new(detectors, active, self.named, window), found);
        self.reset();
    }

    /// Feeds a text that is there as a whole, to a scanner at the beginning of one: [`Scanner::push`] and [`Scanner::finish`] in one, without
    /// a copy of what would have to be held.
    pub fn scan(
        &mut self,
        detectors: &Detectors,
        active: u64,
        text: &[u8],
        found: &mut Vec<Found>,
    ) {
        let window = Window {
            base: 0,
            bytes: text,
        };
        let run = Run::new(detectors, active, self.named, window);
        self.candidates.run(&run, 0, found);
        self.candidates.end(&run, found);
        self.reset();
    }

    /// How many candidates live.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// How many bytes of the text are kept in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many candidates were masked unseen because there were too many at one time, since the
    /// scanner was made.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.candidates.overflows()
    }

    /// Scans `block` behind what is held and lets go what is not needed any more. The offset before
    /// which no candidate begins.
    fn join(
        &mut self,
        detectors: &Detectors,
        active: u64,
        block: &[u8],
        found: &mut Vec<Found>,
    ) -> u64 {
        let from = self.held.len();
        self.held.extend_from_slice(block);
        let window = Window {
            base: self.held_base,
            bytes: &self.held,
        };
        let run = Run::new(detectors, active, self.named, window);
        let decided = self.candidates.run(&run, from, found);
        let drop = window
            .index(decided.saturating_sub(CONTEXT as u64))
            .min(self.held.len());
        self.held_base += drop as u64;
        self.held.drain(..drop);
        decided
    }
}
