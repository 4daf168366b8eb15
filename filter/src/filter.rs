//! The state of one VM: plugins, their root contexts, their streams.
//!
//! A change of configuration that keeps the VM makes a new root context beside the old one, which
//! lives on until its last stream has ended. The engine's state therefore hangs on the *plugin*, by
//! name: the new root finds the policy that runs and the keys that were fetched, and a bundle that is
//! refused leaves the running one in force.

use std::cell::RefCell;
use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tracegate_bundle::dsse::TrustKeys;
use tracegate_engine::exchange::ExchangeId;
use tracegate_engine::http::HeaderMap;
use tracegate_engine::identity::{Fetch, FetchResult, SelfTested, SharedData};
use tracegate_engine::policy::Loaded;
use tracegate_engine::vm::{Chores, Vm};

use crate::callbacks::Action;
use crate::host::{self, Buffer, Level, Map, Status};
use crate::meters::Meters;
use crate::signature::HostVerifier;
use crate::stream::{Message, Stream};

/// `vm_config.environment_variables`: the keys whose signature on a bundle counts.
const TRUST_KEYS: &str = "TRACEGATE_TRUST_KEYS";
/// The key of the mask action `hash`, in Base64.
const HASH_KEY: &str = "TRACEGATE_HASH_KEY";

/// Shortest and longest time between two ticks, in milliseconds.
const TICK_MS: std::ops::RangeInclusive<u64> = 20..=1_000;
/// An answer to a fetch that is larger is not read: a key set has a few KiB.
const MAX_ANSWER: usize = 1 << 20;

thread_local! {
    static FILTER: RefCell<Filter> = RefCell::new(Filter::default());
}

/// Runs `work` on the state of this VM. Should the proxy call back in the middle of another callback,
/// which it promises not to, `otherwise` is the answer.
pub(crate) fn with_filter<T>(otherwise: T, work: impl FnOnce(&mut Filter) -> T) -> T {
    FILTER.with(|filter| match filter.try_borrow_mut() {
        Ok(mut filter) => work(&mut filter),
        Err(_) => {
            host::log(Level::Error, "a callback came in the middle of another");
            otherwise
        }
    })
}

/// What streams and root contexts of one plugin share.
pub(crate) struct Plugin {
    pub(crate) vm: Vm,
    meters: Meters,
}

impl Plugin {
    fn new() -> Self {
        let verifier = Box::new(SelfTested::new(HostVerifier));
        Self {
            vm: Vm::new(trust_keys(), hash_key(), verifier),
            meters: Meters::default(),
        }
    }

    pub(crate) fn publish_metrics(&mut self) {
        self.meters.publish(&mut self.vm.metrics);
    }
}

/// A root context: one configuration of a plugin.
#[derive(Default)]
struct Root {
    /// Its plugin, by [`plugin_name`]; none before it is configured.
    plugin: Option<Vec<u8>>,
    /// The fetches under way, by the proxy's token.
    calls: HashMap<u32, Fetch>,
    tick_ms: u64,
}

/// Everything that a VM remembers.
#[derive(Default)]
pub(crate) struct Filter {
    plugins: HashMap<Vec<u8>, Plugin>,
    roots: HashMap<u32, Root>,
    streams: HashMap<u32, (u32, Stream)>,
}

impl Filter {
    // === Contexts ===

    pub(crate) fn create_context(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::default());
        } else {
            self.streams.insert(context, (root, Stream::new(context)));
        }
    }

    pub(crate) fn delete_context(&mut self, context: u32) {
        self.streams.remove(&context);
        // The proxy cancels what a root has under way and will not say so.
        let calls = self
            .roots
            .get_mut(&context)
            .map(|root| std::mem::take(&mut root.calls));
        for fetch in calls.unwrap_or_default().into_values() {
            self.fetch_failed(context, &fetch);
        }
        self.roots.remove(&context);
    }

    // === The root context ===

    pub(crate) fn configure(&mut self, root: u32, size: usize) -> bool {
        let name = plugin_name();
        let plugin = self.plugins.entry(name.clone()).or_insert_with(Plugin::new);
        let context = self.roots.entry(root).or_default();
        context.plugin = Some(name);
        // Only the bytes may decide the answer. Where they cannot be read there are none to reject.
        let Ok(configuration) = host::buffer(Buffer::PluginConfiguration, 0..size) else {
            host::log(
                Level::Error,
                "the configuration could not be read: nothing changes",
            );
            return true;
        };
        // Without a clock nothing is expired yet; every request asks again.
        let now = host::now().unwrap_or_default();
        let loaded = plugin.vm.configure(&configuration, &mut Shared, now);
        plugin.publish_metrics();
        context.set_tick(*TICK_MS.start());
        match loaded {
            Loaded::Enforced => host::log(Level::Info, "the bundle is enforced"),
            Loaded::Refused(refusal) => {
                host::log(Level::Error, &format!("the bundle was refused: {refusal}"));
            }
            Loaded::Malformed(why) => {
                host::log(Level::Error, &format!("this is not a configuration: {why}"));
                return false;
            }
        }
        true
    }

    pub(crate) fn tick(&mut self, root: u32) -> Option<()> {
        let now = host::now().ok()?;
        let chores = self.plugin(root)?.vm.tick(&mut Shared, now);
        self.do_chores(root, chores)
    }

    pub(crate) fn call_answered(
        &mut self,
        root: u32,
        token: u32,
        headers: u32,
        body_size: usize,
    ) -> Option<()> {
        let fetch = self.roots.get_mut(&root)?.calls.remove(&token)?;
        let Some((head, body)) = read_answer(headers, body_size) else {
            return self.fetch_failed(root, &fetch);
        };
        let Some(status) = head.only(":status").and_then(parse_status) else {
            return self.fetch_failed(root, &fetch);
        };
        let cache_control = head.only("cache-control");
        let answer = FetchResult::Answer {
            status,
            cache_control,
            body: &body,
        };
        let now = host::now().unwrap_or_default();
        let chores = self
            .plugin(root)?
            .vm
            .fetched(&fetch, answer, &mut Shared, now);
        self.do_chores(root, chores)
    }

    fn do_chores(&mut self, root: u32, chores: Chores) -> Option<()> {
        self.wake(chores.wake);
        // The context in effect may be that of a stream now.
        let in_root = host::set_effective_context(root);
        for fetch in chores.fetches {
            match in_root.and_then(|()| call(&fetch)) {
                Ok(token) => drop(self.roots.get_mut(&root)?.calls.insert(token, fetch)),
                Err(_) => drop(self.fetch_failed(root, &fetch)),
            }
        }
        self.plugin(root)?.publish_metrics();
        self.roots.get_mut(&root)?.set_tick(chores.next_tick_ms);
        Some(())
    }

    /// No answer came, or the call could not even be sent. What there is to fetch instead is left to
    /// the next tick, which bounds the recursion.
    fn fetch_failed(&mut self, root: u32, fetch: &Fetch) -> Option<()> {
        host::log(
            Level::Warn,
            &format!("no keys came from cluster {}", fetch.cluster),
        );
        let now = host::now().unwrap_or_default();
        let vm = &mut self.plugin(root)?.vm;
        let chores = vm.fetched(fetch, FetchResult::Failed, &mut Shared, now);
        self.wake(chores.wake);
        Some(())
    }

    fn wake(&mut self, exchanges: Vec<ExchangeId>) {
        for ExchangeId(context) in exchanges {
            let Some((root, stream)) = self.streams.get_mut(&context) else {
                continue;
            };
            let plugin = plugin_of(&self.roots, &mut self.plugins, *root);
            if let Some(plugin) = plugin
                && host::set_effective_context(context).is_ok()
            {
                stream.wake(plugin);
            }
        }
    }

    // === Streams ===

    /// Runs an event of a stream. One that nobody created, or whose root was never configured, is
    /// refused.
    pub(crate) fn event(
        &mut self,
        context: u32,
        message: Message,
        work: impl FnOnce(&mut Stream, &mut Plugin) -> Action,
    ) -> Action {
        let unknown = || (0, Stream::new(context));
        let (root, stream) = self.streams.entry(context).or_insert_with(unknown);
        let root = *root;
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) else {
            return stream.refuse_unknown(message);
        };
        let action = work(stream, plugin);
        if action == Action::Pause && message == Message::Request {
            self.hurry(root);
        }
        action
    }

    /// A held request may wait for keys: do not look for them as late as at the next idle tick.
    fn hurry(&mut self, root: u32) -> Option<()> {
        let next = self
            .plugin(root)?
            .vm
            .next_tick_ms(host::now().unwrap_or_default());
        let root_state = self.roots.get_mut(&root)?;
        if root_state.tick_ms > next && host::set_effective_context(root).is_ok() {
            root_state.set_tick(next);
        }
        Some(())
    }

    pub(crate) fn log(&mut self, context: u32) -> Option<()> {
        let (root, stream) = self.streams.get_mut(&context)?;
        stream.log(plugin_of(&self.roots, &mut self.plugins, *root)?);
        Some(())
    }

    fn plugin(&mut self, root: u32) -> Option<&mut Plugin> {
        plugin_of(&self.roots, &mut self.plugins, root)
    }
}

impl Root {
    fn set_tick(&mut self, milliseconds: u64) {
        let milliseconds = milliseconds.clamp(*TICK_MS.start(), *TICK_MS.end());
        let period = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        if self.tick_ms != milliseconds && host::set_tick_period(period).is_ok() {
            self.tick_ms = milliseconds;
        }
    }
}

fn plugin_of<'a>(
    roots: &HashMap<u32, Root>,
    plugins: &'a mut HashMap<Vec<u8>, Plugin>,
    root: u32,
) -> Option<&'a mut Plugin> {
    plugins.get_mut(roots.get(&root)?.plugin.as_ref()?)
}

/// What tells one plugin of this VM from another across changes of its configuration.
fn plugin_name() -> Vec<u8> {
    let part = |path| host::property(path).ok().flatten().unwrap_or_default();
    [part("plugin_name"), part("plugin_root_id")].join(&0)
}

fn call(fetch: &Fetch) -> Result<u32, Status> {
    let headers = [
        (":method", "GET"),
        (":scheme", fetch.scheme.as_str()),
        (":authority", fetch.authority.as_str()),
        (":path", fetch.path.as_str()),
        ("accept", "application/jwk-set+json, application/json"),
    ];
    let timeout = u32::try_from(fetch.timeout_ms).unwrap_or(u32::MAX);
    host::call(&fetch.cluster, headers.into_iter(), timeout)
}

/// Headers and body of an HTTP call's answer. Envoy tells of none when it gave the answer up, because
/// it was too long or its stream was reset.
fn read_answer(headers: u32, body_size: usize) -> Option<(HeaderMap, Vec<u8>)> {
    if headers == 0 || body_size > MAX_ANSWER {
        return None;
    }
    let headers = host::headers(Map::CallResponse).ok()?;
    Some((
        headers,
        host::buffer(Buffer::CallResponseBody, 0..body_size).ok()?,
    ))
}

fn parse_status(status: &[u8]) -> Option<u16> {
    std::str::from_utf8(status).ok()?.parse().ok()
}

/// The keys to trust; none, and so no bundle, if the variable is missing or cannot be read.
fn trust_keys() -> TrustKeys {
    let Some(text) = variable(TRUST_KEYS) else {
        host::log(
            Level::Error,
            &format!("{TRUST_KEYS} is not set: no bundle is trusted"),
        );
        return TrustKeys::default();
    };
    TrustKeys::parse(&text).unwrap_or_else(|error| {
        host::log(
            Level::Error,
            &format!("{TRUST_KEYS}: {error}; no bundle is trusted"),
        );
        TrustKeys::default()
    })
}

fn hash_key() -> Option<Vec<u8>> {
    let key = BASE64_STANDARD.decode(variable(HASH_KEY)?.trim());
    if key.is_err() {
        host::log(
            Level::Error,
            &format!("{HASH_KEY} is not Base64 and is not used"),
        );
    }
    key.ok()
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// The proxy's shared data. What it does not tell does not exist, what it does not take was not set.
struct Shared;

impl SharedData for Shared {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        host::shared_data(key).ok()
    }

    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        host::set_shared_data(key, value, cas.unwrap_or_default()).is_ok()
    }
}
