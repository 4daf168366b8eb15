//! One unit of a stream, as its bytes came.

use std::ops::Range;

use crate::masking::MaskError;

/// Longest frame that is collected before it is masked, in bytes.
pub(super) const MAX_FRAME: usize = 1024 * 1024;

/// An event or a line, with all of its bytes, and what they are.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// The pieces of its payload, which a reader joins with line feeds.
    pub(super) data: Vec<Range<usize>>,
    /// What a reader sees beside the payload: fields and comments.
    pub(super) lines: Vec<Range<usize>>,
    /// There is a field that the format does not have.
    pub(super) foreign: bool,
}

impl Frame {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.data.clear();
        self.lines.clear();
        self.foreign = false;
    }

    /// Takes bytes from the front of `chunk`, up to and with the first that is one of `ends`. That one;
    /// `None` if the chunk is used up.
    ///
    /// # Errors
    ///
    /// [`MaskError::Limit`] if the frame grows beyond [`MAX_FRAME`].
    pub(super) fn take_line(
        &mut self,
        chunk: &mut &[u8],
        ends: [u8; 2],
    ) -> Result<Option<u8>, MaskError> {
        let end = find_either(chunk, ends[0], ends[1]);
        let length = end.map_or(chunk.len(), |at| at + 1);
        if self.bytes.len() + length > MAX_FRAME {
            return Err(MaskError::Limit);
        }
        let (line, rest) = chunk.split_at_checked(length).unwrap_or((chunk, &[]));
        self.bytes.extend_from_slice(line);
        *chunk = rest;
        Ok(end.and_then(|_| line.last().copied()))
    }

    /// Puts other bytes in place of a line.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        let moved = |at: usize| {
            if at < range.end {
                at
            } else {
                at - range.len() + with.len()
            }
        };
        for other in self.data.iter_mut().chain(&mut self.lines) {
            *other = moved(other.start)..moved(other.end);
        }
        self.bytes.splice(range, with.iter().copied());
    }

    pub(super) fn get(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// What a cutter found in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The chunk is used up.
    Chunk,
    /// A frame is whole.
    Frame,
    /// A byte came that belongs to the frame before, which was whole without it.
    Rest(u8),
}

/// Where the first of two bytes stands.
#[inline]
fn find_either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let first = word ^ (ONES * u64::from(one));
        let second = word ^ (ONES * u64::from(other));
        // The lowest bit that is set is right; borrows can only set bits above it.
        let zeros =
            ((first.wrapping_sub(ONES) & !first) | (second.wrapping_sub(ONES) & !second)) & TOPS;
        if zeros != 0 {
            return Some(at + (zeros.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let in_tail = tail.iter().position(|&byte| byte == one || byte == other);
    in_tail.map(|tail| at + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_stands() {
        for length in 0..40 {
            for at in 0..=length {
                for byte in [b'\r', b'\n', b'x', 0x8a] {
                    let mut bytes = vec![0x8d; length];
                    bytes.insert(at, byte);
                    let simple = bytes.iter().position(|&b| b == b'\n' || b == b'\r');
                    assert_eq!(find_either(&bytes, b'\n', b'\r'), simple, "{bytes:?}");
                }
            }
        }
    }
}
