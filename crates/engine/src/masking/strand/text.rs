//! The characters of a strand that are not decided yet, and where they stand.
//!
//! Detectors name what they find by offsets in the decoded text; what is rewritten are raw bytes. Both
//! are few: what is held back is what may still be part of a match.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Pending, begins_character};

/// Most characters in a row that are not seen. More of them are: what is held back must have an end.
const MAX_UNSEEN: u32 = 32;

/// Neighbouring characters: each byte stands for itself, or one character is written in another way, or
/// characters that are not seen stand for nothing.
#[derive(Clone, Debug)]
struct Stretch {
    decoded: Range<u64>,
    raw: Range<u64>,
}

impl Stretch {
    /// Where those of its characters stand that lie in `range`.
    fn raw_of(&self, range: &Range<u64>) -> Range<u64> {
        let length = |range: &Range<u64>| range.end - range.start;
        if length(&self.decoded) != length(&self.raw) {
            return self.raw.clone();
        }
        let before = range.start.saturating_sub(self.decoded.start);
        let after = self.decoded.end.saturating_sub(range.end);
        self.raw.start + before..self.raw.end - after
    }
}

/// The characters of one text that are not decided yet.
#[derive(Debug, Default)]
pub(super) struct Text {
    pending: Vec<u8>,
    /// Offset in the text of the first pending character.
    start: u64,
    /// Offset of the first character that no detector has read.
    read: u64,
    /// Where the pending characters stand, and where the last of all ended.
    stretches: VecDeque<Stretch>,
    raw_end: u64,
    /// How many of the last characters are not seen.
    unseen: u32,
}

impl Text {
    /// A new text begins, with its first character at `raw`.
    pub(super) fn begin(&mut self, raw: u64) {
        self.pending.clear();
        self.stretches.clear();
        self.start = 0;
        self.read = 0;
        self.raw_end = raw;
        self.unseen = 0;
    }

    /// Offset of the first character that is not decided.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Offset after the last character.
    pub(super) fn end(&self) -> u64 {
        self.start + self.pending.len() as u64
    }

    /// More characters came.
    pub(super) fn push(&mut self, decoded: &[u8], raw: Range<u64>) {
        let start = self.end();
        self.pending.extend_from_slice(decoded);
        self.raw_end = raw.end;
        self.unseen = 0;
        self.stretches.push_back(Stretch {
            decoded: start..self.end(),
            raw,
        });
    }

    /// A character came that detectors do not see; `false` if it must be seen after all.
    pub(super) fn push_unseen(&mut self, raw: Range<u64>) -> bool {
        if self.unseen == MAX_UNSEEN {
            return false;
        }
        self.unseen += 1;
        self.raw_end = raw.end;
        let at = self.end();
        self.stretches.push_back(Stretch {
            decoded: at..at,
            raw,
        });
        true
    }

    /// The characters that are not decided.
    pub(super) fn pending(&self) -> Pending<'_> {
        Pending {
            text: &self.pending,
            start: self.start,
        }
    }

    /// Offset of the first character that no detector has read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// The characters that no detector has read.
    pub(super) fn unread(&self) -> &[u8] {
        self.pending
            .get(self.index(self.read)..)
            .unwrap_or_default()
    }

    /// Whether detectors have read any.
    pub(super) fn is_read(&self) -> bool {
        self.read > 0
    }

    /// Detectors have read all.
    pub(super) fn mark_read(&mut self) {
        self.read = self.end();
    }

    /// The characters that end at or before `offset` are decided.
    pub(super) fn decide(&mut self, offset: u64) {
        let offset = self.character_at(offset);
        self.pending.drain(..self.index(offset));
        self.start = offset;
        let decided = self
            .stretches
            .iter()
            .take_while(|stretch| stretch.decoded.end <= offset);
        let decided = decided.count();
        self.stretches.drain(..decided);
    }

    fn index(&self, offset: u64) -> usize {
        let index = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        index.min(self.pending.len())
    }

    /// The beginning of the character that `offset` lies in.
    pub(super) fn character_at(&self, offset: u64) -> u64 {
        let before = self.pending.get(..=self.index(offset));
        let Some(bytes) = before else {
            return self.end();
        };
        let inside = bytes
            .iter()
            .rev()
            .take_while(|&&byte| !begins_character(byte));
        self.start + (self.index(offset) - inside.count()) as u64
    }

    /// The end of the character that `offset` lies in; `offset` itself between two characters.
    pub(super) fn character_end(&self, offset: u64) -> u64 {
        let after = self.pending.get(self.index(offset)..).unwrap_or_default();
        let inside = after.iter().take_while(|&&byte| !begins_character(byte));
        self.start + (self.index(offset) + inside.count()) as u64
    }

    /// The pending characters in that range.
    pub(super) fn characters(&self, range: Range<u64>) -> &[u8] {
        self.pending
            .get(self.index(range.start)..self.index(range.end))
            .unwrap_or_default()
    }

    /// Where the character at `offset` stands.
    pub(super) fn place(&self, offset: u64) -> u64 {
        let stretch = self
            .stretches
            .iter()
            .find(|stretch| offset < stretch.decoded.end);
        stretch.map_or(self.raw_end, |stretch| {
            stretch.raw.start + offset.saturating_sub(stretch.decoded.start)
        })
    }

    /// Where the characters in that range stand: at least one piece, which may be empty. Pieces that
    /// touch are one.
    pub(super) fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let place = self.place(range.start);
        let first = range.is_empty().then_some(place..place);
        let (start, end) = (range.start, range.end);
        let overlaps =
            move |stretch: &&Stretch| stretch.decoded.start < end && stretch.decoded.end > start;
        let stretches = self.stretches.iter().filter(overlaps);
        let mut pieces = stretches
            .map(move |stretch| stretch.raw_of(&range))
            .peekable();
        first.into_iter().chain(std::iter::from_fn(move || {
            let mut piece = pieces.next()?;
            while let Some(next) = pieces.next_if(|next| next.start == piece.end) {
                piece.end = next.end;
            }
            Some(piece)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `aé` plain, then `\n`, then `b`, beginning at offset 10 of the body.
    fn sample() -> Text {
        let mut text = Text::default();
        text.begin(10);
        text.push("a\u{e9}".as_bytes(), 10..13);
        text.push(b"\n", 13..15);
        text.push(b"b", 15..16);
        text
    }

    #[test]
    fn characters_lead_back_to_their_place() {
        let text = sample();
        let places: Vec<u64> = [0, 1, 3, 4, 5].map(|offset| text.place(offset)).into();
        assert_eq!(places, [10, 11, 13, 15, 16]);
        assert_eq!(text.characters(1..4), "\u{e9}\n".as_bytes());
    }

    fn ends(pieces: impl Iterator<Item = Range<u64>>) -> Vec<(u64, u64)> {
        pieces.map(|piece| (piece.start, piece.end)).collect()
    }

    #[test]
    fn a_range_of_characters_stands_in_pieces() {
        let pieces = |text: &Text, range| ends(text.pieces(range));
        let mut text = sample();
        assert_eq!(pieces(&text, 0..5), [(10, 16)]);
        assert_eq!(pieces(&text, 3..4), [(13, 15)]);
        assert_eq!(pieces(&text, 4..4), [(15, 15)]);
        // What comes in another event stands elsewhere.
        text.push(b"cde", 40..43);
        assert_eq!(pieces(&text, 1..7), [(11, 16), (40, 42)]);
        assert_eq!(pieces(&text, 8..8), [(43, 43)]);
    }

    #[test]
    fn what_is_not_seen_belongs_to_what_stands_around_it() {
        let mut text = Text::default();
        text.begin(0);
        text.push(b"ab", 0..2);
        assert!(text.push_unseen(2..5) && text.push_unseen(5..8));
        text.push(b"cd", 8..10);
        let pieces = |range| ends(text.pieces(range));
        assert_eq!(pieces(0..4), [(0, 10)]);
        assert_eq!(pieces(1..3), [(1, 9)]);
        assert_eq!(pieces(0..2), [(0, 2)]);
        assert_eq!(pieces(2..4), [(8, 10)]);
    }

    #[test]
    fn characters_that_are_not_seen_are_seen_if_they_are_too_many() {
        let mut text = Text::default();
        text.begin(0);
        for _ in 0..2 {
            assert!((0..MAX_UNSEEN).all(|_| text.push_unseen(0..0)));
            assert!(!text.push_unseen(0..0));
            text.push(b"x", 0..1);
        }
    }

    #[test]
    fn what_is_decided_is_forgotten_and_the_rest_keeps_its_place() {
        for decided in 0..=5 {
            let mut text = sample();
            text.decide(decided);
            // The second byte of é cannot be decided without the first.
            let start = if decided == 2 { 1 } else { decided };
            assert_eq!(text.start(), start);
            assert_eq!(text.end(), 5);
            assert_eq!(text.place(4), if decided == 5 { 16 } else { 15 });
        }
    }

    #[test]
    fn detectors_read_every_character_once() {
        let mut text = sample();
        assert!(!text.is_read());
        assert_eq!(text.unread(), "a\u{e9}\nb".as_bytes());
        text.mark_read();
        text.decide(4);
        text.push(b"c", 16..17);
        assert_eq!(text.unread(), b"c");
        assert_eq!(text.characters(4..6), b"bc");
    }

    #[test]
    fn offsets_inside_a_character_are_moved_to_its_ends() {
        let text = sample();
        assert_eq!(text.character_at(2), 1);
        assert_eq!(text.character_end(2), 3);
        assert_eq!(text.character_at(3), 3);
        assert_eq!(text.character_end(3), 3);
        assert_eq!(text.character_at(5), 5);
        assert_eq!(text.character_end(5), 5);
    }
}
