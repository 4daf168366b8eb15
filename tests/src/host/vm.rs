//! One VM: an instance of the module, its root contexts, and the callbacks that it gets.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::{Instance, Linker, Store, Val};

use super::context::{AfterCall, Fault, Root, State};
use super::stream::{LocalReply, Stream, StreamId};
use super::{Headers, HttpCall, Module, Passed, Process, hostcalls, wasi};

/// How a VM is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `vm_config.environment_variables`.
    pub environment: BTreeMap<String, String>,
    /// `name` of the plugin.
    pub plugin_name: String,
    /// Whether the proxy has the foreign function `verify_signature`.
    pub verify_signature: bool,
    /// Whether the RBAC filter stands behind ours and lets only unsealed requests pass.
    pub seal: bool,
    /// Hostcalls that the capability restriction forbids.
    pub forbidden: BTreeSet<&'static str>,
    /// Clusters that the proxy does not know.
    pub unknown_clusters: BTreeSet<String>,
    /// How much of a body the proxy holds: `per_connection_buffer_limit_bytes`.
    pub buffer_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environment: BTreeMap::new(),
            plugin_name: "tracegate".to_owned(),
            verify_signature: true,
            seal: true,
            forbidden: BTreeSet::new(),
            unknown_clusters: BTreeSet::new(),
            buffer_limit: 1 << 20,
        }
    }
}

/// The module trapped: in a proxy the VM would be dead now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap(pub String);

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trap {}

impl From<wasmtime::Error> for Trap {
    fn from(error: wasmtime::Error) -> Self {
        Self(format!("{error:?}"))
    }
}

/// One VM of a process.
pub struct Vm {
    store: Store<State>,
    instance: Instance,
    /// The newest root context: new streams belong to it.
    root: u32,
}

impl Vm {
    /// Instantiates the module. There is no plugin yet: see [`Vm::configure`].
    ///
    /// # Errors
    /// If it does not link or traps.
    pub fn start(module: &Module, process: &Process, settings: Settings) -> Result<Self, Trap> {
        let mut linker = Linker::new(&module.engine);
        hostcalls::link(&mut linker)?;
        wasi::link(&mut linker)?;
        let mut store = Store::new(&module.engine, State::new(process.clone(), settings));
        let instance = linker.instantiate(&mut store, &module.module)?;
        let memory = instance.get_export(&mut store, "memory");
        let memory = memory.ok_or_else(|| Trap("the module exports no memory".to_owned()))?;
        hostcalls::connect(store.data_mut(), memory);
        let allocate = instance.get_typed_func(&mut store, "proxy_on_memory_allocate")?;
        store.data_mut().allocate = Some(allocate);
        let mut vm = Self {
            store,
            instance,
            root: 0,
        };
        vm.call(0, "_initialize", &[])?;
        Ok(vm)
    }

    /// Creates a root context and configures it, as the proxy does at start and at each update.
    /// Returns what `proxy_on_configure` answered; only if it is `true` do new streams belong to it.
    ///
    /// # Errors
    /// If the module traps.
    pub fn configure(&mut self, configuration: &[u8]) -> Result<bool, Trap> {
        let root = self.state().next_id();
        self.state().roots.insert(root, Root::default());
        self.state().configuration = configuration.to_vec();
        let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        self.call(root, "proxy_on_context_create", &[root, 0])?;
        let started = self.call(root, "proxy_on_vm_start", &[root, 0])? == Some(1);
        let taken = started && self.call(root, "proxy_on_configure", &[root, size])? == Some(1);
        if taken {
            self.root = root;
        }
        Ok(taken)
    }

    /// Changes the `name` of the plugin for the root contexts that follow.
    pub fn set_plugin_name(&mut self, name: &str) {
        self.state().settings.plugin_name = name.to_owned();
    }

    /// The newest root context that took its configuration.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Ends a root context, as the proxy does with an old one when its last stream has ended.
    ///
    /// # Errors
    /// If the module traps.
    pub fn delete_root(&mut self, root: u32) -> Result<(), Trap> {
        self.call(root, "proxy_on_done", &[root])?;
        self.call(root, "proxy_on_delete", &[root])?;
        self.state().roots.remove(&root);
        self.state().calls.retain(|_, call| call.root != root);
        Ok(())
    }

    /// Makes the `n`-th hostcall from now (1 is the next) return `status` and do nothing else.
    pub fn fail_hostcall(&mut self, n: u64, status: u32) {
        let state = self.state();
        state.fault = Some(Fault {
            at: state.hostcalls + n,
            status,
        });
    }

    /// Lets hostcalls succeed again.
    pub fn heal(&mut self) {
        self.state().fault = None;
    }

    /// The process that this VM belongs to.
    #[must_use]
    pub fn process(&self) -> Process {
        self.store.data().process.clone()
    }

    /// How many hostcalls the module has made.
    #[must_use]
    pub fn hostcalls(&self) -> u64 {
        self.store.data().hostcalls
    }

    /// How many hostcalls of that name the module has made.
    #[must_use]
    pub fn hostcalls_of(&self, name: &str) -> u64 {
        self.store
            .data()
            .hostcalls_by_name
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    /// Calls an export with a context in effect. `None` if there is no such export, or it returns
    /// nothing. What the callback asked for is done before this returns.
    ///
    /// # Errors
    /// If the module traps.
    pub fn call(
        &mut self,
        context: u32,
        export: &str,
        arguments: &[u32],
    ) -> Result<Option<u32>, Trap> {
        let Some(function) = self.instance.get_func(&mut self.store, export) else {
            return Ok(None);
        };
        self.state().current = context;
        self.state().effective = None;
        let arguments: Vec<Val> = arguments
            .iter()
            .map(|value| Val::I32(*value as i32))
            .collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let called = function.call(&mut self.store, &arguments, &mut results);
        called.map_err(|error| {
            let said = self.store.data().process.log().pop().unwrap_or_default();
            Trap(format!("{export}: {said} {error:?}"))
        })?;
        while let Some(action) = self.state().after.pop_front() {
            self.act(action)?;
        }
        Ok(results.first().and_then(Val::i32).map(|value| value as u32))
    }

    // === Time and calls ===

    /// Runs the ticks that are due and times out the calls that nobody answered.
    ///
    /// # Errors
    /// If the module traps.
    pub fn run_timers(&mut self) -> Result<(), Trap> {
        let now = self.state().process.now();
        let is_due = |root: &Root| root.tick_ms > 0 && root.next_tick <= now;
        let due: Vec<u32> = self
            .state()
            .roots
            .iter()
            .filter(|(_, root)| is_due(root))
            .map(|(id, _)| *id)
            .collect();
        for root in due {
            if let Some(state) = self.state().roots.get_mut(&root) {
                state.next_tick = now + u64::from(state.tick_ms) * 1_000_000;
            }
            self.call(root, "proxy_on_tick", &[root])?;
        }
        let late: Vec<u32> = self
            .calls()
            .filter(|(_, c)| c.deadline <= now)
            .map(|c| c.0)
            .collect();
        for token in late {
            let headers = Headers::default().with(":status", "504");
            self.answer(token, headers, b"upstream request timeout")?;
        }
        Ok(())
    }

    /// How often the newest root context wants to tick, in milliseconds.
    #[must_use]
    pub fn tick_period(&self) -> u32 {
        self.store
            .data()
            .roots
            .get(&self.root)
            .map_or(0, |root| root.tick_ms)
    }

    /// The HTTP calls under way, by token.
    pub fn calls(&self) -> impl Iterator<Item = (u32, &HttpCall)> {
        self.store
            .data()
            .calls
            .iter()
            .map(|(token, call)| (*token, call))
    }

    /// Answers an HTTP call. Without headers: the proxy gave it up.
    ///
    /// # Errors
    /// If the module traps.
    pub fn answer(&mut self, token: u32, headers: Headers, body: &[u8]) -> Result<(), Trap> {
        let Some(call) = self.state().calls.remove(&token) else {
            return Ok(());
        };
        let arguments = [
            call.root,
            token,
            headers.0.len() as u32,
            body.len() as u32,
            0,
        ];
        let answered = !headers.0.is_empty();
        self.state().answer = answered.then(|| (headers, body.to_vec()));
        let called = self.call(call.root, "proxy_on_http_call_response", &arguments);
        self.state().answer = None;
        called.map(|_| ())
    }

    // === Streams ===

    /// Begins a stream. The module hears of it with its first callback.
    pub fn open(&mut self) -> StreamId {
        let root = self.root;
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
        self.store
            .data()
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
        let stream = self.store.data().streams.get(&id.0);
        let passed = stream.filter(|stream| !stream.stopped);
        passed
            .map(|stream| stream.request.passed.clone())
            .unwrap_or_default()
    }

    /// Whether the seal was broken when the request passed.
    #[must_use]
    pub fn passed_unsealed(&self, id: StreamId) -> bool {
        let stream = self.store.data().streams.get(&id.0);
        stream.is_some_and(|stream| stream.unsealed == Some(true))
    }

    /// What has reached the client.
    #[must_use]
    pub fn client(&self, id: StreamId) -> Passed {
        let stream = self.store.data().streams.get(&id.0);
        stream
            .map(|stream| stream.response.passed.clone())
            .unwrap_or_default()
    }

    /// Whether the client got a reset.
    #[must_use]
    pub fn is_reset(&self, id: StreamId) -> bool {
        self.store
            .data()
            .streams
            .get(&id.0)
            .is_some_and(|stream| stream.reset)
    }

    /// Whether the proxy has answered or ended the stream by itself.
    #[must_use]
    pub fn is_answered(&self, id: StreamId) -> bool {
        let stream = self.store.data().streams.get(&id.0);
        stream.is_none_or(|stream| stream.answered || stream.closed)
    }

    /// `response.code_details`.
    #[must_use]
    pub fn details(&self, id: StreamId) -> String {
        let stream = self.store.data().streams.get(&id.0);
        stream
            .map(|stream| stream.details.clone())
            .unwrap_or_default()
    }

    // === Inside ===

    fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

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

    fn act(&mut self, action: AfterCall) -> Result<(), Trap> {
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
