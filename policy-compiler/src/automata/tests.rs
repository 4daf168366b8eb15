//! Our tables against the verdicts of `regex-automata` itself.

use proptest::prelude::*;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use tracegate_bundle::automaton::{Automaton, DEAD};

use super::*;

/// A dense DFA straight from the pattern, not minimised and not converted.
fn oracle(pattern: &str, anchored: bool) -> dense::DFA<Vec<u32>> {
    let start = if anchored {
        StartKind::Anchored
    } else {
        StartKind::Unanchored
    };
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(start),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build(pattern)
        .unwrap()
}

fn is_match(oracle: &dense::DFA<Vec<u32>>, text: &[u8]) -> bool {
    oracle.try_search_fwd(&Input::new(text)).unwrap().is_some()
}

/// Whether the whole of `text` matches: the longest match from its beginning ends where it ends.
fn is_whole_match(oracle: &dense::DFA<Vec<u32>>, text: &[u8]) -> bool {
    let input = Input::new(text).anchored(Anchored::Yes);
    let longest = oracle.try_search_fwd(&input).unwrap();
    longest.is_some_and(|longest| longest.offset() == text.len())
}

/// Patterns over a small alphabet, so that short random texts often match.
fn patterns(assertions: bool) -> impl Strategy<Value = String> {
    let mut atoms = vec!["a", "b", "[ab]", "[^a]", ".", "\\d", "-", "ab"];
    if assertions {
        atoms.extend(["\\b", "^", "$", "(?i)A", "\\B"]);
    }
    let atom = prop::sample::select(atoms).prop_map(str::to_owned);
    atom.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (
                inner,
                prop::sample::select(vec!["*", "+", "?", "{1,3}", "{2}"])
            )
                .prop_map(|(inner, times)| format!("(?:{inner}){times}")),
        ]
    })
}

fn texts() -> impl Strategy<Value = String> {
    "[abA1 é-]{0,12}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_expression_says_what_regex_automata_says(
        pattern in patterns(true),
        texts in prop::collection::vec(texts(), 1..20),
    ) {
        match expression(&pattern) {
            Ok(automaton) => {
                let oracle = oracle(&pattern, false);
                for text in texts {
                    let text = text.as_bytes();
                    prop_assert_eq!(automaton.is_match(text), is_match(&oracle, text), "{} on {:?}", pattern, text);
                }
            }
            Err(error) => prop_assert!(
                matches!(error, ExpressionError::MatchesEmpty | ExpressionError::NeverMatches),
                "{}: {}", pattern, error
            ),
        }
    }

    #[test]
    fn detectors_say_of_every_prefix_what_regex_automata_says(
        patterns in prop::collection::vec(patterns(false), 1..4),
        texts in prop::collection::vec("[abA1 -]{0,12}", 1..20),
    ) {
        let names: Vec<_> = (0..patterns.len()).map(|index| index.to_string()).collect();
        let choices: Vec<_> = patterns.iter().zip(&names).map(|(regex, name)| DetectorChoice::Pattern {
            name, regex, token: None, max_len: None,
        }).collect();
        let Ok(set) = detectors(&choices) else {
            // One of them matches the empty string.
            return Ok(());
        };
        let automaton = set.automaton.unwrap();
        let oracles: Vec<_> = patterns.iter().map(|pattern| oracle(pattern, true)).collect();
        for text in texts {
            let mut state = automaton.start();
            for (index, &byte) in text.as_bytes().iter().enumerate() {
                state = automaton.next(state, byte);
                let matched = oracles.iter().enumerate()
                    .filter(|(_, oracle)| is_whole_match(oracle, &text.as_bytes()[..=index]))
                    .fold(0, |set, (bit, _)| set | 1u64 << bit);
                prop_assert_eq!(automaton.matches(state), matched, "{:?} on {:?} to {}", patterns, text, index);
                prop_assert_eq!(automaton.end_matches(state), matched);
            }
        }
    }
}

fn all_built_ins() -> tracegate_bundle::policy::DetectorSet {
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    detectors(&choices).unwrap()
}

#[test]
fn the_built_in_detectors_together_stay_small() {
    let automaton = all_built_ins().automaton.unwrap();
    println!(
        "{automaton:?}: {} B in memory, {} B of text",
        automaton.memory(),
        automaton.to_text().len()
    );

    assert!(automaton.memory() <= 512 << 10);
    assert!(automaton.to_text().len() <= 64 << 10);
}

#[test]
fn the_same_choices_give_the_same_bytes() {
    let once = serde_json::to_string(&all_built_ins()).unwrap();
    assert_eq!(once, serde_json::to_string(&all_built_ins()).unwrap());
    let read: tracegate_bundle::policy::DetectorSet = serde_json::from_str(&once).unwrap();
    assert_eq!(read, all_built_ins());
}

#[test]
fn bits_follow_the_order_of_the_choices() {
    let set = detectors(&[
        DetectorChoice::BuiltIn("email"),
        DetectorChoice::Pattern {
            name: "ticket-no",
            regex: "T-[0-9]{4}",
            token: None,
            max_len: None,
        },
    ])
    .unwrap();
    let names: Vec<_> = set
        .detectors
        .iter()
        .map(|detector| detector.name.as_str())
        .collect();
    assert_eq!(names, ["email", "ticket-no"]);
    assert_eq!(set.detectors[1].token, "[TICKET_NO]");
    assert_eq!((set.detectors[1].min_len, set.detectors[1].max_len), (6, 6));
    let automaton = set.automaton.unwrap();
    let state = b"T-0042".iter().fold(automaton.start(), |state, &byte| {
        automaton.next(state, byte)
    });
    assert_eq!(automaton.matches(state), 0b10);
    assert_eq!(automaton.next(state, b'1'), DEAD);
}

#[test]
fn an_expression_matches_anywhere_and_knows_word_boundaries() {
    let production = expression(r"(?i)\bprod(uction)?\b").unwrap();
    assert!(production.is_match(b"the PROD database"));
    assert!(production.is_match(b"production"));
    assert!(!production.is_match(b"a product"));
    assert!(expression("^/v[12]/").unwrap().is_match(b"/v2/models"));
    assert!(!expression("^/v[12]/").unwrap().is_match(b"x/v2/models"));
    assert!(expression("admin$").unwrap().is_match(b"sysadmin"));
}

#[test]
fn an_expression_with_unicode_text_compares_its_utf_8() {
    let expression = expression("Zürich|(?i)köln").unwrap();
    assert!(expression.is_match("in Zürich".as_bytes()));
    assert!(expression.is_match("KöLN".as_bytes()));
    assert!(!expression.is_match("Zurich".as_bytes()));
}

fn problem(regex: &str, max_len: Option<u32>) -> DetectorProblem {
    let choice = DetectorChoice::Pattern {
        name: "mine",
        regex,
        token: None,
        max_len,
    };
    let error = detectors(&[DetectorChoice::BuiltIn("email"), choice]).unwrap_err();
    assert_eq!((error.choice, error.name.as_str()), (1, "mine"));
    error.problem
}

#[test]
fn a_detector_that_cannot_work_is_refused_with_the_reason() {
    for anchored in ["^a", "a$", r"\bsecret\b", r"a\B"] {
        assert_eq!(
            problem(anchored, None),
            DetectorProblem::LookAround,
            "{anchored}"
        );
    }
    assert_eq!(problem("a*", None), DetectorProblem::MatchesEmpty);
    assert_eq!(problem("[a&&b]", None), DetectorProblem::NeverMatches);
    assert!(
        matches!(problem("a(b", None), DetectorProblem::Syntax { span: Some(span), .. } if span == (1..2))
    );
    assert!(matches!(
        problem(r"[\x80-\x90]", None),
        DetectorProblem::Syntax { .. }
    ));
    assert!(matches!(
        problem("(?=a)b", None),
        DetectorProblem::Syntax { .. }
    ));
    assert!(matches!(
        problem("a+", Some(0)),
        DetectorProblem::MaxLen { min: 1, .. }
    ));
    assert!(matches!(
        problem("a+", Some(8193)),
        DetectorProblem::MaxLen { .. }
    ));
    assert!(matches!(
        problem("a{9}", Some(8)),
        DetectorProblem::MaxLen { min: 9, .. }
    ));
    assert_eq!(
        problem(
            "[a-z]{1,90}[0-9]{1,90}[a-f]{1,90}x{1,90}[0-9a-z]{9000}",
            None
        ),
        DetectorProblem::MaxLen {
            min: 9004,
            max: 8192
        }
    );
    assert_eq!(
        problem("(?:a|b)*a(?:a|b){20}", None),
        DetectorProblem::TooLarge
    );
}

#[test]
fn a_name_counts_once_and_must_be_known() {
    let twice = [
        DetectorChoice::BuiltIn("email"),
        DetectorChoice::BuiltIn("email"),
    ];
    assert_eq!(
        detectors(&twice).unwrap_err().problem,
        DetectorProblem::Duplicate
    );
    let unknown = detectors(&[DetectorChoice::BuiltIn("e-mail")]).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "detector `e-mail`: no built-in detector has this name"
    );
    let names: Vec<_> = (0..65).map(|index| format!("p{index}")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| DetectorChoice::Pattern {
            name,
            regex: name,
            token: None,
            max_len: None,
        })
        .collect();
    let error = detectors(&many).unwrap_err();
    assert_eq!(
        (error.choice, error.problem),
        (64, DetectorProblem::TooMany)
    );
    assert_eq!(detectors(&[]).unwrap().automaton, None);
}

#[test]
fn an_expression_that_cannot_work_is_refused_with_the_reason() {
    assert_eq!(expression("a*"), Err(ExpressionError::MatchesEmpty));
    assert_eq!(expression("^$"), Err(ExpressionError::MatchesEmpty));
    assert_eq!(expression("[a&&b]"), Err(ExpressionError::NeverMatches));
    assert!(matches!(
        expression("(?u)\\bx"),
        Err(ExpressionError::Syntax { .. })
    ));
    assert!(matches!(
        expression("x{2,1}"),
        Err(ExpressionError::Syntax { span: Some(_), .. })
    ));
    assert_eq!(
        expression("(?:a|b)*a(?:a|b){20}"),
        Err(ExpressionError::TooLarge)
    );
    assert_eq!(
        expression(r"(?:\w{1000}){1000}"),
        Err(ExpressionError::TooLarge)
    );
}

#[test]
fn equal_languages_give_equal_tables() {
    let tables: Vec<Automaton> = ["ab|ac", "a[bc]", "a(?:c|b)", "(?:a)[b-c]"]
        .iter()
        .map(|pattern| expression(pattern).unwrap())
        .collect();
    assert!(tables.windows(2).all(|pair| pair[0] == pair[1]));
}
