//! Who asks: tokens, their signatures, the keys of issuers.
//!
//! A strict JWS layer of our own over `serde_json`, `base64` and primitive crates, because the ready
//! JWT libraries leave to their caller just what a proxy must not forget (`crit`, `kid`, `use`,
//! `iss`, `aud`, duplicate members).

mod claims;
mod keys;
mod ports;

use std::rc::Rc;

use tracegate_bundle::policy::{Algorithm, Connection, Provider};

use crate::Timestamp;
use crate::exchange::ExchangeId;
use crate::http::HeaderMap;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::vm::Chores;

pub use claims::Principal;
pub use keys::{Curve, KeyType, PublicKey, ecdsa_signature_der};
pub use ports::{Fetch, FetchResult, SharedData, SignatureVerifier};

/// What a request says about its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// Its token is valid.
    Verified(Rc<Principal>),
    /// It carries no token and need not.
    Anonymous,
    /// It must not pass.
    Refused {
        /// Why.
        refusal: Refusal,
        /// What the token claims as `iss`, as far as it was read: for the record only, cut to 256
        /// bytes. Nobody has verified it.
        claimed_issuer: Option<String>,
    },
    /// It cannot be decided until the keys of the provider with that index have come: either
    /// [`Identity::wait`] or refuse. Only if the caller may wait.
    Pending(usize),
}

/// The state of identity in one VM: key rings of issuers, verified tokens, the verifier.
pub struct Identity {
    _verifier: Box<dyn SignatureVerifier>,
}

impl Identity {
    /// An identity that knows no provider yet.
    #[must_use]
    pub fn new(verifier: Box<dyn SignatureVerifier>) -> Self {
        Self {
            _verifier: verifier,
        }
    }

    /// Takes over the providers of a policy. Key rings whose source did not change stay, with their
    /// keys. Does no I/O: sets that must be fetched are asked for by the next [`Identity::tick`].
    pub fn configure(&mut self, _providers: &[Provider], _now: Timestamp) {}

    /// Who sent a request with these headers over that connection.
    ///
    /// `may_wait`: whether [`Authentication::Pending`] is an answer. It is for a request that has
    /// not waited yet; for one that was woken it is not, and what is still missing then is refused.
    pub fn authenticate(
        &mut self,
        _headers: &HeaderMap,
        _connection: &Connection,
        _may_wait: bool,
        _now: Timestamp,
        _metrics: &mut Metrics,
    ) -> Authentication {
        Authentication::Refused {
            refusal: Refusal::JwksUnavailable,
            claimed_issuer: None,
        }
    }

    /// Lets an exchange wait for the keys of a provider, at most 2 seconds: [`Chores::wake`] names
    /// it in any case. The driver should tick within [`Identity::next_tick_ms`] from now.
    ///
    /// # Errors
    /// [`Refusal::JwksBusy`] when 1,000 exchanges wait already.
    pub fn wait(
        &mut self,
        _provider: usize,
        _exchange: ExchangeId,
        _now: Timestamp,
        _metrics: &mut Metrics,
    ) -> Result<(), Refusal> {
        Err(Refusal::JwksBusy)
    }

    /// The exchange is over: nobody is to be woken.
    pub fn forget(&mut self, _exchange: ExchangeId) {}

    /// Time has passed.
    pub fn tick(
        &mut self,
        _shared: &mut dyn SharedData,
        _now: Timestamp,
        _metrics: &mut Metrics,
    ) -> Chores {
        Chores::default()
    }

    /// A fetch that [`Chores::fetches`] asked for has ended (or could not be sent).
    pub fn fetched(
        &mut self,
        _fetch: &Fetch,
        _result: FetchResult<'_>,
        _shared: &mut dyn SharedData,
        _now: Timestamp,
        _metrics: &mut Metrics,
    ) -> Chores {
        Chores::default()
    }

    /// When [`Identity::tick`] wants to be called next, in milliseconds: 20 while an exchange waits
    /// or a first fetch is due, else 1,000.
    #[must_use]
    pub fn next_tick_ms(&self, _now: Timestamp) -> u64 {
        1_000
    }
}

/// The names of the request headers that may carry a token of `connection`, in lower case, each
/// once. They are removed before the request goes to the back end.
#[must_use]
pub fn token_headers<'a>(connection: &Connection, providers: &'a [Provider]) -> Vec<&'a str> {
    let mut names: Vec<&str> = connection
        .providers
        .iter()
        .filter_map(|&index| providers.get(usize::from(index)))
        .flat_map(|provider| &provider.from_headers)
        .map(|header| header.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Verifies every algorithm with Rust crates, in the module itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustVerifier;

impl SignatureVerifier for RustVerifier {
    fn verify(
        &mut self,
        _algorithm: Algorithm,
        _key: &PublicKey,
        _message: &[u8],
        _signature: &[u8],
    ) -> Option<bool> {
        None
    }
}

/// A verifier of the host, trusted for an algorithm only once it has passed a known-answer test.
#[derive(Debug)]
pub struct SelfTested<V> {
    _host: V,
}

impl<V> SelfTested<V> {
    /// Tests `host` at first use and falls back to [`RustVerifier`].
    pub fn new(host: V) -> Self {
        Self { _host: host }
    }
}

impl<V: SignatureVerifier> SignatureVerifier for SelfTested<V> {
    fn verify(
        &mut self,
        _algorithm: Algorithm,
        _key: &PublicKey,
        _message: &[u8],
        _signature: &[u8],
    ) -> Option<bool> {
        None
    }
}
