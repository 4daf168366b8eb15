//! The engine alone, in a proxy that is only as much of Envoy as the engine can notice.
//!
//! It holds what it is told to hold, edits what it is told to edit, keeps the seal, and answers
//! fetches of key sets by asking the identity provider's stand-in. It panics where the engine breaks
//! the contract of `Effects`: an edit of headers that are gone, a hold that nothing ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracegate_bundle::dsse::TrustKeys;
use tracegate_engine::Timestamp;
use tracegate_engine::exchange::{ConnectionFacts, Effects, Exchange, ExchangeId, Flow, LogFacts};
use tracegate_engine::http::{HeaderEdit, HeaderMap};
use tracegate_engine::identity::{Fetch, FetchResult, RustVerifier, SharedData};
use tracegate_engine::policy::Loaded;
use tracegate_engine::vm::{Chores, Vm};

use super::{Driver, Outcome, Play, Setup, metric_name};
use crate::client;
use crate::http::{Fields, Received, Request, Response};
use crate::standins::idp::Idp;

/// How long a request may be held before the proxy is said to hang, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

#[derive(Default)]
struct Store(BTreeMap<String, (Vec<u8>, u32)>);

impl SharedData for Store {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.get(key).cloned()
    }

    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let stored = self.0.get(key).map(|(_, cas)| *cas);
        if stored.is_some() && cas.is_some() && stored != cas {
            return false;
        }
        let next = stored.unwrap_or(0) + 1;
        self.0.insert(key.to_owned(), (value.to_vec(), next));
        true
    }
}

/// The engine in a simulated proxy.
pub struct Native {
    vm: Vm,
    store: Store,
    idps: BTreeMap<String, Arc<Idp>>,
    now: Timestamp,
    next_id: u32,
}

impl Native {
    /// Opens a proxy with that policy.
    ///
    /// # Panics
    /// When the engine does not enforce it.
    #[must_use]
    pub fn open(setup: &Setup) -> Self {
        let trust = TrustKeys::parse(&setup.trust_keys).expect("trust keys");
        let hash_key = Some(setup.hash_key.clone());
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let now = Timestamp::from_secs(since.as_secs());
        let mut vm = Vm::new(trust, hash_key, Box::new(RustVerifier));
        let mut store = Store::default();
        let loaded = vm.configure(&setup.configuration, &mut store, now);
        assert_eq!(loaded, Loaded::Enforced);
        Self {
            vm,
            store,
            idps: setup.idps.clone(),
            now,
            next_id: 1,
        }
    }

    /// Time passes, and what the VM asked for is done. Returns whether `id` is to be woken.
    fn chores(&mut self, id: ExchangeId) -> bool {
        let chores = self.vm.tick(&mut self.store, self.now);
        self.now = self.now.plus_millis(chores.next_tick_ms.clamp(1, 1_000));
        self.carry_out(chores, id)
    }

    fn carry_out(&mut self, chores: Chores, id: ExchangeId) -> bool {
        let mut woken = chores.wake.contains(&id);
        for fetch in &chores.fetches {
            let chores = self.fetch(fetch);
            woken |= self.carry_out(chores, id);
        }
        woken
    }

    fn fetch(&mut self, fetch: &Fetch) -> Chores {
        let idp = self.idps.get(&fetch.cluster);
        let request = Request::new("GET", &fetch.authority, &fetch.path);
        let response = idp.and_then(|idp| client::send(idp.address(), &request).ok());
        let Some(response) = response.filter(|response| response.complete) else {
            return self
                .vm
                .fetched(fetch, FetchResult::Failed, &mut self.store, self.now);
        };
        let cache_control = response.headers.get("cache-control");
        let answer = FetchResult::Answer {
            status: response.status,
            cache_control: cache_control.as_deref().map(str::as_bytes),
            body: &response.body,
        };
        self.vm.fetched(fetch, answer, &mut self.store, self.now)
    }
}

impl Driver for Native {
    fn name(&self) -> String {
        "native".to_owned()
    }

    fn play(&mut self, play: &Play) -> Outcome {
        let id = ExchangeId(self.next_id);
        self.next_id += 1;
        let _ = self.vm.metrics.take();
        let mut stream = Stream::new(self, Exchange::new(id));
        let response = stream.run(play);
        let record = stream.log(&response);
        let upstream = stream.upstream;
        let mut metrics = BTreeMap::new();
        for (metric, value) in self.vm.metrics.take() {
            *metrics.entry(metric_name(&metric.name())).or_default() += value;
        }
        Outcome {
            response,
            upstream,
            record,
            metrics,
        }
    }
}

/// What the proxy holds of a message and has let go.
#[derive(Default)]
struct Message {
    headers: Fields,
    body: Vec<u8>,
    trailers: Fields,
    released: bool,
}

impl Message {
    fn edit(&mut self, effects: &Effects) {
        assert!(
            effects.headers.is_empty() || !self.released,
            "headers edited after they went"
        );
        edit(&mut self.headers, &effects.headers);
        edit(&mut self.trailers, &effects.trailers);
    }
}

fn edit(fields: &mut Fields, edits: &[HeaderEdit]) {
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => fields.remove(name),
            HeaderEdit::Set(name, value) => fields.set(name, value.as_slice()),
            HeaderEdit::Append(name, value) => fields.push(name, value.as_slice()),
        }
    }
}

struct Stream<'p> {
    proxy: &'p mut Native,
    exchange: Exchange,
    unsealed: bool,
    upstream: Option<Received>,
}

/// Why a message did not come through.
enum Ended {
    /// The exchange was answered with this.
    Reply(Response),
    /// The stream was cut after the headers had gone.
    Reset,
}

impl<'p> Stream<'p> {
    fn new(proxy: &'p mut Native, exchange: Exchange) -> Self {
        Self {
            proxy,
            exchange,
            unsealed: false,
            upstream: None,
        }
    }

    fn run(&mut self, play: &Play) -> Response {
        match self.request(play) {
            Err(Ended::Reply(reply)) => return reply,
            Err(Ended::Reset) => panic!("a reset before there was a response"),
            Ok(received) => self.upstream = Some(received),
        }
        self.response(play)
    }

    fn request(&mut self, play: &Play) -> Result<Received, Ended> {
        let request = &play.request;
        let mut held = Message {
            headers: request.headers.clone(),
            trailers: request.trailers.clone(),
            ..Message::default()
        };
        let last = request.body.len().checked_sub(1);
        let has_trailers = !request.trailers.is_empty();
        let now = self.proxy.now;

        let ends = last.is_none() && !has_trailers;
        let peer = play.peer.as_deref();
        let peer = peer.filter(|_| self.proxy.vm.needs_source_principal());
        let facts = ConnectionFacts {
            source_principal: peer.map(|uri| uri.trim_start_matches("spiffe://").to_owned()),
        };
        let headers = request_head(request);
        let effects = self
            .exchange
            .request_headers(&mut self.proxy.vm, headers, facts, ends, now);
        self.request_event(&mut held, &[], effects)?;
        for (index, chunk) in request.body.iter().enumerate() {
            let ends = Some(index) == last && !has_trailers;
            let effects = self
                .exchange
                .request_body(&mut self.proxy.vm, chunk, ends, now);
            self.request_event(&mut held, chunk, effects)?;
        }
        if has_trailers {
            let trailers = request.trailers.iter().collect();
            let effects = self
                .exchange
                .request_trailers(&mut self.proxy.vm, &trailers, now);
            self.request_event(&mut held, &[], effects)?;
        }
        self.wait(&mut held)?;
        assert!(
            self.unsealed,
            "a request went on without the seal being broken"
        );
        Ok(Received {
            method: request.method.clone(),
            authority: request.authority.clone(),
            path: request.path.clone(),
            headers: held.headers,
            body: held.body,
            trailers: held.trailers,
            complete: true,
        })
    }

    /// Lets time pass until what is held goes on.
    fn wait(&mut self, held: &mut Message) -> Result<(), Ended> {
        let start = self.proxy.now;
        while !held.released {
            let waited = self.proxy.now.since(start) / 1_000_000;
            assert!(waited < PATIENCE_MS, "a complete request is held for ever");
            if self.proxy.chores(self.exchange.id()) {
                let effects = self.exchange.wake(&mut self.proxy.vm, self.proxy.now);
                self.request_event(held, &[], effects)?;
            }
        }
        Ok(())
    }

    fn request_event(
        &mut self,
        held: &mut Message,
        chunk: &[u8],
        effects: Effects,
    ) -> Result<(), Ended> {
        self.unsealed |= effects.unseal;
        self.event(held, chunk, effects)
    }

    fn event(&mut self, held: &mut Message, chunk: &[u8], effects: Effects) -> Result<(), Ended> {
        let Some(reply) = effects.reply else {
            held.edit(&effects);
            match effects.whole_body {
                Some(whole) => {
                    assert!(!held.released, "a body replaced after it went");
                    held.body = whole;
                }
                None => held
                    .body
                    .extend_from_slice(effects.body.as_deref().unwrap_or(chunk)),
            }
            held.released |= effects.flow == Flow::Continue;
            return Ok(());
        };
        let headers: Fields = reply
            .headers
            .iter()
            .map(|(name, value)| (name, value.as_str()))
            .collect();
        let response = Response {
            status: reply.status,
            headers,
            body: reply.body,
            complete: true,
            ..Response::default()
        };
        self.expect_silence(&response);
        Err(Ended::Reply(response))
    }

    /// The proxy shows the filter its own reply like any other response. It has no business there.
    fn expect_silence(&mut self, reply: &Response) {
        let (vm, now) = (&mut self.proxy.vm, self.proxy.now);
        let head = response_head(reply.status, &reply.headers);
        let mut local = || true;
        let effects = self
            .exchange
            .response_headers(vm, &head, &mut local, false, now);
        assert_eq!(effects, Effects::default(), "a reply is not to be touched");
        let effects = self.exchange.response_body(vm, &reply.body, true, now);
        assert_eq!(effects, Effects::default(), "a reply is not to be touched");
    }

    fn response(&mut self, play: &Play) -> Response {
        let mut held = Message {
            headers: play.response.headers.clone(),
            trailers: play.response.trailers.clone(),
            ..Message::default()
        };
        let complete = match self.response_events(&mut held, play) {
            Ok(()) => !play.response.cut,
            // A refusal before the headers went takes their place; after that it cuts the stream.
            Err(Ended::Reply(reply)) if !held.released => return reply,
            Err(Ended::Reply(_) | Ended::Reset) => false,
        };
        assert!(
            held.released || !complete,
            "a complete response is held for ever"
        );
        if !held.released {
            return Response {
                status: 502,
                complete: true,
                ..Response::default()
            };
        }
        Response {
            status: play.response.status,
            headers: held.headers,
            body: held.body,
            trailers: if complete {
                held.trailers
            } else {
                Fields::default()
            },
            complete,
        }
    }

    fn response_events(&mut self, held: &mut Message, play: &Play) -> Result<(), Ended> {
        let response = &play.response;
        let bodiless = play.request.method == "HEAD" || matches!(response.status, 101 | 204 | 304);
        let chunks: &[Vec<u8>] = if bodiless { &[] } else { &response.body };
        let last = chunks.len().checked_sub(1);
        let has_trailers = !response.trailers.is_empty();
        let whole = !response.cut && !has_trailers;

        let head = response_head(response.status, &response.headers);
        let ends = last.is_none() && whole;
        let now = self.proxy.now;
        let vm = &mut self.proxy.vm;
        let mut local = || false;
        let effects = self
            .exchange
            .response_headers(vm, &head, &mut local, ends, now);
        self.event(held, &[], effects)?;
        for (index, chunk) in chunks.iter().enumerate() {
            let ends = Some(index) == last && whole;
            let effects = self
                .exchange
                .response_body(&mut self.proxy.vm, chunk, ends, now);
            self.event(held, chunk, effects)?;
        }
        if has_trailers && !response.cut {
            let trailers = response.trailers.iter().collect();
            let effects = self
                .exchange
                .response_trailers(&mut self.proxy.vm, &trailers, now);
            assert_eq!(
                effects.body, None,
                "there is no body left to write in trailers"
            );
            self.event(held, &[], effects)?;
        }
        if response.cut {
            Err(Ended::Reset)
        } else {
            Ok(())
        }
    }

    fn log(&mut self, response: &Response) -> Vec<u8> {
        let asked = self.upstream.is_some();
        let facts = LogFacts {
            source_address: Some("127.0.0.1:51000".to_owned()),
            upstream_address: asked.then(|| "127.0.0.1:8080".to_owned()),
            protocol: Some("HTTP/1.1".to_owned()),
            response_code: Some(response.status),
            response_code_details: asked.then(|| "via_upstream".to_owned()),
            response_size: Some(response.body.len() as u64),
            duration: Some(1_000_000),
            ..LogFacts::default()
        };
        let record = self
            .exchange
            .log(&mut self.proxy.vm, &facts, self.proxy.now);
        let again = self
            .exchange
            .log(&mut self.proxy.vm, &facts, self.proxy.now);
        assert_eq!(record, again, "a sealed record does not change");
        record
    }
}

fn request_head(request: &Request) -> HeaderMap {
    let pseudo = [
        (":method", request.method.as_bytes()),
        (":authority", request.authority.as_bytes()),
        (":path", request.path.as_bytes()),
        (":scheme", b"http"),
        ("x-request-id", b"0b8a6c5e-8f0e-4b36-9d2e-3a1f6e9c7d21"),
    ];
    pseudo.into_iter().chain(request.headers.iter()).collect()
}

fn response_head(status: u16, headers: &Fields) -> HeaderMap {
    let status = status.to_string();
    let pseudo = [(":status", status.as_bytes())];
    pseudo.into_iter().chain(headers.iter()).collect()
}
