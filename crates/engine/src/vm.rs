//! What the exchanges of one proxy VM share.
//!
//! A proxy runs one VM per worker thread, so nothing here is locked. The key sets of issuers are the
//! only thing that also crosses VMs: one of them fetches, the others read what it stored in the
//! proxy's shared data.

use crate::Timestamp;
use crate::exchange::ExchangeId;
use crate::identity::{Fetch, FetchResult, SharedData, SignatureVerifier};
use crate::metrics::Metrics;
use crate::policy::{Loaded, Trust};

/// The shared state of one VM.
pub struct Vm {
    /// Counts for the proxy's metrics.
    pub metrics: Metrics,
}

/// What is to be done after time has passed or keys have come.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chores {
    /// Key sets to fetch now. Each answer goes to [`Vm::fetched`].
    pub fetches: Vec<Fetch>,
    /// Exchanges to [`wake`](crate::exchange::Exchange::wake).
    pub wake: Vec<ExchangeId>,
    /// When [`Vm::tick`] wants to be called next, in milliseconds from now.
    pub next_tick_ms: u64,
}

impl Vm {
    /// A VM without a policy: it denies everything until [`Vm::configure`] has loaded one.
    #[must_use]
    pub fn new(
        _trust: Trust,
        _hash_key: Option<Vec<u8>>,
        _verifier: Box<dyn SignatureVerifier>,
    ) -> Self {
        Self {
            metrics: Metrics::default(),
        }
    }

    /// Takes in the plugin configuration.
    ///
    /// Whether the configuration is well-formed depends on its bytes alone; the time only decides
    /// whether an expired bundle replaces the running one.
    pub fn configure(&mut self, _configuration: &[u8], _now: Timestamp) -> Loaded {
        Loaded::Malformed(String::new())
    }

    /// Whether any rule asks for the peer identity of mutual TLS.
    #[must_use]
    pub fn needs_source_principal(&self) -> bool {
        false
    }

    /// Time has passed.
    pub fn tick(&mut self, _shared: &mut dyn SharedData, _now: Timestamp) -> Chores {
        Chores::default()
    }

    /// A fetch that [`Chores::fetches`] asked for has ended.
    pub fn fetched(
        &mut self,
        _fetch: &Fetch,
        _result: FetchResult<'_>,
        _shared: &mut dyn SharedData,
        _now: Timestamp,
    ) -> Chores {
        Chores::default()
    }
}
