//! Conditions on the JSON body of a request, decided while it streams by.

use std::rc::Rc;

use tracegate_bundle::automaton::Automaton;
use tracegate_bundle::policy::Condition;

use crate::masking::JsonError;

/// The body conditions of one connection, prepared once per policy.
#[derive(Debug)]
pub struct BodyPlan {}

/// Why conditions cannot be run: their paths together have more steps than the automaton has
/// positions (512).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySteps;

impl BodyPlan {
    /// Prepares `conditions`, in an order that [`BodyFacts`] keeps. Those whose key is no
    /// `Attribute::Body` are taken to be absent from the body.
    ///
    /// # Errors
    ///
    /// [`TooManySteps`].
    pub fn new<'a>(
        _conditions: impl IntoIterator<Item = &'a Condition>,
    ) -> Result<Self, TooManySteps> {
        Ok(Self {})
    }
}

/// Reads one request body. `expressions` are always those of the bundle that the plan comes from.
#[derive(Debug)]
pub struct BodyMatcher {}

impl BodyMatcher {
    /// A matcher for one body.
    #[must_use]
    pub fn new(_plan: Rc<BodyPlan>) -> Self {
        Self {}
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    ///
    /// [`JsonError`]; the matcher is of no use after it.
    pub fn push(&mut self, _expressions: &[Automaton], _chunk: &[u8]) -> Result<(), JsonError> {
        Err(JsonError::Limit)
    }

    /// The body is complete: what holds.
    ///
    /// # Errors
    ///
    /// [`JsonError::Truncated`] if the document is not complete.
    pub fn finish(&mut self, _expressions: &[Automaton]) -> Result<BodyFacts, JsonError> {
        Err(JsonError::Truncated)
    }
}

/// What a body says about each condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    holds: Vec<bool>,
}

impl BodyFacts {
    /// Whether condition `index` of the plan holds.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.holds.get(index).copied().unwrap_or(false)
    }
}
