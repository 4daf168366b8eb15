//! What the proxy calls: the exports of the module, proxy-wasm ABI 0.2.1.
//!
//! Only the callbacks that are needed are exported, for each one costs an entry into the VM.
//! `envoy/capabilities.txt` lists them; a test compares.
#![allow(
    unsafe_code,
    reason = "exported symbols are `#[unsafe(no_mangle)]`, and constructors are run by hand"
)]

use crate::filter::{Plugin, with_filter};
use crate::stream::{Message, Stream};

/// What happens to the message that a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    /// It goes on.
    Continue = 0,
    /// It is held, or has been answered.
    Pause = 1,
}

#[cfg(target_family = "wasm")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Called once, first. Without it the linker would run the constructors at every export.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    #[cfg(target_family = "wasm")]
    // SAFETY: nothing has run in this module yet, and it runs only once.
    unsafe {
        __wasm_call_ctors();
    }
}

/// Its name is the version of the ABI that this module speaks.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with_filter((), |filter| filter.create_context(context, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _configuration_size: usize) -> bool {
    true
}

/// The answer is a function of the configuration's bytes alone. A worker that answers otherwise than
/// the main thread did leaves Envoy without any filter (envoyproxy/envoy#43751).
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> bool {
    with_filter(true, |filter| filter.configure(root, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    with_filter(None, |filter| filter.tick(root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    headers: u32,
    body_size: usize,
    _trailers: u32,
) {
    with_filter(None, |filter| {
        filter.call_answered(root, token, headers, body_size)
    });
}

fn event(
    context: u32,
    message: Message,
    work: impl FnOnce(&mut Stream, &mut Plugin) -> Action,
) -> Action {
    with_filter(Action::Pause, |filter| filter.event(context, message, work))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: u32, end: u32) -> Action {
    event(context, Message::Request, |stream, plugin| {
        stream.request_headers(plugin, end != 0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> Action {
    const REQUEST: Message = Message::Request;
    event(context, REQUEST, |stream, plugin| {
        stream.body(plugin, REQUEST, size, end != 0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: u32) -> Action {
    const REQUEST: Message = Message::Request;
    event(context, REQUEST, |stream, plugin| {
        stream.trailers(plugin, REQUEST)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: u32, end: u32) -> Action {
    event(context, Message::Response, |stream, plugin| {
        stream.response_headers(plugin, end != 0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> Action {
    const RESPONSE: Message = Message::Response;
    event(context, RESPONSE, |stream, plugin| {
        stream.body(plugin, RESPONSE, size, end != 0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: u32) -> Action {
    const RESPONSE: Message = Message::Response;
    event(context, RESPONSE, |stream, plugin| {
        stream.trailers(plugin, RESPONSE)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    with_filter(None, |filter| filter.log(context));
}

/// On HTTP/3 Envoy writes the access log after this and does not call `proxy_on_log`, so the record
/// is sealed here if it is not yet. `true`: there is nothing to wait for.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> bool {
    with_filter(None, |filter| filter.log(context));
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_filter((), |filter| filter.delete_context(context));
}
