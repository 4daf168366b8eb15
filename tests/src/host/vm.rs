//! One VM: an instance of the module, its root contexts, and the callbacks that it gets.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::{Instance, Linker, Store, Val};

use super::context::{Fault, Root, State};
use super::{Headers, HttpCall, Module, Process, hostcalls, wasi};

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

    pub(super) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(super) fn peek(&self) -> &State {
        self.store.data()
    }
}
