//! What stands around DEFLATE data: the headers and trailers of gzip (RFC 1952 §2.3) and zlib (RFC 1950
//! §2.2). Both are a few bytes and may be cut anywhere, so they are read byte by byte.

use tracegate_bundle::policy::ContentCoding;

use super::{CodingError, MAX_HEADER};

/// A header that is being read.
pub(super) struct Header {
    field: Field,
    /// Flags of gzip whose fields are still to come.
    flags: u8,
    crc: crc32fast::Hasher,
    length: u32,
}

/// What the next byte belongs to.
enum Field {
    /// The fixed part of gzip, by position.
    Gzip(u8),
    /// The first, then the second byte of the length of the extra field.
    ExtraLength,
    ExtraLengthEnd(u8),
    Extra(u16),
    Name,
    Comment,
    /// The first, then the second byte of the header's own checksum.
    Checksum,
    ChecksumEnd(u8),
    /// The first, then the second byte of zlib.
    Zlib,
    ZlibFlags(u8),
}

/// Flags of gzip (RFC 1952 §2.3.1).
const CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Flag of zlib: the data needs a dictionary that the reader is to know.
const DICTIONARY: u8 = 1 << 5;

impl Header {
    pub(super) fn new(coding: ContentCoding) -> Self {
        Self {
            field: match coding {
                ContentCoding::Gzip => Field::Gzip(0),
                ContentCoding::Deflate => Field::Zlib,
            },
            flags: 0,
            crc: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// Reads on. How much of `input` belongs to the header, and whether it is complete.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<(usize, bool), CodingError> {
        for (read, &byte) in (1..).zip(input) {
            self.length += 1;
            if self.length > MAX_HEADER {
                return Err(CodingError::Limit);
            }
            match self.next(byte)? {
                Some(field) => self.field = field,
                None => return Ok((read, true)),
            }
        }
        Ok((input.len(), false))
    }

    /// Takes one byte; what the next one belongs to, `None` if there is no next one.
    fn next(&mut self, byte: u8) -> Result<Option<Field>, CodingError> {
        let right = |right: bool| right.then_some(()).ok_or(CodingError::Damaged);
        if !matches!(self.field, Field::Checksum | Field::ChecksumEnd(_)) {
            self.crc.update(&[byte]);
        }
        Ok(match self.field {
            Field::Gzip(at) => {
                match at {
                    0 => right(byte == 0x1f)?,
                    1 => right(byte == 0x8b)?,
                    2 => right(byte == DEFLATE)?,
                    3 => {
                        right(byte & RESERVED == 0)?;
                        self.flags = byte;
                    }
                    // Time, extra flags, operating system.
                    _ => {}
                }
                if at < 9 {
                    Some(Field::Gzip(at + 1))
                } else {
                    self.optional()
                }
            }
            Field::ExtraLength => Some(Field::ExtraLengthEnd(byte)),
            Field::ExtraLengthEnd(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.optional(),
                length => Some(Field::Extra(length)),
            },
            Field::Extra(1) => self.optional(),
            Field::Extra(left) => Some(Field::Extra(left - 1)),
            Field::Name | Field::Comment if byte == 0 => self.optional(),
            Field::Name => Some(Field::Name),
            Field::Comment => Some(Field::Comment),
            Field::Checksum => Some(Field::ChecksumEnd(byte)),
            Field::ChecksumEnd(low) => {
                let crc = self.crc.clone().finalize();
                right(crc & 0xffff == u32::from(u16::from_le_bytes([low, byte])))?;
                None
            }
            Field::Zlib => {
                // Method and window size: at most 32 KiB.
                right(byte & 0x0f == DEFLATE && byte >> 4 <= 7)?;
                Some(Field::ZlibFlags(byte))
            }
            Field::ZlibFlags(first) => {
                right(u16::from_be_bytes([first, byte]).is_multiple_of(31))?;
                right(byte & DICTIONARY == 0)?;
                None
            }
        })
    }

    /// The next of the optional fields of gzip, in their order.
    fn optional(&mut self) -> Option<Field> {
        let mut takes = |flag: u8| {
            let has = self.flags & flag != 0;
            self.flags &= !flag;
            has
        };
        if takes(EXTRA) {
            Some(Field::ExtraLength)
        } else if takes(NAME) {
            Some(Field::Name)
        } else if takes(COMMENT) {
            Some(Field::Comment)
        } else if takes(CHECKSUM) {
            Some(Field::Checksum)
        } else {
            None
        }
    }
}

/// The only compression method that there is.
const DEFLATE: u8 = 8;

/// What a trailer tells of the data before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// CRC-32 and length modulo 2³² (gzip).
    Gzip(u32, u32),
    /// Adler-32 (zlib).
    Zlib(u32),
}

/// A trailer that is being read.
pub(super) struct Trailer {
    coding: ContentCoding,
    /// The bytes so far, the first one highest.
    bytes: u64,
    length: u8,
}

impl Trailer {
    pub(super) fn new(coding: ContentCoding) -> Self {
        Self {
            coding,
            bytes: 0,
            length: 0,
        }
    }

    /// Reads on. How much of `input` belongs to the trailer, and what it tells once it is complete.
    pub(super) fn push(&mut self, input: &[u8]) -> (usize, Option<Told>) {
        let size = match self.coding {
            ContentCoding::Gzip => 8,
            ContentCoding::Deflate => 4,
        };
        let mut read = 0;
        for &byte in input.iter().take(usize::from(size - self.length)) {
            self.bytes = self.bytes << 8 | u64::from(byte);
            self.length += 1;
            read += 1;
        }
        let word = |shift: u32| (self.bytes >> shift) as u32;
        let told = match self.coding {
            ContentCoding::Gzip => Told::Gzip(word(32).swap_bytes(), word(0).swap_bytes()),
            ContentCoding::Deflate => Told::Zlib(word(0)),
        };
        (read, (self.length == size).then_some(told))
    }
}
