//! Exchanges that wait for keys: a bounded list, and each waits a bounded time.

use super::keyring::RingId;
use crate::Timestamp;
use crate::exchange::ExchangeId;

/// How long an exchange waits at most.
pub(super) const HOLD_MS: u64 = 2_000;
/// How many may wait in one VM.
const MAX_WAITING: usize = 1_000;

/// The exchanges that wait, the longest waiting first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    exchange: ExchangeId,
    ring: RingId,
    /// In milliseconds since the Unix epoch.
    until: u64,
}

impl Waiting {
    /// Lets an exchange wait for a ring. False if too many wait already.
    pub(super) fn add(&mut self, exchange: ExchangeId, ring: RingId, now: Timestamp) -> bool {
        self.remove(exchange);
        if self.waiters.len() >= MAX_WAITING {
            return false;
        }
        self.waiters.push(Waiter {
            exchange,
            ring,
            until: now.millis().saturating_add(HOLD_MS),
        });
        true
    }

    pub(super) fn remove(&mut self, exchange: ExchangeId) {
        self.waiters.retain(|waiter| waiter.exchange != exchange);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn any_for(&self, ring: RingId) -> bool {
        self.waiters.iter().any(|waiter| waiter.ring == ring)
    }

    /// Takes out those that wait for a ring and would wait in vain beyond `until`.
    pub(super) fn take_for(
        &mut self,
        ring: RingId,
        until: u64,
    ) -> impl Iterator<Item = ExchangeId> {
        self.take(move |waiter| waiter.ring == ring && waiter.until < until)
    }

    /// Takes out those whose time is over (a clock that went back ends it too) or whose ring is gone.
    pub(super) fn take_late(
        &mut self,
        now: Timestamp,
        exists: impl Fn(RingId) -> bool,
    ) -> impl Iterator<Item = ExchangeId> {
        let now = now.millis();
        self.take(move |waiter| {
            waiter.until <= now
                || waiter.until > now.saturating_add(HOLD_MS)
                || !exists(waiter.ring)
        })
    }

    fn take(&mut self, mut which: impl FnMut(&Waiter) -> bool) -> impl Iterator<Item = ExchangeId> {
        self.waiters
            .extract_if(.., move |waiter| which(waiter))
            .map(|waiter| waiter.exchange)
    }
}
