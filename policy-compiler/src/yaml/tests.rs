use proptest::prelude::*;

use super::*;

/// A code with its line and column.
type Finding = (Code, usize, usize);

fn findings(source: &str) -> Vec<Finding> {
    let mut out = Diagnostics::new("p.yaml", source);
    parse(source, &mut out);
    out.iter()
        .map(|diagnostic| {
            let start = out.positions(diagnostic).0;
            (diagnostic.code, start.line, start.column)
        })
        .collect()
}

fn tree(source: &str) -> Node {
    let mut out = Diagnostics::new("p.yaml", source);
    let node = parse(source, &mut out);
    assert!(out.is_empty(), "{out}");
    node.unwrap()
}

/// Every scalar and key of the tree with the text that its span covers.
fn covered(node: &Node, source: &str, found: &mut Vec<(String, String)>) {
    let text = |span: Span| source.get(span.start..span.end).unwrap().to_owned();
    match &node.value {
        Value::Scalar(scalar) => found.push((scalar.text.clone(), text(node.span))),
        Value::Sequence(items) => items.iter().for_each(|item| covered(item, source, found)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                found.push((key.name.clone(), text(key.span)));
                covered(value, source, found);
            }
        }
    }
}

#[test]
fn spans_cover_exactly_what_was_written() {
    let source =
        "ä: \"q \\\" é\"   # c\n'k''k': 'it''s' # d\nlist: [ü , {x: y }]\nb: plain text  # e\n";
    let mut found = Vec::new();
    covered(&tree(source), source, &mut found);
    let expected = [
        ("ä", "ä"),
        ("q \" é", "\"q \\\" é\""),
        ("k'k", "'k''k'"),
        ("it's", "'it''s'"),
        ("list", "list"),
        ("ü", "ü"),
        ("x", "x"),
        ("y", "y"),
        ("b", "b"),
        ("plain text", "plain text"),
    ];
    let expected = expected.map(|(text, source)| (text.to_owned(), source.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn what_is_dangerous_in_yaml_is_refused_where_it_stands() {
    let cases: &[(&str, &[Finding])] = &[
        ("a: 1\nb: 2\na: 3\n", &[(Code::DuplicateKey, 3, 1)]),
        (
            "a: &x 1\nb: *x\n",
            &[(Code::Anchor, 1, 4), (Code::Anchor, 2, 4)],
        ),
        ("a: !!str 1\n", &[(Code::Tag, 1, 4)]),
        ("a: !x {}\n", &[(Code::Tag, 1, 4)]),
        ("a: 1\n---\nb: 2\n", &[(Code::Documents, 2, 1)]),
        ("? [a]\n: b\n", &[(Code::KeyType, 1, 3)]),
        ("a:\n\tb: c\n", &[(Code::Tab, 2, 1)]),
        ("a:\n  b: c\n  \td: e\n", &[(Code::Tab, 3, 3)]),
        ("a: [1,\n\t2]\n", &[(Code::Tab, 2, 1)]),
        ("a: [b\n", &[(Code::Syntax, 2, 1)]),
        ("a: b\0\nc: d\n", &[(Code::Syntax, 1, 5)]),
        ("a: \"x\u{202e}y\"\n", &[(Code::Syntax, 1, 6)]),
        ("", &[(Code::Empty, 1, 1)]),
        ("# only a comment\n", &[(Code::Empty, 1, 1)]),
    ];
    for (source, expected) in cases {
        assert_eq!(findings(source), *expected, "{source:?}");
    }
}

#[test]
fn a_tab_inside_a_text_of_several_lines_is_content() {
    let source = "a: |\n  {\n  \t\"keys\": []\n  }\nb: c\n";
    let Value::Mapping(entries) = tree(source).value else {
        panic!("a mapping");
    };
    let Value::Scalar(scalar) = &entries[0].1.value else {
        panic!("a text");
    };
    assert_eq!(scalar.text, "{\n\t\"keys\": []\n}\n");
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = "[".repeat(MAX_DEPTH + 1);
    assert_eq!(findings(&deep), [(Code::SourceSize, 1, MAX_DEPTH + 1)]);
    assert_eq!(findings(&"[".repeat(100_000)).len(), 1);
    let long = "a".repeat(MAX_SOURCE + 1);
    assert_eq!(findings(&long), [(Code::SourceSize, 1, 1)]);
}

#[test]
fn unquoted_texts_that_some_reader_takes_for_something_else_are_known() {
    for text in [
        "", "~", "null", "True", "no", "ON", "12", "-1", "1.5", "0x1F", "1e3", ".inf", "1_000",
    ] {
        assert!(is_ambiguous(text), "{text:?}");
    }
    for text in [
        "a", "25s", "1MiB", "v1", "12:30", "1.2.3", "node", "deadbeef", "nan", "e3", "-",
    ] {
        assert!(!is_ambiguous(text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_every_place_lies_in_it(source in "[a-c:\\-\\[\\]{},'\"#&*!|>?%@`\\\\ \t\n\ré]{0,60}") {
        let mut out = Diagnostics::new("p.yaml", &source);
        let node = parse(&source, &mut out);
        prop_assert!(node.is_some() || out.has_errors());
        for diagnostic in &out {
            prop_assert!(source.get(diagnostic.label.span.start..diagnostic.label.span.end).is_some());
        }
        if let Some(node) = node {
            covered(&node, &source, &mut Vec::new());
        }
    }
}
