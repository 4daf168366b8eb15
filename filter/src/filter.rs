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
use tracegate_engine::Timestamp;
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
        let Some(root) = self.roots.remove(&context) else {
            return;
        };
        let Some(plugin) = root.plugin.and_then(|name| self.plugins.get_mut(&name)) else {
            return;
        };
        // The proxy cancels what this root has under way and will not say so.
        for fetch in root.calls.values() {
            let now = host::now().unwrap_or_default();
            plugin
                .vm
                .fetched(fetch, FetchResult::Failed, &mut Shared, now);
        }
    }

    // === The root context ===

    pub(crate) fn configure(&mut self, root: u32, size: usize) -> bool {
        let name = plugin_name();
        let plugin = self.plugins.entry(name.clone()).or_insert_with(Plugin::new);
        let context = self.roots.entry(root).or_default();
        context.plugin = Some(name);
        // Only in the answer must nothing but the bytes count. Bytes that cannot be read are none.
        let Ok(configuration) = host::buffer(Buffer::PluginConfiguration, 0..size) else {
            host::log(
                Level::Error,
                "the configuration could not be read; nothing changes",
            );
            return true;
        };
        // Without a clock every bundle that expires counts as expired.
        let now = host::now().unwrap_or(Timestamp::from_nanos(u64::MAX));
        let loaded = plugin.vm.configure(&configuration, &mut Shared, now);
        plugin.publish_metrics();
        match loaded {
            Loaded::Malformed(why) => {
                host::log(Level::Error, &format!("this is not a configuration: {why}"));
                return false;
            }
            Loaded::Refused(refusal) => {
                host::log(Level::Error, &format!("the bundle was refused: {refusal}"));
            }
            Loaded::Enforced => host::log(Level::Info, "the bundle is enforced"),
        }
        context.set_tick(*TICK_MS.start());
        true
    }

    pub(crate) fn tick(&mut self, root: u32) {
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) else {
            return;
        };
        let Ok(now) = host::now() else { return };
        let chores = plugin.vm.tick(&mut Shared, now);
        self.do_chores(root, chores);
    }

    pub(crate) fn call_answered(&mut self, root: u32, token: u32, headers: u32, body_size: usize) {
        let Some(fetch) = self
            .roots
            .get_mut(&root)
            .and_then(|root| root.calls.remove(&token))
        else {
            return;
        };
        // No headers: Envoy gave the answer up, because it was too long or the stream was reset.
        let answer = (headers > 0 && body_size <= MAX_ANSWER).then(|| {
            let headers = host::headers(Map::CallResponse)?;
            Ok::<_, Status>((
                headers,
                host::buffer(Buffer::CallResponseBody, 0..body_size)?,
            ))
        });
        let result = match &answer {
            Some(Ok((headers, body))) => match headers.only(":status").and_then(parse_status) {
                Some(status) => FetchResult::Answer {
                    status,
                    cache_control: headers.only("cache-control"),
                    body,
                },
                None => FetchResult::Failed,
            },
            Some(Err(_)) | None => FetchResult::Failed,
        };
        self.fetched(root, &fetch, result);
    }

    fn fetched(&mut self, root: u32, fetch: &Fetch, result: FetchResult<'_>) {
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) else {
            return;
        };
        let now = host::now().unwrap_or_default();
        let chores = plugin.vm.fetched(fetch, result, &mut Shared, now);
        self.do_chores(root, chores);
    }

    fn do_chores(&mut self, root: u32, chores: Chores) {
        for exchange in chores.wake {
            self.wake(exchange.0);
        }
        // As the context in effect may be that of a stream now.
        let in_root = host::set_effective_context(root);
        for fetch in chores.fetches {
            match in_root.and_then(|()| call(&fetch)) {
                Ok(token) => {
                    if let Some(root) = self.roots.get_mut(&root) {
                        root.calls.insert(token, fetch);
                    }
                }
                Err(_) => self.fetch_failed(root, &fetch),
            }
        }
        if let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) {
            plugin.publish_metrics();
        }
        if let Some(root) = self.roots.get_mut(&root) {
            root.set_tick(chores.next_tick_ms);
        }
    }

    /// A fetch that could not even be sent. What it asks for in turn waits for the next tick: that
    /// bounds the recursion.
    fn fetch_failed(&mut self, root: u32, fetch: &Fetch) {
        host::log(
            Level::Warn,
            &format!("keys cannot be fetched from cluster {}", fetch.cluster),
        );
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) else {
            return;
        };
        let now = host::now().unwrap_or_default();
        let chores = plugin
            .vm
            .fetched(fetch, FetchResult::Failed, &mut Shared, now);
        for exchange in chores.wake {
            self.wake(exchange.0);
        }
    }

    fn wake(&mut self, context: u32) {
        let Some((root, stream)) = self.streams.get_mut(&context) else {
            return;
        };
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, *root) else {
            return;
        };
        if host::set_effective_context(context).is_ok() {
            stream.wake(plugin);
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
        let Self {
            plugins,
            roots,
            streams,
        } = self;
        let (root, stream) = streams
            .entry(context)
            .or_insert_with(|| (0, Stream::new(context)));
        let root = *root;
        let Some(plugin) = plugin_of(roots, plugins, root) else {
            return stream.refuse_unknown(message);
        };
        let action = work(stream, plugin);
        if action == Action::Pause && message == Message::Request {
            self.hurry(root);
        }
        action
    }

    /// A held request may wait for keys: do not look for them as late as at the next idle tick.
    fn hurry(&mut self, root: u32) {
        let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, root) else {
            return;
        };
        let next = plugin.vm.next_tick_ms(host::now().unwrap_or_default());
        let Some(state) = self.roots.get_mut(&root) else {
            return;
        };
        if state.tick_ms > next && host::set_effective_context(root).is_ok() {
            state.set_tick(next);
        }
    }

    pub(crate) fn log(&mut self, context: u32) {
        let Some((root, stream)) = self.streams.get_mut(&context) else {
            return;
        };
        if let Some(plugin) = plugin_of(&self.roots, &mut self.plugins, *root) {
            stream.log(plugin);
        }
    }
}

impl Root {
    fn set_tick(&mut self, milliseconds: u64) {
        let milliseconds = milliseconds.clamp(*TICK_MS.start(), *TICK_MS.end());
        if self.tick_ms != milliseconds
            && host::set_tick_period(u32::try_from(milliseconds).unwrap_or(u32::MAX)).is_ok()
        {
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
