//! Regular expressions of conditions.
//!
//! A condition asks only whether a value matches, so the automaton searches from everywhere at once
//! and stays in one accepting state as soon as it knows.

use regex_automata::Anchored;
use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::Hir;
use thiserror::Error;
use tracegate_bundle::automaton::Automaton;

use super::pattern::{self, SyntaxError};
use super::table::{Table, Verdict};

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
    #[error("the pattern matches the empty string; write one that asks for at least one character")]
    MatchesEmpty,
    /// It matches no string at all.
    #[error("the pattern cannot match any value")]
    NeverMatches,
    /// Its automaton has too many states.
    #[error(
        "the pattern is too large: it needs more than {MAX_EXPRESSION_STATES} states; a counted \
         repetition after something that may begin anywhere, as in `x.{{0,20}}y`, is the usual cause"
    )]
    TooLarge,
}

impl From<SyntaxError> for ExpressionError {
    fn from(SyntaxError { reason, span }: SyntaxError) -> Self {
        Self::Syntax { reason, span }
    }
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
    let hir = pattern::parse(pattern)?;
    if pattern::is_empty_language(&hir) {
        return Err(ExpressionError::NeverMatches);
    }
    if hir.properties().minimum_len() == Some(0) {
        return Err(ExpressionError::MatchesEmpty);
    }
    build(&hir).ok_or(ExpressionError::TooLarge)
}

/// Builds the automaton of an expression that has been parsed.
pub(super) fn build(hir: &Hir) -> Option<Automaton> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .match_kind(MatchKind::All);
    let dfa = pattern::determinize(&[hir], config)?;
    let start = dfa
        .start_state(&start::Config::new().anchored(Anchored::No))
        .ok()?;
    // `None` is the state in which a match is known.
    let settle = |state: StateID| (!dfa.is_match_state(state)).then_some(state);
    let table = Table::explore(
        settle(start),
        |byte| dfa.byte_classes().get(byte),
        |state, byte| state.and_then(|state| settle(dfa.next_state(state, byte))),
        |state| {
            let matches = u64::from(state.is_none());
            let at_end = state.is_none_or(|state| dfa.is_match_state(dfa.next_eoi_state(state)));
            Verdict {
                matches,
                end_matches: u64::from(at_end),
            }
        },
    );
    table.minimize(MAX_EXPRESSION_STATES)
}
