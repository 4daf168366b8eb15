//! The part of Tracegate that decides.
//!
//! The engine is *sans-IO*: it is told what happened (request headers arrived, a chunk of a body,
//! the end of a stream, the time) and answers what is to be done (continue, hold, rewrite this
//! chunk, reply, record). It never calls the proxy, never reads a clock and opens no connection.
//! So the same code runs in the filter, in unit tests, in fuzzers, in `policy-compiler test` and in
//! `evidence replay`, and every test can replay every order of events.
//!
//! - [`exchange`]: the state machine of one HTTP exchange. Start reading there.
//! - [`vm`]: what the exchanges of one proxy VM share: the policy, keys, verified tokens, counters.
//! - [`policy`]: how a bundle becomes the running policy, and when it is refused.
//! - [`identity`]: who asks. [`decision`]: whether they may. [`masking`]: what they do not see.
//! - `coding` undoes content codings, so that what is encoded can be masked.
//! - [`refusal`]: every reason to refuse, with its code and status, in one table.
//! - [`http`]: header maps and edits, in no proxy's types.

mod coding;
pub mod decision;
pub mod exchange;
pub mod http;
pub mod identity;
pub mod masking;
pub mod metrics;
pub mod policy;
pub mod refusal;
pub mod vm;

mod time;

pub use time::Timestamp;
