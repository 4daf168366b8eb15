//! One candidate: where it begins and how far the automaton has come.

use tracegate_bundle::automaton::State;

use super::candidates::Run;
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
    /// The detectors of which a word stands before it, once that has been looked at.
    pub(super) context: Option<u64>,
}

impl Thread {
    pub(super) fn new(detectors: &Detectors, start: u64, state: State, eligible: u64) -> Self {
        Self {
            start,
            state,
            eligible,
            swallowing: 0,
            deadline: detectors.deadline(start, eligible),
            context: None,
        }
    }

    /// Gives up the detectors that need words before the candidate which are not there.
    pub(super) fn look_for_context(&mut self, run: &Run<'_>) {
        self.context
            .get_or_insert_with(|| run.context_before(self.start));
        self.heed_context(run);
    }

    /// The same, if the words have been looked at.
    pub(super) fn heed_context(&mut self, run: &Run<'_>) {
        if let Some(context) = self.context {
            self.eligible &= !run.needs_context | context;
        }
    }

    /// Steps over the byte that ends at `end`. Whether the candidate still lives.
    pub(super) fn step(&mut self, run: &Run<'_>, byte: u8, end: u64, spans: &mut Spans) -> bool {
        let detectors = run.detectors;
        self.state = detectors.next(self.state, byte);
        let live = detectors.live(self.state);
        if end > self.deadline {
            self.outgrow(run, live, end, spans);
        }
        if self.swallowing != 0 {
            self.swallowing &= live;
            self.eligible &= live;
        }
        live & (self.eligible | self.swallowing) != 0
    }

    /// Decides about the detectors for which the candidate is now too long.
    #[cold]
    fn outgrow(&mut self, run: &Run<'_>, live: u64, end: u64, spans: &mut Spans) {
        let detectors = run.detectors;
        if self.eligible & run.needs_context != 0 {
            self.look_for_context(run);
        }
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
