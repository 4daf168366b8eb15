//! Scenarios: exchanges as data, with what must come of them.
//!
//! One file under `tests/scenarios` holds a policy, the issuers and tokens that its scenarios use, and
//! the scenarios. A [`File`](format::File) is read by serde, so a misspelt member is an error. Every
//! scenario is played on every driver, and where it says `bodies: every-split`, once for every place
//! at which a body can be cut ([`split`]). What is expected is the same for all of them ([`expect`]).
//!
//! Beside what a scenario says, the following holds for every exchange and is checked on each: the
//! caller's token reaches neither the back end nor the record, nothing named `x-tracegate-` reaches
//! the back end unless it is the verified subject, and there is one record, a line of at most 8 KiB.

pub mod format;
pub mod run;

mod expect;
mod split;
mod tokens;
