//! The proxy-wasm adapter: callbacks of the proxy become events of the engine, the engine's effects
//! become calls to the proxy. It decides nothing.
//!
//! - `callbacks`: what the proxy calls. `host`: what we call, without panics; `pairs`: how headers
//!   travel.
//! - `filter`: the state of one VM: plugins, their root contexts, their streams.
//! - `stream`: one exchange. Read it together with `tracegate_engine::exchange`.
//! - `signature`: the proxy's own signature verification. `meters`: its metrics.
//!
//! Two rules. What fails here is refused, never passed: a stream for which a hostcall failed is
//! answered with `internal.state`. And nothing here panics, for that would end the protection of
//! every stream of the worker.
//!
//! The second rule is why the ABI is spoken directly and not through the `proxy-wasm` SDK. The SDK's
//! hostcalls panic on statuses that they do not expect and on header values that are not UTF-8. Its
//! dispatcher panics on a context id or a callout token that it does not know (and it knows only the
//! tokens of its own calls), holds its table of streams borrowed while a callback runs, so that a
//! root context cannot reach the streams that it must wake, and exports callbacks of TCP and gRPC
//! that nobody here needs.

mod callbacks;
mod filter;
mod host;
mod meters;
mod pairs;
mod signature;
mod stream;
