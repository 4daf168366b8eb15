//! Where matches end, and which of them count.

use std::ops::Range;

use super::candidates::Run;
use super::detectors::members;
use super::doubts::{Doubt, Doubts};
use super::spans::Spans;

/// A match that ends at a `.` after a digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtPoint {
    pub(super) start: u64,
    pub(super) detectors: u64,
}

/// The place before a byte, where matches may end.
pub(super) struct Ending {
    /// The detectors whose match may end here.
    pub(super) may_end: u64,
    /// Those of them whose match may end here only if the byte, a `.`, is no decimal point.
    unless_point: u64,
}

impl Ending {
    pub(super) fn new(run: &Run<'_>, index: usize, byte: u8) -> Self {
        let may_be_point = byte == b'.' && run.window.is_digit_before(index, 1);
        let at_point = if may_be_point {
            run.detectors.may_end_at_point()
        } else {
            u64::MAX
        };
        Self {
            may_end: run.detectors.may_end(byte),
            unless_point: !at_point,
        }
    }

    /// Those of `detectors` whose match from `start` ends here whatever comes; the others wait.
    pub(super) fn settle(&self, start: u64, detectors: u64, at_point: &mut Vec<AtPoint>) -> u64 {
        let waiting = detectors & self.unless_point;
        if waiting != 0 {
            let detectors = waiting;
            at_point.push(AtPoint { start, detectors });
        }
        detectors & !waiting
    }
}

/// Adds a match of each of `detectors` that accepts it. `context` is what is known about the words
/// before it: they are looked for last, because that costs most.
pub(super) fn record(
    run: &Run<'_>,
    spans: &mut Spans,
    doubts: &mut Doubts,
    Range { start, end }: Range<u64>,
    detectors: u64,
    context: &mut Option<u64>,
) {
    for detector in members(detectors) {
        if !run.detectors.accepts(detector, &run.window, start, end) {
            continue;
        }
        if run.needs_context >> detector & 1 == 1 {
            let context = context.get_or_insert_with(|| run.context_before(start));
            if *context >> detector & 1 == 0 {
                continue;
            }
        }
        let start = run
            .detectors
            .after_prelude(detector, &run.window, start, end);
        match run.detectors.ignores(detector, &run.window, start, end) {
            None => spans.insert(start, end, detector),
            Some(ignored) => doubts.insert(Doubt {
                start,
                end,
                detector,
                ignored,
            }),
        }
    }
}
