//! Detectors of a policy, as one automaton.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use thiserror::Error;
use tracegate_bundle::automaton::{Automaton, MAX_STATES};
use tracegate_bundle::policy::{
    Boundary, Detector, DetectorSet, Lead, MAX_MATCH_LEN, Overlong, Validator,
};

use super::catalogue::{BuiltIn, BuiltInLead, Form, Score, built_ins};
use super::expression;
use super::pattern::{self, SyntaxError};
use super::table::{Table, Verdict};

/// Most detectors of one policy: a set of them is one machine word.
pub const MAX_DETECTORS: usize = 64;

/// How long a match of an author's pattern without a bound may grow before it is masked in pieces.
const DEFAULT_MAX_LEN: u32 = 1024;

/// A detector that a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectorChoice<'a> {
    /// One of [`super::built_in_names`].
    BuiltIn(&'a str),
    /// A pattern of the author's.
    Pattern {
        /// Its name, on records.
        name: &'a str,
        /// A regular expression without anchors and look-around; it may match anywhere in a value.
        regex: &'a str,
        /// What stands in place of a match; `[NAME]` if absent.
        token: Option<&'a str>,
        /// How many bytes of a match may be held back. A longer one is masked in pieces as it comes.
        max_len: Option<u32>,
    },
}

impl<'a> DetectorChoice<'a> {
    /// The name that the detector has in policies and on records.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match self {
            Self::BuiltIn(name) | Self::Pattern { name, .. } => name,
        }
    }
}

/// A detector as a mask rule wants it.
#[derive(Clone, Copy, Debug)]
pub struct DetectorInstance<'a> {
    /// Which one.
    pub choice: DetectorChoice<'a>,
    /// How certain a match of a built-in detector must be.
    pub min_score: Score,
    /// Matches that do not count.
    pub ignore: &'a [Ignored],
}

/// Matches that do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// This text.
    Literal(String),
    /// Texts that this regular expression matches as a whole.
    Pattern(String),
}

/// A form of a built-in detector that can be certain enough, and whether it needs a word of context for
/// that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    form: usize,
    needs_context: bool,
}

impl<'a> From<DetectorChoice<'a>> for DetectorInstance<'a> {
    fn from(choice: DetectorChoice<'a>) -> Self {
        Self {
            choice,
            min_score: Score::DEFAULT,
            ignore: &[],
        }
    }
}

impl DetectorInstance<'_> {
    /// How many entries of the set it stands for: one for each form of a built-in detector that can be
    /// certain enough.
    #[must_use]
    pub fn entries(&self) -> usize {
        match self.choice {
            DetectorChoice::BuiltIn(name) => built_in(name).map_or(0, |it| self.reached(it).len()),
            DetectorChoice::Pattern { .. } => 1,
        }
    }

    /// Whether both find the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let reached = |instance: &Self| {
            let built_in = built_in(instance.choice.name());
            built_in.map(|built_in| instance.reached(built_in))
        };
        self.choice == other.choice
            && self.ignore == other.ignore
            && reached(self) == reached(other)
    }

    /// Which forms count is settled here, once: the proxy knows no scores.
    fn reached(&self, built_in: &BuiltIn) -> Vec<Reached> {
        let reached = built_in.forms.iter().enumerate().filter_map(|(form, it)| {
            let needs_context = it.score < self.min_score;
            let best = it.context_score.unwrap_or(it.score).max(it.score);
            (best >= self.min_score).then_some(Reached {
                form,
                needs_context,
            })
        });
        reached.collect()
    }
}

/// Why the detectors of a policy cannot be built, and which one is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("detector `{name}`: {problem}")]
pub struct DetectorsError {
    /// Index into the choices.
    pub choice: usize,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub problem: DetectorProblem,
}

/// What is wrong with a detector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DetectorProblem {
    /// No built-in detector has that name.
    #[error("no built-in detector has this name")]
    Unknown,
    /// A name is used twice.
    #[error("the name is used twice")]
    Duplicate,
    /// No match is ever that certain.
    #[error("no match of it is ever that certain")]
    Unreachable,
    /// An entry of `ignore` is not a regular expression, or all of them are too large.
    #[error("what is to be ignored is no usable expression: {reason}")]
    Ignore {
        /// Index into the entries.
        entry: usize,
        /// What is wrong.
        reason: String,
    },
    /// More than [`MAX_DETECTORS`].
    #[error("a policy can have at most {MAX_DETECTORS} detectors")]
    TooMany,
    /// It is not a regular expression.
    #[error("not a regular expression: {reason}")]
    Syntax {
        /// What is wrong, from the parser.
        reason: String,
        /// Byte offsets in the pattern where it is wrong, if that is one place.
        span: Option<std::ops::Range<usize>>,
    },
    /// It has an anchor or a look-around assertion.
    #[error(
        "anchors and word boundaries (`^`, `$`, `\\b`) cannot be used in a detector, because the text \
         streams by in pieces"
    )]
    LookAround,
    /// It matches the empty string.
    #[error("the pattern matches the empty string; write one that asks for at least one character")]
    MatchesEmpty,
    /// It matches no string at all.
    #[error("the pattern cannot match any text")]
    NeverMatches,
    /// No match fits in its bound, or more than that would have to be held back.
    #[error(
        "the pattern needs at least {min} bytes, and the longest match that can be held back is given \
         or limited to less; at most {max} bytes can be held back"
    )]
    MaxLen {
        /// The shortest match of the pattern.
        min: u32,
        /// The largest bound that can be given.
        max: u32,
    },
    /// The automaton of all detectors together has too many states.
    #[error(
        "the pattern is too large: with it the detectors need more than {MAX_STATES} states; write \
         long runs as `+` instead of counting them"
    )]
    TooLarge,
}

impl From<SyntaxError> for DetectorProblem {
    fn from(SyntaxError { reason, span }: SyntaxError) -> Self {
        Self::Syntax { reason, span }
    }
}

/// A detector and its pattern.
struct Prepared {
    detector: Detector,
    pattern: Hir,
}

/// Builds detectors as a rule has them that says nothing about them but their names.
///
/// # Errors
///
/// [`DetectorsError`] names the first choice that cannot be built and says why.
pub fn detectors(choices: &[DetectorChoice<'_>]) -> Result<DetectorSet, DetectorsError> {
    let wanted: Vec<_> = choices.iter().map(|&choice| choice.into()).collect();
    instances(&wanted)
}

/// Builds the detectors of a policy. The entries of each one follow one another, in the order in which
/// they are wanted: [`DetectorInstance::entries`] tells how many there are.
///
/// # Errors
///
/// [`DetectorsError`] names the first one that cannot be built and says why.
pub fn instances(wanted: &[DetectorInstance<'_>]) -> Result<DetectorSet, DetectorsError> {
    let name = |choice: usize| wanted.get(choice).map_or("", |it| it.choice.name());
    let blame = |choice: usize, problem| DetectorsError {
        choice,
        name: name(choice).to_owned(),
        problem,
    };
    if wanted.is_empty() {
        return Ok(DetectorSet::default());
    }
    let mut prepared: Vec<Prepared> = Vec::new();
    // The choice of each entry.
    let mut origins: Vec<usize> = Vec::new();
    for (index, instance) in wanted.iter().enumerate() {
        let entries = prepare(instance).map_err(|problem| blame(index, problem))?;
        if prepared.len() + entries.len() > MAX_DETECTORS {
            return Err(blame(index, DetectorProblem::TooMany));
        }
        let mut earlier = wanted.iter().take(index);
        if earlier.any(|other| clash(instance, other)) {
            return Err(blame(index, DetectorProblem::Duplicate));
        }
        origins.resize(origins.len() + entries.len(), index);
        prepared.extend(entries);
    }
    let patterns: Vec<&Hir> = prepared.iter().map(|prepared| &prepared.pattern).collect();
    let automaton = automaton(&patterns).ok_or_else(|| {
        let origin = origins.get(first_too_large(&patterns));
        blame(origin.copied().unwrap_or(0), DetectorProblem::TooLarge)
    })?;
    Ok(DetectorSet {
        automaton: Some(automaton),
        detectors: prepared
            .into_iter()
            .map(|prepared| prepared.detector)
            .collect(),
    })
}

/// Whether two detectors cannot be told apart on records, or are one.
fn clash(one: &DetectorInstance<'_>, other: &DetectorInstance<'_>) -> bool {
    let same_name = one.choice.name() == other.choice.name();
    same_name && (one.choice != other.choice || one.is_same(other))
}

fn built_in(name: &str) -> Option<&'static BuiltIn> {
    built_ins().iter().find(|built_in| built_in.name == name)
}

fn prepare(instance: &DetectorInstance<'_>) -> Result<Vec<Prepared>, DetectorProblem> {
    let mut entries = prepare_choice(instance)?;
    let ignore = ignore(instance.ignore)?;
    for entry in &mut entries {
        entry.detector.ignore.clone_from(&ignore);
    }
    Ok(entries)
}

fn prepare_choice(instance: &DetectorInstance<'_>) -> Result<Vec<Prepared>, DetectorProblem> {
    match instance.choice {
        DetectorChoice::BuiltIn(name) => {
            let built_in = built_in(name).ok_or(DetectorProblem::Unknown)?;
            let reached = instance.reached(built_in);
            if reached.is_empty() {
                return Err(DetectorProblem::Unreachable);
            }
            let forms = reached.iter().filter_map(|reached| {
                let form = built_in.forms.get(reached.form)?;
                Some(prepare_form(built_in, form, reached.needs_context))
            });
            forms.collect()
        }
        DetectorChoice::Pattern {
            name,
            regex,
            token,
            max_len,
        } => prepare_pattern(name, regex, token, max_len).map(|prepared| vec![prepared]),
    }
}

/// One automaton for all that is ignored, which must accept a match as a whole.
fn ignore(ignored: &[Ignored]) -> Result<Option<Automaton>, DetectorProblem> {
    if ignored.is_empty() {
        return Ok(None);
    }
    let problem = |entry, reason| DetectorProblem::Ignore { entry, reason };
    let mut patterns = Vec::new();
    for (entry, ignored) in ignored.iter().enumerate() {
        patterns.push(match ignored {
            Ignored::Literal(text) => Hir::literal(text.as_bytes()),
            Ignored::Pattern(regex) => {
                pattern::parse(regex).map_err(|error| problem(entry, error.reason))?
            }
        });
    }
    let whole = Hir::concat(vec![
        Hir::look(Look::Start),
        Hir::alternation(patterns),
        Hir::look(Look::End),
    ]);
    let automaton = expression::build(&whole);
    automaton
        .map(Some)
        .ok_or_else(|| problem(0, "too large".to_owned()))
}

fn prepare_form(
    built_in: &BuiltIn,
    form: &Form,
    needs_context: bool,
) -> Result<Prepared, DetectorProblem> {
    let detector = Detector {
        name: built_in.name.clone(),
        token: built_in.token.clone(),
        lead: form.lead.as_ref().map(lead).transpose()?,
        left: form.left,
        right: form.right,
        min_len: form.min_length,
        max_len: form.max_length,
        overlong: form.overlong,
        validator: form.validator,
        prelude: form.prelude.clone(),
        context: if needs_context {
            built_in.context.clone()
        } else {
            Vec::new()
        },
        ignore: None,
    };
    let pattern = parse(&form.pattern)?;
    Ok(Prepared { detector, pattern })
}

fn lead(lead: &BuiltInLead) -> Result<Lead, DetectorProblem> {
    let hir = pattern::parse(&lead.class)?;
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else {
        return Err(DetectorProblem::NeverMatches);
    };
    let class = (0..=0x7f)
        .filter(|byte| {
            class
                .iter()
                .any(|range| (range.start()..=range.end()).contains(byte))
        })
        .map(char::from)
        .collect();
    Ok(Lead {
        class,
        max: lead.max,
    })
}

/// An author's pattern is searched for everywhere. What grows past its bound is masked, never let go:
/// the author asked for it, and only the end of the match is not known yet.
fn prepare_pattern(
    name: &str,
    regex: &str,
    token: Option<&str>,
    max_len: Option<u32>,
) -> Result<Prepared, DetectorProblem> {
    let pattern = pattern::in_whole_characters(&parse(regex)?)?;
    let own_bound = pattern.properties().maximum_len();
    let own_bound = own_bound.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX));
    let min_len = pattern.properties().minimum_len().unwrap_or(1);
    let min_len = u32::try_from(min_len).unwrap_or(u32::MAX);
    let max_len = match (max_len, own_bound) {
        (Some(max_len), _) => max_len,
        (None, Some(bound)) => bound.min(MAX_MATCH_LEN),
        (None, None) => DEFAULT_MAX_LEN.max(min_len),
    };
    if max_len < min_len || max_len > MAX_MATCH_LEN {
        return Err(DetectorProblem::MaxLen {
            min: min_len,
            max: MAX_MATCH_LEN,
        });
    }
    let detector = Detector {
        name: name.to_owned(),
        token: token.map_or_else(|| default_token(name), str::to_owned),
        lead: None,
        left: Boundary::Any,
        right: Boundary::Any,
        min_len,
        max_len,
        overlong: Overlong::Mask,
        validator: Validator::None,
        prelude: String::new(),
        context: Vec::new(),
        ignore: None,
    };
    Ok(Prepared { detector, pattern })
}

/// `[EMPLOYEE_ID]` for `employee-id`.
fn default_token(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("[{name}]")
}

fn parse(regex: &str) -> Result<Hir, DetectorProblem> {
    let hir = pattern::parse(regex)?;
    let properties = hir.properties();
    if !properties.look_set().is_empty() {
        return Err(DetectorProblem::LookAround);
    }
    match properties.minimum_len() {
        None => Err(DetectorProblem::NeverMatches),
        Some(0) => Err(DetectorProblem::MatchesEmpty),
        Some(_) => Ok(hir),
    }
}

/// The anchored automaton that reports every pattern at every end.
fn automaton(patterns: &[&Hir]) -> Option<Automaton> {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All);
    let dfa = pattern::determinize(patterns, config)?;
    let start = dfa
        .start_state(&start::Config::new().anchored(Anchored::Yes))
        .ok()?;
    let table = Table::explore(
        start,
        |byte| dfa.byte_classes().get(byte),
        |state, byte| dfa.next_state(state, byte),
        |state| {
            // The DFA reports a match one byte late; the end of input asks it for the verdict now.
            let state = dfa.next_eoi_state(state);
            let count = if dfa.is_match_state(state) {
                dfa.match_len(state)
            } else {
                0
            };
            let matches = (0..count)
                .map(|index| 1u64 << dfa.match_pattern(state, index).as_usize())
                .fold(0, |all, bit| all | bit);
            Verdict {
                matches,
                end_matches: matches,
            }
        },
    );
    table.minimize(MAX_STATES)
}

/// The first pattern with which the automaton becomes too large.
fn first_too_large(patterns: &[&Hir]) -> usize {
    (1..patterns.len())
        .find(|&count| {
            patterns
                .get(..count)
                .is_none_or(|some| automaton(some).is_none())
        })
        .map_or(patterns.len() - 1, |count| count - 1)
}
