//! The proxy-wasm adapter: callbacks of the proxy become events of the engine, the engine's effects
//! become calls to the proxy. It decides nothing.
//!
//! - `host`: the proxy's functions, without panics; `pairs`: its form of headers. `callbacks`: what the proxy calls.
//! - `filter`: the state of one VM: plugins, their root contexts, their streams.
//! - `stream`: one exchange. Read it together with `tracegate_engine::exchange`.
//! - `signature`: the proxy's own signature verification. `meters`: its metrics.
//!
//! Two rules. What fails here is refused, never passed: a stream for which a hostcall failed is
//! answered with `internal.state`. And nothing here panics, for that would end the protection of
//! every stream of the worker. `docs/contributing.md` says why the ABI is spoken directly.

mod callbacks;
mod filter;
mod host;
mod meters;
mod pairs;
mod signature;
mod stream;
