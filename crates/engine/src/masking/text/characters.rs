//! Bytes as whole characters of UTF-8, however they are cut.

use std::ops::Range;

use super::MaskError;

/// What is known between two chunks.
#[derive(Debug, Default)]
pub(super) struct Characters {
    /// Offset of the next byte.
    offset: u64,
    /// The first bytes of a character that the end of a chunk cut.
    cut: Vec<u8>,
}

impl Characters {
    /// Offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The offset before which all characters are whole.
    pub(super) fn decoded(&self) -> u64 {
        self.offset - self.cut.len() as u64
    }

    /// Shows the characters that are whole, and where they stand.
    pub(super) fn push(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(&[u8], Range<u64>) -> Result<(), MaskError>,
    ) -> Result<(), MaskError> {
        while !self.cut.is_empty()
            && let Some((&byte, rest)) = chunk.split_first()
        {
            self.cut.push(byte);
            let (whole, wrong) = whole(&self.cut);
            if wrong {
                self.cut.pop();
                return Err(MaskError::Syntax);
            }
            chunk = rest;
            self.offset += 1;
            if whole > 0 {
                let start = self.offset - whole as u64;
                let result = each(&self.cut, start..self.offset);
                self.cut.clear();
                result?;
            }
        }
        let (whole, wrong) = whole(chunk);
        let (text, cut) = chunk.split_at_checked(whole).unwrap_or((chunk, &[]));
        let start = self.offset;
        self.offset += whole as u64;
        if !text.is_empty() {
            each(text, start..self.offset)?;
        }
        if wrong {
            return Err(MaskError::Syntax);
        }
        self.cut.extend_from_slice(cut);
        self.offset += cut.len() as u64;
        Ok(())
    }

    /// There are no more bytes.
    pub(super) fn finish(&self) -> Result<(), MaskError> {
        match self.cut.is_empty() {
            true => Ok(()),
            false => Err(MaskError::Truncated),
        }
    }
}

/// The length of the part of `bytes` that is whole characters, and whether what follows cannot become one.
fn whole(bytes: &[u8]) -> (usize, bool) {
    match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_some()),
    }
}
