//! The built-in detectors.

/// The names of the built-in detectors, in the order of the documentation.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    ["email"].into_iter()
}
