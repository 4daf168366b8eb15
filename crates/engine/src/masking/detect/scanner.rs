//! The state of one text while detectors run over it.

use super::{Detectors, Found};

/// The state of one text while detectors run over it.
///
/// Memory is bounded whatever the text is. A scanner is made to be used again for the next text:
/// [`Scanner::finish`] leaves it as new, without giving its memory back.
#[derive(Debug, Default)]
pub struct Scanner {
    position: u64,
}

impl Scanner {
    /// A scanner at the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the text.
    pub fn reset(&mut self) {
        self.position = 0;
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
        let _ = (detectors, active, found);
        self.position += piece.len() as u64;
        self.position
    }

    /// Ends the text: appends what was not decided yet. The scanner is as new after it.
    pub fn finish(&mut self, detectors: &Detectors, active: u64, found: &mut Vec<Found>) {
        let _ = (detectors, active, found);
        self.reset();
    }

    /// Feeds a text that is there as a whole: [`Scanner::push`] and [`Scanner::finish`] in one, without
    /// copying what would have to be held.
    pub fn scan(
        &mut self,
        detectors: &Detectors,
        active: u64,
        text: &[u8],
        found: &mut Vec<Found>,
    ) {
        self.push(detectors, active, text, found);
        self.finish(detectors, active, found);
    }
}
