//! Finds personal data and secrets in text that arrives in pieces.
//!
//! A detector is a *skeleton* pattern in one automaton that all detectors share, and checks in code:
//! lengths, neighbours, checksums. Each place where a pattern may begin starts a *thread*: an offset
//! and a state of the automaton. All threads step over each byte once. So the start of a match is
//! known when its end is seen, a candidate that fails its checksum hides no other, and the bytes that
//! must be held back are exactly those from the oldest thread on: what is found does not depend on how
//! the text was cut into pieces.
//!
//! - [`Detectors`] is what a bundle's detectors become once, when it is loaded.
//! - [`Scanner`] is the state of one text: start reading there.
//! - `thread` is one candidate, `window` the text that can still be looked at, `validate` holds the checks,
//!   `context` the words that a match needs, `doubts` what may have to be ignored; `spans` joins what was
//!   found. `candidates` steps the threads, `ending` decides what counts where one ends.

mod candidates;
mod context;
mod detectors;
mod doubts;
mod ending;
mod scanner;
mod spans;
mod table;
mod thread;
mod validate;
mod window;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;

pub use detectors::Detectors;
pub use scanner::Scanner;

/// A stretch of text that detectors found: one match, or matches that overlap, joined.
///
/// Offsets count the bytes of one text from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first byte.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// Index of the detector, into `DetectorSet::detectors`: of joined matches the one that begins
    /// first, of those the longest, of those the lowest index.
    pub detector: u8,
    /// The match goes on: the next `Found` begins at `end` and belongs to it. A match longer than its
    /// detector's `max_len` comes in such pieces, so that nobody needs to hold it whole.
    pub open: bool,
}
