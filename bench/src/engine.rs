//! The exchange on the engine alone, natively and without a proxy: something to hold a profiler to.
//!
//! `cargo build --release -p tracegate-bench`, then `perf record target/release/tracegate-bench
//! --engine 200000`.

use std::collections::HashMap;
use std::error::Error;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tracegate_bundle::dsse::TrustKeys;
use tracegate_engine::Timestamp;
use tracegate_engine::exchange::{ConnectionFacts, Exchange, ExchangeId, LogFacts};
use tracegate_engine::http::HeaderMap;
use tracegate_engine::identity::{RustVerifier, SharedData};
use tracegate_engine::vm::Vm;

use crate::callers::Callers;
use crate::chains::Chain;
use crate::{bodies, tracegate};

/// Runs that many exchanges of every kind and prints what one takes.
pub(crate) fn run(exchanges: usize) -> Result<(), Box<dyn Error>> {
    let callers = Callers::new(1_000);
    let answer = bodies::completion(2_700);
    for chain in [Chain::Unmasked, Chain::Tracegate] {
        let mut vm = vm(chain, &callers)?;
        let requests: Vec<Request> = callers
            .requests
            .iter()
            .filter_map(|request| Request::read(request))
            .collect();
        // Verifies every token once.
        for request in &requests {
            exchange(&mut vm, request, &answer)?;
        }
        let start = Instant::now();
        for request in requests.iter().cycle().take(exchanges) {
            exchange(&mut vm, request, &answer)?;
        }
        let each = start.elapsed().div_f64(exchanges as f64);
        println!("{}: {each:?} for an exchange", chain.name());
    }
    Ok(())
}

fn vm(chain: Chain, callers: &Callers) -> Result<Vm, Box<dyn Error>> {
    let (configuration, trust) = tracegate::configuration(chain, &callers.jwks)?;
    let trust = TrustKeys::parse(&trust).map_err(|error| error.to_string())?;
    let mut vm = Vm::new(trust, None, Box::new(RustVerifier));
    vm.configure(&configuration, &mut Shared::default(), now());
    Ok(vm)
}

struct Request {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn read(request: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(request).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut start = lines.next()?.split(' ');
        let pseudo = [
            (":method", start.next()?),
            (":path", start.next()?),
            (":scheme", "http"),
        ];
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| match name {
            "host" => (":authority", value),
            name => (name, value),
        });
        Some(Self {
            headers: pseudo.into_iter().chain(fields).collect(),
            body: body.as_bytes().to_vec(),
        })
    }
}

fn exchange(vm: &mut Vm, request: &Request, answer: &[u8]) -> Result<(), Box<dyn Error>> {
    let now = now();
    let mut exchange = Exchange::new(ExchangeId(1));
    let facts = ConnectionFacts::default();
    let effects = exchange.request_headers(vm, request.headers.clone(), facts, false, now);
    if let Some(reply) = effects.reply {
        return Err(format!("the engine refuses: {}", reply.details).into());
    }
    exchange.request_body(vm, &request.body, true, now);
    let head = [(":status", "200"), ("content-type", "application/json")];
    let headers: HeaderMap = head.into_iter().collect();
    exchange.response_headers(vm, &headers, &mut || false, false, now);
    if exchange.reads_response_body() {
        exchange.response_body(vm, answer, false, now);
        exchange.response_body(vm, &[], true, now);
    }
    exchange.log(vm, &LogFacts::default(), now);
    vm.metrics.take();
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}

#[derive(Default)]
struct Shared(HashMap<String, Vec<u8>>);

impl SharedData for Shared {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.get(key).map(|value| (value.clone(), 1))
    }

    fn set(&mut self, key: &str, value: &[u8], _cas: Option<u32>) -> bool {
        self.0.insert(key.to_owned(), value.to_vec());
        true
    }
}
