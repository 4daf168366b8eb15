//! What was hidden, and where: names of fields and counts, never a value.

/// What was hidden in one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry per path, detector and action, in the order in which they first occurred.
    pub entries: Vec<ReportEntry>,
    /// There were more paths than a report holds; the masking itself was complete.
    pub truncated: bool,
}

/// How often something was hidden at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportEntry {
    /// A JSON path with the indices of arrays as `[*]`: `$.choices[*].message.content`.
    pub path: String,
    /// The name of the detector, or `field`.
    pub what: String,
    /// What was done to it.
    pub action: ActionKind,
    /// How many values.
    pub count: u32,
}

/// A mask action without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    /// Replaced by a text.
    Redact,
    /// Shown in part.
    Partial,
    /// Replaced by a keyed hash.
    Hash,
    /// Removed.
    Drop,
}

impl ActionKind {
    /// Its name in policies and on records: `redact`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Partial => "partial",
            Self::Hash => "hash",
            Self::Drop => "drop",
        }
    }
}
