//! Names in which detectors are known to find nothing, and the words of context in them.
//!
//! The same few names come again with every element of a list. To compare a name with the one that
//! last fell on its slot costs a fraction of reading it again.

const SLOTS: usize = 64;
/// Longest name that is remembered.
const MAX_NAME: usize = 23;

/// A bounded memory of clean names.
#[derive(Debug)]
pub(super) struct CleanNames {
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    /// The detectors that found nothing; none in an empty slot.
    detectors: u64,
    /// The detectors of which a word of context stands in the name.
    named: u64,
    length: u8,
    name: [u8; MAX_NAME],
}

impl Default for CleanNames {
    fn default() -> Self {
        Self {
            slots: [Slot::default(); SLOTS],
        }
    }
}

impl CleanNames {
    /// If these detectors found nothing in `name`: those of which a word of context stands there.
    pub(super) fn get(&self, name: &[u8], detectors: u64) -> Option<u64> {
        let slot = self.slots.get(place(name))?;
        let is_known = slot.detectors == detectors
            && usize::from(slot.length) == name.len()
            && slot.name.starts_with(name);
        is_known.then_some(slot.named)
    }

    /// Remembers that these detectors found nothing in `name`, and what it names.
    pub(super) fn insert(&mut self, name: &[u8], detectors: u64, named: u64) {
        let place = place(name);
        let (Ok(length), Some(slot)) = (u8::try_from(name.len()), self.slots.get_mut(place)) else {
            return;
        };
        let Some(copy) = slot.name.get_mut(..name.len()) else {
            return;
        };
        copy.copy_from_slice(name);
        slot.length = length;
        slot.detectors = detectors;
        slot.named = named;
    }
}

/// The slot of a name.
fn place(name: &[u8]) -> usize {
    let byte = |at: usize| name.get(at).map_or(0, |&byte| usize::from(byte));
    let last = byte(name.len().saturating_sub(1));
    (name.len() * 7 + byte(0) * 31 + byte(name.len() / 2) * 3 + last) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_only_for_the_detectors_that_read_it() {
        let mut names = CleanNames::default();
        assert!(names.get(b"", 1).is_none());
        names.insert(b"", 1, 0);
        names.insert(b"content", 1, 4);
        assert!(names.get(b"", 1).is_some() && names.get(b"content", 1).is_some());
        assert_eq!(names.get(b"content", 1), Some(4));
        assert!(names.get(b"content", 3).is_none() && names.get(b"contents", 1).is_none());
    }

    #[test]
    fn a_name_that_is_too_long_or_gives_way_to_another_is_not_known() {
        let mut names = CleanNames::default();
        let long = [b'k'; MAX_NAME + 1];
        names.insert(&long, 1, 0);
        assert!(names.get(&long, 1).is_none());
        // The same length, ends and middle: the same slot.
        names.insert(b"axbxc", 1, 0);
        names.insert(b"aybyc", 1, 0);
        assert!(names.get(b"axbxc", 1).is_none() && names.get(b"aybyc", 1).is_some());
    }
}
