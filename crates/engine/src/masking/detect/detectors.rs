//! The detectors of a bundle, with what the scanner needs to know about them worked out.

use tracegate_bundle::automaton::{DEAD, State};
use tracegate_bundle::policy::{
    Boundary, Detector, DetectorSet, MAX_MATCH_LEN, Overlong, Validator,
};

use super::context::Words;
use super::table::Table;
use super::validate;
use super::window::{LeadRun, Neighbour, Window};

/// The detectors of a bundle, ready to run. Built once when the bundle is loaded; share it by `Rc`.
#[derive(Clone, Debug)]
pub struct Detectors {
    set: DetectorSet,
    table: Table,
    /// Per byte: the detectors whose skeleton may begin with it.
    triggers: Box<[u64; 256]>,
    /// Per byte: the detectors whose skeleton may have it as its second byte, or has one byte.
    seconds: Box<[u64; 256]>,
    /// Per byte: the state after it, from the start.
    first: Box<[State; 256]>,
    /// Per byte: the detectors whose skeleton may go on with it.
    continues: Box<[u64; 256]>,
    left: Boundaries,
    right: Boundaries,
    /// The words that matches need before them, and the detectors that have some.
    words: Words,
    need_context: u64,
    /// Detectors with a prelude.
    preludes: u64,
    /// Detectors with a lead.
    leads: u64,
    lead_runs: Vec<LeadRun>,
    /// Per byte: the detectors with a lead that may end with it.
    lead_ends: Box<[u64; 256]>,
    /// Detectors whose overlong candidates are masked.
    mask_overlong: u64,
    /// Detectors for which any text that the skeleton matches counts, so that of two candidates in the
    /// same state the earlier one covers what the later one finds.
    elder_suffices: u64,
}

/// The detectors with each kind of boundary.
#[derive(Clone, Copy, Debug, Default)]
struct Boundaries {
    any: u64,
    not_alphanumeric: u64,
    not_digit: u64,
}

impl Boundaries {
    fn new(detectors: &[Detector], side: impl Fn(&Detector) -> Boundary) -> Self {
        let of = |boundary| collect(detectors, |detector| side(detector) == boundary);
        Self {
            any: of(Boundary::Any),
            not_alphanumeric: of(Boundary::NotAlphanumeric),
            not_digit: of(Boundary::NotDigit),
        }
    }

    fn beside(&self, neighbour: Neighbour) -> u64 {
        match neighbour {
            Neighbour::Letter => self.any | self.not_digit,
            Neighbour::Digit | Neighbour::Point => self.any,
            Neighbour::Other => self.any | self.not_digit | self.not_alphanumeric,
        }
    }
}

/// The set of those detectors that `is_in` accepts.
fn collect(detectors: &[Detector], is_in: impl Fn(&Detector) -> bool) -> u64 {
    let bits = (0..64).map(|bit| 1u64 << bit);
    let members = detectors
        .iter()
        .zip(bits)
        .filter(|&(detector, _)| is_in(detector));
    members.fold(0, |set, (_, bit)| set | bit)
}

impl Detectors {
    /// Works out the tables. Takes about a millisecond for the built-in detectors.
    #[must_use]
    pub fn new(set: DetectorSet) -> Self {
        let detectors = &set.detectors;
        let mut this = Self {
            table: Table::new(set.automaton.as_ref(), collect(detectors, |_| true)),
            triggers: Box::new([0; 256]),
            seconds: Box::new([0; 256]),
            first: Box::new([DEAD; 256]),
            continues: Box::new([0; 256]),
            left: Boundaries::new(detectors, |detector| detector.left),
            right: Boundaries::new(detectors, |detector| detector.right),
            words: Words::new(detectors),
            need_context: collect(detectors, |detector| !detector.context.is_empty()),
            preludes: collect(detectors, |detector| !detector.prelude.is_empty()),
            leads: collect(detectors, |detector| detector.lead.is_some()),
            lead_runs: lead_runs(detectors),
            lead_ends: Box::new([0; 256]),
            mask_overlong: collect(detectors, |detector| detector.overlong == Overlong::Mask),
            elder_suffices: collect(detectors, |detector| {
                detector.validator == Validator::None
                    && detector.overlong == Overlong::Mask
                    && detector.context.is_empty()
                    && detector.prelude.is_empty()
                    && detector.ignore.is_none()
            }),
            set,
        };
        this.tabulate_bytes();
        this
    }

    fn tabulate_bytes(&mut self) {
        for (byte, lead_ends) in (0..=u8::MAX).zip(self.lead_ends.iter_mut()) {
            let runs = self.lead_runs.iter().filter(|run| run.contains(byte));
            *lead_ends = runs.fold(0, |all, run| all | 1 << run.detector);
        }
        let table = &self.table;
        let bytes = || 0..=u8::MAX;
        for (byte, first) in bytes().zip(self.first.iter_mut()) {
            *first = table.next(table.start(), byte);
        }
        for (&first, trigger) in self.first.iter().zip(self.triggers.iter_mut()) {
            *trigger = table.live(first);
        }
        for (byte, second) in bytes().zip(self.seconds.iter_mut()) {
            let pairs = self.first.iter();
            *second = pairs.fold(0, |all, &first| {
                all | table.matches(first) | table.live(table.next(first, byte))
            });
        }
        for (byte, continues) in bytes().zip(self.continues.iter_mut()) {
            let nexts = table.states().map(|state| table.next(state, byte));
            *continues = nexts.fold(0, |all, next| all | table.live(next));
        }
    }

    /// What this was made from: names and tokens are there.
    #[must_use]
    pub fn set(&self) -> &DetectorSet {
        &self.set
    }

    #[inline]
    pub(super) fn next(&self, state: State, byte: u8) -> State {
        self.table.next(state, byte)
    }

    /// What has matched in `state`.
    #[inline]
    pub(super) fn matches(&self, state: State) -> u64 {
        self.table.matches(state)
    }

    /// What has matched in `state` or can still match.
    #[inline]
    pub(super) fn live(&self, state: State) -> u64 {
        self.table.live(state)
    }

    /// The detectors whose skeleton may begin with `byte`.
    #[inline]
    pub(super) fn triggers(&self, byte: u8) -> u64 {
        self.triggers.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The detectors whose skeleton may begin with these bytes, and perhaps some more.
    #[inline]
    pub(super) fn triggers_pair(&self, first: u8, second: u8) -> u64 {
        let seconds = self.seconds.get(usize::from(second)).copied().unwrap_or(0);
        self.triggers(first) & seconds
    }

    /// The state after the first byte of a skeleton.
    #[inline]
    pub(super) fn first(&self, byte: u8) -> State {
        self.first.get(usize::from(byte)).copied().unwrap_or(DEAD)
    }

    /// The detectors that have a candidate in which `byte` stands after the first byte.
    pub(super) fn continues(&self, byte: u8) -> u64 {
        self.continues.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// Those of `detectors` of which a word of context stands in the name of a member. What to tell the
    /// [`super::Scanner`] of the texts that the member holds.
    #[must_use]
    pub fn context_in(&self, name: &[u8], detectors: u64) -> u64 {
        if self.need_context & detectors == 0 {
            return 0;
        }
        self.words.in_name(name) & detectors
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn need_context(&self) -> u64 {
        self.need_context
    }

    pub(super) fn preludes(&self) -> u64 {
        self.preludes
    }

    /// The state after the shortest prelude of a detector.
    pub(super) fn opening(&self, detector: u8) -> State {
        let prelude = self
            .detector(detector)
            .map(|detector| detector.prelude.as_bytes());
        let first = prelude.and_then(<[u8]>::first);
        first.map_or(DEAD, |&first| self.first(first))
    }

    /// Where a match of `detector` begins behind its prelude.
    pub(super) fn after_prelude(
        &self,
        detector: u8,
        window: &Window<'_>,
        start: u64,
        end: u64,
    ) -> u64 {
        if self.preludes >> detector & 1 == 0 {
            return start;
        }
        let prelude = self
            .detector(detector)
            .map(|detector| detector.prelude.as_bytes());
        let (prelude, candidate) = (prelude.unwrap_or_default(), window.candidate(start, end));
        let (candidate, _) = candidate.unwrap_or_default();
        let length = candidate
            .iter()
            .take_while(|byte| prelude.contains(byte))
            .count();
        start + length as u64
    }

    /// Whether `detector` ignores a match; `None` if it ignores none at all.
    pub(super) fn ignores(
        &self,
        detector: u8,
        window: &Window<'_>,
        start: u64,
        end: u64,
    ) -> Option<bool> {
        let ignore = self.detector(detector)?.ignore.as_ref()?;
        let candidate = window.candidate(start, end);
        Some(candidate.is_some_and(|(candidate, _)| ignore.is_match(candidate)))
    }

    pub(super) fn leads(&self) -> u64 {
        self.leads
    }

    pub(super) fn mask_overlong(&self) -> u64 {
        self.mask_overlong
    }

    pub(super) fn elder_suffices(&self) -> u64 {
        self.elder_suffices
    }

    /// The detectors whose skeleton may begin at `index` with `byte`, by what stands before it.
    #[inline]
    pub(super) fn may_begin_at(&self, window: &Window<'_>, index: usize, byte: u8) -> u64 {
        let before = window.before(index, 1).map(usize::from);
        let leads = before.and_then(|before| self.lead_ends.get(before));
        let without_lead = self.may_begin(window.left_of(index), byte) & !self.leads;
        without_lead | leads.copied().unwrap_or(0)
    }

    /// The detectors whose match may begin with `byte` to the right of `neighbour`.
    #[inline]
    fn may_begin(&self, neighbour: Neighbour, byte: u8) -> u64 {
        match neighbour {
            Neighbour::Point if !byte.is_ascii_digit() => self.left.beside(Neighbour::Other),
            neighbour => self.left.beside(neighbour),
        }
    }

    /// The detectors whose match may end to the left of `byte`. What a `.` means depends on the byte
    /// after it: see [`Detectors::may_end_at_point`].
    #[inline]
    pub(super) fn may_end(&self, byte: u8) -> u64 {
        self.right.beside(match byte {
            b'0'..=b'9' => Neighbour::Digit,
            b'a'..=b'z' | b'A'..=b'Z' => Neighbour::Letter,
            _ => Neighbour::Other,
        })
    }

    /// The detectors whose match may end to the left of a decimal point.
    pub(super) fn may_end_at_point(&self) -> u64 {
        self.right.beside(Neighbour::Point)
    }

    /// The earliest place where a match of one of `active` could begin whose lead is the run of bytes
    /// before `index`.
    pub(super) fn earliest_lead(
        &self,
        active: u64,
        window: &Window<'_>,
        index: usize,
    ) -> Option<u64> {
        let runs = self
            .lead_runs
            .iter()
            .filter(|run| active >> run.detector & 1 != 0);
        runs.filter_map(|run| self.run_start(run, window, index))
            .min()
    }

    /// Where a match of `detector` begins whose skeleton begins at `index`.
    pub(super) fn lead_start(
        &self,
        detector: u8,
        window: &Window<'_>,
        index: usize,
    ) -> Option<u64> {
        let run = self.lead_runs.iter().find(|run| run.detector == detector)?;
        self.run_start(run, window, index)
    }

    fn run_start(&self, run: &LeadRun, window: &Window<'_>, index: usize) -> Option<u64> {
        let bit = 1u64 << run.detector;
        window.lead_start(run, index, |left, byte| {
            self.may_begin(left, byte) & bit != 0
        })
    }

    /// Whether a candidate of the right shape is a match of `detector`.
    pub(super) fn accepts(&self, detector: u8, window: &Window<'_>, start: u64, end: u64) -> bool {
        let Some(detector) = self.detector(detector) else {
            return false;
        };
        let length = end - start;
        length >= u64::from(detector.min_len)
            && length <= max_len(detector)
            && (detector.validator == Validator::None
                || window
                    .candidate(start, end)
                    .is_some_and(|(candidate, before)| {
                        validate::holds(detector.validator, candidate, before)
                    }))
    }

    /// The offset up to which a candidate is not too long for any of `eligible`.
    pub(super) fn deadline(&self, start: u64, eligible: u64) -> u64 {
        let lengths = members(eligible).filter_map(|detector| self.detector(detector).map(max_len));
        lengths.min().map_or(u64::MAX, |length| start + length)
    }

    /// Those of `eligible` for which `length` is too long.
    pub(super) fn outgrown(&self, eligible: u64, length: u64) -> u64 {
        members(eligible)
            .filter(|&detector| {
                self.detector(detector)
                    .is_none_or(|detector| max_len(detector) < length)
            })
            .fold(0, |set, detector| set | 1 << detector)
    }

    fn detector(&self, index: u8) -> Option<&Detector> {
        self.set.detectors.get(usize::from(index))
    }
}

/// The leads of the detectors that have one.
fn lead_runs(detectors: &[Detector]) -> Vec<LeadRun> {
    let numbered = (0u8..64).zip(detectors);
    let runs = numbered.filter_map(|(index, detector)| {
        let lead = detector.lead.as_ref()?;
        let ascii = lead.class.bytes().filter(u8::is_ascii);
        Some(LeadRun {
            detector: index,
            class: ascii.fold(0, |class, byte| class | 1 << byte),
            max: usize::try_from(lead.max.min(MAX_MATCH_LEN)).unwrap_or(usize::MAX),
        })
    });
    runs.collect()
}

fn max_len(detector: &Detector) -> u64 {
    u64::from(detector.max_len.min(MAX_MATCH_LEN))
}

/// The indices in a set, ascending.
pub(super) fn members(mut set: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let lowest = u8::try_from(set.trailing_zeros())
            .ok()
            .filter(|&lowest| lowest < 64)?;
        set &= set - 1;
        Some(lowest)
    })
}
