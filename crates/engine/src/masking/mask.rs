//! One JSON body, masked while it streams by.

use std::rc::Rc;

use super::json::JsonError;
use super::{Plan, Report};

/// Masks one JSON body.
#[derive(Debug)]
pub struct BodyMasker {
    plan: Rc<Plan>,
    report: Report,
}

/// Why a body could not be masked. What was appended before may have gone out; nothing more may.
pub type MaskError = JsonError;

impl BodyMasker {
    /// A masker for one body. Bit `i` of `active` tells whether rule `i` applies to this caller; with
    /// none that does, the body needs no masker.
    #[must_use]
    pub fn new(plan: Rc<Plan>, _active: u64) -> Self {
        Self {
            plan,
            report: Report::default(),
        }
    }

    /// Takes in the next bytes and appends to `out` what may leave now.
    ///
    /// # Errors
    ///
    /// [`MaskError`]; the masker is of no use after it.
    pub fn push(&mut self, _chunk: &[u8], _out: &mut Vec<u8>) -> Result<(), MaskError> {
        Err(MaskError::Limit)
    }

    /// The body is complete: appends what was held back.
    ///
    /// # Errors
    ///
    /// [`MaskError::Truncated`] if the document is not.
    pub fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), MaskError> {
        Err(MaskError::Truncated)
    }

    /// What was hidden so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}
