//! Turns a policy in YAML into a signed bundle.
//!
//! Every step collects [`Diagnostics`] and goes on as far as it can, so that one run shows the author
//! everything that is wrong.

pub mod automata;
pub mod diagnostic;
pub mod keys;

mod source;
mod yaml;

use tracegate_bundle::Bundle;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use source::{Position, Span};

/// What the author of a release decides outside the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The revision, in place of `metadata.revision`.
    pub revision: Option<u64>,
    /// The expiry in seconds since the Unix epoch, in place of `spec.expires`.
    pub expires: Option<u64>,
}

/// What a policy became.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The bundle, not signed yet. [`keys::PrivateKey::sign`] does that.
    pub bundle: Bundle,
    /// What the author should know although it stops nothing.
    pub warnings: Diagnostics,
}

/// Compiles the text of a policy. `file_name` appears in diagnostics and nowhere else: the bundle
/// depends on `source` and `options` alone.
///
/// # Errors
///
/// [`Diagnostics`] with at least one error, and with the warnings that were found on the way.
pub fn compile(source: &str, file_name: &str, options: &Options) -> Result<Compiled, Diagnostics> {
    let _ = options;
    let mut diagnostics = Diagnostics::new(file_name, source);
    diagnostics.push(Diagnostic::new(
        Code::Syntax,
        Span::new(0, 0),
        "the compiler does not read policies yet",
    ));
    Err(diagnostics)
}
