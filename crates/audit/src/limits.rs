//! How a record stays within [`MAX_BYTES`].
//!
//! Every text has a limit, counted in bytes as written, escapes included. A record that is still too
//! long is written again with the next row of a ladder, which shortens first what an investigation
//! misses least. The last row is small enough for any record. Whatever is shortened by a limit
//! ends in `…` (texts) or is left out (lists), and `metadata.is_truncated` is set.

/// Longest record, in bytes.
pub const MAX_BYTES: usize = 8192;

/// What each kind of text may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of `http_request.user_agent`.
    pub(crate) user_agent: usize,
    /// Bytes of the path, which is written twice.
    pub(crate) path: usize,
    /// How many groups are listed.
    pub(crate) groups: usize,
    /// How many masked paths are listed. Counts stay exact.
    pub(crate) masked: usize,
    /// Bytes of each masked path.
    pub(crate) masked_path: usize,
    /// Bytes of what identifies: issuer, subject, token, host, request, policy.
    pub(crate) identifier: usize,
    /// Bytes of names and of what the proxy says.
    pub(crate) name: usize,
}

/// The limits that every record starts with.
const GENEROUS: Limits = Limits {
    user_agent: 256,
    path: 1024,
    groups: 32,
    masked: 32,
    masked_path: 256,
    identifier: 512,
    name: 128,
};

const SHORT_USER_AGENT: Limits = Limits {
    user_agent: 32,
    ..GENEROUS
};
const SHORT_PATH: Limits = Limits {
    path: 256,
    ..SHORT_USER_AGENT
};
const FEW_GROUPS: Limits = Limits {
    groups: 4,
    ..SHORT_PATH
};
const FEW_MASKED: Limits = Limits {
    masked: 16,
    masked_path: 96,
    ..FEW_GROUPS
};
const SHORT_NAMES: Limits = Limits {
    identifier: 256,
    name: 64,
    ..FEW_MASKED
};
const LEAST: Limits = Limits {
    path: 128,
    groups: 0,
    masked: 4,
    identifier: 160,
    name: 48,
    ..SHORT_NAMES
};

/// The ladder, from what every record starts with to what fits any record.
pub(crate) const LADDER: [Limits; 7] = [
    GENEROUS,
    SHORT_USER_AGENT,
    SHORT_PATH,
    FEW_GROUPS,
    FEW_MASKED,
    SHORT_NAMES,
    LEAST,
];
