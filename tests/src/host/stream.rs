//! One stream: its two directions, its filter state, its properties.

use std::collections::BTreeMap;

use super::Headers;
use super::pipe::Pipe;

/// Names a stream of a [`Vm`](super::Vm).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub(super) u32);

impl StreamId {
    /// Its context id, which is the first argument of every callback.
    #[must_use]
    pub fn context(self) -> u32 {
        self.0
    }
}

/// A response that the proxy makes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalReply {
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    pub(super) details: String,
}

impl LocalReply {
    pub(super) fn new(status: u32, mut extra: Headers, body: &[u8], details: &str) -> Self {
        let mut headers = Headers::default().with(":status", status.to_string());
        if !body.is_empty() {
            headers.push("content-length", body.len().to_string());
            if extra.get("content-type").is_none() {
                headers.push("content-type", "text/plain");
            }
        }
        headers.0.append(&mut extra.0);
        // Envoy does so too, for its text logs.
        let details = details.replace(' ', "_");
        Self {
            headers,
            body: body.to_vec(),
            details,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) root: u32,
    /// Whether the module knows the context.
    pub(super) created: bool,
    pub(super) request: Pipe,
    pub(super) response: Pipe,
    /// Without Envoy's prefix `wasm.`.
    pub(super) filter_state: BTreeMap<String, Vec<u8>>,
    pub(super) properties: BTreeMap<String, Vec<u8>>,
    /// `response.code_details`.
    pub(super) details: String,
    /// The proxy has answered: nothing of the request goes upstream any more.
    pub(super) answered: bool,
    /// The client got a reset, or a response that ended the stream.
    pub(super) closed: bool,
    pub(super) reset: bool,
    /// Whether the seal was broken when the request passed the filter; `None` before.
    pub(super) unsealed: Option<bool>,
    /// The filter behind ours has stopped the request.
    pub(super) stopped: bool,
    pub(super) logging: bool,
}

impl Stream {
    pub(super) fn property(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(value) = self
            .properties
            .get(path)
            .or_else(|| self.filter_state.get(path))
        {
            return Some(value.clone());
        }
        let number = |value: u64| Some(value.to_le_bytes().to_vec());
        let status = || {
            let headers = self
                .response
                .passed
                .headers
                .as_ref()
                .or(self.response.headers.as_ref());
            headers?.text(":status")?.parse().ok()
        };
        match path {
            "response.code_details" if !self.details.is_empty() => {
                Some(self.details.clone().into_bytes())
            }
            "response.code" => number(status().unwrap_or(0)),
            "request.size" => number(self.request.passed.body.len() as u64),
            "response.size" => number(self.response.passed.body.len() as u64),
            _ => None,
        }
    }

    /// The map that the ABI calls by that number, if the module may read it now.
    pub(super) fn readable(&self, map: u32) -> Option<&Headers> {
        let pipe = match map {
            0 => &self.request,
            2 => &self.response,
            1 => return self.request.open_trailers(),
            3 => return self.response.open_trailers(),
            _ => return None,
        };
        pipe.headers
            .as_ref()
            .filter(|_| pipe.headers_open || self.logging)
    }

    /// The same, if the module may change it now.
    pub(super) fn writable(&mut self, map: u32) -> Option<&mut Headers> {
        let pipe = match map {
            0 => &mut self.request,
            2 => &mut self.response,
            1 => return self.request.open_trailers_mut(),
            3 => return self.response.open_trailers_mut(),
            _ => return None,
        };
        if pipe.headers_open {
            pipe.headers.as_mut()
        } else {
            None
        }
    }
}
