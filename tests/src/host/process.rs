//! What the VMs of one proxy process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Headers;

/// One proxy process: its clock, its shared data, its metrics, its log.
#[derive(Clone)]
pub struct Process(Arc<Mutex<Shared>>);

/// An HTTP call that a filter made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// The root context that gets the answer.
    pub root: u32,
    /// The cluster that was called.
    pub cluster: String,
    /// The request headers.
    pub headers: Headers,
    /// When it times out, in nanoseconds since the Unix epoch.
    pub deadline: u64,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) now: u64,
    pub(super) data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    pub(super) last_cas: u32,
    pub(super) metrics: BTreeMap<String, u64>,
    pub(super) log: Vec<String>,
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Process {
    /// A process that starts on 2026-11-23 at 12:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        const START: u64 = 1_795_435_200_000_000_000;
        Self(Arc::new(Mutex::new(Shared {
            now: START,
            ..Shared::default()
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.lock().now
    }

    /// Sets the clock. It may go back.
    pub fn set_now(&self, nanos: u64) {
        self.lock().now = nanos;
    }

    /// The value of a metric by its full name, labels included.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.lock().metrics.get(name).copied()
    }

    /// All metrics.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.lock().metrics.clone()
    }

    /// Everything that filters wrote to the proxy's log.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// The shared data of that key.
    #[must_use]
    pub fn shared_data(&self, key: &str) -> Option<Vec<u8>> {
        self.lock()
            .data
            .get(key.as_bytes())
            .map(|(value, _)| value.clone())
    }

    /// Sets shared data, as another VM would.
    pub fn set_shared_data(&self, key: &str, value: &[u8]) {
        self.lock().set(key.as_bytes(), value, 0);
    }
}

impl Shared {
    /// Sets a value as Envoy does: the token counts only if the key exists and it is not 0.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> bool {
        if let Some((_, current)) = self.data.get(key)
            && cas != 0
            && cas != *current
        {
            return false;
        }
        self.last_cas += 1;
        self.data
            .insert(key.to_vec(), (value.to_vec(), self.last_cas));
        true
    }
}
