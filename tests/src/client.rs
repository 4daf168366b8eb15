//! HTTP clients that send exactly what a test says and report exactly what came back.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Fields, Request, Response};
use crate::standins::frames::Frames;
use crate::{runtime, wire};

/// How long a response may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between the pieces of a body, so that each is read by itself at the other end.
pub(crate) const BETWEEN_PIECES: Duration = Duration::from_millis(2);

fn wait<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    runtime().block_on(async {
        tokio::time::timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
    })
}

/// Sends a request over HTTP/1.1 on a connection of its own.
///
/// # Errors
/// When there is no connection, or no end of the response in time.
pub fn send(to: SocketAddr, request: &Request) -> io::Result<Response> {
    send_raw(to, &request.method, wire::request_pieces(request))
}

/// Sends exactly these bytes, piece by piece, and reads the response as one to `method`.
///
/// # Errors
/// As [`send`].
pub fn send_raw(to: SocketAddr, method: &str, pieces: Vec<Vec<u8>>) -> io::Result<Response> {
    wait(async { exchange(TcpStream::connect(to).await?, method, pieces).await })
}

/// Sends a request over HTTP/1.1 and TLS, on a connection of its own.
///
/// # Errors
/// As [`send`], and when the handshake fails.
#[cfg(feature = "tls")]
pub fn send_tls(
    to: SocketAddr,
    client: &crate::tls::Client,
    request: &Request,
) -> io::Result<Response> {
    let pieces = wire::request_pieces(request);
    wait(async { exchange(client.connect(to).await?, &request.method, pieces).await })
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    method: &str,
    pieces: Vec<Vec<u8>>,
) -> io::Result<Response> {
    let (read, mut write) = tokio::io::split(stream);
    let writer = tokio::spawn(async move {
        for piece in pieces {
            // The answer may come before the request is through; what matters is the answer.
            let written = write.write_all(&piece).await;
            if written.is_err() || write.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
        write
    });
    let response = wire::read_response(&mut wire::reader(read), method).await;
    writer.abort();
    response
}

/// Sends a request over HTTP/2 with prior knowledge, on a connection of its own.
///
/// # Errors
/// As [`send`].
pub fn send_http2(to: SocketAddr, request: &Request) -> io::Result<Response> {
    wait(async { exchange_http2(TcpStream::connect(to).await?, request).await })
}

/// The same over TLS.
///
/// # Errors
/// As [`send_tls`].
#[cfg(feature = "tls")]
pub fn send_http2_tls(
    to: SocketAddr,
    client: &crate::tls::Client,
    request: &Request,
) -> io::Result<Response> {
    wait(async { exchange_http2(client.connect(to).await?, request).await })
}

async fn exchange_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: &Request,
) -> io::Result<Response> {
    let stream = TokioIo::new(stream);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let response = match sender.send_request(http2_request(request)?).await {
        Ok(response) => collect(response).await,
        // Reset before there was a head.
        Err(_) => Response::default(),
    };
    connection.abort();
    Ok(response)
}

fn http2_request(request: &Request) -> io::Result<hyper::Request<Frames>> {
    let uri = format!("http://{}{}", request.authority, request.path);
    let mut builder = hyper::Request::builder()
        .version(hyper::Version::HTTP_2)
        .method(request.method.as_str())
        .uri(uri);
    for (name, value) in request.headers.iter() {
        builder = builder.header(name, value);
    }
    let frames = Frames::new(
        request.body.clone(),
        &request.trailers,
        BETWEEN_PIECES,
        false,
    );
    builder.body(frames).map_err(io::Error::other)
}

async fn collect(response: hyper::Response<hyper::body::Incoming>) -> Response {
    let (head, mut body) = response.into_parts();
    let mut collected = Response {
        status: head.status.as_u16(),
        headers: fields(&head.headers),
        complete: true,
        ..Response::default()
    };
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            collected.complete = false;
            break;
        };
        match frame.into_data() {
            Ok(data) => collected.body.extend_from_slice(&data),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                collected.trailers = fields(&trailers);
            }
        }
    }
    collected
}

/// The fields of a header map of hyper.
pub(crate) fn fields(headers: &hyper::HeaderMap) -> Fields {
    let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.iter().map(pair).collect()
}

/// A connection that a test drives by hand: it writes a part, reads a part, and hangs up.
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = wait(TcpStream::connect(to))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When the peer is gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        wait(self.stream.write_all(bytes))
    }

    /// Writes a whole request.
    ///
    /// # Errors
    /// When the peer is gone.
    pub fn write_request(&mut self, request: &Request) -> io::Result<()> {
        self.write(&wire::request_pieces(request).concat())
    }

    /// Reads until `text` has been seen or the peer closed; returns what was read.
    ///
    /// # Errors
    /// When neither happens in time.
    pub fn read_until(&mut self, text: &str) -> io::Result<Vec<u8>> {
        wait(async {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !crate::http::contains(&seen, text) {
                match self.stream.read(&mut buffer).await? {
                    0 => break,
                    read => seen.extend_from_slice(&buffer[..read]),
                }
            }
            Ok(seen)
        })
    }
}
