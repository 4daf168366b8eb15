//! The mask rules of a connection, prepared once per policy.

use std::rc::Rc;

use tracegate_bundle::policy::{DetectorSet, MaskRule};

/// The mask rules of one connection, ready to run.
#[derive(Debug)]
pub struct Plan {
    detectors: Rc<DetectorSet>,
}

/// Why mask rules cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// More rules than a caller's set of rules has bits: 64.
    TooManyRules,
    /// The paths of all rules together have more steps than the automaton has positions: 512.
    TooManySteps,
    /// A rule uses `hash` and the deployment has no key for it.
    HashKeyMissing,
    /// A rule names a detector that the bundle does not hold.
    UnknownDetector,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooManyRules => "a connection has more than 64 mask rules; join some of them",
            Self::TooManySteps => {
                "the paths of a connection's mask rules have more than 512 steps; use fewer or \
                 shorter paths"
            }
            Self::HashKeyMissing => "a mask rule uses `hash`, but no hash key is configured",
            Self::UnknownDetector => "a mask rule names a detector that the bundle does not hold",
        })
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Prepares `rules`, in the order of the policy.
    ///
    /// # Errors
    ///
    /// [`PlanError`] tells what the rules need that is not there, or which bound they exceed.
    pub fn new(
        rules: &[MaskRule],
        detectors: Rc<DetectorSet>,
        _hash_key: Option<Rc<[u8]>>,
    ) -> Result<Self, PlanError> {
        if rules.len() > 64 {
            return Err(PlanError::TooManyRules);
        }
        Ok(Self { detectors })
    }
}
