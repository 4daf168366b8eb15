//! JSON in strings of JSON, mostly by attack.

use proptest::prelude::*;
use serde_json::Value;

use super::properties::cut;
use super::*;
use crate::masking::mask::nested::MAX_NESTED;

const DETECTORS: &[&str] = &["email", "credit-card", "iban", "us-ssn"];

fn rules() -> [MaskRule; 2] {
    [
        fields(
            &["$..password", "$.call.arguments.id", "$..list[1]"],
            redact_with("FIELD"),
        ),
        detect(DETECTORS, &[], redact_with("~")),
    ]
}

/// Masks a document whose `arguments` are that text; what the text becomes.
fn arguments(rules: &[MaskRule], text: &str) -> String {
    let body = serde_json::json!({"call": {"arguments": text}}).to_string();
    let masked: Value = serde_json::from_str(&mask(rules, &body)).unwrap();
    masked["call"]["arguments"].as_str().unwrap().to_owned()
}

#[test]
fn an_escape_in_the_nested_text_hides_nothing() {
    for (text, expected) in [
        (r#"{"email":"bob\u0040example.com"}"#, r#"{"email":"~"}"#),
        (r#"{"email":"\u0062ob@example.com"}"#, r#"{"email":"~"}"#),
        (r#"{"t":"a\n4111 1111 1111 1111\n"}"#, r#"{"t":"a\n~\n"}"#),
        (r#"{"t":"a\nbob@example.com"}"#, r#"{"t":"a~"}"#),
        (r#"{"t":"4111\u00a01111\u20111111 1111"}"#, r#"{"t":"~"}"#),
        (r#"{"b\u006fb@example.com":"x"}"#, r#"{"~#1":"x"}"#),
        (r#" [ 4111111111111111 , -1 ] "#, r#" [ "~" , -1 ] "#),
    ] {
        assert_eq!(arguments(&rules(), text), expected);
    }
    // The outer escapes may be anything too.
    let body = r#"{"arguments":"\u007b\u0022e\":\"bob\u005cu0040example.com\"}"}"#;
    assert_eq!(
        mask(&rules(), body),
        r#"{"arguments":"\u007b\u0022e\":\"~\"}"}"#
    );
}

#[test]
fn paths_lead_on_into_the_nested_document() {
    for (text, expected) in [
        (r#"{"id":7,"x":1}"#, r#"{"id":"FIELD","x":1}"#),
        (
            r#"{"a":{"password":{"b":["c",1]}}}"#,
            r#"{"a":{"password":"FIELD"}}"#,
        ),
        (
            r#"{"password":"a\"b","x":2}"#,
            r#"{"password":"FIELD","x":2}"#,
        ),
        (
            r#"{"list":["a","b",{"list":[1,2]}]}"#,
            r#"{"list":["a","FIELD",{"list":[1,"FIELD"]}]}"#,
        ),
    ] {
        assert_eq!(arguments(&rules(), text), expected);
        // Without any detector too.
        assert_eq!(arguments(&rules()[..1], text), expected);
    }
    let drop = [fields(&["$..secret"], MaskAction::Drop)];
    assert_eq!(
        arguments(&drop, r#"{"secret":1,"a":"b","secret":{}}"#),
        r#"{"a":"b"}"#
    );
    let hash = [fields(&["$..secret"], MaskAction::Hash)];
    assert_eq!(
        arguments(&hash, r#"{"secret":[1, "x"]}"#),
        format!(r#"{{"secret":"{}"}}"#, super::hash("field", br#"[1, "x"]"#))
    );
}

#[test]
fn what_one_nested_text_may_show_says_nothing_of_the_same_text_elsewhere() {
    let body = r#"{"x":"{\"id\":7}","call":{"arguments":"{\"id\":7}"},"y":"{\"id\":7}"}"#;
    let expected =
        r#"{"x":"{\"id\":7}","call":{"arguments":"{\"id\":\"FIELD\"}"},"y":"{\"id\":7}"}"#;
    assert_eq!(mask(&rules(), body), expected);
}

#[test]
fn what_is_hidden_in_a_nested_document_is_reported_where_it_stands() {
    let body = r#"{"call":{"arguments":"{\"to\":[\"bob@example.com\"],\"password\":1}"}}"#;
    let entry = |path: &str, what: &str| (path.to_owned(), what.to_owned(), ActionKind::Redact, 1);
    assert_eq!(
        report(&rules(), body),
        [
            entry("$.call.arguments.to[*]", "email"),
            entry("$.call.arguments.password", "field"),
        ]
    );
}

#[test]
fn a_nested_text_that_is_cut_or_broken_is_masked_as_text() {
    for (text, expected) in [
        // Cut in a string, a name, a number, an escape.
        (r#"{"t":"bob@example.com"#, r#"{"t":"~"#),
        (r#"{"t":1,"bob@example.com"#, r#"{"t":1,"~"#),
        (r#"[4111111111111111"#, r#"[~"#),
        (r#"{"t":"bob@example.com\u00"#, r#"{"t":"~\u00"#),
        // Broken before, and in, what is to be hidden.
        (r#"{"t" 4111 1111 1111 1111"#, r#"{"t" ~"#),
        (r#"[1 2] bob@example.com"#, r#"[1 2] ~"#),
        // The first number was one of the document.
        (r#"[4111 1111 1111 1111]"#, r#"["~" ]"#),
        (r#"[] bob@example.com, {}"#, r#"[] ~, {}"#),
        (r#"{"t":"bob\x@example.com"}"#, r#"{"t":"bob\~"}"#),
        ("[link](mailto:bob@example.com)", "[link](mailto:~)"),
        ("[bob@example.com", "[~"),
    ] {
        assert_eq!(arguments(&rules(), text), expected, "{text}");
    }
}

#[test]
fn a_hidden_value_that_is_broken_is_hidden_to_the_end() {
    for text in [
        r#"{"password":"hunter2"#,
        r#"{"password":"hun\xter2"}"#,
        r#"{"password": hunter2}"#,
        r#"{"password":{"a":"hunter2" "b"}}"#,
        r#"{"password":["hunter2"#,
        r#"{"password":"#,
    ] {
        let masked = arguments(&rules(), text);
        assert!(!masked.contains("ter2"), "{text}: {masked}");
    }
}

#[test]
fn documents_nest_three_deep_and_what_is_deeper_is_text() {
    let nest = |text: &str| serde_json::json!({"t": text}).to_string();
    let mut text = r#"{"t":"bob\u0040example.com 078-05-1120","password":"x"}"#.to_owned();
    let mut expected = r#"{"t":"~ ~","password":"FIELD"}"#.to_owned();
    for _ in 1..3 {
        assert_eq!(arguments(&rules(), &text), expected);
        text = nest(&text);
        expected = nest(&expected);
    }
    assert_eq!(arguments(&rules(), &text), expected);
    // One deeper the number is still found, but not what is escaped there.
    let masked = arguments(&rules(), &nest(&text));
    assert!(
        masked.contains("u0040") && !masked.contains("1120"),
        "{masked}"
    );
}

#[test]
fn a_detector_that_reads_across_the_structure_leaves_it_whole() {
    // A key without an end swallows what follows: the strings, not the brackets.
    let rules = [detect(&["private-key"], &[], redact_with("~"))];
    let text = r#"{"a":"-----BEGIN PRIVATE KEY-----\nMIIE","b":["MIIF",12],"MIIG":true}"#;
    let masked: Value = serde_json::from_str(&arguments(&rules, text)).unwrap();
    assert!(!masked.to_string().contains("MIIE"), "{masked}");
}

#[test]
fn a_nested_document_of_any_length_needs_no_memory() {
    let plan = plan(&rules());
    for piece in [
        r#"{\"a\":[\"bob@example.com 4111 \",12,\"\\n\"],\"password\":\"x\"},"#,
        r#"{\"password\":[\"bob@example.com 4111 \",12,\"\\n\"],\"p\":[\"x\"]},"#,
    ] {
        for before in ["[", "{\\\"password\\\":["] {
            let mut masker = DocumentMasker::new(Rc::clone(&plan), u64::MAX);
            let mut out = Vec::new();
            masker.push(b"{\"a\":\"", &mut out).unwrap();
            masker.push(before.as_bytes(), &mut out).unwrap();
            for _ in 0..2000 {
                masker.push(piece.as_bytes(), &mut out).unwrap();
                assert!(masker.tape.held() < 8192);
            }
        }
    }
}

// === At random ===

const PIECES: &[&str] = &[
    "bob@example.com",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "078-05-1120",
    " ",
    " text ",
    ", ",
    "caf\u{e9} ",
];

fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..5).prop_map(|all| all.join(" "))
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => any_text().prop_map(Value::from),
        1 => prop::sample::select(vec![4_111_111_111_111_111_u64, 12]).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let names = prop::sample::select(vec!["a", "password", "list", "bob@example.com"]);
    leaf.prop_recursive(4, 20, 4, move |inner| {
        let member = (names.clone(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(member, 0..4).prop_map(|all| {
                let all = all.into_iter();
                Value::Object(all.map(|(name, value)| (name.to_owned(), value)).collect())
            }),
            // A document in the document.
            inner.prop_map(|value| Value::from(Value::from(vec![value]).to_string())),
        ]
    })
}

/// Fails if a text of `value` holds what should be hidden, or is a document no more. Of the documents
/// nested in it `levels` are read as such.
fn assert_hidden(original: &Value, masked: &Value, levels: u8) {
    let text = masked.to_string();
    for secret in &PIECES[..4] {
        assert!(!text.contains(secret), "{secret} of {original} in {masked}");
    }
    if let (Some(original), Some(masked)) = (original.as_array(), masked.as_array()) {
        for (original, masked) in original.iter().zip(masked) {
            assert_hidden(original, masked, levels);
        }
    }
    if let (Some(original), Some(masked)) = (original.as_str(), masked.as_str())
        && levels > 0
        && let Ok(original @ Value::Array(_)) = serde_json::from_str(original)
    {
        assert_hidden(
            &original,
            &serde_json::from_str(masked).unwrap(),
            levels - 1,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_nested_document_is_masked_like_any_other(
        value in any_value(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let rules = [
            fields(&["$..password", "$..list[1]"], redact_with("FIELD")),
            detect(DETECTORS, &[], redact_with("~")),
        ];
        let plan = plan(&rules);
        let inner = Value::from(vec![value.clone()]).to_string();
        let (_, direct, _) = mask_chunks(&plan, u64::MAX, [inner.as_bytes()]);
        let outer = Value::from(vec![inner.clone()]).to_string();
        let whole = mask_chunks(&plan, u64::MAX, [outer.as_bytes()]);
        let masked: Vec<String> = serde_json::from_str(&whole.1).unwrap();
        let depth = |text: &str| text.matches("\\\\\\").count();
        if depth(&inner) == 0 {
            prop_assert_eq!(&masked[0], &direct);
        }
        assert_hidden(&Value::from(vec![inner]), &serde_json::from_str(&whole.1).unwrap(), MAX_NESTED);
        let chunks = cut(outer.as_bytes(), &cuts);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, chunks), &whole, "{}", &outer);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, outer.as_bytes().chunks(1)), &whole);
    }

    #[test]
    fn a_broken_nested_document_shows_nothing_either(
        value in any_value(),
        at in any::<prop::sample::Index>(),
        wrong in prop::sample::select(vec!["\"", "}", "]", ",", "x", "\u{1}", "\\", "\u{e9}", "\u{0}"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let plan = plan(&[detect(DETECTORS, &[], redact_with("~"))]);
        let mut inner = Value::from(vec![value]).to_string();
        let at = (0..=at.index(inner.len())).rev().find(|&at| inner.is_char_boundary(at)).unwrap();
        if wrong == "\u{0}" {
            inner.truncate(at);
        } else {
            inner.insert_str(at, wrong);
        }
        let outer = Value::from(vec![inner.clone()]).to_string();
        let whole = mask_chunks(&plan, u64::MAX, [outer.as_bytes()]);
        let masked: Vec<String> = serde_json::from_str(&whole.1).unwrap();
        for secret in &PIECES[..4] {
            let left = inner.matches(secret).count();
            // What the wrong character is glued to may be no secret any more.
            prop_assert!(masked[0].matches(secret).count() <= 1.min(left), "{} of {}", masked[0], inner);
        }
        let chunks = cut(outer.as_bytes(), &cuts);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, chunks), &whole, "{}", &outer);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, outer.as_bytes().chunks(1)), &whole);
    }
}

#[test]
fn a_name_outside_is_context_for_what_is_nested() {
    let rules = [detect(&["date-of-birth"], &[], redact_with("~"))];
    for (body, expected) in [
        (
            r#"{"birthdate":"[\"1990-05-17\"]"}"#,
            r#"{"birthdate":"[\"~\"]"}"#,
        ),
        (
            r#"{"x":"{\"birthdate\":\"1990-05-17\"}"}"#,
            r#"{"x":"{\"birthdate\":\"~\"}"}"#,
        ),
        (r#"{"x":"[\"1990-05-17\"]"}"#, r#"{"x":"[\"1990-05-17\"]"}"#),
    ] {
        assert_eq!(mask(&rules, body), expected);
    }
}
