//! One stream of the proxy, which carries one exchange.
//!
//! What Envoy does with a body is the delicate part. While a body callback answers `Pause`, Envoy
//! collects: the next callback shows everything from the start of what was held. The engine wants
//! each byte once, so a [`Side`] counts what it has seen of a held body. Envoy's filter must run with
//! `allow_on_headers_stop_iteration`; held headers then do not hold the body, so every callback of a
//! held message answers `Pause`. Trailers end a stream without any body callback saying so.

use tracegate_engine::Timestamp;
use tracegate_engine::exchange::{ConnectionFacts, Effects, Exchange, ExchangeId, Flow, LogFacts};
use tracegate_engine::http::{HeaderEdit, Reply};
use tracegate_engine::refusal::Refusal;

use crate::callbacks::Action;
use crate::filter::Plugin;
use crate::host::{self, Buffer, Level, Map, Status};

/// Filter state (Envoy prefixes it with `wasm.`) that holds the record.
const AUDIT: &str = "tracegate.audit";
/// Filter state that the RBAC filter behind us looks at.
const DECISION: &str = "tracegate.decision";

/// One of the two messages of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Request,
    Response,
}

impl Message {
    fn headers(self) -> Map {
        match self {
            Self::Request => Map::Request,
            Self::Response => Map::Response,
        }
    }

    fn trailers(self) -> Map {
        match self {
            Self::Request => Map::RequestTrailers,
            Self::Response => Map::ResponseTrailers,
        }
    }

    fn body(self) -> Buffer {
        match self {
            Self::Request => Buffer::RequestBody,
            Self::Response => Buffer::ResponseBody,
        }
    }
}

/// How much of a held body the engine has seen already.
#[derive(Debug, Default)]
struct Side {
    seen: usize,
}

/// Whether we answered the caller ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    No,
    /// Before any response began: the next response is our own answer on its way to the caller.
    BeforeResponse,
    /// Instead of a response that had begun, or in vain: nothing more passes.
    NothingPasses,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    exchange: Exchange,
    request: Side,
    response: Side,
    answered: Answered,
    response_began: bool,
    logged: bool,
    /// The last time that the proxy told.
    clock: Timestamp,
}

impl Stream {
    pub(crate) fn new(context: u32) -> Self {
        Self {
            exchange: Exchange::new(ExchangeId(context)),
            request: Side::default(),
            response: Side::default(),
            answered: Answered::No,
            response_began: false,
            logged: false,
            clock: Timestamp::default(),
        }
    }

    // === Events ===

    pub(crate) fn request_headers(&mut self, plugin: &mut Plugin, end_of_stream: bool) -> Action {
        self.on(plugin, Message::Request, |stream, plugin| {
            let now = stream.now()?;
            let headers = host::headers(Map::Request)?;
            let facts = connection_facts(plugin)?;
            let effects =
                stream
                    .exchange
                    .request_headers(&mut plugin.vm, headers, facts, end_of_stream, now);
            stream.apply(Message::Request, effects, 0)
        })
    }

    pub(crate) fn response_headers(&mut self, plugin: &mut Plugin, end_of_stream: bool) -> Action {
        self.response_began = true;
        self.on(plugin, Message::Response, |stream, plugin| {
            let now = stream.now()?;
            let headers = host::headers(Map::Response)?;
            let effects = stream.exchange.response_headers(
                &mut plugin.vm,
                &headers,
                &mut is_local_reply,
                end_of_stream,
                now,
            );
            match stream.apply(Message::Response, effects, 0)? {
                // Nothing would ever let it go again.
                Action::Pause if end_of_stream && stream.answered == Answered::No => {
                    Err(Status::Malformed)
                }
                action => Ok(action),
            }
        })
    }

    pub(crate) fn body(
        &mut self,
        plugin: &mut Plugin,
        message: Message,
        size: usize,
        end_of_stream: bool,
    ) -> Action {
        if message == Message::Response
            && self.answered == Answered::No
            && self.response.seen == 0
            && !self.exchange.reads_response_body()
        {
            return Action::Continue;
        }
        self.on(plugin, message, |stream, plugin| {
            let now = stream.now()?;
            let seen = stream.side(message).seen;
            // A held body does not shrink.
            let fresh = size.checked_sub(seen).ok_or(Status::Malformed)?;
            let chunk = host::buffer(message.body(), seen..seen.saturating_add(fresh))?;
            let effects = match message {
                Message::Request => {
                    stream
                        .exchange
                        .request_body(&mut plugin.vm, &chunk, end_of_stream, now)
                }
                Message::Response => {
                    stream
                        .exchange
                        .response_body(&mut plugin.vm, &chunk, end_of_stream, now)
                }
            };
            stream.apply(message, effects, fresh)
        })
    }

    pub(crate) fn trailers(&mut self, plugin: &mut Plugin, message: Message) -> Action {
        self.on(plugin, message, |stream, plugin| {
            let now = stream.now()?;
            let trailers = host::headers(message.trailers())?;
            let effects = match message {
                Message::Request => {
                    stream
                        .exchange
                        .request_trailers(&mut plugin.vm, &trailers, now)
                }
                Message::Response => {
                    stream
                        .exchange
                        .response_trailers(&mut plugin.vm, &trailers, now)
                }
            };
            stream.apply(message, effects, 0)
        })
    }

    /// What the request was held for has come. The context in effect must be this stream's.
    pub(crate) fn wake(&mut self, plugin: &mut Plugin) {
        if self.response_began || self.logged {
            return;
        }
        self.on(plugin, Message::Request, |stream, plugin| {
            let now = stream.now()?;
            let effects = stream.exchange.wake(&mut plugin.vm, now);
            match stream.apply(Message::Request, effects, 0)? {
                Action::Continue => host::continue_request().map(|()| Action::Continue),
                Action::Pause => Ok(Action::Pause),
            }
        });
    }

    /// The exchange is over: seals its record. A second call does nothing.
    pub(crate) fn log(&mut self, plugin: &mut Plugin) {
        if std::mem::replace(&mut self.logged, true) {
            return;
        }
        let now = self.now().unwrap_or(self.clock);
        let record = self
            .exchange
            .log(&mut plugin.vm, &log_facts(&self.exchange), now);
        if let Err(status) = host::set_property(AUDIT, &record) {
            host::log(
                Level::Error,
                &format!("the audit record was lost: {status:?}"),
            );
        }
        plugin.publish_metrics();
    }

    // === Effects ===

    /// Runs one event of a message. Whatever fails on the way, the exchange is refused.
    fn on(
        &mut self,
        plugin: &mut Plugin,
        message: Message,
        event: impl FnOnce(&mut Self, &mut Plugin) -> Result<Action, Status>,
    ) -> Action {
        match (self.answered, message) {
            (Answered::No, _) => {}
            (Answered::BeforeResponse, Message::Response) => return Action::Continue,
            (Answered::BeforeResponse | Answered::NothingPasses, _) => return Action::Pause,
        }
        let action = event(self, plugin).unwrap_or_else(|status| {
            host::log(
                Level::Error,
                &format!("{message:?} refused: a hostcall failed: {status:?}"),
            );
            self.refuse(plugin);
            Action::Pause
        });
        plugin.publish_metrics();
        action
    }

    /// Does what the engine wants done. `fresh`: the length of the chunk that it has just seen.
    fn apply(
        &mut self,
        message: Message,
        effects: Effects,
        fresh: usize,
    ) -> Result<Action, Status> {
        edit(message.headers(), &effects.headers)?;
        edit(message.trailers(), &effects.trailers)?;
        let held = self.side(message).seen.saturating_add(fresh);
        let body_size = match (&effects.whole_body, &effects.body) {
            (Some(body), _) => {
                host::set_buffer(message.body(), 0, held, body)?;
                body.len()
            }
            (None, Some(body)) => self.replace_chunk(message, fresh, body)?,
            (None, None) => held,
        };
        if effects.unseal {
            host::set_property(DECISION, b"allow")?;
        }
        if let Some(record) = &effects.record {
            host::set_property(AUDIT, record)?;
        }
        if let Some(reply) = &effects.reply {
            self.reply(reply)?;
            return Ok(Action::Pause);
        }
        match effects.flow {
            Flow::Continue => {
                self.side(message).seen = 0;
                Ok(Action::Continue)
            }
            Flow::Hold => {
                self.side(message).seen = body_size;
                Ok(Action::Pause)
            }
        }
    }

    /// Puts `body` in the place of the newest `fresh` bytes and returns the new size of the whole.
    /// Envoy can replace only a whole buffer, so what is held before the chunk is written again.
    fn replace_chunk(
        &mut self,
        message: Message,
        fresh: usize,
        body: &[u8],
    ) -> Result<usize, Status> {
        let seen = self.side(message).seen;
        if fresh == 0 && body.is_empty() {
            return Ok(seen);
        }
        let buffer = message.body();
        if fresh == 0 || seen == 0 {
            host::set_buffer(buffer, seen, fresh, body)?;
        } else {
            let mut whole = host::buffer(buffer, 0..seen)?;
            whole.extend_from_slice(body);
            host::set_buffer(buffer, 0, seen.saturating_add(fresh), &whole)?;
        }
        Ok(seen.saturating_add(body.len()))
    }

    fn reply(&mut self, reply: &Reply) -> Result<(), Status> {
        let headers = reply
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        host::reply(reply.status, reply.details, headers, &reply.body)?;
        self.answered = if self.response_began {
            Answered::NothingPasses
        } else {
            Answered::BeforeResponse
        };
        Ok(())
    }

    /// Refuses because the adapter cannot go on, and closes the seal again. What fails here too
    /// leaves the message held, which lets nothing pass either.
    fn refuse(&mut self, plugin: &mut Plugin) {
        self.answered = Answered::NothingPasses;
        let _ = host::set_property(DECISION, b"deny");
        let effects = self.exchange.fail(&mut plugin.vm, self.clock);
        if let Some(record) = &effects.record {
            let _ = host::set_property(AUDIT, record);
        }
        let sent = effects.reply.as_ref().map(|reply| self.reply(reply));
        if !matches!(sent, Some(Ok(()))) {
            host::log(
                Level::Error,
                "the refusal could not be sent: the stream is held",
            );
        }
    }

    /// Answers without an engine to ask: `internal.state`, without a document or a record.
    pub(crate) fn refuse_unknown(&mut self, message: Message) -> Action {
        match (self.answered, message) {
            (Answered::BeforeResponse, Message::Response) => return Action::Continue,
            (Answered::No, Message::Request) => {
                let refusal = Refusal::InternalState;
                let sent = host::reply(refusal.status(), refusal.code(), std::iter::empty(), &[]);
                self.answered = match sent {
                    Ok(()) => Answered::BeforeResponse,
                    Err(_) => Answered::NothingPasses,
                };
            }
            _ => {}
        }
        Action::Pause
    }

    fn side(&mut self, message: Message) -> &mut Side {
        match message {
            Message::Request => &mut self.request,
            Message::Response => &mut self.response,
        }
    }

    fn now(&mut self) -> Result<Timestamp, Status> {
        self.clock = host::now()?;
        Ok(self.clock)
    }
}

fn edit(map: Map, edits: &[HeaderEdit]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| match edit {
        HeaderEdit::Remove(name) => host::remove_header(map, name),
        HeaderEdit::Set(name, value) => host::set_header(map, name, value),
        HeaderEdit::Append(name, value) => host::add_header(map, name, value),
    })
}

// === What the proxy knows ===

fn connection_facts(plugin: &Plugin) -> Result<ConnectionFacts, Status> {
    if !plugin.vm.needs_source_principal() {
        return Ok(ConnectionFacts::default());
    }
    let san = host::property("connection\0uri_san_peer_certificate")?;
    // Istio's way of naming it, which policies use too.
    let principal = |san: String| {
        san.strip_prefix("spiffe://")
            .map(str::to_owned)
            .unwrap_or(san)
    };
    let source_principal = san.filter(|san| !san.is_empty()).map(text).map(principal);
    Ok(ConnectionFacts { source_principal })
}

/// If it cannot be told, the response counts as the back end's, and is inspected.
fn is_local_reply() -> bool {
    matches!(
        host::property("response\0code_details"),
        Ok(Some(details)) if !details.is_empty() && details != b"via_upstream"
    )
}

/// A property costs Envoy about as much as a kilobyte of masking, so what the exchange knows as well
/// is not asked for.
fn log_facts(exchange: &Exchange) -> LogFacts {
    let began = exchange.is_begun();
    let unless = |known: bool, path| if known { None } else { number(path) };
    let words = |path| {
        host::property(path)
            .ok()
            .flatten()
            .filter(|v| !v.is_empty())
            .map(text)
    };
    LogFacts {
        source_address: words("source\0address"),
        upstream_address: words("upstream\0address"),
        protocol: words("request\0protocol"),
        response_code: number("response\0code").and_then(|code| u16::try_from(code).ok()),
        response_code_details: words("response\0code_details"),
        response_flags: number("response\0flags"),
        duration: unless(began, "request\0duration"),
        request_size: unless(exchange.has_whole_request(), "request\0size"),
        response_size: number("response\0size"),
        request_headers: if began {
            None
        } else {
            host::headers(Map::Request).ok()
        },
    }
}

fn number(path: &str) -> Option<u64> {
    let value = host::property(path).ok().flatten()?;
    Some(u64::from_le_bytes(*value.first_chunk()?))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
