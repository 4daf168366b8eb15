//! A load generator that costs little beside what it measures.
//!
//! It keeps a fixed number of HTTP/1.1 connections. In each round it sends one request on every
//! connection and then reads every answer: the proxy always has a batch of work, and nothing waits
//! for a scheduler between two requests. Answers are counted to their end, not kept.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connections.
pub(crate) struct Load {
    connections: Vec<Connection>,
}

impl Load {
    /// Opens that many connections.
    pub(crate) fn connect(to: SocketAddr, connections: usize) -> io::Result<Self> {
        let connections = (0..connections).map(|_| Connection::open(to));
        Ok(Self {
            connections: connections.collect::<io::Result<_>>()?,
        })
    }

    /// Sends `count` requests (rounded up to whole rounds), taken from `requests` in turn, and returns
    /// how many it were. Every answer must be a complete 200.
    pub(crate) fn run(&mut self, requests: &[Vec<u8>], count: usize) -> io::Result<usize> {
        let mut next = requests.iter().cycle();
        let rounds = count.div_ceil(self.connections.len());
        for _ in 0..rounds {
            for connection in &mut self.connections {
                connection
                    .stream
                    .write_all(next.next().expect("a request"))?;
            }
            for connection in &mut self.connections {
                connection.answer()?;
            }
        }
        Ok(rounds * self.connections.len())
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// How the end of a body is known (RFC 9112 §6.3).
enum Framing {
    Length(usize),
    Chunked,
}

/// The chunk that ends a body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            buffer: vec![0; 256 * 1024],
        })
    }

    fn answer(&mut self) -> io::Result<()> {
        let mut filled = 0;
        let head = loop {
            filled += self.read_at(filled)?;
            if let Some(end) = find(&self.buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let framing = framing(&self.buffer[..head])?;
        let mut length = filled - head;
        let mut tail = last_bytes(&[], &self.buffer[head..filled]);
        while !is_complete(&framing, length, &tail) {
            let read = self.read_at(0)?;
            length += read;
            tail = last_bytes(&tail, &self.buffer[..read]);
        }
        Ok(())
    }

    fn read_at(&mut self, start: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[start..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// Requests are not pipelined, so what ends in the last chunk ends there.
fn is_complete(framing: &Framing, length: usize, tail: &[u8]) -> bool {
    match framing {
        Framing::Length(expected) => length >= *expected,
        Framing::Chunked => tail == LAST_CHUNK,
    }
}

/// As many bytes from the end as the last chunk has.
fn last_bytes(before: &[u8], read: &[u8]) -> Vec<u8> {
    let all = [before, &read[read.len().saturating_sub(LAST_CHUNK.len())..]].concat();
    all[all.len().saturating_sub(LAST_CHUNK.len())..].to_vec()
}

fn framing(head: &[u8]) -> io::Result<Framing> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        return Err(io::Error::other(format!("not a 200:\n{head}")));
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    match length.map(|value| value.trim().parse()) {
        Some(Ok(length)) => Ok(Framing::Length(length)),
        Some(Err(error)) => Err(io::Error::other(error)),
        None => Ok(Framing::Chunked),
    }
}

/// Where `needle` begins in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
