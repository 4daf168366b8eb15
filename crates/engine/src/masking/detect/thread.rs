//! One candidate: where it begins and how far the automaton has come.

use tracegate_bundle::automaton::State;

use super::detectors::Detectors;
use super::spans::Spans;

/// A candidate for a match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    /// Offset of its first byte.
    pub(super) start: u64,
    pub(super) state: State,
    /// The detectors for which it counts: switched on, allowed to begin here, not too long yet.
    pub(super) eligible: u64,
    /// The detectors for which it grew past `max_len`: all of it is masked, to its end.
    pub(super) swallowing: u64,
    /// The offset up to which it is not too long for any eligible detector.
    pub(super) deadline: u64,
}

impl Thread {
    pub(super) fn new(detectors: &Detectors, start: u64, state: State, eligible: u64) -> Self {
        Self {
            start,
            state,
            eligible,
            swallowing: 0,
            deadline: detectors.deadline(start, eligible),
        }
    }

    /// Steps over the byte that ends at `end`. Whether the candidate still lives.
    pub(super) fn step(
        &mut self,
        detectors: &Detectors,
        byte: u8,
        end: u64,
        spans: &mut Spans,
    ) -> bool {
        self.state = detectors.next(self.state, byte);
        let live = detectors.live(self.state);
        if end > self.deadline {
            self.outgrow(detectors, live, end, spans);
        }
        if self.swallowing != 0 {
            self.swallowing &= live;
            self.eligible &= live;
        }
        live & (self.eligible | self.swallowing) != 0
    }

    /// Decides about the detectors for which the candidate is now too long.
    #[cold]
    fn outgrow(&mut self, detectors: &Detectors, live: u64, end: u64, spans: &mut Spans) {
        let outgrown = detectors.outgrown(self.eligible, end - self.start);
        self.eligible &= !outgrown;
        self.deadline = detectors.deadline(self.start, self.eligible);
        let swallowing = outgrown & live & detectors.mask_overlong();
        if swallowing != 0 {
            spans.insert(self.start, end, lowest(swallowing));
            self.swallowing |= swallowing;
        }
    }

    /// Leaves to `elders` what they will find anyway: threads in the same state have the same future.
    pub(super) fn leave_to(&mut self, elders: &[Self], detectors: &Detectors) {
        for elder in elders {
            if elder.state == self.state && elder.start <= self.start {
                self.eligible &= !(elder.eligible & detectors.elder_suffices() | elder.swallowing);
                self.swallowing &= !elder.swallowing;
            }
        }
    }
}

/// The lowest detector of a set.
pub(super) fn lowest(set: u64) -> u8 {
    set.trailing_zeros() as u8
}
