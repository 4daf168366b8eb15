use policy_compiler::automata::expression;
use proptest::prelude::*;
use serde_json::Value;
use tracegate_bundle::policy::{Path, Selector, Step};

use super::super::matching;
use super::*;

fn exact(text: &str) -> StringMatch {
    StringMatch::Exact(text.to_owned())
}

fn prefix(text: &str) -> StringMatch {
    StringMatch::Prefix(text.to_owned())
}

fn suffix(text: &str) -> StringMatch {
    StringMatch::Suffix(text.to_owned())
}

/// `$.messages[*].content`, `$..x`: names, `*` and descent are all that these tests need.
fn path(text: &str) -> Path {
    let mut steps = Vec::new();
    let text = text.replace("[*]", ".*");
    let mut descendant = false;
    for name in text.split('.').skip(1) {
        if name.is_empty() {
            descendant = true;
            continue;
        }
        let selector = match name {
            "*" => Selector::Wildcard,
            name => Selector::Name(name.to_owned()),
        };
        steps.push(Step {
            descendant,
            selectors: vec![selector],
        });
        descendant = false;
    }
    Path { text, steps }
}

fn condition(at: &str) -> Condition {
    Condition {
        key: Attribute::Body(path(at)),
        values: Vec::new(),
        not_values: Vec::new(),
        matches: Vec::new(),
        not_matches: Vec::new(),
    }
}

fn values(at: &str, values: &[StringMatch]) -> Condition {
    Condition {
        values: values.to_vec(),
        ..condition(at)
    }
}

fn read<'a>(
    conditions: &[Condition],
    expressions: &[Automaton],
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<bool>, JsonError> {
    let mut matcher = BodyMatcher::new(Rc::new(BodyPlan::new(conditions).unwrap()));
    for chunk in chunks {
        matcher.push(expressions, chunk)?;
    }
    let facts = matcher.finish(expressions)?;
    Ok((0..conditions.len())
        .map(|index| facts.holds(index))
        .collect())
}

/// Reads `body` whole, byte by byte and at every single cut; all must agree.
fn read_every_way(
    conditions: &[Condition],
    expressions: &[Automaton],
    body: &str,
) -> Result<Vec<bool>, JsonError> {
    let bytes = body.as_bytes();
    let whole = read(conditions, expressions, [bytes]);
    assert_eq!(
        read(conditions, expressions, bytes.chunks(1)),
        whole,
        "{body}"
    );
    for cut in 1..bytes.len() {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(
            read(conditions, expressions, [left, right]),
            whole,
            "{body} cut at {cut}"
        );
    }
    whole
}

fn holds(condition: Condition, body: &str) -> bool {
    read_every_way(&[condition], &[], body).unwrap()[0]
}

#[test]
fn text_is_compared_decoded_and_exactly() {
    let gpt = || values("$.model", &[exact("gpt-\u{e9}")]);
    assert!(holds(gpt(), r#"{"model":"gpt-\u00e9"}"#));
    assert!(holds(gpt(), r#"{"\u006dodel":"gpt-é"}"#));
    for other in [
        "\"gpt-\"",
        "\"gpt-\u{e9}x\"",
        "\"GPT-\u{e9}\"",
        "\"\"",
        "null",
        "[\"gpt-\u{e9}\"]",
    ] {
        assert!(!holds(gpt(), &format!("{{\"model\":{other}}}")), "{other}");
    }
    assert!(!holds(
        gpt(),
        "{\"other\":\"gpt-\u{e9}\",\"a\":{\"model\":\"gpt-\u{e9}\"}}"
    ));
}

#[test]
fn prefixes_suffixes_and_presence_are_those_of_istio() {
    let at = |pattern: StringMatch, value: &str| {
        holds(values("$.a", &[pattern]), &format!("{{\"a\":{value}}}"))
    };
    assert!(at(prefix("ab"), "\"abc\"") && at(prefix("ab"), "\"ab\""));
    assert!(!at(prefix("ab"), "\"a\"") && !at(prefix("ab"), "\"xab\""));
    assert!(at(suffix("bc"), "\"abc\"") && at(suffix("bc"), "\"bc\""));
    assert!(!at(suffix("bc"), "\"c\"") && !at(suffix("bc"), "\"bcd\""));
    assert!(at(StringMatch::Present, "\"x\"") && at(StringMatch::Present, "0"));
    assert!(!at(StringMatch::Present, "\"\"") && !at(StringMatch::Present, "null"));
    assert!(!at(StringMatch::Present, "{\"b\":1}"));
}

#[test]
fn numbers_and_booleans_are_compared_as_they_are_written() {
    let at = |text: &str, value: &str| {
        holds(
            values("$.n[*]", &[exact(text)]),
            &format!("{{\"n\":[0,{value}]}}"),
        )
    };
    assert!(at("1.50", "1.50") && at("-2e3", "-2e3") && at("true", "true"));
    assert!(!at("1.5", "1.50") && !at("null", "null"));
}

#[test]
fn any_node_and_any_duplicate_counts() {
    let any = || values("$..role", &[exact("system")]);
    assert!(holds(any(), r#"{"m":[{"role":"user"},{"role":"system"}]}"#));
    assert!(holds(any(), r#"{"role":"system","role":"user"}"#));
    assert!(holds(any(), r#"{"role":"user","role":"system"}"#));
    assert!(!holds(any(), r#"{"m":[{"role":"user"}]}"#));
}

#[test]
fn what_is_forbidden_anywhere_fails_and_what_is_absent_is_not_there_to_forbid() {
    let not = || Condition {
        not_values: vec![exact("b")],
        ..condition("$[*]")
    };
    assert!(holds(not(), r#"["a","c"]"#));
    assert!(!holds(not(), r#"["a","b","c"]"#));
    assert!(holds(not(), "{}"));
    let both = || Condition {
        values: vec![prefix("a")],
        ..not()
    };
    assert!(holds(both(), r#"["ax"]"#));
    assert!(!holds(both(), r#"["ax","b"]"#));
    assert!(!holds(both(), r#"["c"]"#));
}

#[test]
fn expressions_match_anywhere_in_a_value() {
    let expressions = [
        expression("(?i)\\bprod(uction)?\\b").unwrap(),
        expression("^a+$").unwrap(),
    ];
    let at = |id: u16, body: &str| {
        let condition = Condition {
            matches: vec![ExpressionId(id)],
            ..condition("$.messages[*].content")
        };
        let body = format!("{{\"messages\":[{{\"content\":{body}}}]}}");
        read_every_way(&[condition], &expressions, &body).unwrap()[0]
    };
    assert!(at(0, "\"delete the Production data\""));
    assert!(at(0, "\"in prod\"") && at(0, r#""in \u0070rod""#));
    assert!(!at(0, "\"a product\""));
    assert!(at(1, "\"aaa\"") && !at(1, "\"aab\"") && !at(1, "\"\""));
    assert!(!at(7, "\"there is no such expression\""));
}

#[test]
fn a_forbidden_expression_fails_the_condition() {
    let expressions = [expression("drop table").unwrap()];
    let not = Condition {
        not_matches: vec![ExpressionId(0)],
        ..condition("$..*")
    };
    let at =
        |body: &str| read_every_way(std::slice::from_ref(&not), &expressions, body).unwrap()[0];
    assert!(at(r#"["select"]"#));
    assert!(!at(r#"[["select","please drop table x"]]"#));
}

#[test]
fn conditions_keep_their_order_and_others_are_absent() {
    let header = Condition {
        key: Attribute::Header("x".to_owned()),
        ..values("$", &[StringMatch::Present])
    };
    let conditions = [
        header,
        values("$.a", &[exact("1")]),
        values("$.b", &[exact("1")]),
    ];
    let facts = read_every_way(&conditions, &[], r#"{"a":1,"b":2}"#);
    assert_eq!(facts, Ok(vec![false, true, false]));
}

#[test]
fn a_body_that_is_not_json_is_an_error() {
    let any = [condition("$")];
    assert_eq!(
        read_every_way(&any, &[], "{\"a\":}"),
        Err(JsonError::Syntax)
    );
    assert_eq!(
        read_every_way(&any, &[], "{\"a\":1"),
        Err(JsonError::Truncated)
    );
    let deep = "[".repeat(513);
    assert_eq!(read_every_way(&any, &[], &deep), Err(JsonError::Limit));
}

#[test]
fn too_many_steps_are_refused() {
    let long = "..a".repeat(300);
    let conditions = [
        condition(&format!("${long}")),
        condition(&format!("${long}")),
    ];
    assert_eq!(BodyPlan::new(&conditions).err(), Some(TooManySteps));
}

fn any_pattern() -> impl Strategy<Value = StringMatch> {
    let text = prop::sample::select(vec!["", "a", "ab", "b", "\u{e9}", "12", "true"]);
    prop_oneof![
        text.clone().prop_map(exact),
        text.clone().prop_map(prefix),
        text.prop_map(suffix),
        Just(StringMatch::Present),
    ]
}

proptest! {
    #[test]
    fn a_streamed_value_matches_as_a_whole_one_does(
        positive in prop::collection::vec(any_pattern(), 0..3),
        negative in prop::collection::vec(any_pattern(), 0..2),
        values in prop::collection::vec("[ab\u{e9}12]{0,4}|true", 0..4),
    ) {
        let condition = Condition {
            values: positive.clone(),
            not_values: negative.clone(),
            ..condition("$[*]")
        };
        let body = Value::from(values.clone()).to_string();
        let any = |patterns: &[StringMatch]| {
            patterns
                .iter()
                .any(|pattern| values.iter().any(|value| matching::string(pattern, value)))
        };
        let expected = (positive.is_empty() || any(&positive)) && !any(&negative);
        prop_assert_eq!(read_every_way(&[condition], &[], &body), Ok(vec![expected]));
    }
}
