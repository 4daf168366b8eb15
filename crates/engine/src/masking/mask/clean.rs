//! Short texts in which detectors are known to find nothing.
//!
//! The same few values come again with every event of a stream. To compare one with the one that last
//! fell on its slot costs a fraction of reading it again.

use super::super::plan::Scope;

const SLOTS: usize = 64;
/// Longest text that is remembered, in bytes.
const MAX_TEXT: usize = 63;

/// A bounded memory of clean texts.
#[derive(Debug)]
pub(super) struct CleanTexts {
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    /// What found nothing; nothing at all in an empty slot.
    read_by: ReadBy,
    length: u8,
    text: [u8; MAX_TEXT],
}

/// What a text was read by: the detectors, and those of which the name of the member has words.
type ReadBy = (u64, u64);

impl Default for CleanTexts {
    fn default() -> Self {
        let empty = Slot {
            read_by: (0, 0),
            length: 0,
            text: [0; MAX_TEXT],
        };
        Self {
            slots: [empty; SLOTS],
        }
    }
}

impl CleanTexts {
    /// Whether nothing was found in `text` where `scope` holds.
    pub(super) fn contains(&self, text: &[u8], scope: Scope) -> bool {
        self.slots.get(place(text)).is_some_and(|slot| {
            slot.read_by == (scope.detectors, scope.named)
                && usize::from(slot.length) == text.len()
                && slot.text.starts_with(text)
        })
    }

    /// Remembers that nothing is found in `text` where `scope` holds. The slot, if there is room.
    pub(super) fn insert(&mut self, text: &[u8], scope: Scope) -> Option<usize> {
        let place = place(text);
        let length = u8::try_from(text.len()).ok()?;
        let slot = self.slots.get_mut(place)?;
        slot.text.get_mut(..text.len())?.copy_from_slice(text);
        slot.length = length;
        slot.read_by = (scope.detectors, scope.named);
        Some(place)
    }

    /// Something was found after all.
    pub(super) fn forget(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.read_by = (0, 0);
        }
    }
}

/// The slot of a text.
fn place(text: &[u8]) -> usize {
    let byte = |at: usize| text.get(at).map_or(0, |&byte| usize::from(byte));
    let last = byte(text.len().saturating_sub(1));
    (text.len() * 7 + byte(0) * 31 + byte(text.len() / 2) * 3 + last) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(
        clippy::field_reassign_with_default,
        reason = "other fields are not seen here"
    )]
    fn scope(detectors: u64, named: u64) -> Scope {
        let mut scope = Scope::default();
        scope.detectors = detectors;
        scope.named = named;
        scope
    }

    #[test]
    fn a_text_is_known_only_for_what_read_it() {
        let mut texts = CleanTexts::default();
        assert!(!texts.contains(b"", scope(1, 0)));
        texts.insert(b"", scope(1, 0));
        texts.insert(b"content", scope(1, 2));
        assert!(texts.contains(b"", scope(1, 0)) && texts.contains(b"content", scope(1, 2)));
        assert!(!texts.contains(b"content", scope(3, 2)));
        assert!(!texts.contains(b"content", scope(1, 0)));
        assert!(!texts.contains(b"contents", scope(1, 2)));
    }

    #[test]
    fn a_text_that_is_too_long_is_forgotten_or_gives_way_to_another_is_not_known() {
        let mut texts = CleanTexts::default();
        let long = [b'k'; MAX_TEXT + 1];
        assert_eq!(texts.insert(&long, scope(1, 0)), None);
        assert!(!texts.contains(&long, scope(1, 0)));
        // The same length, ends and middle: the same slot.
        texts.insert(b"axbxc", scope(1, 0));
        let slot = texts.insert(b"aybyc", scope(1, 0)).unwrap();
        assert!(!texts.contains(b"axbxc", scope(1, 0)) && texts.contains(b"aybyc", scope(1, 0)));
        texts.forget(slot);
        assert!(!texts.contains(b"aybyc", scope(1, 0)));
    }
}
