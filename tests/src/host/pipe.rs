//! One direction of a stream: what the filter holds of a message and what it has let go.
//!
//! This is the part of Envoy's filter manager and of its wasm filter that decides what a `Pause`
//! means. Envoy: `source/common/http/filter_manager.cc`, `source/extensions/common/wasm/context.cc`.

use super::Headers;

/// What has passed the filter.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// The headers, once they have passed.
    pub headers: Option<Headers>,
    /// The body so far.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Option<Headers>,
    /// Whether the end of the message has passed.
    pub complete: bool,
}

impl std::fmt::Debug for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passed")
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("trailers", &self.trailers)
            .field("complete", &self.complete)
            .finish()
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// The headers, from their arrival on.
    pub(super) headers: Option<Headers>,
    /// Whether the module may read and edit them.
    pub(super) headers_open: bool,
    /// The body that is held.
    held: Vec<u8>,
    /// The data of the callback that runs, unless it was added to what is held.
    chunk: Option<Vec<u8>>,
    /// Whether the last body callback held.
    buffering: bool,
    pub(super) trailers: Option<Headers>,
    /// Whether all of the message has arrived.
    ended: bool,
    pub(super) passed: Passed,
}

impl Pipe {
    pub(super) fn headers_arrive(&mut self, headers: Headers, end: bool) {
        self.headers = Some(headers);
        self.headers_open = true;
        self.ended = end;
    }

    pub(super) fn headers_answered(&mut self, pause: bool) {
        if !pause {
            self.headers_open = false;
            self.release();
        }
    }

    /// Returns the size that the body callback is told.
    pub(super) fn data_arrives(&mut self, data: &[u8], end: bool) -> usize {
        self.ended |= end;
        if self.buffering {
            self.held.extend_from_slice(data);
            self.held.len()
        } else {
            self.chunk = Some(data.to_vec());
            data.len()
        }
    }

    pub(super) fn data_answered(&mut self, pause: bool) {
        let chunk = self.chunk.take().unwrap_or_default();
        self.held.extend(chunk);
        self.buffering = pause;
        if !pause {
            self.release();
        }
    }

    pub(super) fn trailers_arrive(&mut self, trailers: Headers) {
        self.trailers = Some(trailers);
        self.ended = true;
    }

    /// The trailers, while the module may read them.
    pub(super) fn open_trailers(&self) -> Option<&Headers> {
        self.trailers.as_ref().filter(|_| !self.passed.complete)
    }

    /// The same, while it may change them.
    pub(super) fn open_trailers_mut(&mut self) -> Option<&mut Headers> {
        self.trailers.as_mut().filter(|_| !self.passed.complete)
    }

    pub(super) fn trailers_answered(&mut self, pause: bool) {
        if !pause {
            self.release();
        }
    }

    /// Lets everything go that is held. Envoy does not reset `buffering` here.
    pub(super) fn release(&mut self) {
        let Some(headers) = &self.headers else { return };
        self.passed.headers.get_or_insert_with(|| headers.clone());
        self.passed.body.append(&mut self.held);
        self.passed.trailers.clone_from(&self.trailers);
        self.passed.complete = self.ended;
    }

    /// The buffer that the module reads and writes. None when the callback that brought it has let
    /// it go: also in a trailers callback.
    pub(super) fn buffer(&mut self) -> Option<&mut Vec<u8>> {
        if self.buffering {
            Some(&mut self.held)
        } else {
            self.chunk.as_mut()
        }
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}
