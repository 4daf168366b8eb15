//! The ABI's form of a list of pairs, in which headers travel: their count, the lengths of each name
//! and value, then the names and values, each followed by a zero byte. All numbers are `u32`, little
//! endian.

use std::ops::Range;

use tracegate_engine::http::HeaderMap;

/// Reads that form; `None` if it is not what the ABI promises. The map keeps the buffer.
pub(crate) fn index(buffer: Vec<u8>) -> Option<HeaderMap> {
    const WORD: u32 = 4;
    if buffer.is_empty() {
        return Some(HeaderMap::default());
    }
    let word = |at: u32| {
        let bytes = buffer.get(at as usize..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    };
    let count = word(0)?;
    let mut text = count.checked_mul(2 * WORD)?.checked_add(WORD)?;
    // Also bounds what the next line allocates.
    buffer.get(..text as usize)?;
    let mut entries = Vec::with_capacity(count as usize);
    let mut put = |length: u32| -> Option<Range<u32>> {
        let range = text..text.checked_add(length)?;
        text = range.end.checked_add(1)?;
        (text as usize <= buffer.len()).then_some(range)
    };
    for at in (WORD..).step_by(2 * WORD as usize).take(count as usize) {
        entries.push((put(word(at)?)?, put(word(at + WORD)?)?));
    }
    Some(HeaderMap::from_parts(buffer, entries))
}

/// Writes that form.
pub(crate) fn write<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<u8> {
    let mut bytes = (pairs.clone().count() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs.clone() {
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for text in pairs.flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}
