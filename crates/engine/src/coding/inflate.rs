//! DEFLATE data (RFC 1951) and the checksum over what it holds.
//!
//! The decoder writes into one window, which is also what later data refers back to, and hands out
//! what it wrote before it writes more.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use tracegate_bundle::policy::ContentCoding;

use super::CodingError;
use super::framing::Told;

/// How far data can refer back (RFC 1951 §3.2.5), and the longest piece that is handed out, in bytes.
pub(super) const WINDOW: usize = 32 * 1024;

pub(super) struct Inflater {
    core: Box<DecompressorOxide>,
    window: Box<[u8]>,
    position: usize,
    /// Whether the window was full before. Until then there is nothing behind its beginning.
    wrapped: bool,
    checksum: Checksum,
    /// How long the data is so far, modulo 2³².
    length: u32,
}

/// What one step brought.
pub(super) struct Inflated<'a> {
    /// How much of the input it took.
    pub(super) read: usize,
    /// What came of it.
    pub(super) piece: &'a [u8],
    /// Whether the next step may bring more without further input.
    pub(super) goes_on: bool,
    /// Whether the data has ended.
    pub(super) ended: bool,
}

enum Checksum {
    Crc(crc32fast::Hasher),
    Adler(adler2::Adler32),
}

impl Checksum {
    fn new(coding: ContentCoding) -> Self {
        match coding {
            ContentCoding::Gzip => Self::Crc(crc32fast::Hasher::new()),
            ContentCoding::Deflate => Self::Adler(adler2::Adler32::new()),
        }
    }
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self {
            core: Box::default(),
            window: vec![0; WINDOW].into_boxed_slice(),
            position: 0,
            wrapped: false,
            checksum: Checksum::new(ContentCoding::Gzip),
            length: 0,
        }
    }

    /// New data begins. It refers to nothing before it.
    pub(super) fn begin(&mut self, coding: ContentCoding) {
        self.core.init();
        self.position = 0;
        self.wrapped = false;
        self.checksum = Checksum::new(coding);
        self.length = 0;
    }

    /// Decodes until the input is used up, the data ends or the window is full.
    pub(super) fn step(&mut self, input: &[u8]) -> Result<Inflated<'_>, CodingError> {
        if self.position >= WINDOW {
            self.position = 0;
            self.wrapped = true;
        }
        // While the window is not full a distance beyond its beginning is an error, as it should be.
        let flags = if self.wrapped {
            TINFL_FLAG_HAS_MORE_INPUT
        } else {
            TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        };
        let start = self.position;
        let (status, read, written) =
            decompress(&mut self.core, input, &mut self.window, start, flags);
        self.position = start + written;
        let piece = self.window.get(start..self.position).unwrap_or_default();
        match &mut self.checksum {
            Checksum::Crc(crc) => crc.update(piece),
            Checksum::Adler(adler) => adler.write_slice(piece),
        }
        self.length = self.length.wrapping_add(written as u32);
        let goes_on = match status {
            TINFLStatus::Done => true,
            // A full window is emptied by then.
            TINFLStatus::HasMoreOutput if read > 0 || written > 0 => true,
            TINFLStatus::NeedsMoreInput if read == input.len() => false,
            _ => return Err(CodingError::Damaged),
        };
        Ok(Inflated {
            read,
            piece,
            goes_on,
            ended: status == TINFLStatus::Done,
        })
    }

    /// Compares the data with what its trailer tells of it.
    pub(super) fn check(&self, told: Told) -> Result<(), CodingError> {
        let right = match (&self.checksum, told) {
            (Checksum::Crc(crc), Told::Gzip(checksum, length)) => {
                crc.clone().finalize() == checksum && self.length == length
            }
            (Checksum::Adler(adler), Told::Zlib(checksum)) => adler.checksum() == checksum,
            _ => false,
        };
        right.then_some(()).ok_or(CodingError::Damaged)
    }
}
