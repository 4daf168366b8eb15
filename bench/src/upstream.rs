//! A back end that answers every request alike: with the same bytes in one write, or as a closure says.
//!
//! It runs in the benchmark's own process, so that the processor time of the proxy is the proxy's.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::load::{LAST_CHUNK, find};

/// Starts a back end that answers with this body. It ends with the process.
pub(crate) fn start(media_type: &str, body: &[u8]) -> io::Result<SocketAddr> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), body].concat();
    start_with(move |stream| stream.write_all(&answer))
}

/// Starts a back end that answers every request by calling `answer`. It ends with the process.
pub(crate) fn start_with(
    answer: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A connection that breaks off is the proxy's business.
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    Ok(address)
}

fn serve(
    mut stream: TcpStream,
    answer: &impl Fn(&mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(length) = request_length(&pending) {
            pending.drain(..length);
            answer(&mut stream)?;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => pending.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Length of the first request, once it is complete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    let end = match length {
        Some(length) => head + length,
        // A filter that looks at the body may have the proxy send it in chunks.
        None if text.contains("transfer-encoding: chunked") => {
            head + find(&bytes[head..], LAST_CHUNK)? + LAST_CHUNK.len()
        }
        None => head,
    };
    (end <= bytes.len()).then_some(end)
}
