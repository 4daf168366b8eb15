//! Drives a whole exchange through a VM: request, back end, response, log.

use super::{Headers, HttpCall, Passed, StreamId, Trap, Vm};

/// How long a held request is waited for, in simulated milliseconds.
const PATIENCE_MS: u64 = 30_000;
/// How far the clock goes at each step, in milliseconds.
const STEP_MS: u64 = 20;

/// A message as it arrives: a request of a client, a response of a back end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// With pseudo-headers.
    pub headers: Headers,
    /// The pieces of the body. None at all: the headers end the message, if no trailers do.
    pub body: Vec<Vec<u8>>,
    /// The trailers, which then end the message.
    pub trailers: Option<Headers>,
    /// Whether the end of the body comes apart from its last piece, as it does over HTTP/1.1.
    pub end_apart: bool,
}

/// What lies beyond the proxy.
pub trait Network {
    /// The back end's answer to a request that reached it.
    fn respond(&mut self, request: &Passed) -> Message;

    /// The answer to an HTTP call of the filter, headers and body; `None`: it stays open.
    fn answer(&mut self, call: &HttpCall) -> Option<(Headers, Vec<u8>)>;
}

/// What became of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What reached the back end; nothing if it never heard of the request.
    pub upstream: Option<Passed>,
    /// What reached the client.
    pub client: Passed,
    /// Whether the client got a reset, before or after that.
    pub reset: bool,
    /// `response.code_details`.
    pub details: String,
    /// Whether the seal was broken when the request passed the filter.
    pub unsealed: bool,
    /// The record, as an access log gets it.
    pub audit: Option<String>,
}

impl Outcome {
    /// The status that the client got; 0 if it got none.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = self
            .client
            .headers
            .as_ref()
            .and_then(|headers| headers.text(":status"));
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body that the client got, as text.
    #[must_use]
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.client.body).into_owned()
    }
}

impl Vm {
    /// Runs one exchange from its first header to its record. The clock runs while the request is
    /// held, for at most 30 seconds.
    ///
    /// # Errors
    /// If the module traps.
    pub fn run(&mut self, request: Message, network: &mut dyn Network) -> Result<Outcome, Trap> {
        let id = self.open();
        self.send_request(id, request)?;
        self.wait_for_decision(id, network)?;
        if self.upstream(id).complete && !self.is_answered(id) {
            let response = network.respond(&self.upstream(id));
            self.send_response(id, response)?;
        }
        self.finish(id)
    }

    /// Sends a request, piece by piece, until the proxy answers it.
    ///
    /// # Errors
    /// If the module traps.
    pub fn send_request(&mut self, id: StreamId, message: Message) -> Result<(), Trap> {
        let (body, headers_end) = message.frames();
        self.request_headers(id, message.headers, headers_end)?;
        for (data, end) in body {
            if self.is_answered(id) {
                return Ok(());
            }
            self.request_data(id, &data, end)?;
        }
        match message.trailers {
            Some(trailers) if !self.is_answered(id) => self.request_trailers(id, trailers),
            _ => Ok(()),
        }
    }

    /// Sends a response, piece by piece.
    ///
    /// # Errors
    /// If the module traps.
    pub fn send_response(&mut self, id: StreamId, message: Message) -> Result<(), Trap> {
        let (body, headers_end) = message.frames();
        self.response_headers(id, message.headers, headers_end)?;
        for (data, end) in body {
            self.response_data(id, &data, end)?;
        }
        match message.trailers {
            Some(trailers) => self.response_trailers(id, trailers),
            None => Ok(()),
        }
    }

    /// Lets time pass and answers the filter's calls until the request has gone on or was answered.
    ///
    /// # Errors
    /// If the module traps.
    pub fn wait_for_decision(
        &mut self,
        id: StreamId,
        network: &mut dyn Network,
    ) -> Result<(), Trap> {
        for _ in 0..PATIENCE_MS / STEP_MS {
            if self.upstream(id).complete || self.is_answered(id) {
                return Ok(());
            }
            self.pass_time(STEP_MS, network)?;
        }
        Ok(())
    }

    /// Lets time pass: the clock goes on, calls are answered, ticks run.
    ///
    /// # Errors
    /// If the module traps.
    pub fn pass_time(&mut self, milliseconds: u64, network: &mut dyn Network) -> Result<(), Trap> {
        let process = self.process();
        process.set_now(process.now() + milliseconds * 1_000_000);
        self.run_timers()?;
        let calls: Vec<_> = self
            .calls()
            .map(|(token, call)| (token, call.clone()))
            .collect();
        for (token, call) in calls {
            if let Some((headers, body)) = network.answer(&call) {
                self.answer(token, headers, &body)?;
            }
        }
        Ok(())
    }

    /// Ends the stream and says what became of it.
    ///
    /// # Errors
    /// If the module traps.
    pub fn finish(&mut self, id: StreamId) -> Result<Outcome, Trap> {
        let upstream = self.upstream(id);
        let mut outcome = Outcome {
            upstream: upstream.headers.is_some().then_some(upstream),
            client: self.client(id),
            reset: self.is_reset(id),
            details: self.details(id),
            unsealed: self.passed_unsealed(id),
            audit: None,
        };
        let audit = self.close(id, true)?;
        outcome.audit = audit.map(|audit| String::from_utf8_lossy(&audit).into_owned());
        Ok(outcome)
    }
}

impl Message {
    /// A message without a body.
    #[must_use]
    pub fn new(headers: Headers) -> Self {
        Self {
            headers,
            ..Self::default()
        }
    }

    /// The same with a body in pieces of at most that many bytes.
    #[must_use]
    pub fn with_body(mut self, body: &[u8], piece: usize) -> Self {
        self.body = body.chunks(piece.max(1)).map(<[u8]>::to_vec).collect();
        self
    }

    /// The data of the body, each with whether it ends the message; and whether the headers do.
    fn frames(&self) -> (Vec<(Vec<u8>, bool)>, bool) {
        let by_trailers = self.trailers.is_some();
        let mut frames: Vec<_> = self.body.iter().map(|data| (data.clone(), false)).collect();
        if self.end_apart && !by_trailers && !frames.is_empty() {
            frames.push((Vec::new(), true));
        } else if let Some((_, end)) = frames.last_mut() {
            *end = !by_trailers;
        }
        let headers_end = frames.is_empty() && !by_trailers;
        (frames, headers_end)
    }
}
