//! The proxy-wasm adapter.
