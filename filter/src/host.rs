//! The proxy's functions, as Rust that cannot panic.
//!
//! This is the only module that calls the proxy. The wrappers of the `proxy-wasm` SDK panic on
//! statuses that they do not expect and on header values that are not UTF-8, so a caller could end
//! the VM with one byte. Here every status is a value and every header is bytes. The ABI is
//! proxy-wasm 0.2.1 (<https://github.com/proxy-wasm/spec>); what Envoy makes of it differs in
//! places, and where it does the function says so.
#![allow(
    unsafe_code,
    reason = "hostcalls are foreign functions that take and return pointers"
)]

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::{NonNull, null, null_mut};

use tracegate_engine::Timestamp;
use tracegate_engine::http::HeaderMap;

use crate::pairs;

/// Why a hostcall did not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The thing asked for does not exist.
    NotFound,
    /// Any other status of the ABI: 2 bad argument, 3 serialization, 8 compare-and-swap mismatch,
    /// 10 internal failure or a call that the capability restriction forbids.
    Failed(u32),
    /// The proxy said "ok" and returned bytes that are not what the ABI promises.
    Malformed,
}

impl Status {
    fn check(raw: u32) -> Result<(), Self> {
        match raw {
            0 => Ok(()),
            1 => Err(Self::NotFound),
            other => Err(Self::Failed(other)),
        }
    }
}

/// A header map of the context that is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    ResponseTrailers = 3,
    CallResponse = 6,
}

/// A buffer of the context that is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
}

// === Memory ===

/// The proxy allocates with this what its functions return.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // Null would read as "out of memory".
        Ok(_) if size == 0 => NonNull::dangling().as_ptr(),
        // SAFETY: the layout has a size other than 0.
        Ok(layout) => unsafe { std::alloc::alloc(layout) },
        Err(_) => null_mut(),
    }
}

/// Where a hostcall puts bytes that it returns.
struct Returned {
    data: *mut u8,
    size: usize,
}

impl Returned {
    const fn new() -> Self {
        Self {
            data: null_mut(),
            size: 0,
        }
    }

    /// The bytes; none if the proxy returned a null pointer, as Envoy does for an empty value.
    fn into_bytes(self) -> Vec<u8> {
        if self.data.is_null() || self.size == 0 {
            return Vec::new();
        }
        // SAFETY: the proxy got `data` from `proxy_on_memory_allocate(size)`, so it is an allocation
        // of the global allocator with exactly that layout, the proxy filled it, and gave it to us.
        unsafe { Vec::from_raw_parts(self.data, self.size, self.size) }
    }
}

// === The proxy itself ===

/// Writes a line to the proxy's own log. If that fails there is nowhere left to complain.
pub(crate) fn log(level: Level, message: &str) {
    // SAFETY: pointer and length are those of a live slice.
    let _ = unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// The time of day.
pub(crate) fn now() -> Result<Timestamp, Status> {
    let mut nanos = 0;
    // SAFETY: the pointer is that of a live variable.
    Status::check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(Timestamp::from_nanos(nanos))
}

/// How often `proxy_on_tick` is called on the root of the context in effect; 0 ends it.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: takes no pointer.
    Status::check(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Makes the functions that follow act on that context, until this callback returns.
pub(crate) fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: takes no pointer.
    Status::check(unsafe { proxy_set_effective_context(context) })
}

// === Properties ===

/// The property at that path (segments joined by `\0`); `None` if the proxy has none there.
pub(crate) fn property(path: &str) -> Result<Option<Vec<u8>>, Status> {
    let mut value = Returned::new();
    // SAFETY: all pointers are those of live slices and variables.
    let status = unsafe {
        proxy_get_property(
            path.as_ptr(),
            path.len(),
            &raw mut value.data,
            &raw mut value.size,
        )
    };
    match Status::check(status) {
        Ok(()) => Ok(Some(value.into_bytes())),
        Err(Status::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

/// Sets filter state: Envoy keeps it under `wasm.` and the name, for the length of the stream.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: all pointers are those of live slices.
    Status::check(unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

// === Headers ===

/// All headers of a map, in the buffer in which the proxy returned them.
pub(crate) fn headers(map: Map) -> Result<HeaderMap, Status> {
    let mut buffer = Returned::new();
    // SAFETY: the pointers are those of live variables.
    Status::check(unsafe {
        proxy_get_header_map_pairs(map as u32, &raw mut buffer.data, &raw mut buffer.size)
    })?;
    pairs::index(buffer.into_bytes()).ok_or(Status::Malformed)
}

/// Replaces every header of that name by one.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: all pointers are those of live slices.
    Status::check(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Adds a header to those of that name.
pub(crate) fn add_header(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: all pointers are those of live slices.
    Status::check(unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes every header of that name; there need not be any.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<(), Status> {
    // SAFETY: the pointer is that of a live slice.
    Status::check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

// === Bodies ===

/// The bytes of a buffer in that range. Fewer than asked for is an error: bytes that cannot be seen
/// cannot be judged.
pub(crate) fn buffer(buffer: Buffer, range: Range<usize>) -> Result<Vec<u8>, Status> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Returned::new();
    // SAFETY: the pointers are those of live variables.
    Status::check(unsafe {
        proxy_get_buffer_bytes(
            buffer as u32,
            range.start,
            range.len(),
            &raw mut bytes.data,
            &raw mut bytes.size,
        )
    })?;
    let bytes = bytes.into_bytes();
    if bytes.len() == range.len() {
        Ok(bytes)
    } else {
        Err(Status::Malformed)
    }
}

/// Replaces the first `length` bytes of a buffer, which must be all that it has; appends when
/// `start` is its length. Envoy knows no other replacement.
pub(crate) fn set_buffer(
    buffer: Buffer,
    start: usize,
    length: usize,
    data: &[u8],
) -> Result<(), Status> {
    // SAFETY: the pointer is that of a live slice.
    Status::check(unsafe {
        proxy_set_buffer_bytes(buffer as u32, start, length, data.as_ptr(), data.len())
    })
}

// === Streams ===

/// Lets the held request of the context in effect go on, once this callback has returned.
pub(crate) fn continue_request() -> Result<(), Status> {
    const REQUEST: u32 = 0;
    // SAFETY: takes no pointer.
    Status::check(unsafe { proxy_continue_stream(REQUEST) })
}

/// Answers the caller of the context in effect, once this callback has returned. `details` becomes
/// `%RESPONSE_CODE_DETAILS%`.
pub(crate) fn reply<'a>(
    status: u16,
    details: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    body: &[u8],
) -> Result<(), Status> {
    const NO_GRPC_STATUS: i32 = -1;
    let headers = pairs::write(headers);
    // SAFETY: all pointers are those of live slices.
    Status::check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Sends a request without a body through a cluster. The answer comes to the root context that is
/// running, under the token returned here.
pub(crate) fn call<'a>(
    cluster: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    timeout_ms: u32,
) -> Result<u32, Status> {
    let headers = pairs::write(headers);
    let trailers = pairs::write(std::iter::empty());
    let mut token = 0;
    // SAFETY: all pointers are those of live slices and variables; a null body has length 0.
    Status::check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            null(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut token,
        )
    })?;
    Ok(token)
}

// === Shared data ===

/// The value of a key that all VMs with our `vm_id` share, and its compare-and-swap token.
pub(crate) fn shared_data(key: &str) -> Result<(Vec<u8>, u32), Status> {
    let mut value = Returned::new();
    let mut cas = 0;
    // SAFETY: all pointers are those of live slices and variables.
    Status::check(unsafe {
        proxy_get_shared_data(
            key.as_ptr(),
            key.len(),
            &raw mut value.data,
            &raw mut value.size,
            &raw mut cas,
        )
    })?;
    Ok((value.into_bytes(), cas))
}

/// Sets it. The token is compared only if the key exists and the token is not 0.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: all pointers are those of live slices.
    Status::check(unsafe {
        proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    })
}

// === Metrics ===

/// Defines a metric, or finds the one of that name.
pub(crate) fn define_metric(gauge: bool, name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: all pointers are those of live slices and variables.
    Status::check(unsafe {
        proxy_define_metric(u32::from(gauge), name.as_ptr(), name.len(), &raw mut id)
    })?;
    Ok(id)
}

/// Adds to a counter.
pub(crate) fn increment_metric(id: u32, offset: u64) -> Result<(), Status> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    // SAFETY: takes no pointer.
    Status::check(unsafe { proxy_increment_metric(id, offset) })
}

/// Sets a gauge.
pub(crate) fn record_metric(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: takes no pointer.
    Status::check(unsafe { proxy_record_metric(id, value) })
}

// === Foreign functions ===

/// Calls a function that the proxy offers beyond the ABI.
pub(crate) fn call_foreign_function(name: &str, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let mut results = Returned::new();
    // SAFETY: all pointers are those of live slices and variables.
    let status = unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &raw mut results.data,
            &raw mut results.size,
        )
    };
    // Taken before the status is looked at: a function may fail after it has allocated.
    let results = results.into_bytes();
    Status::check(status)?;
    Ok(results)
}
