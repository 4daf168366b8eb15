//! The state machine of one HTTP exchange.
//!
//! Every event returns [`Effects`]. Whoever drives the exchange (the filter, a test) applies them in
//! the order of the fields and keeps to two rules:
//!
//! - [`Flow::Hold`] holds headers, body *and* trailers of the message: whichever callback comes next
//!   must hold too until an event answers [`Flow::Continue`].
//! - After a reply nothing more is sent for the exchange; later events answer `Continue` without
//!   effects.
//!
//! The two directions are two state machines, [`request`] and [`response`], which share only what
//! the decision left behind: the policy, the connection and the mask rules that hold for the caller.
//! [`record`] notes what the audit record will say while it happens.

mod media;
mod observer;
mod record;
mod reply;
mod representation;
mod request;
mod response;
mod upward;

use std::rc::Rc;

use crate::Timestamp;
use crate::http::{HeaderEdit, HeaderMap, Reply};
use crate::masking::{Active, Plan};
use crate::metrics::{Decision, Metric};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::vm::Vm;
use record::Draft;
use request::RequestSide;
use response::ResponseSide;

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
    /// What takes the place of the whole body, all of which is held.
    pub whole_body: Option<Vec<u8>>,
    /// Changes to the trailers of this message, with the event that brought them.
    pub trailers: Vec<HeaderEdit>,
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
    /// The peer identity of mutual TLS without `spiffe://`, as Istio has it, when
    /// [`Vm::needs_source_principal`] asked for it.
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
    /// `request.duration`, in nanoseconds, where the exchange never began and has no start of its own.
    pub duration: Option<u64>,
    /// `request.size`, bytes of the body that came in, where not all of it has been shown.
    pub request_size: Option<u64>,
    /// `response.size`, bytes of the body that went out.
    pub response_size: Option<u64>,
    /// The request headers, when the exchange never saw them: earlier filters rejected the request.
    pub request_headers: Option<HeaderMap>,
}

/// A refusal on its way to the caller, with the rule that it rests on.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    refusal: Refusal,
    rule: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            rule: None,
        }
    }
}

/// What the decision to allow leaves behind for the response.
#[derive(Debug)]
struct Grant {
    policy: Rc<Policy>,
    /// Index of the connection in the policy.
    connection: usize,
    /// The mask rules that hold for the response to this caller.
    masks: Active,
    /// The rules as they are for this exchange, if they number values.
    tokenizing: Option<Rc<Plan>>,
    /// Whether the method was HEAD: the response then has headers that describe a body, and none.
    head: bool,
}

/// Where the exchange stands.
#[derive(Debug)]
enum Stage {
    /// The request is not decided.
    Undecided,
    /// The request has gone to the back end.
    Granted(Grant),
    /// A reply of ours has ended the exchange.
    Replied,
}

/// One HTTP exchange.
#[derive(Debug)]
pub struct Exchange {
    id: ExchangeId,
    stage: Stage,
    request: RequestSide,
    response: ResponseSide,
    draft: Draft,
    /// Why it was refused, if it was.
    refusal: Option<Refusal>,
    sealed: Option<Vec<u8>>,
}

impl Exchange {
    /// A new exchange, of which nothing is known yet.
    #[must_use]
    pub fn new(id: ExchangeId) -> Self {
        Self {
            id,
            stage: Stage::Undecided,
            request: RequestSide::default(),
            response: ResponseSide::default(),
            draft: Draft::default(),
            refusal: None,
            sealed: None,
        }
    }

    /// The name under which [`Vm`] wakes it.
    #[must_use]
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Whether the request headers have been shown.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.draft.is_begun()
    }

    /// Whether all of the request has been shown.
    #[must_use]
    pub fn has_whole_request(&self) -> bool {
        self.request.is_complete()
    }

    /// Whether [`Exchange::response_body`] wants to see the chunks. Where it does not, they may be
    /// passed on unread and the event may be left out.
    #[must_use]
    pub fn reads_response_body(&self) -> bool {
        self.response.is_masking()
    }

    /// The request headers arrived. `end_of_stream`: neither body nor trailers will follow.
    pub fn request_headers(
        &mut self,
        vm: &mut Vm,
        headers: HeaderMap,
        facts: ConnectionFacts,
        end_of_stream: bool,
        now: Timestamp,
    ) -> Effects {
        self.draft.begin(vm, &headers, &facts, now);
        let early_record = self.draft.line();
        let step = self.open_request(vm, headers, facts, end_of_stream, now);
        let mut effects = self.request_effects(step);
        if effects.record.is_none() {
            effects.record = Some(early_record);
        }
        effects
    }

    /// A chunk of the request body arrived: the bytes that no earlier event has shown.
    pub fn request_body(
        &mut self,
        vm: &mut Vm,
        chunk: &[u8],
        end_of_stream: bool,
        now: Timestamp,
    ) -> Effects {
        let step = self.read_request_body(vm, chunk, end_of_stream, now);
        self.request_effects(step)
    }

    /// The request trailers arrived: the request is complete.
    pub fn request_trailers(
        &mut self,
        vm: &mut Vm,
        trailers: &HeaderMap,
        now: Timestamp,
    ) -> Effects {
        let hidden = self.request.hide_trailers(trailers);
        let step = self.read_request_body(vm, &[], true, now);
        let mut effects = self.request_effects(step);
        if effects.reply.is_none() {
            effects.trailers = hidden;
        }
        effects
    }

    /// What the exchange was holding for may have come: [`Vm`] named it among those to wake. The
    /// effects are those of the request.
    pub fn wake(&mut self, vm: &mut Vm, now: Timestamp) -> Effects {
        let step = self.resume_request(vm, true, now);
        self.request_effects(step)
    }

    /// The response headers arrived. `local_reply` tells, when asked, whether the proxy itself made
    /// the response (`response.code_details` is not `via_upstream`).
    pub fn response_headers(
        &mut self,
        _vm: &mut Vm,
        headers: &HeaderMap,
        local_reply: &mut dyn FnMut() -> bool,
        end_of_stream: bool,
        now: Timestamp,
    ) -> Effects {
        self.draft.answered(headers, now);
        let step = self.open_response(headers, local_reply, end_of_stream);
        self.response_effects(step)
    }

    /// A chunk of the response body arrived.
    pub fn response_body(
        &mut self,
        _vm: &mut Vm,
        chunk: &[u8],
        end_of_stream: bool,
        _now: Timestamp,
    ) -> Effects {
        let step = self.mask_response_body(chunk, end_of_stream);
        self.response_effects(step)
    }

    /// The response trailers arrived: the response is complete.
    pub fn response_trailers(
        &mut self,
        _vm: &mut Vm,
        trailers: &HeaderMap,
        _now: Timestamp,
    ) -> Effects {
        let step = self.end_response_by_trailers(trailers);
        self.response_effects(step)
    }

    /// The proxy could not do what was asked of it, or broke its own rules (a hostcall failed, a body
    /// shrank): whatever was decided, the exchange is refused with `internal.state`. The effects hold
    /// the reply and the record; nothing else.
    pub fn fail(&mut self, _vm: &mut Vm, _now: Timestamp) -> Effects {
        self.refuse(Refusal::InternalState.into())
    }

    /// The exchange is over, in whatever way. Returns its sealed record, one line of canonical JSON.
    /// Called a second time it returns the same record.
    pub fn log(&mut self, vm: &mut Vm, facts: &LogFacts, now: Timestamp) -> Vec<u8> {
        if let Some(sealed) = &self.sealed {
            return sealed.clone();
        }
        vm.identity.forget(self.id);
        if self.draft.is_begun() {
            vm.metrics
                .record(Metric::Requests(self.decision(), self.refusal), 1);
        }
        self.request.count_masked(&mut vm.metrics);
        self.response.count_masked(&mut vm.metrics);
        let line = self.draft.seal(
            vm,
            facts,
            self.request.summary(),
            self.response.summary(),
            now,
        );
        self.sealed = Some(line.clone());
        line
    }

    fn is_replied(&self) -> bool {
        matches!(self.stage, Stage::Replied)
    }

    fn decision(&self) -> Decision {
        match (&self.stage, self.refusal) {
            (_, Some(_)) => Decision::Deny,
            (Stage::Granted(_), None) => Decision::Allow,
            (Stage::Undecided | Stage::Replied, None) => Decision::None,
        }
    }

    /// Turns what the request side came to into effects.
    fn request_effects(&mut self, step: Result<request::Step, Refused>) -> Effects {
        match step {
            Ok(request::Step::Passing) => Effects::default(),
            Ok(request::Step::Held) => Effects {
                flow: Flow::Hold,
                ..Effects::default()
            },
            Ok(request::Step::Granted { headers, body }) => Effects {
                headers,
                whole_body: body,
                unseal: true,
                ..Effects::default()
            },
            Err(refused) => self.refuse(refused),
        }
    }

    fn response_effects(&mut self, step: Result<response::Step, Refused>) -> Effects {
        match step {
            Ok(step) => Effects {
                headers: step.headers,
                body: step.body,
                trailers: step.trailers,
                flow: step.flow,
                ..Effects::default()
            },
            Err(refused) => self.refuse(refused),
        }
    }

    fn refuse(&mut self, refused: Refused) -> Effects {
        let Refused { refusal, rule } = refused;
        self.stage = Stage::Replied;
        self.refusal = Some(refusal);
        let reply = reply::refusal(refusal, rule.as_deref(), self.draft.request_id());
        self.draft.refuse(refusal, rule);
        self.response.stop();
        Effects {
            record: Some(self.draft.line()),
            reply: Some(reply),
            ..Effects::default()
        }
    }
}
