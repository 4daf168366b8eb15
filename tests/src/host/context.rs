//! The state behind the hostcalls of one VM.

use std::collections::{BTreeMap, VecDeque};

use wasmtime::{Memory, TypedFunc};

use super::stream::{LocalReply, Stream};
use super::{Headers, HttpCall, Process, Settings};

/// What is done after a callback has returned, as Envoy does.
pub(super) enum AfterCall {
    ContinueRequest(u32),
    Reply(u32, LocalReply),
}

/// A root context.
#[derive(Default)]
pub(super) struct Root {
    pub(super) tick_ms: u32,
    pub(super) next_tick: u64,
}

/// A hostcall that is made to fail.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) at: u64,
    pub(super) status: u32,
}

pub(super) struct State {
    pub(super) process: Process,
    pub(super) settings: Settings,
    pub(super) memory: Option<Memory>,
    pub(super) allocate: Option<TypedFunc<u32, u32>>,
    pub(super) roots: BTreeMap<u32, Root>,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) current: u32,
    pub(super) effective: Option<u32>,
    pub(super) after: VecDeque<AfterCall>,
    pub(super) configuration: Vec<u8>,
    pub(super) calls: BTreeMap<u32, HttpCall>,
    /// The answer that `proxy_on_http_call_response` is about.
    pub(super) answer: Option<(Headers, Vec<u8>)>,
    pub(super) metrics: Vec<(String, u32)>,
    pub(super) last_id: u32,
    /// Hostcalls made so far.
    pub(super) hostcalls: u64,
    pub(super) hostcalls_by_name: BTreeMap<&'static str, u64>,
    pub(super) fault: Option<Fault>,
}

impl State {
    pub(super) fn new(process: Process, settings: Settings) -> Self {
        Self {
            process,
            settings,
            memory: None,
            allocate: None,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            current: 0,
            effective: None,
            after: VecDeque::new(),
            configuration: Vec::new(),
            calls: BTreeMap::new(),
            answer: None,
            metrics: Vec::new(),
            last_id: 0,
            hostcalls: 0,
            hostcalls_by_name: BTreeMap::new(),
            fault: None,
        }
    }

    pub(super) fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// The context that hostcalls act on.
    pub(super) fn context(&self) -> u32 {
        self.effective.unwrap_or(self.current)
    }

    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.context())
    }

    pub(super) fn root(&mut self) -> Option<(u32, &mut Root)> {
        let context = self.context();
        let id = self
            .streams
            .get(&context)
            .map_or(context, |stream| stream.root);
        self.roots.get_mut(&id).map(|root| (id, root))
    }

    pub(super) fn property(&self, path: &[u8]) -> Option<Vec<u8>> {
        let path = String::from_utf8_lossy(path).replace('\0', ".");
        match path.as_str() {
            "plugin_name" => Some(self.settings.plugin_name.clone().into_bytes()),
            "plugin_root_id" => Some(Vec::new()),
            _ => self.streams.get(&self.context())?.property(&path),
        }
    }
}
