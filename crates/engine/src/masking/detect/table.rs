//! The detectors' automaton, laid out for speed.

use tracegate_bundle::automaton::{Automaton, DEAD, State};

/// An automaton with rows whose length is a power of two, so that a look-up is a shift and a load, and
/// with what can still match in each state.
#[derive(Clone, Debug)]
pub(super) struct Table {
    classes: Box<[u8; 256]>,
    /// The length of a row is 2 to the power of this.
    shift: u32,
    start: State,
    transitions: Vec<State>,
    facts: Vec<Facts>,
}

/// What is known in a state, one bit per detector.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// What has matched.
    matches: u64,
    /// What has matched or can still match.
    live: u64,
}

impl Table {
    /// Lays out `automaton`; of its matches only those in `known` count. Without an automaton nothing
    /// matches.
    pub(super) fn new(automaton: Option<&Automaton>, known: u64) -> Self {
        let mut table = Self {
            classes: Box::new([0; 256]),
            shift: 0,
            start: automaton.map_or(DEAD, Automaton::start),
            transitions: Vec::new(),
            facts: Vec::new(),
        };
        if let Some(automaton) = automaton {
            table.facts = vec![Facts::default(); automaton.len()];
            table.lay_out(automaton);
            table.work_out_facts(automaton, known);
        }
        table
    }

    fn lay_out(&mut self, automaton: &Automaton) {
        let mut columns: Vec<Vec<State>> = Vec::new();
        for byte in 0..=u8::MAX {
            let column = self
                .states()
                .map(|state| automaton.next(state, byte))
                .collect();
            let known = columns.iter().position(|other| *other == column);
            let class = known.unwrap_or(columns.len());
            if known.is_none() {
                columns.push(column);
            }
            if let Some(entry) = self.classes.get_mut(usize::from(byte)) {
                *entry = u8::try_from(class).unwrap_or(u8::MAX);
            }
        }
        let width = columns.len().next_power_of_two();
        self.shift = width.trailing_zeros();
        self.transitions = vec![DEAD; self.facts.len() * width];
        for (state, row) in self.transitions.chunks_exact_mut(width).enumerate() {
            for (next, column) in row.iter_mut().zip(&columns) {
                *next = column.get(state).copied().unwrap_or(DEAD);
            }
        }
    }

    /// What can still match flows from each state to those before it, until nothing changes. States are
    /// numbered from the start on, so that from the last to the first few rounds are enough.
    fn work_out_facts(&mut self, automaton: &Automaton, known: u64) {
        for (state, facts) in (0..).zip(&mut self.facts) {
            facts.matches = automaton.matches(state) & known;
            facts.live = facts.matches;
        }
        let width = 1 << self.shift;
        let mut changed = true;
        while changed {
            changed = false;
            let rows = self.transitions.chunks_exact(width).enumerate().rev();
            for (state, row) in rows {
                let live = row.iter().fold(0, |all, &next| all | self.live(next));
                if let Some(facts) = self.facts.get_mut(state) {
                    changed |= live & !facts.live != 0;
                    facts.live |= live;
                }
            }
        }
    }

    pub(super) fn start(&self) -> State {
        self.start
    }

    pub(super) fn states(&self) -> impl Iterator<Item = State> + use<> {
        (0..self.facts.len()).filter_map(|state| State::try_from(state).ok())
    }

    #[inline]
    pub(super) fn next(&self, state: State, byte: u8) -> State {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        let index = usize::from(state) << self.shift | usize::from(class);
        self.transitions.get(index).copied().unwrap_or(DEAD)
    }

    #[inline]
    pub(super) fn matches(&self, state: State) -> u64 {
        self.facts
            .get(usize::from(state))
            .map_or(0, |facts| facts.matches)
    }

    #[inline]
    pub(super) fn live(&self, state: State) -> u64 {
        self.facts
            .get(usize::from(state))
            .map_or(0, |facts| facts.live)
    }
}
