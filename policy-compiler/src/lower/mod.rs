//! From the document to the bundle.
//!
//! What a policy says in names becomes indices here, patterns become automata, and what only makes
//! sense across several places is checked: names that are used twice, issuers that do not exist,
//! rules that let everything pass.

mod connection;
mod identity;
mod keys;
mod mask;
mod patterns;

use tracegate_bundle::policy::{Bundle, FORMAT};
use tracegate_bundle::{Digest, LoadError, MAX_BYTES};

use crate::Options;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::syntax::{Document, Instant, Spec};
use patterns::Patterns;

/// Size from which a bundle may be too large for what carries it: half of what the filter reads.
const LARGE: usize = MAX_BYTES / 2;

/// Lowers a document. The result counts only if `out` holds no error in the end.
pub(crate) fn lower(
    document: &Document,
    source: &str,
    options: &Options,
    out: &mut Diagnostics,
) -> Bundle {
    let spec = &document.spec;
    let providers = identity::providers(&spec.jwt_rules, out);
    let mut patterns = Patterns::default();
    let connections = connection::connections(spec, &mut patterns, out);
    let (detectors, expressions) = patterns.build(out);
    let bundle = Bundle {
        format: FORMAT,
        name: document.metadata.name.0.clone(),
        revision: revision(document, options, out),
        expires: expires(spec, options, out),
        source: Digest::of(source.as_bytes()).as_str().to_owned(),
        providers,
        connections,
        detectors,
        expressions,
    };
    if !out.has_errors() {
        limits(&bundle, out);
    }
    bundle
}

fn revision(document: &Document, options: &Options, out: &mut Diagnostics) -> u64 {
    let written = document.metadata.revision.as_ref();
    if let Some(revision) = written.filter(|revision| revision.value == 0) {
        let message = "revisions are counted from 1";
        out.push(
            Diagnostic::new(Code::InvalidValue, revision.span, message)
                .help("write 1 for the first release"),
        );
    }
    if let Some(revision) = options.revision.or(written.map(|revision| revision.value)) {
        return revision;
    }
    let message = "the policy has no revision; the bundle gets revision 1";
    out.push(
        Diagnostic::new(Code::NoRevision, Span::default(), message).help(
            "a filter replaces the policy that it runs only by one with a larger revision; count the \
             releases with `metadata.revision` or `--revision`",
        ),
    );
    1
}

fn expires(spec: &Spec, options: &Options, out: &mut Diagnostics) -> Option<u64> {
    let written = spec.expires.as_ref();
    let span = written.map_or(Span::default(), |expires| expires.span);
    let expires = options.expires.or(written.map(|expires| expires.value.0))?;
    if options.now.is_some_and(|now| expires <= now) {
        let message = format!("the policy expired at {}", Instant(expires));
        out.push(
            Diagnostic::new(Code::Expired, span, message)
                .help("a filter refuses to load the bundle; set a later time"),
        );
    }
    Some(expires)
}

/// Checks what the filter will check, and warns before it is too late.
fn limits(bundle: &Bundle, out: &mut Diagnostics) {
    let size = bundle.to_bytes().len();
    let smaller = "several filters with a policy each are one way; detectors and regular expressions \
                   take the most room";
    let refused = if size > MAX_BYTES {
        Some(LoadError::TooLong)
    } else {
        bundle.validate().err()
    };
    if let Some(error) = refused {
        let message = format!("{error} ({size} bytes)");
        out.push(Diagnostic::new(Code::BundleLimit, Span::default(), message).help(smaller));
    } else if size > LARGE {
        let message = format!("the bundle has {size} bytes, more than {LARGE}");
        out.push(Diagnostic::new(Code::LargeBundle, Span::default(), message).help(smaller));
    }
}
