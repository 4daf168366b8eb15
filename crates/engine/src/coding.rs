//! Content codings (RFC 9110 §8.4.1) undone while they stream, so that what is encoded can be inspected.
//!
//! An encoded body is hostile input twice: it may be damaged, and it may be a bomb. A [`Decoder`] hands
//! out what it decodes in pieces of at most 32 KiB, so that a bomb allocates nothing, and gives
//! up at the first of four bounds: the length of a header, the number of members, the length of the
//! whole, and how much longer the whole is than what was sent. What it handed out before may have gone
//! to the caller already; a body counts as whole only when [`Decoder::finish`] says so, and that is when
//! every checksum and length was there and right.
//!
//! - `gzip` is RFC 1952: members in sequence, each with its header, its CRC-32 and its length.
//! - `deflate` is the zlib format of RFC 1950, and nothing else. Some servers send the bare data of
//!   RFC 1951 under that name, and some clients guess which of the two it is; a body that two readers
//!   may read differently is refused.

mod framing;
mod inflate;

use tracegate_bundle::policy::ContentCoding;

use framing::{Header, Trailer};
use inflate::{Inflated, Inflater};

/// Most members of a gzip body.
const MAX_MEMBERS: u32 = 16;
/// Longest header of a member, in bytes. One holds a file name at most, over HTTP not even that.
const MAX_HEADER: u32 = 1024;
/// Longest decoded body, in bytes.
const MAX_DECODED: u64 = 64 * 1024 * 1024;
/// How many times longer than its encoded form a body may be, once it is longer than [`FREE`].
const MAX_RATIO: u64 = 100;
/// How long a decoded body may be whatever its ratio, in bytes: a page of equal values is no bomb.
const FREE: u64 = 1024 * 1024;

/// Why a body could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodingError {
    /// It is not what the coding says it should be, or a checksum is wrong.
    Damaged,
    /// It is longer, or has more parts, than the limits allow.
    Limit,
    /// It ended too early.
    Truncated,
}

/// Decodes one body.
pub(crate) struct Decoder {
    stage: Stage,
    inflater: Inflater,
    coding: ContentCoding,
    members: u32,
    received: u64,
    produced: u64,
}

/// Which part of a member comes next.
enum Stage {
    Header(Header),
    Data,
    Trailer(Trailer),
    /// The member is complete.
    Between,
}

impl Decoder {
    pub(crate) fn new(coding: ContentCoding) -> Self {
        Self {
            stage: Stage::Between,
            inflater: Inflater::new(),
            coding,
            members: 0,
            received: 0,
            produced: 0,
        }
    }

    /// Decodes the next bytes. `sink` gets what comes of them, in pieces of at most 32 KiB.
    ///
    /// # Errors
    ///
    /// [`CodingError`], or what `sink` returns; the decoder is of no use after it.
    pub(crate) fn push<E: From<CodingError>>(
        &mut self,
        mut input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let (read, goes_on) = match &mut self.stage {
                Stage::Between if input.is_empty() => return Ok(()),
                Stage::Between => {
                    self.begin_member()?;
                    (0, true)
                }
                Stage::Header(header) => {
                    let (read, complete) = header.push(input)?;
                    if complete {
                        self.inflater.begin(self.coding);
                        self.stage = Stage::Data;
                    }
                    (read, complete)
                }
                Stage::Data => {
                    let Inflated {
                        read,
                        piece,
                        goes_on,
                        ended,
                    } = self.inflater.step(input)?;
                    self.produced += piece.len() as u64;
                    within_limits(self.received + read as u64, self.produced)?;
                    if !piece.is_empty() {
                        sink(piece)?;
                    }
                    if ended {
                        self.stage = Stage::Trailer(Trailer::new(self.coding));
                    }
                    (read, goes_on)
                }
                Stage::Trailer(trailer) => {
                    let (read, complete) = trailer.push(input);
                    if let Some(told) = complete {
                        self.inflater.check(told)?;
                        self.stage = Stage::Between;
                    }
                    (read, complete.is_some())
                }
            };
            self.received += read as u64;
            input = input.get(read..).unwrap_or_default();
            if !goes_on {
                return Ok(());
            }
        }
    }

    fn begin_member(&mut self) -> Result<(), CodingError> {
        let most = match self.coding {
            ContentCoding::Gzip => MAX_MEMBERS,
            // Behind the data of zlib there is nothing more to come.
            ContentCoding::Deflate if self.members > 0 => return Err(CodingError::Damaged),
            ContentCoding::Deflate => 1,
        };
        if self.members == most {
            return Err(CodingError::Limit);
        }
        self.members += 1;
        self.stage = Stage::Header(Header::new(self.coding));
        Ok(())
    }

    /// The body has ended.
    ///
    /// # Errors
    ///
    /// [`CodingError::Truncated`] if what came is not whole. No bytes at all are an empty body.
    pub(crate) fn finish(&self) -> Result<(), CodingError> {
        match self.stage {
            Stage::Between => Ok(()),
            _ => Err(CodingError::Truncated),
        }
    }
}

impl std::fmt::Debug for Decoder {
    /// Shows nothing of the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("coding", &self.coding)
            .finish_non_exhaustive()
    }
}

fn within_limits(received: u64, produced: u64) -> Result<(), CodingError> {
    let bomb = produced > FREE && produced > received.saturating_mul(MAX_RATIO);
    if bomb || produced > MAX_DECODED {
        return Err(CodingError::Limit);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
