//! A scripted HTTP server: it speaks HTTP/1.1 and, to a client that begins with its preface, HTTP/2;
//! it answers as a closure says, to the byte where a test wants that, and remembers what it got.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::frames::{Frames, header_map};
use crate::http::{Fields, Received};
use crate::{client, runtime, wire};

/// What the server answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A response, framed for whichever protocol the client speaks.
    Message(Message),
    /// Exactly this, over HTTP/1.1.
    Raw(Vec<Step>),
    /// Nothing: the connection is closed.
    Hangup,
}

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The status code.
    pub status: u16,
    /// The header fields, without those that frame the body.
    pub headers: Fields,
    /// The body, in the pieces in which it is sent.
    pub body: Vec<Vec<u8>>,
    /// The trailer fields. Over HTTP/1.1 they need [`Framing::Chunked`].
    pub trailers: Fields,
    /// How HTTP/1.1 tells the end of the body.
    pub framing: Framing,
    /// Pause before the head.
    pub delay: Duration,
    /// Pause after each piece.
    pub pause: Duration,
    /// Whether the stream is reset where the body should end.
    pub cut: bool,
}

/// How HTTP/1.1 tells the end of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`.
    #[default]
    ContentLength,
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

/// One step of a raw answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// Write these bytes, and have them leave at once.
    Bytes(Vec<u8>),
    /// Wait.
    Pause(Duration),
    /// Close the connection.
    Close,
}

impl Message {
    /// A JSON response.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: Fields::default().with("content-type", "application/json"),
            body: vec![body.to_string().into_bytes()],
            ..Self::default()
        }
    }

    fn without_body(&self, method: &str) -> bool {
        method == "HEAD" || matches!(self.status, 101 | 204 | 304)
    }

    fn head(&self, method: &str) -> Vec<u8> {
        let mut headers = self.headers.clone();
        let length: usize = self.body.iter().map(Vec::len).sum();
        let bodiless = matches!(self.status, 101 | 204 | 304);
        match self.framing {
            _ if bodiless || headers.contains("content-length") => {}
            Framing::ContentLength => headers.push("content-length", length.to_string()),
            Framing::Chunked if method == "HEAD" => {}
            Framing::Chunked => headers.push("transfer-encoding", "chunked"),
            Framing::UntilClose => headers.push("connection", "close"),
        }
        wire::response_head(self.status, &headers)
    }

    /// The steps that send it over HTTP/1.1.
    fn steps(&self, method: &str) -> Vec<Step> {
        let mut steps = vec![Step::Pause(self.delay), Step::Bytes(self.head(method))];
        let chunked = self.framing == Framing::Chunked;
        if !self.without_body(method) {
            for piece in self.body.iter().filter(|piece| !piece.is_empty()) {
                let bytes = if chunked {
                    wire::chunk(piece)
                } else {
                    piece.clone()
                };
                steps.extend([Step::Bytes(bytes), Step::Pause(self.pause)]);
            }
            if chunked && !self.cut {
                steps.push(Step::Bytes(wire::last_chunk(&self.trailers)));
            }
        }
        if self.cut || self.framing == Framing::UntilClose {
            steps.push(Step::Close);
        }
        steps
    }
}

type Script = dyn Fn(&Received) -> Answer + Send + Sync;

struct Shared {
    script: Mutex<Arc<Script>>,
    received: Mutex<Vec<Received>>,
}

impl Shared {
    fn answer(&self, request: Received) -> Answer {
        let script = Arc::clone(&self.script.lock().unwrap());
        let answer = script(&request);
        self.received.lock().unwrap().push(request);
        answer
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// Starts a server on that address.
    ///
    /// # Panics
    /// When it is taken.
    #[must_use]
    pub fn start_on(
        address: SocketAddr,
        script: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            received: Mutex::default(),
        });
        let task = runtime().spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers as this closure says from now on.
    pub fn script(&self, script: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// What it got so far, in the order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Forgets what it got, and returns it.
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.received.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    // Aborting this task drops the set, which ends the connections too.
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, Arc::clone(&shared)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut preface = [0; 3];
    if stream.peek(&mut preface).await? == preface.len() && &preface == b"PRI" {
        return serve_http2(stream, shared).await;
    }
    let (read, mut write) = stream.into_split();
    let mut read = wire::reader(read);
    while let Some(request) = wire::read_request(&mut read).await? {
        let method = request.method.clone();
        let steps = match shared.answer(request) {
            Answer::Message(message) => message.steps(&method),
            Answer::Raw(steps) => steps,
            Answer::Hangup => vec![Step::Close],
        };
        if !play(&mut write, steps).await? {
            break;
        }
    }
    Ok(())
}

/// Plays an answer; returns whether the connection stays open.
async fn play(write: &mut OwnedWriteHalf, steps: Vec<Step>) -> io::Result<bool> {
    for step in steps {
        match step {
            Step::Bytes(bytes) => write.write_all(&bytes).await?,
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Close => return Ok(false),
        }
    }
    Ok(true)
}

async fn serve_http2(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let service = hyper::service::service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let request = receive(request).await;
            let method = request.method.clone();
            Ok::<_, Infallible>(respond(shared.answer(request), &method).await)
        }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

async fn receive(request: hyper::Request<hyper::body::Incoming>) -> Received {
    let (head, body) = request.into_parts();
    let authority = head.uri.authority().map(ToString::to_string);
    let path = head.uri.path_and_query().map(ToString::to_string);
    let collected = body.collect().await;
    let complete = collected.is_ok();
    let (body, trailers) = collected.map_or_else(
        |_| Default::default(),
        |body| {
            let trailers = body.trailers().map(client::fields);
            (body.to_bytes().to_vec(), trailers.unwrap_or_default())
        },
    );
    Received {
        method: head.method.to_string(),
        authority: authority.unwrap_or_default(),
        path: path.unwrap_or_default(),
        headers: client::fields(&head.headers),
        body,
        trailers,
        complete,
    }
}

async fn respond(answer: Answer, method: &str) -> hyper::Response<Frames> {
    let mut message = match answer {
        Answer::Message(message) => message,
        Answer::Raw(_) => panic!("exact bytes can only be sent over HTTP/1.1"),
        Answer::Hangup => Message {
            status: 200,
            cut: true,
            ..Message::default()
        },
    };
    tokio::time::sleep(message.delay).await;
    if message.without_body(method) {
        message.body.clear();
    }
    let frames = Frames::new(message.body, &message.trailers, message.pause, message.cut);
    let mut response = hyper::Response::new(frames);
    *response.status_mut() = hyper::StatusCode::from_u16(message.status).expect("a status");
    *response.headers_mut() = header_map(&message.headers);
    response
}
