//! The canonical bytes of a bundle and their digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::policy::FORMAT;

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
        use std::fmt::Write as _;
        let mut text = String::with_capacity(7 + 64);
        text.push_str("sha256:");
        for byte in Sha256::digest(bytes) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
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

/// Why bytes are not a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Written for another version of the format.
    Format(u64),
    /// Not the JSON of a bundle.
    Syntax(String),
    /// A member points at something that the bundle does not hold.
    Dangling(&'static str),
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
            Self::Dangling(what) => write!(f, "the bundle refers to a missing {what}"),
        }
    }
}

impl std::error::Error for LoadError {}
