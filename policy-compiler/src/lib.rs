//! Turns a policy in YAML into a signed bundle.
//!
//! The way of a policy through this crate:
//!
//! 1. `yaml`: the text becomes a tree whose nodes know where they stand.
//! 2. `syntax`: the tree becomes a typed document. Its types are the reference of the language.
//! 3. `lower`: the document becomes a [`Bundle`]: names become indices, patterns become
//!    [`automata`].
//! 4. [`keys`]: the bundle gets its signature.
//!
//! Every step collects [`Diagnostics`] and goes on as far as it can, so that one run shows the author
//! everything that is wrong.

pub mod automata;
pub mod diagnostic;
pub mod keys;
pub mod render;

mod lower;
mod source;
mod syntax;
mod yaml;

use tracegate_bundle::Bundle;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use source::{Position, Span};
pub use syntax::Instant;
use syntax::decode::Decode as _;
pub use syntax::reference::markdown as reference;

/// What the author of a release decides outside the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The revision, in place of `metadata.revision`.
    pub revision: Option<u64>,
    /// The expiry in seconds since the Unix epoch, in place of `spec.expires`.
    pub expires: Option<u64>,
    /// The time in seconds since the Unix epoch, to warn of an expiry that has passed. It has no
    /// effect on the bundle.
    pub now: Option<u64>,
}

/// What a policy became.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The bundle, not signed yet. [`keys::PrivateKey::seal`] does that.
    pub bundle: Bundle,
    /// What the author should know although it stops nothing.
    pub warnings: Diagnostics,
}

/// Compiles the text of a policy. `file_name` appears in diagnostics and nowhere else: the bundle
/// depends on `source`, `options.revision` and `options.expires` alone.
///
/// # Errors
///
/// [`Diagnostics`] with at least one error, in the order of the file.
pub fn compile(source: &str, file_name: &str, options: &Options) -> Result<Compiled, Diagnostics> {
    let mut out = Diagnostics::new(file_name, source);
    let bundle = yaml::parse(source, &mut out)
        .and_then(|node| syntax::Document::decode(&node, &mut out))
        .map(|document| lower::lower(&document, source, options, &mut out));
    out.sort();
    match bundle {
        Some(bundle) if !out.has_errors() => Ok(Compiled {
            bundle,
            warnings: out,
        }),
        _ => Err(out),
    }
}
