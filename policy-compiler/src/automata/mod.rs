//! Regular expressions and detectors, as the tables that run in the proxy.
//!
//! The proxy never compiles a pattern: what a pattern costs is known, and bounded, before it is
//! signed. [`expression`] serves conditions, [`detectors`] serves masking.

mod catalogue;
mod detectors;
mod expression;
mod pattern;
mod table;
#[cfg(test)]
mod tests;

pub use catalogue::{BuiltIn, BuiltInLead, Example, Form, Score, built_in_names, built_ins};
pub use detectors::{
    DetectorChoice, DetectorInstance, DetectorProblem, DetectorsError, Ignored, MAX_DETECTORS,
    detectors, instances,
};
pub use expression::{ExpressionError, MAX_EXPRESSION_STATES, expression};
