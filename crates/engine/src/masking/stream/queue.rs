//! Frames that wait until every text in them is decided.
//!
//! A match may begin in one frame and end in a later one, so a frame is written down as it will leave
//! but for *patches*, which may still come. Frames leave whole and in order, as soon as no text holds
//! anything in them or before them. Places are offsets in all that ever entered the queue.

use std::collections::VecDeque;
use std::ops::Range;

/// Most frames that wait.
pub(super) const MAX_FRAMES: usize = 64;
/// Most bytes that wait, unless it is a single frame.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// Frames on their way out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The bytes that have not left.
    bytes: Vec<u8>,
    /// The place of the first of them.
    base: u64,
    /// Where each frame ends that has not left.
    ends: VecDeque<u64>,
    /// What changes in them, by place.
    patches: VecDeque<Patch>,
    /// Bytes that came behind the end of a frame and belong to it.
    rests: u64,
}

/// Bytes that go, and the text that stands where they began.
#[derive(Debug)]
struct Patch {
    place: Range<u64>,
    text: Vec<u8>,
}

impl Queue {
    /// The frame in the making, behind those that wait.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The place of the byte at `index` of [`Queue::bytes`].
    pub(super) fn place(&self, index: u64) -> u64 {
        self.base + index
    }

    /// The frame in the making is made.
    pub(super) fn end_frame(&mut self) {
        self.ends.push_back(self.base + self.bytes.len() as u64);
    }

    /// Adds a byte to the last frame, or sends it after the frame if that has left.
    pub(super) fn append(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.ends.back_mut() {
            Some(end) => {
                self.bytes.push(byte);
                *end += 1;
                self.rests += 1;
            }
            None => {
                out.push(byte);
                self.base += 1;
            }
        }
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&self) -> bool {
        // Whether a CR and its LF come together does not count.
        let bytes = (self.bytes.len() as u64).saturating_sub(self.rests);
        self.ends.len() > MAX_FRAMES || self.ends.len() > 1 && bytes > MAX_BYTES
    }

    /// The bytes at `pieces` go; `text` stands where the first of those begins that have not left.
    pub(super) fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, text: &[u8]) {
        let mut text = Some(text);
        for place in pieces {
            if place.end <= self.base && place.start < self.base {
                continue;
            }
            let later = |patch: &&Patch| patch.place.start > place.start;
            let later = self.patches.iter().rev().take_while(later).count();
            let at = self.patches.len() - later;
            let text = text.take().unwrap_or_default().to_vec();
            self.patches.insert(at, Patch { place, text });
        }
    }

    /// Lets the frames go that end at or before `hold`.
    pub(super) fn release(&mut self, hold: u64, out: &mut Vec<u8>) {
        let whole = self.ends.iter().take_while(|&&end| end <= hold).count();
        let Some(&end) = whole.checked_sub(1).and_then(|last| self.ends.get(last)) else {
            return;
        };
        let index =
            |place: u64, base: u64| usize::try_from(place.saturating_sub(base)).unwrap_or(0);
        let mut from = self.base;
        while let Some(patch) = self.patches.pop_front_if(|patch| patch.place.end <= end) {
            let before = index(from, self.base)..index(patch.place.start, self.base);
            out.extend_from_slice(self.bytes.get(before).unwrap_or_default());
            out.extend_from_slice(&patch.text);
            from = from.max(patch.place.end);
        }
        let end_index = index(end, self.base);
        out.extend_from_slice(
            self.bytes
                .get(index(from, self.base)..end_index)
                .unwrap_or_default(),
        );
        self.bytes.drain(..end_index);
        self.base = end;
        self.ends.drain(..whole);
        if self.ends.is_empty() {
            self.rests = 0;
        }
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(frames: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for frame in frames {
            queue.bytes().extend_from_slice(frame.as_bytes());
            queue.end_frame();
        }
        queue
    }

    fn release(queue: &mut Queue, hold: u64) -> String {
        let mut out = Vec::new();
        queue.release(hold, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn frames_leave_whole_and_in_order() {
        let mut queue = queue(&["one ", "two ", "three "]);
        assert_eq!(release(&mut queue, 3), "");
        assert_eq!(release(&mut queue, 9), "one two ");
        assert_eq!(release(&mut queue, 9), "");
        assert_eq!(release(&mut queue, u64::MAX), "three ");
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_is_hidden_over_several_frames_stands_in_the_first() {
        let mut queue = queue(&["<abc>", "<def>", "<ghi>"]);
        queue.hide([2..4, 6..9, 11..12].into_iter(), b"X");
        assert_eq!(release(&mut queue, u64::MAX), "<aX><><hi>");
    }

    #[test]
    fn patches_may_come_in_any_order() {
        let mut queue = queue(&["<abc>", "<def>"]);
        queue.hide(std::iter::once(6..9), b"2");
        queue.hide(std::iter::once(1..3), b"1");
        queue.hide(std::iter::once(3..4), b"");
        assert_eq!(release(&mut queue, 5), "<1>");
        queue.hide([2..3, 9..9].into_iter(), b"late");
        assert_eq!(release(&mut queue, 10), "<2late>");
    }

    #[test]
    fn a_rest_follows_its_frame() {
        let mut queue = queue(&["a\r", "b\r"]);
        let mut out = Vec::new();
        queue.append(b'\n', &mut out);
        queue.release(u64::MAX, &mut out);
        queue.append(b'\n', &mut out);
        assert_eq!(out, b"a\rb\r\n\n");
    }

    #[test]
    fn a_queue_is_full_beyond_64_frames_or_64_kib() {
        assert!(!queue(&["x"; MAX_FRAMES]).is_full());
        assert!(queue(&["x"; MAX_FRAMES + 1]).is_full());
        let half = "x".repeat(MAX_BYTES as usize / 2);
        assert!(!queue(&[&half, &half]).is_full());
        assert!(queue(&[&half, &half, "x"]).is_full());
        assert!(!queue(&[&"x".repeat(200 * 1024)]).is_full());
    }
}
