//! Scenarios and their three drivers.
//!
//! - [`standins`]: an identity provider and a reasoning engine that do as a test tells them.
//! - [`host`]: a small proxy-wasm host, which runs the compiled filter natively.
//! - [`scenario`]: exchanges as data, with what must come of them. [`drivers`]: the ways to play them.
//! - [`http`], [`client`]: messages, and clients that send them over HTTP/1.1 and HTTP/2.
//! - `tls`: certificates, and clients that show them. `quic`: HTTP/3 in front of the proxy.
//! - [`envoy`]: a real Envoy, as a process or in a container.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

pub mod client;
pub mod drivers;
pub mod envoy;
#[cfg(feature = "wasm-host")]
pub mod host;
pub mod http;
pub mod module;
#[cfg(feature = "tls")]
pub mod proxy;
#[cfg(feature = "tls")]
pub mod quic;
pub mod scenario;
pub mod standins;
#[cfg(feature = "tls")]
pub mod tls;

mod wire;

use std::sync::OnceLock;

/// The runtime on which stand-ins and clients do their input and output. Tests themselves are plain
/// blocking code.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be started")
    })
}

/// Runs `last` when the user or the system wants the program to end (SIGINT, SIGTERM). Without it a
/// program that is ended leaves its Envoy behind.
///
/// # Panics
/// When the system takes no handler.
pub fn on_interrupt(last: impl FnOnce() + Send + 'static) {
    use tokio::signal::unix::{SignalKind, signal};
    let _guard = runtime().enter();
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler of SIGINT");
    let mut terminate = signal(SignalKind::terminate()).expect("a handler of SIGTERM");
    runtime().spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = tokio::task::spawn_blocking(last).await;
    });
}
