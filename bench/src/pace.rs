//! Streams that come slowly, as a model speaks: what a proxy adds to the delay of each event, and what an
//! open stream costs it in memory.
//!
//! Back end and client are threads of this process and share a clock, so an event can carry the moment
//! at which it was sent, in its `id`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use tracegate_tests::envoy::Envoy;

use crate::callers::Callers;
use crate::chains::{Chain, LISTENER};
use crate::load::find;
use crate::{bodies, proxy, soak, upstream};

/// Rounds over all chains.
const ROUNDS: usize = 7;
/// Events of one stream, and of those at its beginning that are not counted.
const EVENTS: usize = 2_000;
const WARM_UP: usize = 200;
/// From one event to the next.
const PACE: Duration = Duration::from_micros(500);
/// Streams that are open at the same time when memory is looked at.
const OPEN: usize = 200;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// The delay of events through one chain: a number for each round, in microseconds.
pub(crate) struct Delay {
    /// The chain.
    pub(crate) chain: Chain,
    /// The median of each round.
    pub(crate) medians: Vec<f64>,
    /// The 99th percentile of each round.
    pub(crate) p99s: Vec<f64>,
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u128 {
    START.elapsed().as_nanos()
}

/// Measures the delay of events without a filter and with Tracegate, in turn.
pub(crate) fn delays(callers: &Callers) -> Result<Vec<Delay>, Box<dyn Error>> {
    let upstream = upstream::start_with(|stream| {
        stream.write_all(HEAD)?;
        for _ in 0..EVENTS {
            let event = [
                format!("id: {}\n", now()).into_bytes(),
                bodies::delta("word "),
            ]
            .concat();
            stream.write_all(&chunk(&event))?;
            thread::sleep(PACE);
        }
        stream.write_all(b"0\r\n\r\n")
    })?;
    let chains = [Chain::Bare, Chain::Tracegate];
    let proxies = chains
        .iter()
        .map(|&chain| proxy(chain, upstream, callers))
        .collect::<Result<Vec<Envoy>, _>>()?;
    let mut delays: Vec<Delay> = chains
        .iter()
        .map(|&chain| Delay {
            chain,
            medians: Vec::new(),
            p99s: Vec::new(),
        })
        .collect();
    for round in 0..ROUNDS {
        for (delay, envoy) in delays.iter_mut().zip(&proxies) {
            let mut seen = watch(envoy.listener(LISTENER)?, callers)?;
            seen.drain(..WARM_UP.min(seen.len()));
            seen.sort_unstable();
            let at = |part: f64| seen[(seen.len() as f64 * part) as usize] as f64 / 1e3;
            delay.medians.push(at(0.5));
            delay.p99s.push(at(0.99));
        }
        eprintln!("  streams, round {} of {ROUNDS}", round + 1);
    }
    Ok(delays)
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn ask(to: SocketAddr, callers: &Callers) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(callers.requests.first().ok_or("there is no caller")?)?;
    Ok(stream)
}

/// Asks for a stream and returns how old each event was when it came, in nanoseconds.
fn watch(to: SocketAddr, callers: &Callers) -> Result<Vec<u128>, Box<dyn Error>> {
    let mut stream = ask(to, callers)?;
    let mut ages = Vec::with_capacity(EVENTS);
    let mut chunks = Chunks::default();
    let mut buffer = vec![0; 64 * 1024];
    while ages.len() < EVENTS {
        let read = match stream.read(&mut buffer)? {
            0 => return Err("the stream broke off".into()),
            read => read,
        };
        let came = now();
        chunks.push(&buffer[..read])?;
        while let Some(end) = find(&chunks.body, b"\n\n") {
            let event: Vec<u8> = chunks.body.drain(..end + 2).collect();
            let event = String::from_utf8(event)?;
            let sent = event
                .strip_prefix("id: ")
                .and_then(|rest| rest.split('\n').next());
            ages.push(came - sent.ok_or("an event without an id")?.parse::<u128>()?);
        }
    }
    Ok(ages)
}

/// The chunks of a response (RFC 9112 §7.1), taken off as they come.
#[derive(Default)]
struct Chunks {
    /// What came and is not read yet; the head of the response, too, at first.
    raw: Vec<u8>,
    after_head: bool,
    body: Vec<u8>,
}

impl Chunks {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        self.raw.extend_from_slice(bytes);
        if !self.after_head {
            let Some(end) = find(&self.raw, b"\r\n\r\n") else {
                return Ok(());
            };
            self.raw.drain(..end + 4);
            self.after_head = true;
        }
        while let Some(line) = find(&self.raw, b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..line])?;
            let size = usize::from_str_radix(size, 16)?;
            if self.raw.len() < line + 2 + size + 2 {
                break;
            }
            self.body
                .extend_from_slice(&self.raw[line + 2..line + 2 + size]);
            self.raw.drain(..line + 2 + size + 2);
        }
        Ok(())
    }
}

/// How much the VM grows for each of many streams that are open and silent in the middle, in bytes.
pub(crate) fn memory_per_stream(callers: &Callers) -> Result<u64, Box<dyn Error>> {
    let upstream = upstream::start_with(|stream| {
        stream.write_all(HEAD)?;
        let mut body = bodies::delta("Some words, as they come. ").repeat(300);
        // The text breaks off where a detector has something to wait for.
        body.extend(bodies::delta("Write to maria.jensen@exam"));
        stream.write_all(&chunk(&body))?;
        thread::sleep(Duration::from_secs(20));
        Err(io::ErrorKind::TimedOut.into())
    })?;
    let envoy = proxy(Chain::Tracegate, upstream, callers)?;
    let address = envoy.listener(LISTENER)?;
    let mut first = ask(address, callers)?;
    first.read_exact(&mut [0; 16 * 1024])?;
    let before = soak::vm_memory(&envoy)?;
    let mut open = Vec::new();
    for _ in 0..OPEN {
        let mut stream = ask(address, callers)?;
        stream.read_exact(&mut [0; 48 * 1024])?;
        open.push(stream);
    }
    let after = soak::vm_memory(&envoy)?;
    Ok((after - before) / OPEN as u64)
}
