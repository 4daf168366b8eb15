//! The audit record: one per exchange, in the shape of OCSF, as one line of canonical JSON.
//!
//! A [`Record`] says who asked, for what, how it was decided and what was hidden. [`Record::line`]
//! turns it into an event of class API Activity (6003) of OCSF 1.8, in the canonical form of RFC
//! 8785, so that the same record is the same bytes wherever it is written and can be hashed and
//! signed as it stands.
//!
//! Three properties hold for every record, whatever a caller sends:
//!
//! - It is one line of valid JSON of at most [`MAX_BYTES`] bytes. Container runtimes cut log lines
//!   at 16 KiB; what is too long is shortened in a fixed order ([`limits`]) and says so.
//! - It holds no value of a body and no token. There is no member that takes one: bodies come as
//!   lengths and digests, masked fields as paths and counts, reasons as constants of the program. The
//!   query of a path and the user part of an authority, where secrets travel, are cut off.
//! - It is written in one pass into one buffer: it costs no tree of values per request.
//!
//! `docs/records.md` lists every member. [`outcome`] holds the table of decisions.

pub mod limits;
pub mod outcome;
pub mod record;

mod json;
mod ocsf;

pub use limits::MAX_BYTES;
pub use outcome::{Outcome, Refused};
pub use record::{
    Caller, Connection, Inspected, MaskAction, Masked, Message, Peers, Policy, Record, Request,
    Response, Text, Times, TraceId,
};
