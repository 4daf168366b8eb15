//! Deterministic automata as tables.
//!
//! One type serves two purposes. *Detectors* run an anchored automaton from many starting points at
//! once (see `engine::masking`); *expressions* of conditions run an unanchored one that stays in an
//! accepting state once it has matched. Both are built ahead of time by the policy compiler and are
//! only stepped in the proxy: one byte class look-up and one table look-up per byte.
//!
//! In a bundle a table is text: Base64 of a run-length form, because most states send most byte
//! classes to the same place (24 detectors: 86 KB of table, 10 KB of text). Reading checks every
//! index, so that a state that [`Automaton::next`] returns can always be stepped again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A state of an automaton.
pub type State = u16;

/// The state without a way out: nothing that follows can match.
pub const DEAD: State = 0;

/// Most states that an automaton may have; bounds the memory that a bundle can ask for.
pub const MAX_STATES: usize = 16_384;

/// A deterministic automaton over bytes whose states carry a set of up to 64 matches.
#[derive(Clone, PartialEq, Eq)]
pub struct Automaton {
    /// The class of each byte; classes are numbered from 0 without gaps.
    classes: Box<[u8; 256]>,
    /// Number of byte classes: the length of a row.
    stride: usize,
    start: State,
    /// Row after row: `transitions[state * stride + class]`.
    transitions: Vec<State>,
    /// Per state: what has matched when the automaton is here.
    matches: Vec<u64>,
    /// Per state: what has matched if the input ends here; a superset of `matches`.
    end_matches: Vec<u64>,
}

/// Why a table is not an automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomatonError {
    /// The text is not Base64 or ends in the middle of a number.
    Encoding,
    /// No state, or more than [`MAX_STATES`].
    StateCount,
    /// A byte has a class outside the row.
    ClassOutOfRange,
    /// A transition or the start state leads outside the table.
    StateOutOfRange,
    /// The tables do not have one entry per state.
    Shape,
    /// State 0 is not dead: it has a match or a way out.
    DeadState,
}

impl std::fmt::Display for AutomatonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encoding => "the automaton is not valid Base64 or is cut off",
            Self::StateCount => "the automaton has no state or too many",
            Self::ClassOutOfRange => "the automaton maps a byte to a class that it does not have",
            Self::StateOutOfRange => "the automaton leads to a state that it does not have",
            Self::Shape => "the tables of the automaton differ in length",
            Self::DeadState => "the dead state of the automaton is not dead",
        })
    }
}

impl std::error::Error for AutomatonError {}

impl Automaton {
    /// Puts an automaton together and checks it.
    ///
    /// `transitions` holds one row per state with one entry per byte class; `matches` and
    /// `end_matches` hold one entry per state. State 0 must be dead.
    ///
    /// # Errors
    ///
    /// [`AutomatonError`] tells which table does not fit the others.
    pub fn new(
        classes: [u8; 256],
        start: State,
        transitions: Vec<State>,
        matches: Vec<u64>,
        end_matches: Vec<u64>,
    ) -> Result<Self, AutomatonError> {
        let stride = classes
            .iter()
            .copied()
            .max()
            .map_or(0, |class| usize::from(class) + 1);
        let states = matches.len();
        if states == 0 || states > MAX_STATES {
            return Err(AutomatonError::StateCount);
        }
        if end_matches.len() != states || transitions.len() != states * stride {
            return Err(AutomatonError::Shape);
        }
        let exists = |state: State| usize::from(state) < states;
        if !exists(start) || !transitions.iter().copied().all(exists) {
            return Err(AutomatonError::StateOutOfRange);
        }
        let dead_row = transitions.iter().take(stride).all(|&next| next == DEAD);
        let dead_end = matches.first() == Some(&0) && end_matches.first() == Some(&0);
        if !dead_row || !dead_end {
            return Err(AutomatonError::DeadState);
        }
        let classes = Box::new(classes);
        Ok(Self {
            classes,
            stride,
            start,
            transitions,
            matches,
            end_matches,
        })
    }

    /// The state before the first byte.
    #[inline]
    #[must_use]
    pub fn start(&self) -> State {
        self.start
    }

    /// The state after `byte`.
    #[inline]
    #[must_use]
    pub fn next(&self, state: State, byte: u8) -> State {
        let class = usize::from(self.classes.get(usize::from(byte)).copied().unwrap_or(0));
        self.transitions
            .get(usize::from(state) * self.stride + class)
            .copied()
            .unwrap_or(DEAD)
    }

    /// What has matched in `state`, one bit per pattern.
    #[inline]
    #[must_use]
    pub fn matches(&self, state: State) -> u64 {
        self.matches.get(usize::from(state)).copied().unwrap_or(0)
    }

    /// What has matched if the input ends in `state`, one bit per pattern.
    #[inline]
    #[must_use]
    pub fn end_matches(&self, state: State) -> u64 {
        self.end_matches
            .get(usize::from(state))
            .copied()
            .unwrap_or(0)
    }

    /// Whether any byte sequence from here on can still lead to a match.
    #[inline]
    #[must_use]
    pub fn is_dead(state: State) -> bool {
        state == DEAD
    }

    /// Number of states, the dead one included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.matches.len()
    }

    /// Whether there is nothing but the dead state.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.matches.len() <= 1
    }

    /// Bytes of the tables in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        256 + self.transitions.len() * 2 + self.matches.len() * 16
    }

    /// Whether the automaton, run over `input`, matches anything on the way or at the end.
    #[must_use]
    pub fn is_match(&self, input: &[u8]) -> bool {
        let mut state = self.start;
        for &byte in input {
            if self.matches(state) != 0 {
                return true;
            }
            state = self.next(state, byte);
            if Self::is_dead(state) {
                return false;
            }
        }
        self.end_matches(state) != 0
    }
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Automaton({} states, {} classes)",
            self.len(),
            self.stride
        )
    }
}

// === The run-length form ===

fn put(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Writes `values` as pairs of a run's length and its value.
fn put_runs(out: &mut Vec<u8>, values: impl IntoIterator<Item = u64>) {
    let mut run: Option<(u64, u64)> = None;
    for value in values {
        run = match run {
            Some((length, current)) if current == value => Some((length + 1, current)),
            Some((length, current)) => {
                put(out, length);
                put(out, current);
                Some((1, value))
            }
            None => Some((1, value)),
        };
    }
    if let Some((length, current)) = run {
        put(out, length);
        put(out, current);
    }
}

struct Reader<'a>(std::slice::Iter<'a, u8>);

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, AutomatonError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.0.next().ok_or(AutomatonError::Encoding)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(AutomatonError::Encoding)
    }

    /// Reads runs until there are `count` values. The caller bounds `count`.
    fn runs(&mut self, count: usize) -> Result<Vec<u64>, AutomatonError> {
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            let length = usize::try_from(self.number()?).map_err(|_| AutomatonError::Encoding)?;
            let value = self.number()?;
            if length == 0 || length > count - values.len() {
                return Err(AutomatonError::Encoding);
            }
            values.resize(values.len() + length, value);
        }
        Ok(values)
    }
}

impl Automaton {
    /// The run-length form, in Base64.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        put(&mut out, self.matches.len() as u64);
        put(&mut out, u64::from(self.start));
        put_runs(&mut out, self.classes.iter().map(|&class| u64::from(class)));
        put_runs(
            &mut out,
            self.transitions.iter().map(|&state| u64::from(state)),
        );
        put_runs(&mut out, self.matches.iter().copied());
        put_runs(&mut out, self.end_matches.iter().copied());
        STANDARD_NO_PAD.encode(out)
    }

    /// Reads the run-length form.
    ///
    /// # Errors
    ///
    /// [`AutomatonError`] if the text is not one that [`Automaton::to_text`] could have written.
    pub fn from_text(text: &str) -> Result<Self, AutomatonError> {
        let bytes = STANDARD_NO_PAD
            .decode(text)
            .map_err(|_| AutomatonError::Encoding)?;
        let mut reader = Reader(bytes.iter());
        let states = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        if states == 0 || states > MAX_STATES {
            return Err(AutomatonError::StateCount);
        }
        let state =
            |value: u64| State::try_from(value).map_err(|_| AutomatonError::StateOutOfRange);
        let start = state(reader.number()?)?;
        let mut classes = [0u8; 256];
        for (class, value) in classes.iter_mut().zip(reader.runs(256)?) {
            *class = u8::try_from(value).map_err(|_| AutomatonError::ClassOutOfRange)?;
        }
        let stride = classes
            .iter()
            .copied()
            .max()
            .map_or(0, |class| usize::from(class) + 1);
        let transitions = reader.runs(states * stride)?;
        let transitions = transitions
            .into_iter()
            .map(state)
            .collect::<Result<_, _>>()?;
        let matches = reader.runs(states)?;
        let end_matches = reader.runs(states)?;
        if reader.0.next().is_some() {
            return Err(AutomatonError::Encoding);
        }
        Self::new(classes, start, transitions, matches, end_matches)
    }
}

impl Serialize for Automaton {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Automaton {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_text(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a+` anchored: state 1 is the start, state 2 matches.
    fn one_or_more_a() -> Automaton {
        let mut classes = [0u8; 256];
        classes[usize::from(b'a')] = 1;
        let transitions = vec![0, 0, 0, 2, 0, 2];
        Automaton::new(classes, 1, transitions, vec![0, 0, 1], vec![0, 0, 1]).unwrap()
    }

    #[test]
    fn a_table_survives_its_text_form() {
        let automaton = one_or_more_a();
        assert_eq!(
            Automaton::from_text(&automaton.to_text()).unwrap(),
            automaton
        );
    }

    #[test]
    fn stepping_follows_the_table_and_dies_where_it_ends() {
        let automaton = one_or_more_a();
        let state = automaton.next(automaton.start(), b'a');
        assert_eq!(automaton.matches(state), 1);
        assert_eq!(automaton.next(state, b'b'), DEAD);
        assert!(automaton.is_match(b"aaa"));
        assert!(!automaton.is_match(b"ba"));
    }

    #[test]
    fn a_transition_out_of_the_table_is_refused() {
        let error = Automaton::new([0; 256], 0, vec![0, 7], vec![0, 0], vec![0, 0]);
        assert_eq!(error, Err(AutomatonError::StateOutOfRange));
    }

    #[test]
    fn a_dead_state_with_a_way_out_is_refused() {
        let error = Automaton::new([0; 256], 1, vec![1, 1], vec![0, 1], vec![0, 1]);
        assert_eq!(error, Err(AutomatonError::DeadState));
    }

    #[test]
    fn every_cut_of_the_text_is_refused() {
        let text = one_or_more_a().to_text();
        for end in 0..text.len() {
            assert!(
                Automaton::from_text(text.get(..end).unwrap()).is_err(),
                "cut at {end}"
            );
        }
    }
}
