//! Regular expressions and detectors: each is built once, however often the policy uses it.

use std::ops::Range;

use tracegate_bundle::automaton::Automaton;
use tracegate_bundle::limits::{MAX_DETECTORS, MAX_EXPRESSIONS};
use tracegate_bundle::policy::{DetectorSet, ExpressionId};

use crate::automata::{
    self, DetectorChoice, DetectorInstance, DetectorProblem, ExpressionError, Ignored, Score,
    built_in_names, built_ins,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::syntax::decode::{List, Spanned};
use crate::syntax::{Detect, MaskRule, Pattern, Text, suggest};

/// The patterns that the policy has used so far.
#[derive(Default)]
pub(super) struct Patterns {
    /// The text of each expression; its index is its id.
    expressions: Vec<(String, Option<Automaton>)>,
    /// The detectors, in the order of their bits.
    detectors: Vec<Wanted>,
}

/// A detector that is to be built.
struct Wanted {
    detect: Detect,
    min_score: Score,
    ignore: Vec<Ignored>,
    /// Where each entry of `ignore` stands.
    ignore_spans: Vec<Span>,
    /// Where it is first used.
    span: Span,
}

impl Wanted {
    fn name(&self) -> &str {
        match &self.detect {
            Detect::Named(name) => name,
            Detect::Tuned(tuned) => &tuned.detector.value.0,
            Detect::Pattern(own) => &own.name.value.0,
        }
    }

    /// What the rule says about all its detectors, and the entry about this one.
    fn new(rule: &MaskRule, detect: &Spanned<Detect>) -> Self {
        let (own_score, own_ignore) = match &detect.value {
            Detect::Named(_) => (None, None),
            Detect::Tuned(tuned) => (tuned.min_score.as_ref(), Some(&tuned.ignore)),
            Detect::Pattern(own) => (None, Some(&own.ignore)),
        };
        let min_score = own_score.or(rule.min_score.as_ref());
        let own_ignore = own_ignore.into_iter().flat_map(|list| &list.items);
        let ignore: Vec<_> = rule.ignore.items.iter().chain(own_ignore).collect();
        Self {
            detect: detect.value.clone(),
            min_score: min_score.map_or(Score::DEFAULT, |score| score.value),
            ignore: ignore.iter().map(|entry| entry.value.0.clone()).collect(),
            ignore_spans: ignore.iter().map(|entry| entry.span).collect(),
            span: detect.span,
        }
    }

    fn instance(&self) -> DetectorInstance<'_> {
        DetectorInstance {
            choice: self.choice(),
            min_score: self.min_score,
            ignore: &self.ignore,
        }
    }

    fn choice(&self) -> DetectorChoice<'_> {
        match &self.detect {
            Detect::Named(_) | Detect::Tuned(_) => DetectorChoice::BuiltIn(self.name()),
            Detect::Pattern(own) => DetectorChoice::Pattern {
                name: &own.name.value.0,
                regex: &own.pattern.value.0,
                token: own.token.as_ref().map(|token| token.value.0.as_str()),
                max_len: max_length(own),
            },
        }
    }
}

/// A bound that is too large for the type is too large for the detector too, which says so.
fn max_length(own: &Pattern) -> Option<u32> {
    let length = own.max_length.as_ref()?;
    Some(u32::try_from(length.value).unwrap_or(u32::MAX))
}

/// Whether two patterns of the author's are the same detector.
fn same(one: &Pattern, other: &Pattern) -> bool {
    let token = |own: &Pattern| own.token.as_ref().map(|token| token.value.0.clone());
    one.pattern.value == other.pattern.value
        && token(one) == token(other)
        && max_length(one) == max_length(other)
}

impl Patterns {
    /// The ids of regular expressions.
    pub(super) fn expressions(
        &mut self,
        list: &List<Spanned<Text>>,
        out: &mut Diagnostics,
    ) -> Vec<ExpressionId> {
        list.items
            .iter()
            .map(|text| self.expression(text, out))
            .collect()
    }

    fn expression(&mut self, text: &Spanned<Text>, out: &mut Diagnostics) -> ExpressionId {
        let Text(pattern) = &text.value;
        let known = self
            .expressions
            .iter()
            .position(|(known, _)| known == pattern);
        let index = known.unwrap_or_else(|| {
            if self.expressions.len() == MAX_EXPRESSIONS {
                let message = format!("a bundle holds at most {MAX_EXPRESSIONS} expressions");
                out.push(
                    Diagnostic::new(Code::TooMany, text.span, message)
                        .help("merge expressions with `|`, or split the policy"),
                );
            }
            let automaton = automata::expression(pattern)
                .map_err(|error| out.push(refused_expression(text, &error, out)))
                .ok();
            self.expressions.push((pattern.clone(), automaton));
            self.expressions.len() - 1
        });
        ExpressionId(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// The bits of a detector, one for each way of writing; 0 if there is no such detector, with the reason among the diagnostics.
    pub(super) fn detector(
        &mut self,
        rule: &MaskRule,
        detect: &Spanned<Detect>,
        out: &mut Diagnostics,
    ) -> u64 {
        let wanted = Wanted::new(rule, detect);
        if let Some(diagnostic) = self.refusal(&wanted) {
            out.push(diagnostic);
            return 0;
        }
        let known = self
            .detectors
            .iter()
            .position(|known| known.instance().is_same(&wanted.instance()));
        let index = known.unwrap_or_else(|| {
            let entries = self.entries(self.detectors.len());
            if entries <= MAX_DETECTORS && entries + wanted.instance().entries() > MAX_DETECTORS {
                let message = format!(
                    "a bundle holds at most {MAX_DETECTORS} detectors; some of the catalogue count as two or three"
                );
                out.push(
                    Diagnostic::new(Code::TooMany, wanted.span, message)
                        .help("merge patterns with `|`, or split the policy"),
                );
            }
            self.detectors.push(wanted);
            self.detectors.len() - 1
        });
        let bits = self.entries(index)..self.entries(index + 1);
        bits.filter_map(|bit| 1u64.checked_shl(u32::try_from(bit).ok()?))
            .fold(0, |all, bit| all | bit)
    }

    /// How many entries of the set the first `count` detectors stand for.
    fn entries(&self, count: usize) -> usize {
        let first = self.detectors.iter().take(count);
        first.map(|wanted| wanted.instance().entries()).sum()
    }

    fn refusal(&self, wanted: &Wanted) -> Option<Diagnostic> {
        let name = wanted.name();
        let built_in: Vec<&str> = built_in_names().collect();
        match &wanted.detect {
            Detect::Named(_) | Detect::Tuned(_) if !built_in.contains(&name) => {
                let message = format!("there is no detector `{}`", name.escape_debug());
                let diagnostic = Diagnostic::new(Code::UnknownDetector, wanted.span, message);
                Some(diagnostic.help(suggest::among(name, &built_in)))
            }
            Detect::Pattern(own) if built_in.contains(&name) => {
                let message = format!("`{name}` is a detector of the catalogue");
                Some(
                    Diagnostic::new(Code::DetectorName, own.name.span, message)
                        .help("give your pattern another name"),
                )
            }
            Detect::Pattern(own) => {
                let known = self.detectors.iter().find(|known| known.name() == name)?;
                let Detect::Pattern(first) = &known.detect else {
                    return None;
                };
                if same(own, first) {
                    return None;
                }
                let message = format!("two different patterns have the name `{name}`");
                Some(
                    Diagnostic::new(Code::DetectorName, own.name.span, message)
                        .related(first.name.span, "first here")
                        .help("records name it; give each a name of its own"),
                )
            }
            Detect::Named(_) | Detect::Tuned(_) => {
                (wanted.instance().entries() == 0).then(|| unreachable_score(wanted))
            }
        }
    }

    /// Builds what was asked for. What cannot be built is left out; the build has failed by then.
    pub(super) fn build(mut self, out: &mut Diagnostics) -> (DetectorSet, Vec<Automaton>) {
        let expressions = self
            .expressions
            .into_iter()
            .filter_map(|(_, automaton)| automaton);
        let detectors = loop {
            let wanted: Vec<_> = self.detectors.iter().map(Wanted::instance).collect();
            let error = match automata::instances(&wanted) {
                Ok(set) => break set,
                Err(error) => error,
            };
            if error.choice >= self.detectors.len() {
                break DetectorSet::default();
            }
            // Each detector is blamed once, so the loop ends.
            let blamed = self.detectors.remove(error.choice);
            let all = matches!(
                error.problem,
                DetectorProblem::TooMany | DetectorProblem::TooLarge
            );
            out.push(refused_detector(&blamed, &error.problem, out));
            if all {
                break DetectorSet::default();
            }
        };
        (detectors, expressions.collect())
    }
}

/// The place in a pattern that an error is about.
fn place(text: &Spanned<Text>, stretch: Option<&Range<usize>>, out: &Diagnostics) -> Span {
    match stretch {
        Some(stretch) => out.within(text.span, &text.value.0, stretch.clone()),
        None => text.span,
    }
}

fn refused_expression(
    text: &Spanned<Text>,
    error: &ExpressionError,
    out: &Diagnostics,
) -> Diagnostic {
    let (code, stretch, help) = match error {
        ExpressionError::Syntax { span, .. } => (
            Code::Expression,
            span.as_ref(),
            "the syntax is that of Rust's `regex` crate, without look-around and back-references",
        ),
        ExpressionError::MatchesEmpty => (
            Code::ExpressionMatchesEmpty,
            None,
            "use `+` for `*`, or `values: [\"*\"]` to ask for any value",
        ),
        ExpressionError::NeverMatches => (
            Code::Expression,
            None,
            "a condition that cannot hold is a mistake; leave the rule out instead",
        ),
        ExpressionError::TooLarge => (
            Code::Expression,
            None,
            "use `+` in place of a counted repetition",
        ),
    };
    Diagnostic::new(code, place(text, stretch, out), error.to_string()).help(help)
}

/// A detector that would never find anything.
fn unreachable_score(wanted: &Wanted) -> Diagnostic {
    let name = wanted.name();
    let message = format!("`{name}` is never as certain as {}", wanted.min_score);
    let forms = built_ins().iter().find(|built_in| built_in.name == name);
    let scores = forms.into_iter().flat_map(|built_in| &built_in.forms);
    let best = scores
        .map(|form| form.context_score.unwrap_or(form.score))
        .max();
    let best = best.map_or_else(String::new, |best| format!("; its highest score is {best}"));
    Diagnostic::new(Code::InvalidValue, wanted.span, message)
        .help(format!("ask for less with `minScore`{best}"))
}

fn refused_detector(wanted: &Wanted, problem: &DetectorProblem, out: &Diagnostics) -> Diagnostic {
    if let DetectorProblem::Ignore { entry, .. } = problem {
        let span = wanted
            .ignore_spans
            .get(*entry)
            .copied()
            .unwrap_or(wanted.span);
        return Diagnostic::new(Code::DetectorPattern, span, problem.to_string())
            .help("the syntax is that of Rust's `regex` crate; a text needs no `{pattern: …}`");
    }
    let Detect::Pattern(own) = &wanted.detect else {
        return Diagnostic::new(Code::DetectorPattern, wanted.span, problem.to_string())
            .help("use fewer detectors");
    };
    let pattern = &own.pattern;
    let (span, help) = match problem {
        DetectorProblem::Syntax { span, .. } => (
            place(pattern, span.as_ref(), out),
            "the syntax is that of Rust's `regex` crate",
        ),
        DetectorProblem::LookAround => (
            pattern.span,
            "describe the text itself; what stands around it cannot be asked for",
        ),
        DetectorProblem::MatchesEmpty => (pattern.span, "use `+` in place of `*`"),
        DetectorProblem::MaxLen { .. } => (
            own.max_length
                .as_ref()
                .map_or(pattern.span, |length| length.span),
            "set `maxLength` to the longest match that there is",
        ),
        _ => (
            pattern.span,
            "use `+` in place of a counted repetition, and `maxLength`",
        ),
    };
    Diagnostic::new(Code::DetectorPattern, span, problem.to_string()).help(help)
}
