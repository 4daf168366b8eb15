//! A body of HTTP/2 that comes in the pieces that a test asked for.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::time::Sleep;

use crate::http::Fields;

/// Pieces, then trailers; a pause before each but the first; at the end, maybe, a reset.
pub(crate) struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    pause: Duration,
    sleeping: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

impl Frames {
    pub(crate) fn new(pieces: Vec<Vec<u8>>, trailers: &Fields, pause: Duration, cut: bool) -> Self {
        let data = |piece: Vec<u8>| Frame::data(Bytes::from(piece));
        let mut frames: VecDeque<_> = pieces.into_iter().map(data).collect();
        if !trailers.is_empty() {
            frames.push_back(Frame::trailers(header_map(trailers)));
        }
        Self {
            frames,
            pause,
            sleeping: None,
            cut,
        }
    }
}

/// The header map of hyper for these fields. A field that HTTP cannot carry fails the test.
pub(crate) fn header_map(fields: &Fields) -> hyper::HeaderMap {
    let mut map = hyper::HeaderMap::new();
    for (name, value) in fields.iter() {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).expect("a field name");
        let value = hyper::header::HeaderValue::from_bytes(value).expect("a field value");
        map.append(name, value);
    }
    map
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(sleep) = &mut self.sleeping {
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.sleeping = None;
        }
        let Some(frame) = self.frames.pop_front() else {
            let reset = std::mem::take(&mut self.cut);
            return Poll::Ready(reset.then(|| Err(io::Error::other("cut by the test"))));
        };
        if !self.pause.is_zero() {
            self.sleeping = Some(Box::pin(tokio::time::sleep(self.pause)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && !self.cut
    }
}
