//! A proxy process in miniature: several VMs that share data, a clock that is moved by hand, and an
//! issuer that is counted on.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracegate_bundle::policy::{Connection, KeySource, Provider};

use super::support::{ISSUER, Key, NOW, connection, provider};
use crate::Timestamp;
use crate::exchange::ExchangeId;
use crate::http::HeaderMap;
use crate::identity::{Authentication, Fetch, FetchResult, Identity, RustVerifier, SharedData};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::vm::Chores;

/// Shared data as Envoy has it: a compare-and-swap token is looked at only if the key exists.
#[derive(Default)]
pub(in crate::identity) struct Shared {
    pub(super) values: BTreeMap<String, (Vec<u8>, u32)>,
    last_token: u32,
}

impl SharedData for Shared {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        if let (Some((_, token)), Some(cas)) = (self.values.get(key), cas)
            && *token != cas
        {
            return false;
        }
        self.last_token += 1;
        self.values
            .insert(key.to_owned(), (value.to_vec(), self.last_token));
        true
    }
}

/// An answer of the issuer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) cache_control: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

pub(super) fn set_of(keys: &[(&str, Key)]) -> Answer {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(kid, key)| key.jwk_with(json!({"kid": kid})))
        .collect();
    answer(200, json!({"keys": keys}).to_string())
}

pub(super) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        cache_control: None,
        body: body.into(),
    }
}

/// How an exchange ended, and after how long.
pub(super) type Ended = (Result<(), Refusal>, u64);

pub(super) struct Vm {
    pub(super) identity: Identity,
    pub(super) metrics: Metrics,
    pub(super) next_tick: u64,
    pub(super) flights: Vec<(u64, Fetch)>,
    pub(super) held: BTreeMap<ExchangeId, (HeaderMap, u64)>,
    pub(super) ended: BTreeMap<ExchangeId, Ended>,
}

/// A process: VMs that share data, an issuer, and the time.
pub(super) struct Process {
    pub(super) vms: Vec<Vm>,
    pub(super) shared: Shared,
    pub(super) connection: Connection,
    /// Milliseconds since the Unix epoch.
    pub(super) now: u64,
    /// What the issuer answers; `None`: nothing.
    pub(super) issuer: Option<Answer>,
    pub(super) latency: u64,
    pub(super) fetches: u64,
    pub(super) exchanges: u32,
}

pub(super) const START: u64 = NOW * 1_000;

pub(super) fn remote(cache_seconds: u64, max_stale_seconds: u64) -> Provider {
    let keys = KeySource::Remote {
        cluster: "idp".to_owned(),
        authority: "idp.example".to_owned(),
        path: "/jwks".to_owned(),
        scheme: "https".to_owned(),
        cache_seconds,
        max_stale_seconds,
        timeout_ms: 1_000,
    };
    provider(ISSUER, keys)
}

impl Process {
    pub(super) fn new(vms: usize) -> Self {
        Self::with(vms, remote(600, 3_600))
    }

    pub(super) fn with(vms: usize, provider: Provider) -> Self {
        let vm = |_| {
            let mut identity = Identity::new(Box::new(RustVerifier));
            identity.configure(std::slice::from_ref(&provider));
            Vm {
                identity,
                metrics: Metrics::default(),
                next_tick: START,
                flights: Vec::new(),
                held: BTreeMap::new(),
                ended: BTreeMap::new(),
            }
        };
        Self {
            vms: (0..vms).map(vm).collect(),
            shared: Shared::default(),
            connection: connection(&[0]),
            now: START,
            issuer: Some(set_of(&[("ed", Key::Ed25519)])),
            latency: 50,
            fetches: 0,
            exchanges: 0,
        }
    }

    /// A process whose VMs have the keys.
    pub(super) fn warm(vms: usize) -> Self {
        let mut process = Self::new(vms);
        process.run(200);
        assert_eq!(process.fetches, 1);
        process
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_nanos(self.now * 1_000_000)
    }

    /// A request with that token arrives.
    pub(super) fn request(&mut self, vm: usize, token: &str) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let value = format!("Bearer {token}");
        let headers: HeaderMap = [("authorization", &value)].into_iter().collect();
        self.decide(vm, exchange, headers, self.now, true);
        exchange
    }

    fn decide(&mut self, at: usize, id: ExchangeId, headers: HeaderMap, since: u64, first: bool) {
        let now = self.at();
        let waited = self.now - since;
        let vm = &mut self.vms[at];
        let answer =
            vm.identity
                .authenticate(&headers, &self.connection, first, now, &mut vm.metrics);
        let outcome = match answer {
            Authentication::Verified(_) => Ok(()),
            Authentication::Refused(refusal) => Err(refusal),
            Authentication::Anonymous => panic!("no token is not in question"),
            Authentication::Pending(provider) => {
                match vm.identity.wait(provider, id, now, &mut vm.metrics) {
                    Ok(()) => {
                        vm.held.insert(id, (headers, since));
                        vm.next_tick = vm.next_tick.min(self.now + vm.identity.next_tick_ms(now));
                        return;
                    }
                    Err(refusal) => Err(refusal),
                }
            }
        };
        vm.ended.insert(id, (outcome, waited));
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += 1;
            for at in 0..self.vms.len() {
                self.land(at);
                if self.vms[at].next_tick <= self.now {
                    let now = self.at();
                    let chores = self.vms[at].identity.tick(&mut self.shared, now);
                    self.follow(at, chores);
                }
            }
        }
    }

    /// Delivers the answers that are due.
    fn land(&mut self, at: usize) {
        let due = |(when, _): &mut (u64, Fetch)| *when <= self.now;
        let landed: Vec<_> = self.vms[at].flights.extract_if(.., due).collect();
        for (_, fetch) in landed {
            let now = self.at();
            let answer = self.issuer.clone();
            let result =
                answer
                    .as_ref()
                    .map_or(FetchResult::Failed, |answer| FetchResult::Answer {
                        status: answer.status,
                        cache_control: answer.cache_control.map(str::as_bytes),
                        body: &answer.body,
                    });
            let vm = &mut self.vms[at];
            let chores =
                vm.identity
                    .fetched(&fetch, result, &mut self.shared, now, &mut vm.metrics);
            self.follow(at, chores);
        }
    }

    fn follow(&mut self, at: usize, chores: Chores) {
        let arrival = self.now + self.latency;
        self.fetches += chores.fetches.len() as u64;
        let vm = &mut self.vms[at];
        vm.next_tick = self.now + chores.next_tick_ms;
        vm.flights
            .extend(chores.fetches.into_iter().map(|fetch| (arrival, fetch)));
        for id in chores.wake {
            let (headers, since) = self.vms[at].held.remove(&id).expect("it waits");
            self.decide(at, id, headers, since, false);
        }
    }

    #[track_caller]
    pub(super) fn ended(&self, id: ExchangeId) -> Ended {
        let ended = self.vms.iter().find_map(|vm| vm.ended.get(&id));
        *ended.expect("it has ended")
    }

    pub(super) fn held(&self) -> usize {
        self.vms.iter().map(|vm| vm.held.len()).sum()
    }

    /// What becomes of a request that comes now, within the time that one may wait.
    pub(super) fn answer(&mut self, vm: usize, token: &str) -> Result<(), Refusal> {
        let id = self.request(vm, token);
        self.run(2_100);
        self.ended(id).0
    }

    /// What becomes of it at once.
    #[track_caller]
    pub(super) fn at_once(&mut self, vm: usize, token: &str) -> Result<(), Refusal> {
        let id = self.request(vm, token);
        self.ended(id).0
    }
}
