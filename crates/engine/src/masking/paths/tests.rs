use proptest::prelude::*;
use serde_json::Value;
use tracegate_bundle::policy::Step;

use super::*;
use crate::masking::json::{Container, Sink, Tokenizer};

/// Walks a document with a cursor and notes where each path matched.
struct Walk<'a> {
    paths: &'a PathSet,
    cursor: Cursor,
    containers: Vec<Container>,
    /// The step to the value in hand from each open container: a name or an index.
    place: Vec<String>,
    matches: Vec<(usize, String)>,
}

impl Walk<'_> {
    fn value(&mut self) {
        if self.containers.last() == Some(&Container::Array) {
            self.cursor.element(self.paths);
            let last = self.place.last_mut().unwrap();
            let index = last.parse::<i64>().unwrap() + 1;
            *last = index.to_string();
        }
        for path in self.cursor.accepted(self.paths) {
            self.matches.push((path, self.place.join("/")));
        }
    }
}

impl Sink for Walk<'_> {
    fn open(&mut self, container: Container, _: u64) {
        self.value();
        self.cursor.open();
        self.containers.push(container);
        self.place.push("-1".to_owned());
    }
    fn close(&mut self, _: u64) {
        self.cursor.close();
        self.containers.pop();
        self.place.pop();
    }
    fn comma(&mut self, _: u64) {}
    fn key(&mut self, name: &[u8], _: std::ops::Range<u64>) {
        self.cursor.member(self.paths, name);
        *self.place.last_mut().unwrap() = String::from_utf8(name.to_vec()).unwrap();
    }
    fn string_start(&mut self, _: u64) {
        self.value();
    }
    fn text(&mut self, _: &[u8], _: std::ops::Range<u64>) {}
    fn string_end(&mut self, _: u64) {}
    fn scalar(&mut self, _: &[u8], _: std::ops::Range<u64>) {
        self.value();
    }
}

fn matches(paths: &[Path], reach: Reach, body: &str) -> Vec<(usize, String)> {
    let set = PathSet::new(paths.iter().map(|path| (path, reach))).unwrap();
    let mut walk = Walk {
        paths: &set,
        cursor: Cursor::new(&set, |_| true),
        containers: Vec::new(),
        place: Vec::new(),
        matches: Vec::new(),
    };
    let mut tokenizer = Tokenizer::default();
    tokenizer.push(body.as_bytes(), &mut walk).unwrap();
    tokenizer.finish(&mut walk).unwrap();
    walk.matches
}

// === The slow reference: RFC 9535 by the letter, over a tree ===

fn children(node: &Value) -> Vec<(String, &Value)> {
    match node {
        Value::Array(list) => (0..)
            .zip(list)
            .map(|(index, value): (usize, _)| (index.to_string(), value))
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        _ => Vec::new(),
    }
}

fn selects(selector: &Selector, parent: &Value, key: &str) -> bool {
    let index = parent.is_array().then(|| key.parse::<u64>().unwrap());
    match selector {
        Selector::Wildcard => true,
        Selector::Name(name) => parent.is_object() && name == key,
        Selector::Index(wanted) => index == Some(*wanted),
        Selector::Slice { start, end, step } => index.is_some_and(|index| {
            let end = end.unwrap_or(u64::MAX);
            let mut at = *start;
            while *step > 0 && at < end && at < index {
                at += step;
            }
            at == index && at < end && *step > 0
        }),
    }
}

fn descendants(place: &str, node: &Value, out: &mut Vec<(String, Value)>) {
    out.push((place.to_owned(), node.clone()));
    for (key, child) in children(node) {
        descendants(&join(place, &key), child, out);
    }
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}/{key}")
    }
}

fn reference(path: &Path, reach: Reach, root: &Value) -> Vec<String> {
    let mut nodes = vec![(String::new(), root.clone())];
    for step in &path.steps {
        let mut parents = Vec::new();
        for (place, node) in nodes {
            if step.descendant {
                descendants(&place, &node, &mut parents);
            } else {
                parents.push((place, node));
            }
        }
        nodes = Vec::new();
        for (place, parent) in &parents {
            for (key, child) in children(parent) {
                if step.selectors.iter().any(|s| selects(s, parent, &key)) {
                    nodes.push((join(place, &key), child.clone()));
                }
            }
        }
    }
    if reach == Reach::Subtree {
        let mut all = Vec::new();
        for (place, node) in &nodes {
            descendants(place, node, &mut all);
        }
        nodes = all;
    }
    let mut places: Vec<String> = nodes.into_iter().map(|(place, _)| place).collect();
    places.sort();
    places.dedup();
    places
}

// === Writing paths ===

fn path(steps: Vec<Step>) -> Path {
    Path {
        text: String::new(),
        steps,
    }
}

fn step(descendant: bool, selectors: Vec<Selector>) -> Step {
    Step {
        descendant,
        selectors,
    }
}

fn name(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

fn places(path: Path, body: &str) -> Vec<String> {
    matches(&[path], Reach::Node, body)
        .into_iter()
        .map(|(_, place)| place)
        .collect()
}

#[test]
fn the_empty_path_is_the_root() {
    assert_eq!(places(path(vec![]), "[1]"), [""]);
}

#[test]
fn names_are_compared_decoded_and_exactly() {
    let email = || path(vec![step(false, vec![name("email")])]);
    assert_eq!(places(email(), r#"{"\u0065mail":1}"#), ["email"]);
    assert!(places(email(), r#"{"Email":1,"emai":2,"emails":3,"email ":4}"#).is_empty());
    let accent = path(vec![step(false, vec![name("\u{e9}")])]);
    assert_eq!(places(accent, r#"{"\u00E9":1}"#), ["\u{e9}"]);
}

#[test]
fn every_duplicate_of_a_name_matches() {
    let ssn = path(vec![step(false, vec![name("ssn")])]);
    assert_eq!(
        places(ssn, r#"{"ssn":1,"a":{"ssn":0},"ssn":2}"#),
        ["ssn", "ssn"]
    );
}

#[test]
fn a_descendant_step_reaches_every_depth_from_where_it_stands() {
    let deep = path(vec![
        step(false, vec![name("a")]),
        step(true, vec![name("b")]),
    ]);
    assert_eq!(
        places(
            deep,
            r#"{"b":0,"a":{"b":{"b":1},"c":[{"b":2}]},"d":{"b":3}}"#
        ),
        ["a/b", "a/b/b", "a/c/0/b"]
    );
}

#[test]
fn a_name_does_not_select_elements_nor_an_index_members() {
    let zero = path(vec![step(false, vec![name("0")])]);
    assert!(places(zero, "[1]").is_empty());
    let first = path(vec![step(false, vec![Selector::Index(0)])]);
    assert!(places(first, r#"{"0":1}"#).is_empty());
}

#[test]
fn a_slice_with_step_0_selects_nothing() {
    let slice = Selector::Slice {
        start: 0,
        end: None,
        step: 0,
    };
    assert!(places(path(vec![step(false, vec![slice])]), "[1,2]").is_empty());
}

#[test]
fn paths_beyond_the_bound_are_refused() {
    let long = path(vec![
        step(true, vec![Selector::Wildcard]);
        MAX_POSITIONS - 1
    ]);
    assert!(PathSet::new([(&long, Reach::Node)].into_iter()).is_ok());
    let one_more = path(vec![]);
    let both = [(&long, Reach::Node), (&one_more, Reach::Node)];
    assert_eq!(PathSet::new(both.into_iter()).err(), Some(TooManySteps));
}

#[test]
fn a_disabled_path_matches_nothing() {
    let one = path(vec![step(true, vec![Selector::Wildcard])]);
    let set = PathSet::new([(&one, Reach::Node), (&one, Reach::Node)].into_iter()).unwrap();
    let mut cursor = Cursor::new(&set, |path| path == 1);
    cursor.open();
    cursor.element(&set);
    assert_eq!(cursor.accepted(&set).collect::<Vec<_>>(), [1]);
}

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "\u{e9}"]).prop_map(name),
        2 => Just(Selector::Wildcard),
        1 => (0..3u64).prop_map(Selector::Index),
        1 => (0..3u64, prop::option::of(0..4u64), 1..3u64)
            .prop_map(|(start, end, step)| Selector::Slice { start, end, step }),
    ]
}

fn any_path() -> impl Strategy<Value = Path> {
    let step = (any::<bool>(), prop::collection::vec(any_selector(), 1..3))
        .prop_map(|(descendant, selectors)| step(descendant, selectors));
    prop::collection::vec(step, 0..5).prop_map(path)
}

fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::from("x")),
        Just(Value::from(1))
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let keys = prop::sample::select(vec!["a", "b", "c", "\u{e9}", "0"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..4).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_automaton_selects_what_rfc_9535_selects(
        // Enough paths for positions in several words.
        paths in prop::collection::vec(any_path(), 1..40),
        document in any_document(),
        subtree in any::<bool>(),
    ) {
        let reach = if subtree { Reach::Subtree } else { Reach::Node };
        let found = matches(&paths, reach, &document.to_string());
        for (index, path) in paths.iter().enumerate() {
            let mut places: Vec<String> = found
                .iter()
                .filter(|(path, _)| *path == index)
                .map(|(_, place)| place.clone())
                .collect();
            places.sort();
            prop_assert_eq!(places, reference(path, reach, &document), "{:?}", path);
        }
    }
}
