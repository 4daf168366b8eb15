//! Random documents with planted values, random policies, random cuts.

use proptest::prelude::*;

use super::reference::Reference;
use super::*;

/// What is planted in strings and names.
const SECRETS: &[&str] = &[
    "bob@example.com",
    "a@b.co",
    "4111111111111111",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "078-05-1120",
    "10.0.0.1",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789",
    "https://user:pa55word@host.example/",
    "+49 30 901820",
];
const WORDS: &[&str] = &[
    "a",
    "text ",
    " ",
    "\u{e9}",
    "\u{20ac}",
    "\u{1f600}",
    "\"",
    "\\",
    "\n",
    "\u{0}",
    "@",
    ".",
    "4111",
    "sk-",
    "bob",
    "-----BEGIN",
    "/",
];
const NAMES: &[&str] = &["a", "b", "content", "email", "\u{e9}", "x y", ""];

/// A string as JSON, with some characters escaped although they need not be.
fn any_string(plain: bool) -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        3 => prop::sample::select(WORDS),
        1 => prop::sample::select(SECRETS),
    ];
    let pieces = prop::collection::vec(pieces, 0..if plain { 2 } else { 6 });
    (pieces, any::<u64>(), 0..16u64).prop_map(|(pieces, seed, lone)| {
        let mut out = String::from("\"");
        let mut random = seed;
        for character in pieces.concat().chars() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            write_character(character, random >> 60, &mut out);
        }
        if lone == 0 {
            out.push_str("\\ud800");
        }
        out.push('"');
        out
    })
}

fn write_character(character: char, how: u64, out: &mut String) {
    let must = matches!(character, '"' | '\\' | '\u{0}'..='\u{1f}');
    match (character, how) {
        ('"' | '\\' | '/', 0..8) => out.extend(['\\', character]),
        ('\n', 0..8) => out.push_str("\\n"),
        _ if must || how == 15 => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        }
        _ => out.push(character),
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(NAMES).prop_map(|name| format!("\"{name}\"")),
        1 => any_string(true),
    ]
}

fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " ", "\n  ", "\t\r\n"])
}

fn any_document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => any_string(false),
        1 => prop::sample::select(vec!["true", "false", "null", "0", "-1.5e+3", "12"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["4111111111111111", "-4111111111111111", "4012888888881881.0"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let element = (gap(), inner.clone(), gap())
            .prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let member = (gap(), any_name(), gap(), gap(), inner, gap()).prop_map(
            |(before, name, left, right, value, after)| {
                format!("{before}{name}{left}:{right}{value}{after}")
            },
        );
        prop_oneof![
            prop::collection::vec(element, 1..5).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 1..5).prop_map(|all| format!("{{{}}}", all.join(","))),
            gap().prop_map(|inside| format!("[{inside}]")),
            gap().prop_map(|inside| format!("{{{inside}}}")),
        ]
    })
}

fn any_action() -> impl Strategy<Value = MaskAction> {
    prop_oneof![
        2 => Just(redact()),
        1 => Just(redact_with("<\"\u{e9}\\>")),
        2 => (0..4u8, 0..5u8).prop_map(|(first, last)| partial(first, last)),
        1 => Just(MaskAction::Hash),
        1 => Just(MaskAction::Tokenize),
    ]
}

/// Whole fields can be dropped too.
fn any_field_action() -> impl Strategy<Value = MaskAction> {
    prop_oneof![
        6 => any_action(),
        2 => Just(MaskAction::Drop),
        1 => Just(MaskAction::Nullify),
    ]
}

fn any_paths() -> impl Strategy<Value = Vec<&'static str>> {
    let paths = [
        "$",
        "$.a",
        "$..a",
        "$..content",
        "$[*]",
        "$..*",
        "$.a.*",
        "$..[1]",
        "$[0]",
        "$..a..b",
        "$.*.*",
        "$..email",
        "$.\u{e9}",
    ];
    prop::collection::vec(prop::sample::select(paths.to_vec()), 1..3)
}

fn any_rule() -> impl Strategy<Value = MaskRule> {
    let names: Vec<&'static str> = built_in_names().collect();
    let some = prop::collection::vec(prop::sample::select(names), 1..8);
    let within = prop_oneof![2 => Just(Vec::new()), 1 => any_paths()];
    let rule = prop_oneof![
        (any_paths(), any_field_action()).prop_map(|(paths, action)| fields(&paths, action)),
        (any_paths(), any_field_action()).prop_map(|(paths, action)| allow(&paths, action)),
        (some, within, any_action())
            .prop_map(|(names, within, action)| detect(&names, &within, action)),
    ];
    (rule, any::<bool>()).prop_map(|(rule, keep_type)| MaskRule {
        keep_type: keep_type && !rule.action.leaves_no_text(),
        ..rule
    })
}

pub(super) fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut from = 0;
    let mut chunks = Vec::new();
    for place in places {
        chunks.push(&bytes[from..place]);
        from = place;
    }
    chunks
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(600),
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_masker_does_what_the_reference_does(
        body in any_document(),
        rules in prop::collection::vec(any_rule(), 1..5),
        active in any::<u64>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let detectors = all_detectors();
        let plan = plan(&rules);
        let mut reference = Reference {
            rules: &rules,
            active,
            set: detectors.set(),
            detectors: &detectors,
            hash: &hash,
            masked_names: 0,
            named: 0,
            counts: Default::default(),
        };
        let expected = reference.mask(&body);
        let whole = mask_chunks(&plan, active, [body.as_bytes()]);
        prop_assert_eq!(&whole.0, &Ok(()), "{}", &body);
        prop_assert_eq!(&whole.1, &expected, "{}", &body);
        prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&whole.1).is_ok());
        let counts = whole.2.entries.iter().map(|entry| {
            ((entry.path.clone(), entry.what.clone(), entry.action), entry.count)
        });
        prop_assert_eq!(counts.collect::<std::collections::BTreeMap<_, _>>(), reference.counts);
        let chunks = cut(body.as_bytes(), &cuts);
        prop_assert_eq!(&mask_chunks(&plan, active, chunks), &whole);
        prop_assert_eq!(&mask_chunks(&plan, active, body.as_bytes().chunks(1)), &whole);
    }

    #[test]
    fn a_broken_document_fails_the_same_way_however_it_is_cut(
        body in any_document(),
        rules in prop::collection::vec(any_rule(), 1..4),
        at in any::<prop::sample::Index>(),
        wrong in prop::sample::select(vec!["\"", "}", "]", ",", "x", "\u{1}", "\\", "\u{e9}", ""]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        // A character is replaced by another, or by nothing.
        let at = at.index(body.chars().count());
        let broken: String = body
            .chars()
            .enumerate()
            .map(|(index, character)| {
                if index == at {
                    wrong.to_owned()
                } else {
                    character.to_string()
                }
            })
            .collect();
        let plan = plan(&rules);
        let whole = mask_chunks(&plan, u64::MAX, [broken.as_bytes()]);
        let chunks = cut(broken.as_bytes(), &cuts);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, chunks), &whole, "{}", &broken);
        prop_assert_eq!(&mask_chunks(&plan, u64::MAX, broken.as_bytes().chunks(1)), &whole);
    }
}
