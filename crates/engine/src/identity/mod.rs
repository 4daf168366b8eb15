//! Who asks: tokens, their signatures, the keys of issuers.
//!
//! A strict JWS layer of our own over `serde_json`, `base64` and primitive crates, because the ready
//! JWT libraries leave to their caller just what a proxy must not forget (`crit`, `kid`, `use`,
//! `iss`, `aud`, duplicate members). No cryptography is written here.
//!
//! - `extract`: the one token of a request. `json`: JSON and Base64url without second readings.
//! - `jws`: segments and header. `claims`: what is checked on every request.
//! - `keys`, `jwks`: a JWK and a set of them. `der`: how keys and signatures look to the host.
//! - `keyring`: the keys of one source. `remote`: when an issuer is asked for them. `shared`: how the
//!   VMs of a process share one fetch. `waiting`: who waits for keys.
//! - `authenticate`: all of it in order. `cache`: signatures that need not be verified again.
//! - `verify`, `self_test`: the verifier in this module, and the distrust of the host's.

mod authenticate;
mod cache;
mod claims;
mod der;
mod extract;
mod json;
mod jwks;
mod jws;
mod keyring;
mod keys;
mod ports;
mod remote;
mod self_test;
mod shared;
mod verify;
mod waiting;

#[cfg(test)]
mod tests;

use std::rc::Rc;

use tracegate_bundle::policy::{Connection, Provider};

use crate::Timestamp;
use crate::exchange::ExchangeId;
use crate::metrics::{Metric, Metrics};
use crate::refusal::Refusal;
use crate::vm::Chores;
use cache::TokenCache;
use keyring::{KeyRing, RingId, Turn};
use waiting::Waiting;

pub use claims::Principal;
pub use jwks::{KeySet, KeySetError};
pub use keys::{Curve, KeyError, KeyType, PublicKey, Thumbprint, ecdsa_signature_der};
pub use ports::{Fetch, FetchResult, SharedData, SignatureVerifier};
pub use self_test::SelfTested;
pub use verify::RustVerifier;

/// What a request says about its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// Its token is valid.
    Verified(Rc<Principal>),
    /// It carries no token and need not.
    Anonymous,
    /// It must not pass.
    Refused(Refusal),
    /// It cannot be decided until the keys of the provider with that index have come, or have come
    /// anew: either [`Identity::wait`] or refuse. Only if the caller may wait.
    Pending(usize),
}

/// The state of identity in one VM: key rings of issuers, verified tokens, the verifier.
pub struct Identity {
    providers: Vec<Bound>,
    rings: Vec<KeyRing>,
    waiting: Waiting,
    cache: TokenCache,
    verifier: Box<dyn SignatureVerifier>,
}

/// A provider of the policy and the place of its key ring.
#[derive(Debug)]
struct Bound {
    provider: Provider,
    ring: usize,
}

impl Identity {
    /// An identity that knows no provider yet.
    #[must_use]
    pub fn new(verifier: Box<dyn SignatureVerifier>) -> Self {
        Self {
            providers: Vec::new(),
            rings: Vec::new(),
            waiting: Waiting::default(),
            cache: TokenCache::default(),
            verifier,
        }
    }

    /// Takes over the providers of a policy. Key rings whose source did not change stay, with their
    /// keys. Does no I/O: sets that must be fetched are asked for by the next [`Identity::tick`].
    pub fn configure(&mut self, providers: &[Provider]) {
        let mut before = std::mem::take(&mut self.rings);
        self.providers.clear();
        for provider in providers {
            let id = RingId::of(&provider.keys);
            let ring = match self.rings.iter().position(|ring| ring.id() == id) {
                Some(shared) => shared,
                None => {
                    let kept = before.iter().position(|ring| ring.id() == id);
                    self.rings.push(match kept {
                        Some(place) => before.swap_remove(place),
                        None => KeyRing::new(&provider.keys),
                    });
                    self.rings.len() - 1
                }
            };
            self.providers.push(Bound {
                provider: provider.clone(),
                ring,
            });
        }
        let rings = &self.rings;
        self.cache
            .retain(|id, _| rings.iter().any(|ring| ring.id() == id));
    }

    /// Lets an exchange wait for the keys of a provider, at most 2 seconds: [`Chores::wake`] names
    /// it in any case. The driver should tick within [`Identity::next_tick_ms`] from now.
    ///
    /// # Errors
    /// [`Refusal::JwksBusy`] when 1,000 exchanges wait already.
    pub fn wait(
        &mut self,
        provider: usize,
        exchange: ExchangeId,
        now: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<(), Refusal> {
        let bound = self.providers.get(provider);
        let ring = bound.and_then(|bound| self.rings.get(bound.ring));
        let ring = ring.ok_or(Refusal::InternalState)?.id();
        if !self.waiting.add(exchange, ring, now) {
            return Err(Refusal::JwksBusy);
        }
        metrics.record(Metric::Held, 1);
        Ok(())
    }

    /// The exchange is over: nobody is to be woken.
    pub fn forget(&mut self, exchange: ExchangeId) {
        self.waiting.remove(exchange);
    }

    /// Time has passed.
    pub fn tick(&mut self, shared: &mut dyn SharedData, now: Timestamp) -> Chores {
        let mut chores = Chores::default();
        for place in 0..self.rings.len() {
            if let Some(ring) = self.rings.get_mut(place) {
                let turn = ring.tick(self.waiting.any_for(ring.id()), shared, now);
                self.follow(place, turn, &mut chores);
            }
        }
        let rings = &self.rings;
        let exists = |id| rings.iter().any(|ring| ring.id() == id);
        chores.wake.extend(self.waiting.take_late(now, exists));
        chores.next_tick_ms = self.next_tick_ms(now);
        chores
    }

    /// A fetch that [`Chores::fetches`] asked for has ended (or could not be sent).
    pub fn fetched(
        &mut self,
        fetch: &Fetch,
        result: FetchResult<'_>,
        shared: &mut dyn SharedData,
        now: Timestamp,
        metrics: &mut Metrics,
    ) -> Chores {
        let mut chores = Chores::default();
        let asked = |ring: &KeyRing| ring.id().to_string() == fetch.provider;
        // The policy may have changed meanwhile; then nobody needs these keys.
        if let Some(place) = self.rings.iter().position(asked)
            && let Some(ring) = self.rings.get_mut(place)
        {
            let turn = ring.fetched(result, shared, now);
            metrics.record(Metric::JwksFetches { ok: turn.loaded }, 1);
            self.follow(place, turn, &mut chores);
        }
        chores.next_tick_ms = self.next_tick_ms(now);
        chores
    }

    /// What follows from the turn of a ring: verdicts of keys that are gone are forgotten, and those
    /// who waited are woken, or told that they wait in vain.
    fn follow(&mut self, place: usize, turn: Turn, chores: &mut Chores) {
        let Some(ring) = self.rings.get(place) else {
            return;
        };
        if turn.loaded || turn.dropped {
            self.cache.retain(|id, token| {
                let has = |keys: &KeySet| keys.has(&token.key, token.kind.algorithm);
                id != ring.id() || ring.keys().is_some_and(has)
            });
        }
        let until = if turn.loaded {
            u64::MAX
        } else {
            turn.next_chance
        };
        chores.wake.extend(self.waiting.take_for(ring.id(), until));
        chores.fetches.extend(turn.fetch);
    }

    /// When [`Identity::tick`] wants to be called next, in milliseconds: 20 while an exchange waits
    /// or a first fetch is due, else up to 1,000.
    #[must_use]
    pub fn next_tick_ms(&self, now: Timestamp) -> u64 {
        if !self.waiting.is_empty() {
            return 20;
        }
        let rings = self.rings.iter().map(|ring| ring.next_tick_ms(now));
        rings.min().unwrap_or(u64::MAX).clamp(20, 1_000)
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
