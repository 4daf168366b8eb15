//! The streams of a VM: what arrives, what the filter's answers make of it, what leaves.

use super::context::AfterCall;
use super::stream::{LocalReply, Stream, StreamId};
use super::{Headers, Passed, Trap, Vm};

impl Vm {
    /// Begins a stream. The module hears of it with its first callback.
    pub fn open(&mut self) -> StreamId {
        let root = self.root();
        let id = self.state().next_id();
        let mut stream = Stream {
            root,
            ..Stream::default()
        };
        for (path, value) in [
            ("source.address", "10.1.2.3:51000"),
            ("request.protocol", "HTTP/2"),
            ("request.duration", "\0\0\0\0\0\0\0\0"),
        ] {
            stream
                .properties
                .insert(path.to_owned(), value.as_bytes().to_vec());
        }
        self.state().streams.insert(id, stream);
        StreamId(id)
    }

    /// Sets a property of a stream, its path joined by dots.
    pub fn set_property(&mut self, id: StreamId, path: &str, value: &[u8]) {
        self.stream(id)
            .properties
            .insert(path.to_owned(), value.to_vec());
    }

    /// Filter state, without the prefix `wasm.`.
    #[must_use]
    pub fn filter_state(&self, id: StreamId, name: &str) -> Option<Vec<u8>> {
        self.peek()
            .streams
            .get(&id.0)?
            .filter_state
            .get(name)
            .cloned()
    }

    /// Lets a held request go on, as another filter could.
    ///
    /// # Errors
    /// If the module traps.
    pub fn release_request(&mut self, id: StreamId) -> Result<(), Trap> {
        self.act(AfterCall::ContinueRequest(id.0))
    }

    /// The proxy or an earlier filter rejects the request: the module hears of it when it is over.
    pub fn reject(&mut self, id: StreamId, headers: Headers, status: u16, details: &str) {
        let stream = self.stream(id);
        stream.request.headers_arrive(headers, true);
        stream.request.headers_open = false;
        stream.details = details.to_owned();
        stream.answered = true;
        stream.response.passed.headers =
            Some(Headers::default().with(":status", status.to_string()));
        stream.response.passed.complete = true;
    }

    /// The request headers arrive.
    ///
    /// # Errors
    /// If the module traps.
    pub fn request_headers(
        &mut self,
        id: StreamId,
        headers: Headers,
        end: bool,
    ) -> Result<(), Trap> {
        self.create(id)?;
        let count = headers.0.len() as u32;
        self.stream(id).request.headers_arrive(headers, end);
        let answer = self.call(id.0, "proxy_on_request_headers", &[id.0, count, end.into()])?;
        self.stream(id).request.headers_answered(answer == Some(1));
        self.check_seal(id)
    }

    /// Data of the request body arrives.
    ///
    /// # Errors
    /// If the module traps.
    pub fn request_data(&mut self, id: StreamId, data: &[u8], end: bool) -> Result<(), Trap> {
        let size = self.stream(id).request.data_arrives(data, end) as u32;
        let answer = self.call(id.0, "proxy_on_request_body", &[id.0, size, end.into()])?;
        self.stream(id).request.data_answered(answer == Some(1));
        if self.stream(id).request.held() > self.state().settings.buffer_limit {
            let details = "request_payload_too_large";
            let reply = LocalReply::new(413, Headers::default(), b"Payload Too Large", details);
            self.reply(id.0, reply)?;
        }
        self.check_seal(id)
    }

    /// The request trailers arrive.
    ///
    /// # Errors
    /// If the module traps.
    pub fn request_trailers(&mut self, id: StreamId, trailers: Headers) -> Result<(), Trap> {
        let count = trailers.0.len() as u32;
        self.stream(id).request.trailers_arrive(trailers);
        let answer = self.call(id.0, "proxy_on_request_trailers", &[id.0, count])?;
        self.stream(id).request.trailers_answered(answer == Some(1));
        self.check_seal(id)
    }

    /// The back end's response headers arrive.
    ///
    /// # Errors
    /// If the module traps.
    pub fn response_headers(
        &mut self,
        id: StreamId,
        headers: Headers,
        end: bool,
    ) -> Result<(), Trap> {
        if self.stream(id).closed || self.stream(id).answered {
            return Ok(());
        }
        self.stream(id).details = "via_upstream".to_owned();
        self.set_property(id, "upstream.address", b"10.9.9.9:443");
        self.encode_headers(id.0, headers, end)
    }

    /// Data of the response body arrives.
    ///
    /// # Errors
    /// If the module traps.
    pub fn response_data(&mut self, id: StreamId, data: &[u8], end: bool) -> Result<(), Trap> {
        if self.stream(id).closed || self.stream(id).answered {
            return Ok(());
        }
        self.encode_data(id.0, data, end)
    }

    /// The response trailers arrive.
    ///
    /// # Errors
    /// If the module traps.
    pub fn response_trailers(&mut self, id: StreamId, trailers: Headers) -> Result<(), Trap> {
        if self.stream(id).closed || self.stream(id).answered {
            return Ok(());
        }
        let count = trailers.0.len() as u32;
        self.stream(id).response.trailers_arrive(trailers);
        let answer = self.call(id.0, "proxy_on_response_trailers", &[id.0, count])?;
        if !self.stream(id).closed {
            self.stream(id)
                .response
                .trailers_answered(answer == Some(1));
        }
        Ok(())
    }

    /// The stream ends, and is forgotten. `log`: whether the proxy runs the filter's access log
    /// handler, as it does but for HTTP/3. Returns the audit property as an access log would see it.
    ///
    /// # Errors
    /// If the module traps.
    pub fn close(&mut self, id: StreamId, log: bool) -> Result<Option<Vec<u8>>, Trap> {
        self.create(id)?;
        self.stream(id).logging = true;
        let mut audit = None;
        if log {
            self.call(id.0, "proxy_on_log", &[id.0])?;
            audit = self.filter_state(id, "tracegate.audit");
        }
        self.stream(id).logging = false;
        self.call(id.0, "proxy_on_done", &[id.0])?;
        if !log {
            audit = self.filter_state(id, "tracegate.audit");
        }
        self.call(id.0, "proxy_on_delete", &[id.0])?;
        self.state().streams.remove(&id.0);
        Ok(audit)
    }

    /// What has reached the back end. Nothing if the seal was closed.
    #[must_use]
    pub fn upstream(&self, id: StreamId) -> Passed {
        let stream = self.peek().streams.get(&id.0);
        let passed = stream.filter(|stream| !stream.stopped);
        passed
            .map(|stream| stream.request.passed.clone())
            .unwrap_or_default()
    }

    /// Whether the seal was broken when the request passed.
    #[must_use]
    pub fn passed_unsealed(&self, id: StreamId) -> bool {
        let stream = self.peek().streams.get(&id.0);
        stream.is_some_and(|stream| stream.unsealed == Some(true))
    }

    /// What has reached the client.
    #[must_use]
    pub fn client(&self, id: StreamId) -> Passed {
        let stream = self.peek().streams.get(&id.0);
        stream
            .map(|stream| stream.response.passed.clone())
            .unwrap_or_default()
    }

    /// Whether the client got a reset.
    #[must_use]
    pub fn is_reset(&self, id: StreamId) -> bool {
        self.peek()
            .streams
            .get(&id.0)
            .is_some_and(|stream| stream.reset)
    }

    /// Whether the proxy has answered or ended the stream by itself.
    #[must_use]
    pub fn is_answered(&self, id: StreamId) -> bool {
        let stream = self.peek().streams.get(&id.0);
        stream.is_none_or(|stream| stream.answered || stream.closed)
    }

    /// `response.code_details`.
    #[must_use]
    pub fn details(&self, id: StreamId) -> String {
        let stream = self.peek().streams.get(&id.0);
        stream
            .map(|stream| stream.details.clone())
            .unwrap_or_default()
    }

    // === Inside ===

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        self.state().streams.entry(id.0).or_default()
    }

    fn create(&mut self, id: StreamId) -> Result<(), Trap> {
        if std::mem::replace(&mut self.stream(id).created, true) {
            return Ok(());
        }
        let root = self.stream(id).root;
        self.call(id.0, "proxy_on_context_create", &[id.0, root])
            .map(|_| ())
    }

    pub(super) fn act(&mut self, action: AfterCall) -> Result<(), Trap> {
        match action {
            AfterCall::ContinueRequest(id) => {
                let stream = self.stream(StreamId(id));
                if !stream.answered && !stream.closed {
                    stream.request.release();
                }
                self.check_seal(StreamId(id))
            }
            AfterCall::Reply(id, reply) => self.reply(id, reply),
        }
    }

    /// The filter behind ours looks at the seal when the request headers reach it.
    fn check_seal(&mut self, id: StreamId) -> Result<(), Trap> {
        let seal = self.state().settings.seal;
        let stream = self.stream(id);
        if stream.unsealed.is_some() || stream.request.passed.headers.is_none() {
            return Ok(());
        }
        let decision = stream.filter_state.get("tracegate.decision");
        let open = decision.is_some_and(|decision| decision == b"allow");
        stream.unsealed = Some(open);
        if open || !seal {
            return Ok(());
        }
        stream.stopped = true;
        let details = "rbac_access_denied_matched_policy[none]";
        let reply = LocalReply::new(403, Headers::default(), b"RBAC: access denied", details);
        self.reply(id.0, reply)
    }

    /// The proxy answers the client: through our filter if no response has begun, past it if its
    /// headers have not gone out, else with a reset.
    fn reply(&mut self, id: u32, reply: LocalReply) -> Result<(), Trap> {
        let stream = self.stream(StreamId(id));
        if stream.closed || stream.answered {
            return Ok(());
        }
        stream.answered = true;
        if stream.response.passed.headers.is_some() {
            stream.reset = true;
            stream.closed = true;
            return Ok(());
        }
        let begun = stream.response.headers.is_some();
        stream.details = reply.details;
        if begun {
            stream.closed = true;
            stream.response.passed = Passed {
                headers: Some(reply.headers),
                body: reply.body,
                trailers: None,
                complete: true,
            };
            return Ok(());
        }
        self.encode_headers(id, reply.headers, reply.body.is_empty())?;
        if !reply.body.is_empty() {
            self.encode_data(id, &reply.body, true)?;
        }
        Ok(())
    }

    fn encode_headers(&mut self, id: u32, headers: Headers, end: bool) -> Result<(), Trap> {
        let count = headers.0.len() as u32;
        self.stream(StreamId(id))
            .response
            .headers_arrive(headers, end);
        let mut answer = None;
        if self.stream(StreamId(id)).created {
            answer = self.call(id, "proxy_on_response_headers", &[id, count, end.into()])?;
        }
        let stream = self.stream(StreamId(id));
        if !stream.closed {
            stream.response.headers_answered(answer == Some(1));
        }
        Ok(())
    }

    fn encode_data(&mut self, id: u32, data: &[u8], end: bool) -> Result<(), Trap> {
        let stream = self.stream(StreamId(id));
        let size = stream.response.data_arrives(data, end) as u32;
        let mut answer = None;
        if stream.created {
            answer = self.call(id, "proxy_on_response_body", &[id, size, end.into()])?;
        }
        let limit = self.state().settings.buffer_limit;
        let stream = self.stream(StreamId(id));
        if stream.closed {
            return Ok(());
        }
        stream.response.data_answered(answer == Some(1));
        if stream.response.held() > limit {
            let details = "response_payload_too_large";
            let reply = LocalReply::new(500, Headers::default(), b"Internal Server Error", details);
            self.reply(id, reply)?;
        }
        Ok(())
    }
}
