//! A small proxy-wasm host that runs the compiled filter natively.
//!
//! It speaks ABI 0.2.1 as Envoy 1.40 does, with `allow_on_headers_stop_iteration`, because the
//! filter's hard problems lie in what Envoy makes of the ABI: held headers do not hold the body, a
//! held body is shown again from its start, trailers end a message without a body callback that says
//! so, replies of the filter pass through the filter's own response callbacks. What no Envoy would do
//! in a test, this host does on demand: it fails the n-th hostcall ([`Vm::fail_hostcall`]), it stops
//! the clock, it delivers callbacks after the end.
//!
//! - [`Module`] is the compiled filter, [`Process`] what all VMs of one proxy share, [`Vm`] one VM.
//! - [`Vm::open`] begins a stream that a test drives event by event; [`Vm::run`] drives a whole one.
//!
//! A trap in the module is a [`Trap`], never a panic of the test: what a dying VM does is something
//! to assert.

mod context;
mod driver;
mod hostcalls;
mod module;
mod pairs;
mod pipe;
mod process;
mod signature;
mod stream;
mod traffic;
mod vm;
mod wasi;

pub use driver::{Message, Network, Outcome};
pub use module::Module;
pub use pairs::Headers;
pub use pipe::Passed;
pub use process::{HttpCall, Process};
pub use stream::StreamId;
pub use vm::{Settings, Trap, Vm};
