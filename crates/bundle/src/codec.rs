//! The canonical bytes of a bundle and their digest.
//!
//! The bytes are the JSON that `serde_json` writes for the types in [`policy`](crate::policy): members
//! in the order in which the types declare them, no white space, integers only, no map whose order
//! could vary. The same bundle therefore always has the same bytes, and [`Bundle::from_bytes`] refuses
//! every other spelling: what has one digest is one policy.
//!
//! Reading is meant for hostile input. Nothing is parsed before its length is known to be bounded and
//! its format to be ours, and what comes out has been checked (see [`limits`](crate::limits)): every
//! index exists and every list is as short as the filter relies on.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::policy::{Bundle, FORMAT};

/// Longest bundle that is written or read, in bytes of its canonical form.
pub const MAX_BYTES: usize = 512 * 1024;

/// The SHA-256 of a bundle's canonical bytes: its name everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))))
    }

    /// `sha256:` and 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `bytes` in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Why bytes are not a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Written for another version of the format.
    Format(u64),
    /// Not the JSON of a bundle.
    Syntax(String),
    /// The JSON of a bundle, but not the bytes that [`Bundle::to_bytes`] writes for it.
    NotCanonical,
    /// A member points at something that the bundle does not hold.
    Dangling(&'static str),
    /// There is more of something than [`limits`](crate::limits) allows.
    Limit(&'static str),
    /// A member has a value that no policy can mean.
    Invalid(&'static str),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "the bundle is longer than {MAX_BYTES} bytes"),
            Self::Format(found) => write!(
                f,
                "the bundle has format {found}, this version reads format {FORMAT}; compile the \
                 policy again with the policy-compiler of this release"
            ),
            Self::Syntax(what) => write!(f, "the bundle cannot be read: {what}"),
            Self::NotCanonical => f.write_str(
                "the bundle is not in its canonical form; only what policy-compiler wrote is read",
            ),
            Self::Dangling(what) => write!(f, "the bundle refers to a missing {what}"),
            Self::Limit(what) => write!(f, "the bundle has too many {what}"),
            Self::Invalid(what) => write!(f, "the bundle has {what}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// The one member that every format has.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl Bundle {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // The types hold nothing that JSON lacks and writing to memory does not fail. If that ever
        // changed, the result would be a bundle that every reader refuses.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads canonical bytes and checks what they say.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the bytes are not what [`Bundle::to_bytes`] writes for a valid bundle of this
    /// [`FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        if bytes.len() > MAX_BYTES {
            return Err(LoadError::TooLong);
        }
        let syntax = |error: serde_json::Error| LoadError::Syntax(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(syntax)?;
        if head.format != u64::from(FORMAT) {
            return Err(LoadError::Format(head.format));
        }
        let bundle: Self = serde_json::from_slice(bytes).map_err(syntax)?;
        bundle.validate()?;
        if bundle.to_bytes() != bytes {
            return Err(LoadError::NotCanonical);
        }
        Ok(bundle)
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests;
