//! The compiled filter, in the proxy-wasm host of the tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Driver, Outcome, Play, Setup, metric_name};
use crate::client;
use crate::host::{self, Headers, HttpCall, Message, Module, Network, Passed, Process, Vm};
use crate::http::{Fields, Received, Request, Response};
use crate::standins::idp::Idp;

/// The filter under wasmtime.
pub struct Wasm {
    vm: Vm,
    process: Process,
    idps: BTreeMap<String, Arc<Idp>>,
}

impl Wasm {
    /// Opens a proxy with that policy.
    ///
    /// # Panics
    /// When the filter does not take the configuration.
    #[must_use]
    pub fn open(setup: &Setup) -> Self {
        let process = Process::new();
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        process.set_now(u64::try_from(since.as_nanos()).expect("a date before 2554"));
        let environment = [
            ("TRACEGATE_TRUST_KEYS".to_owned(), setup.trust_keys.clone()),
            (
                "TRACEGATE_HASH_KEY".to_owned(),
                STANDARD.encode(&setup.hash_key),
            ),
        ];
        let settings = host::Settings {
            environment: environment.into(),
            ..host::Settings::default()
        };
        let mut vm = Vm::start(Module::filter(), &process, settings).expect("the filter starts");
        assert_eq!(
            vm.configure(&setup.configuration),
            Ok(true),
            "the filter takes its policy"
        );
        Self {
            vm,
            process,
            idps: setup.idps.clone(),
        }
    }

    fn run(&mut self, play: &Play) -> Result<host::Outcome, host::Trap> {
        let id = self.vm.open();
        if let Some(uri) = &play.peer {
            let property = "connection.uri_san_peer_certificate";
            self.vm.set_property(id, property, uri.as_bytes());
        }
        let mut idps = Idps(&self.idps);
        self.vm.send_request(id, request_message(&play.request))?;
        self.vm.wait_for_decision(id, &mut idps)?;
        if self.vm.upstream(id).complete && !self.vm.is_answered(id) {
            let response = response_message(play);
            if play.response.cut {
                self.vm.response_headers(id, response.headers, false)?;
                for piece in &response.body {
                    self.vm.response_data(id, piece, false)?;
                }
            } else {
                self.vm.send_response(id, response)?;
            }
        }
        self.vm.finish(id)
    }
}

impl Driver for Wasm {
    fn name(&self) -> String {
        "wasm".to_owned()
    }

    fn play(&mut self, play: &Play) -> Outcome {
        let before = self.process.metrics();
        let outcome = self
            .run(play)
            .unwrap_or_else(|trap| panic!("the filter trapped: {trap}"));
        let mut metrics = BTreeMap::new();
        for (name, value) in self.process.metrics() {
            let grew = value.saturating_sub(before.get(&name).copied().unwrap_or(0));
            metrics.insert(metric_name(&name), grew);
        }
        Outcome {
            response: response(&outcome),
            upstream: outcome.upstream.as_ref().map(received),
            record: outcome.audit.unwrap_or_default().into_bytes(),
            metrics,
        }
    }
}

/// Answers the filter's calls for key sets.
struct Idps<'a>(&'a BTreeMap<String, Arc<Idp>>);

impl Network for Idps<'_> {
    fn respond(&mut self, _request: &Passed) -> Message {
        panic!("the driver plays the back end itself")
    }

    fn answer(&mut self, call: &HttpCall) -> Option<(Headers, Vec<u8>)> {
        let idp = self.0.get(&call.cluster)?;
        let text = |name: &str| call.headers.text(name).unwrap_or_default();
        let request = Request::new(&text(":method"), &text(":authority"), &text(":path"));
        let response = client::send(idp.address(), &request).ok()?;
        // A connection that fails is a 503 of Envoy's own.
        let status = if response.status == 0 {
            503
        } else {
            response.status
        };
        let head = Headers::default().with(":status", status.to_string());
        Some((with_fields(head, &response.headers), response.body))
    }
}

fn with_fields(mut headers: Headers, fields: &Fields) -> Headers {
    for (name, value) in fields.iter() {
        headers.push(name, value);
    }
    headers
}

fn trailers(fields: &Fields) -> Option<Headers> {
    (!fields.is_empty()).then(|| with_fields(Headers::default(), fields))
}

fn request_message(request: &Request) -> Message {
    let pseudo = Headers::default()
        .with(":method", &request.method)
        .with(":authority", &request.authority)
        .with(":path", &request.path)
        .with(":scheme", "http")
        .with("x-request-id", "0b8a6c5e-8f0e-4b36-9d2e-3a1f6e9c7d21");
    Message {
        headers: with_fields(pseudo, &request.headers),
        body: request.body.clone(),
        trailers: trailers(&request.trailers),
        ..Message::default()
    }
}

fn response_message(play: &Play) -> Message {
    let written = &play.response;
    let bodiless = play.request.method == "HEAD" || matches!(written.status, 101 | 204 | 304);
    let pseudo = Headers::default().with(":status", written.status.to_string());
    Message {
        headers: with_fields(pseudo, &written.headers),
        body: if bodiless {
            Vec::new()
        } else {
            written.body.clone()
        },
        trailers: trailers(&written.trailers),
        ..Message::default()
    }
}

fn fields(headers: Option<&Headers>) -> Fields {
    let pairs = headers.into_iter().flat_map(|headers| &headers.0);
    pairs
        .filter(|(name, _)| !name.starts_with(b":"))
        .map(|(name, value)| (String::from_utf8_lossy(name), value.clone()))
        .collect()
}

fn received(passed: &Passed) -> Received {
    let text = |name: &str| {
        let headers = passed.headers.as_ref();
        headers
            .and_then(|headers| headers.text(name))
            .unwrap_or_default()
    };
    Received {
        method: text(":method"),
        authority: text(":authority"),
        path: text(":path"),
        headers: fields(passed.headers.as_ref()),
        body: passed.body.clone(),
        trailers: fields(passed.trailers.as_ref()),
        complete: passed.complete,
    }
}

fn response(outcome: &host::Outcome) -> Response {
    Response {
        status: outcome.status(),
        headers: fields(outcome.client.headers.as_ref()),
        body: outcome.client.body.clone(),
        trailers: fields(outcome.client.trailers.as_ref()),
        complete: outcome.client.complete && !outcome.reset,
    }
}
