//! The state machine of one HTTP exchange.
//!
//! Every event returns [`Effects`]. Whoever drives the exchange (the filter, a test) applies them in
//! the order of the fields and keeps to two rules:
//!
//! - [`Flow::Hold`] holds headers, body *and* trailers of the message: whichever callback comes next
//!   must hold too until an event answers [`Flow::Continue`].
//! - After a reply nothing more is sent for the exchange; later events answer `Continue` without
//!   effects.

use crate::Timestamp;
use crate::http::{HeaderEdit, HeaderMap, Reply};
use crate::vm::Vm;

/// Names an exchange within its VM: the proxy's context id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u32);

/// Whether the message that an event belongs to goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Go on, with all that was held of it.
    #[default]
    Continue,
    /// Hold it back: headers, body and trailers.
    Hold,
}

/// What is to be done after an event, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Changes to the headers of this message. They come at the latest with the event that lets the
    /// headers go.
    pub headers: Vec<HeaderEdit>,
    /// What takes the place of the chunk of this event.
    pub body: Option<Vec<u8>>,
    /// The exchange is allowed: break the seal (set `wasm.tracegate.decision` to `allow`).
    pub unseal: bool,
    /// The record as it stands (a line of canonical JSON), for `wasm.tracegate.audit`.
    pub record: Option<Vec<u8>>,
    /// Answer the caller with this, now. After response headers have gone out this ends the stream
    /// with a reset, which is what a refusal then means.
    pub reply: Option<Reply>,
    /// Whether the message goes on. Without meaning when there is a reply.
    pub flow: Flow,
}

/// What the proxy knows about a request beside its headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The peer identity of mutual TLS, when [`Vm::needs_source_principal`] asked for it.
    pub source_principal: Option<String>,
}

/// What the proxy knows when the exchange is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFacts {
    /// `source.address`: `10.1.2.3:51000`.
    pub source_address: Option<String>,
    /// `upstream.address`.
    pub upstream_address: Option<String>,
    /// `request.protocol`: `HTTP/2`.
    pub protocol: Option<String>,
    /// `response.code`; 0 or absent when no response was sent.
    pub response_code: Option<u16>,
    /// `response.code_details`.
    pub response_code_details: Option<String>,
    /// `response.flags`, the bit set.
    pub response_flags: Option<u64>,
    /// `request.duration`, in nanoseconds.
    pub duration: Option<u64>,
    /// `request.size`, bytes of the body that came in.
    pub request_size: Option<u64>,
    /// `response.size`, bytes of the body that went out.
    pub response_size: Option<u64>,
    /// The request headers, when the exchange never saw them: earlier filters rejected the request.
    pub request_headers: Option<HeaderMap>,
}

/// One HTTP exchange.
#[derive(Debug)]
pub struct Exchange {
    id: ExchangeId,
}

impl Exchange {
    /// A new exchange, of which nothing is known yet.
    #[must_use]
    pub fn new(id: ExchangeId) -> Self {
        Self { id }
    }

    /// The name under which [`Vm`] wakes it.
    #[must_use]
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// The request headers arrived. `end_of_stream`: neither body nor trailers will follow.
    pub fn request_headers(
        &mut self,
        _vm: &mut Vm,
        _headers: HeaderMap,
        _facts: ConnectionFacts,
        _end_of_stream: bool,
        _now: Timestamp,
    ) -> Effects {
        Effects::default()
    }

    /// A chunk of the request body arrived: the bytes that no earlier event has shown.
    pub fn request_body(
        &mut self,
        _vm: &mut Vm,
        _chunk: &[u8],
        _end_of_stream: bool,
        _now: Timestamp,
    ) -> Effects {
        Effects::default()
    }

    /// The request trailers arrived: the request is complete.
    pub fn request_trailers(&mut self, _vm: &mut Vm, _now: Timestamp) -> Effects {
        Effects::default()
    }

    /// What the exchange was holding for may have come: [`Vm`] named it among those to wake. The
    /// effects are those of the request.
    pub fn wake(&mut self, _vm: &mut Vm, _now: Timestamp) -> Effects {
        Effects::default()
    }

    /// The response headers arrived. `local_reply` tells, when asked, whether the proxy itself made
    /// the response (`response.code_details` is not `via_upstream`).
    pub fn response_headers(
        &mut self,
        _vm: &mut Vm,
        _headers: &HeaderMap,
        _local_reply: &mut dyn FnMut() -> bool,
        _end_of_stream: bool,
        _now: Timestamp,
    ) -> Effects {
        Effects::default()
    }

    /// A chunk of the response body arrived.
    pub fn response_body(
        &mut self,
        _vm: &mut Vm,
        _chunk: &[u8],
        _end_of_stream: bool,
        _now: Timestamp,
    ) -> Effects {
        Effects::default()
    }

    /// The response trailers arrived: the response is complete.
    pub fn response_trailers(&mut self, _vm: &mut Vm, _now: Timestamp) -> Effects {
        Effects::default()
    }

    /// The proxy could not do what was asked of it, or broke its own rules (a hostcall failed, a body
    /// shrank): whatever was decided, the exchange is refused with `internal.state`. The effects hold
    /// the reply and the record; nothing else.
    pub fn fail(&mut self, _vm: &mut Vm, _now: Timestamp) -> Effects {
        Effects::default()
    }

    /// The exchange is over, in whatever way. Returns its sealed record, one line of canonical JSON.
    /// Called a second time it returns the same record.
    pub fn log(&mut self, _vm: &mut Vm, _facts: &LogFacts, _now: Timestamp) -> Vec<u8> {
        Vec::new()
    }
}
