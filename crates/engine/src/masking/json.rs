//! JSON as a stream of tokens.

/// Why bytes are not a JSON document, or not one that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// They are not JSON (RFC 8259) in UTF-8.
    Syntax,
    /// They go beyond a bound: nesting, or the length of a name, a number or a run of white space.
    Limit,
    /// They end before their document does.
    Truncated,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the body is not valid JSON",
            Self::Limit => "the body is nested too deeply or has a name or number that is too long",
            Self::Truncated => "the body ends before its document does",
        })
    }
}

impl std::error::Error for JsonError {}
