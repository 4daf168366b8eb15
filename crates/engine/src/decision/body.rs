//! Conditions on the JSON body of a request, decided while it streams by.
//!
//! The body is never kept: each condition's path is followed through the document, and what stands
//! there is compared byte by byte as it comes. A value that is compared is the text of a string,
//! decoded, or a number, `true` or `false` as it is written. Where a member's name is repeated, every
//! one of its values counts, because nobody knows which of them the back end will take.

use std::ops::Range;
use std::rc::Rc;

use tracegate_bundle::automaton::{Automaton, State};
use tracegate_bundle::policy::{Attribute, Condition, ExpressionId, StringMatch};

use crate::masking::JsonError;
use crate::masking::json::{Container, Sink, Tokenizer};
use crate::masking::paths::{Cursor, PathSet, Reach};

#[cfg(test)]
mod tests;

/// The body conditions of one connection, prepared once per policy.
#[derive(Debug)]
pub struct BodyPlan {
    conditions: Vec<Tests>,
    paths: PathSet,
    /// The condition of each path.
    path_conditions: Vec<usize>,
    /// The most bytes at the end of a value that a suffix looks at.
    longest_suffix: usize,
}

/// What a condition compares a value with.
#[derive(Debug)]
struct Tests {
    tests: Vec<Test>,
    /// Whether it asks for a match at all.
    asks: bool,
}

#[derive(Debug)]
struct Test {
    pattern: Pattern,
    /// Whether the condition fails by it.
    forbids: bool,
}

#[derive(Debug)]
enum Pattern {
    Text(StringMatch),
    Expression(ExpressionId),
}

/// Why conditions cannot be run: their paths together have more steps than the automaton has
/// positions (512).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySteps;

impl BodyPlan {
    /// Prepares `conditions`, in an order that [`BodyFacts`] keeps. Those whose key is no
    /// `Attribute::Body` are taken to be absent from the body.
    ///
    /// # Errors
    ///
    /// [`TooManySteps`].
    pub fn new<'a>(
        conditions: impl IntoIterator<Item = &'a Condition>,
    ) -> Result<Self, TooManySteps> {
        let conditions: Vec<&Condition> = conditions.into_iter().collect();
        let paths = conditions
            .iter()
            .enumerate()
            .filter_map(|(index, condition)| match &condition.key {
                Attribute::Body(path) => Some((index, path)),
                _ => None,
            });
        let set = PathSet::new(paths.clone().map(|(_, path)| (path, Reach::Node)));
        let suffixes = conditions
            .iter()
            .flat_map(|condition| condition.values.iter().chain(&condition.not_values))
            .map(|pattern| match pattern {
                StringMatch::Suffix(text) => text.len(),
                _ => 0,
            });
        Ok(Self {
            paths: set.map_err(|_| TooManySteps)?,
            path_conditions: paths.map(|(index, _)| index).collect(),
            longest_suffix: suffixes.max().unwrap_or(0),
            conditions: conditions.into_iter().map(Tests::new).collect(),
        })
    }

    fn test(&self, run: &Run) -> Option<&Test> {
        self.conditions.get(run.condition)?.tests.get(run.test)
    }
}

impl Tests {
    fn new(condition: &Condition) -> Self {
        Self {
            tests: tests(&condition.values, &condition.matches, false)
                .chain(tests(&condition.not_values, &condition.not_matches, true))
                .collect(),
            asks: !condition.values.is_empty() || !condition.matches.is_empty(),
        }
    }
}

fn tests(
    texts: &[StringMatch],
    expressions: &[ExpressionId],
    forbids: bool,
) -> impl Iterator<Item = Test> {
    let texts = texts.iter().cloned().map(Pattern::Text);
    let expressions = expressions.iter().copied().map(Pattern::Expression);
    texts
        .chain(expressions)
        .map(move |pattern| Test { pattern, forbids })
}

/// What a body says about each condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    holds: Vec<bool>,
}

impl BodyFacts {
    /// Whether condition `index` of the plan holds.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.holds.get(index).copied().unwrap_or(false)
    }
}

/// Reads one request body. `expressions` are always those of the bundle that the plan comes from.
pub struct BodyMatcher {
    tokenizer: Tokenizer,
    state: Matching,
}

#[derive(Debug)]
struct Matching {
    plan: Rc<BodyPlan>,
    cursor: Cursor,
    containers: Vec<Container>,
    /// Whether a name was just read.
    in_member: bool,
    /// The tests of the value in hand.
    runs: Vec<Run>,
    /// Its last bytes.
    tail: Vec<u8>,
    outcomes: Vec<Outcome>,
}

/// What is known about a condition.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    matched: bool,
    forbidden: bool,
}

/// A test of the value in hand, as far as the value came.
#[derive(Debug)]
struct Run {
    condition: usize,
    test: usize,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is as good as the text so far, of that many bytes.
    Length(usize),
    /// The automaton is here.
    State(State),
    /// It matches, whatever follows.
    Match,
    /// It does not, whatever follows.
    Mismatch,
}

impl BodyMatcher {
    /// A matcher for one body.
    #[must_use]
    pub fn new(plan: Rc<BodyPlan>) -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            state: Matching {
                cursor: Cursor::new(&plan.paths, |_| true),
                containers: Vec::new(),
                in_member: false,
                runs: Vec::new(),
                tail: Vec::new(),
                outcomes: vec![Outcome::default(); plan.conditions.len()],
                plan,
            },
        }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    ///
    /// [`JsonError`]; the matcher is of no use after it.
    pub fn push(&mut self, expressions: &[Automaton], chunk: &[u8]) -> Result<(), JsonError> {
        let mut pass = Pass {
            state: &mut self.state,
            expressions,
        };
        self.tokenizer.push(chunk, &mut pass)
    }

    /// The body is complete: what holds.
    ///
    /// # Errors
    ///
    /// [`JsonError::Truncated`] if the document is not complete, or the error that a push returned.
    pub fn finish(&mut self, expressions: &[Automaton]) -> Result<BodyFacts, JsonError> {
        let mut pass = Pass {
            state: &mut self.state,
            expressions,
        };
        self.tokenizer.finish(&mut pass)?;
        let outcomes = self.state.plan.conditions.iter().zip(&self.state.outcomes);
        Ok(BodyFacts {
            holds: outcomes
                .map(|(tests, outcome)| (outcome.matched || !tests.asks) && !outcome.forbidden)
                .collect(),
        })
    }
}

impl std::fmt::Debug for BodyMatcher {
    /// Shows nothing of the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyMatcher").finish_non_exhaustive()
    }
}

/// One chunk on its way through.
struct Pass<'a> {
    state: &'a mut Matching,
    expressions: &'a [Automaton],
}

impl Sink for Pass<'_> {
    fn open(&mut self, container: Container, _: u64) {
        self.place();
        self.state.cursor.open();
        self.state.containers.push(container);
    }

    fn close(&mut self, _: u64) {
        self.state.cursor.close();
        self.state.containers.pop();
    }

    fn comma(&mut self, _: u64) {}

    fn key(&mut self, name: &[u8], _: Range<u64>) {
        self.state.cursor.member(&self.state.plan.paths, name);
        self.state.in_member = true;
    }

    fn string_start(&mut self, _: u64) {
        self.begin();
    }

    fn text(&mut self, decoded: &[u8], _: Range<u64>) {
        self.feed(decoded);
    }

    fn string_end(&mut self, _: u64) {
        self.end();
    }

    fn scalar(&mut self, text: &[u8], _: Range<u64>) {
        self.begin();
        // `null` is no value to compare.
        if text == b"null" {
            self.state.runs.clear();
        }
        self.feed(text);
        self.end();
    }
}

impl Pass<'_> {
    /// A value begins: moves the cursor there, unless its name has done so.
    fn place(&mut self) {
        let in_member = std::mem::take(&mut self.state.in_member);
        if !in_member && !self.state.containers.is_empty() {
            self.state.cursor.element(&self.state.plan.paths);
        }
    }

    /// Begins the tests of the conditions whose paths lead to this value.
    fn begin(&mut self) {
        self.place();
        let state = &mut *self.state;
        state.runs.clear();
        state.tail.clear();
        for path in state.cursor.accepted(&state.plan.paths) {
            let Some(&condition) = state.plan.path_conditions.get(path) else {
                continue;
            };
            let tests = state.plan.conditions.get(condition);
            for (index, test) in tests
                .iter()
                .flat_map(|tests| tests.tests.iter().enumerate())
            {
                state.runs.push(Run {
                    condition,
                    test: index,
                    progress: test.pattern.start(self.expressions),
                });
            }
        }
    }

    fn feed(&mut self, text: &[u8]) {
        let state = &mut *self.state;
        if state.runs.is_empty() {
            return;
        }
        for run in &mut state.runs {
            if let Some(test) = state.plan.test(run) {
                run.progress = test.pattern.next(run.progress, text, self.expressions);
            }
        }
        let longest = state.plan.longest_suffix;
        let kept = text.len().saturating_sub(longest);
        state
            .tail
            .extend_from_slice(text.get(kept..).unwrap_or_default());
        let excess = state.tail.len().saturating_sub(longest);
        state.tail.drain(..excess);
    }

    /// The value is complete: the tests tell.
    fn end(&mut self) {
        let state = &mut *self.state;
        for run in state.runs.drain(..) {
            let test = state.plan.conditions.get(run.condition);
            let test = test.and_then(|tests| tests.tests.get(run.test));
            let outcome = state.outcomes.get_mut(run.condition);
            let (Some(test), Some(outcome)) = (test, outcome) else {
                continue;
            };
            if test
                .pattern
                .matches(run.progress, &state.tail, self.expressions)
            {
                outcome.matched |= !test.forbids;
                outcome.forbidden |= test.forbids;
            }
        }
    }
}

impl Pattern {
    fn automaton<'a>(id: &ExpressionId, expressions: &'a [Automaton]) -> Option<&'a Automaton> {
        expressions.get(usize::from(id.0))
    }

    fn start(&self, expressions: &[Automaton]) -> Progress {
        match self {
            Self::Text(_) => Progress::Length(0),
            Self::Expression(id) => Self::automaton(id, expressions)
                .map_or(Progress::Mismatch, |it| Progress::State(it.start())),
        }
    }

    fn next(&self, progress: Progress, text: &[u8], expressions: &[Automaton]) -> Progress {
        match (self, progress) {
            (Self::Text(pattern), Progress::Length(length)) => next_text(pattern, length, text),
            (Self::Expression(id), Progress::State(state)) => {
                Self::automaton(id, expressions).map_or(progress, |it| run(it, state, text))
            }
            _ => progress,
        }
    }

    /// Whether a value that ends here, with `tail`, matches.
    fn matches(&self, progress: Progress, tail: &[u8], expressions: &[Automaton]) -> bool {
        match (self, progress) {
            (_, Progress::Match) => true,
            (Self::Text(StringMatch::Exact(wanted)), Progress::Length(length)) => {
                length == wanted.len()
            }
            (Self::Text(StringMatch::Prefix(wanted)), Progress::Length(_)) => wanted.is_empty(),
            (Self::Text(StringMatch::Suffix(wanted)), Progress::Length(_)) => {
                tail.ends_with(wanted.as_bytes())
            }
            (Self::Expression(id), Progress::State(state)) => Self::automaton(id, expressions)
                .is_some_and(|automaton| automaton.end_matches(state) != 0),
            _ => false,
        }
    }
}

/// Compares the next bytes of a value that agrees with `pattern` on its first `length` ones.
fn next_text(pattern: &StringMatch, length: usize, text: &[u8]) -> Progress {
    let end = length.saturating_add(text.len());
    match pattern {
        StringMatch::Present if end > 0 => Progress::Match,
        StringMatch::Present | StringMatch::Suffix(_) => Progress::Length(end),
        StringMatch::Exact(wanted) => match wanted.as_bytes().get(length..end) {
            Some(next) if next == text => Progress::Length(end),
            _ => Progress::Mismatch,
        },
        StringMatch::Prefix(wanted) => {
            let rest = wanted.as_bytes().get(length..).unwrap_or_default();
            let common = rest.len().min(text.len());
            if rest.get(..common) != text.get(..common) {
                Progress::Mismatch
            } else if common == rest.len() {
                Progress::Match
            } else {
                Progress::Length(end)
            }
        }
    }
}

/// Runs an automaton over the next bytes of a value.
fn run(automaton: &Automaton, mut state: State, text: &[u8]) -> Progress {
    for &byte in text {
        if automaton.matches(state) != 0 {
            return Progress::Match;
        }
        state = automaton.next(state, byte);
        if Automaton::is_dead(state) {
            return Progress::Mismatch;
        }
    }
    Progress::State(state)
}
