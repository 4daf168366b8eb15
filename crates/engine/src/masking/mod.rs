//! What callers do not see.
//!
//! A body streams through a [`BodyMasker`], which hides what the mask rules of a connection name:
//! whole values at paths, and text that detectors find. Bytes that no rule touches leave as they
//! came, and what leaves does not depend on how the body was cut into chunks: a byte is held back
//! exactly as long as a byte that follows can still change its fate.
//!
//! - `body` is a body of any format: a JSON document is masked by `mask`, text by `text`, and events
//!   and lines by `stream`.
//! - `json` turns bytes into tokens, `paths` follows them through the document, `mask` joins the two
//!   with the detectors: start reading there. A string that holds a document is one for `mask` too.
//! - `detect` finds personal data and secrets in text; `strand` is one text in which it does, and
//!   `fold` sees through the disguises of its characters.
//! - `header` masks headers and trailers.
//! - `plan` says which rule hides what, `fill` writes what stands in its place, `tape` copies the
//!   bytes around it, and `report` counts what was hidden, and where.

pub mod detect;

mod body;
mod fill;
mod fold;
mod header;
pub(crate) mod json;
mod mask;
pub(crate) mod paths;
mod plan;
mod report;
mod strand;
mod stream;
mod tape;
mod text;
mod tokens;

pub use body::{BodyMasker, Format, MaskError};
pub(crate) use header::{HeaderMasker, Section};
pub use json::JsonError;
pub use plan::{Active, Plan, PlanError};
pub use report::{ActionKind, Report, ReportEntry};
pub use tokens::Tokens;
