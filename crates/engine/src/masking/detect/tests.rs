//! What the scanner promises whatever the text is and however it is cut. What each detector finds is
//! tested beside the catalogue, in the policy compiler.

use std::sync::OnceLock;

use policy_compiler::automata::{
    DetectorChoice, DetectorInstance, Ignored, Score, built_in_names, built_ins, detectors,
    instances,
};
use proptest::prelude::*;

use super::reference::Reference;
use super::*;

fn built_in_detectors() -> Detectors {
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    Detectors::new(detectors(&choices).unwrap())
}

/// The built-in detectors as a strict rule has them, which asks for words wherever that makes a
/// difference and ignores some of what is found.
fn strict_detectors() -> &'static (Detectors, Reference) {
    static BOTH: OnceLock<(Detectors, Reference)> = OnceLock::new();
    BOTH.get_or_init(|| {
        let ignore = [
            Ignored::Literal("4111 1111 1111 1111".to_owned()),
            Ignored::Pattern(r"[a-z.]+@example\.com|\+1.*|sk-[a-z]+.*".to_owned()),
            Ignored::Pattern("[0-9 .-]{4,14}".to_owned()),
        ];
        let min_score = |built_in: &policy_compiler::automata::BuiltIn| {
            let best = built_in
                .forms
                .iter()
                .map(|form| form.context_score.unwrap_or(form.score));
            best.max().unwrap_or(Score::DEFAULT)
        };
        let wanted: Vec<_> = built_ins()
            .iter()
            .map(|built_in| DetectorInstance {
                choice: DetectorChoice::BuiltIn(&built_in.name),
                min_score: min_score(built_in),
                ignore: &ignore,
            })
            .collect();
        let set = instances(&wanted).unwrap();
        let reached = built_ins().iter().flat_map(|built_in| {
            let least = min_score(built_in);
            let forms = built_in.forms.iter();
            forms.filter(move |form| form.context_score.unwrap_or(form.score) >= least)
        });
        let patterns: Vec<_> = reached.map(|form| form.pattern.as_str()).collect();
        let reference = Reference::new(&set, &patterns);
        (Detectors::new(set), reference)
    })
}

fn of_patterns(patterns: &[(&str, Option<u32>)]) -> Detectors {
    let names: Vec<_> = (0..patterns.len())
        .map(|index| format!("p{index}"))
        .collect();
    let choices: Vec<_> = patterns
        .iter()
        .zip(&names)
        .map(|(&(regex, max_len), name)| DetectorChoice::Pattern {
            name,
            regex,
            token: None,
            max_len,
        })
        .collect();
    Detectors::new(detectors(&choices).unwrap())
}

fn scan(detectors: &Detectors, text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    Scanner::new().scan(detectors, u64::MAX, text, &mut found);
    found
}

/// Scans `text` in pieces and checks that nothing is found where the scanner said that all is decided.
fn scan_pieces<'a>(
    scanner: &mut Scanner,
    detectors: &Detectors,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Found> {
    let mut found = Vec::new();
    let mut decided = 0;
    let mut fed = 0;
    for piece in pieces {
        let seen = found.len();
        let now = scanner.push(detectors, u64::MAX, piece, &mut found);
        fed += piece.len() as u64;
        assert!(
            decided <= now && now <= fed,
            "decided {decided}, then {now} of {fed}"
        );
        assert!(
            found[seen..]
                .iter()
                .all(|found| found.start >= decided && found.end <= now)
        );
        decided = now;
    }
    let seen = found.len();
    scanner.finish(detectors, u64::MAX, &mut found);
    assert!(
        found[seen..]
            .iter()
            .all(|found| found.start >= decided && found.end <= fed)
    );
    found
}

fn assert_in_order(found: &[Found]) {
    for pair in found.windows(2) {
        assert!(
            pair[0].start < pair[0].end && pair[0].end <= pair[1].start,
            "{pair:?}"
        );
        if pair[0].open {
            assert_eq!(
                (pair[0].end, pair[0].detector),
                (pair[1].start, pair[1].detector)
            );
        }
    }
    assert!(
        found
            .last()
            .is_none_or(|last| !last.open && last.start < last.end)
    );
}

/// Texts in which values of every detector stand among their near misses.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let examples: Vec<String> = built_ins()
        .iter()
        .flat_map(|built_in| {
            let finds = built_in.finds.iter().map(|example| example.text.clone());
            finds.chain(built_in.ignores.iter().cloned())
        })
        .collect();
    let words: Vec<String> = built_ins()
        .iter()
        .flat_map(|built_in| &built_in.context)
        .map(|word| format!(" {word}: "))
        .collect();
    let fragment = prop_oneof![
        4 => prop::sample::select(examples).prop_map(String::into_bytes),
        2 => prop::sample::select(words).prop_map(String::into_bytes),
        2 => "[ -~]{0,12}".prop_map(String::into_bytes),
        2 => "[0-9 .-]{1,24}".prop_map(String::into_bytes),
        1 => "[a-z.@-]{1,80}".prop_map(String::into_bytes),
        1 => "(eyJ){1,70}|-{1,12}(BEGIN|END)?|[éß語 ]{1,4}".prop_map(String::into_bytes),
        1 => (1usize..1200, prop::sample::select(vec![b"sk-ant-".as_slice(), b"sk-", b"gh", b""]))
            .prop_map(|(length, start)| [start, b"a1b-".repeat(length).as_slice()].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(fragment, 0..8).prop_map(|fragments| fragments.concat())
}

/// Texts that the slow reference can bear.
fn short_texts() -> impl Strategy<Value = Vec<u8>> {
    texts().prop_map(|mut text| {
        text.truncate(160);
        text
    })
}

/// What was found, the pieces of each match put together.
fn whole_spans(found: &[Found]) -> Vec<(usize, usize, u8)> {
    let mut spans: Vec<(usize, usize, u8)> = Vec::new();
    let mut goes_on = false;
    for found in found {
        match spans.last_mut() {
            Some(last) if goes_on => last.1 = found.end as usize,
            _ => spans.push((found.start as usize, found.end as usize, found.detector)),
        }
        goes_on = found.open;
    }
    spans
}

/// Cuts a text at some places; several cuts may be at the same place.
fn cut(text: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places
        .iter()
        .map(|place| place.index(text.len() + 1))
        .collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 20_000 }))]

    #[test]
    fn what_is_found_does_not_depend_on_where_the_text_is_cut(
        text in texts(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let detectors = built_in_detectors_once();
        let whole = scan(detectors, &text);
        assert_in_order(&whole);
        let mut scanner = Scanner::new();
        let pieces = cut(&text, &places);
        let pieces = pieces.iter().map(Vec::as_slice);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, pieces), &whole);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, text.chunks(1)), &whole);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, text.chunks(3)), &whole);
    }

    #[test]
    fn the_scanner_agrees_with_the_slow_reference(text in short_texts()) {
        static REFERENCE: OnceLock<Reference> = OnceLock::new();
        let detectors = built_in_detectors_once();
        let reference = REFERENCE.get_or_init(|| {
            let forms = built_ins().iter().flat_map(|built_in| &built_in.forms);
            // By default all are there, some only with a word of context.
            let patterns: Vec<_> = forms.map(|form| form.pattern.as_str()).collect();
            Reference::new(detectors.set(), &patterns)
        });
        prop_assert_eq!(whole_spans(&scan(detectors, &text)), reference.scan(&text, 0));
    }

    #[test]
    fn words_of_context_and_what_is_ignored_are_those_of_the_reference_at_every_cut(
        text in short_texts(),
        named in prop_oneof![Just(0), any::<u64>()],
    ) {
        let (detectors, reference) = strict_detectors();
        let mut scanner = Scanner::new();
        let mut whole = Vec::new();
        scanner.in_member(named);
        scanner.scan(detectors, u64::MAX, &text, &mut whole);
        prop_assert_eq!(whole_spans(&whole), reference.scan(&text, named));
        scanner.in_member(named);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, text.chunks(1)), &whole);
        scanner.in_member(named);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, text.chunks(7)), &whole);
    }

    #[test]
    fn the_scanner_agrees_with_the_reference_about_patterns_of_authors(
        text in "([a-d]{0,20}[ @é]?|[0-9a-f]{0,20}|k[bcé]{0,30}|\\PC{0,5}){0,5}",
    ) {
        static BOTH: OnceLock<(Detectors, Reference)> = OnceLock::new();
        let (detectors, reference) = BOTH.get_or_init(|| {
            let patterns = [
                ("[a-c]+@[a-c]+", Some(9)),
                ("[0-9a-f]{8}", None),
                ("[0-9a-f]{9,}", Some(12)),
                ("d[^ -~]b", None),
                ("a[a-z0-9]*c", Some(7)),
                ("k(?:b|é)*b", Some(5)),
            ];
            let detectors = of_patterns(&patterns);
            // Unicode mode is how `regex-automata` says whole characters.
            let patterns = patterns.map(|(pattern, _)| pattern.replace("[^ -~]", "(?u:[^ -~])"));
            let patterns: Vec<_> = patterns.iter().map(String::as_str).collect();
            let reference = Reference::new(detectors.set(), &patterns);
            (detectors, reference)
        });
        let spans = |spans: Vec<(usize, usize, u8)>| -> Vec<(usize, usize)> {
            spans.into_iter().map(|(start, end, _)| (start, end)).collect()
        };
        let found = spans(whole_spans(&scan(detectors, text.as_bytes())));
        prop_assert_eq!(found, spans(reference.scan(text.as_bytes(), 0)));
    }

    #[test]
    fn patterns_of_authors_do_not_depend_on_cuts_either(
        text in "([abcé]{0,40}[ @]?|[0-9a-f]{0,90}|\\PC{0,5}){0,5}",
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        static DETECTORS: OnceLock<Detectors> = OnceLock::new();
        let detectors = DETECTORS.get_or_init(|| {
            of_patterns(&[
                ("[a-c]+@[a-c]+", Some(20)),
                ("[0-9a-f]{64}", None),
                ("[0-9a-f]{70,}", Some(80)),
                ("a.b|é.{3}é", None),
                ("b[^@]+c", Some(7)),
            ])
        });
        let whole = scan(detectors, text.as_bytes());
        assert_in_order(&whole);
        for found in &whole {
            prop_assert!(text.is_char_boundary(found.start as usize), "{:?}", found);
            prop_assert!(text.is_char_boundary(found.end as usize), "{:?}", found);
        }
        let mut scanner = Scanner::new();
        let pieces = cut(text.as_bytes(), &places);
        let pieces = pieces.iter().map(Vec::as_slice);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, pieces), &whole);
        prop_assert_eq!(&scan_pieces(&mut scanner, detectors, text.as_bytes().chunks(1)), &whole);
    }
}

pub(super) fn built_in_detectors_once() -> &'static Detectors {
    static DETECTORS: OnceLock<Detectors> = OnceLock::new();
    DETECTORS.get_or_init(built_in_detectors)
}

#[test]
fn an_ordinary_word_is_held_until_it_cannot_begin_an_address() {
    let detectors = built_in_detectors_once();
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    assert_eq!(
        scanner.push(detectors, u64::MAX, b"dear ada", &mut found),
        5
    );
    assert_eq!(
        scanner.push(detectors, u64::MAX, b"@example.com", &mut found),
        5
    );
    assert_eq!(
        scanner.push(detectors, u64::MAX, b", hello", &mut found),
        22
    );
    assert_eq!(scanner.push(detectors, u64::MAX, b"", &mut found), 22);
    assert_eq!(scanner.push(detectors, u64::MAX, b" ", &mut found), 28);
    assert_eq!(
        found,
        [Found {
            start: 5,
            end: 20,
            detector: 0,
            open: false
        }],
    );
}

#[test]
fn a_detector_that_is_switched_off_finds_and_holds_nothing() {
    let detectors = built_in_detectors_once();
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    assert_eq!(
        scanner.push(
            detectors,
            0,
            b"ada@example.com AKIAIOSFODNN7EXAMPL",
            &mut found
        ),
        35
    );
    assert_eq!(scanner.push(detectors, 0, b"E", &mut found), 36);
    scanner.finish(detectors, 0, &mut found);
    assert_eq!(found, []);
}

#[test]
fn overlapping_matches_are_joined_under_the_name_of_the_first() {
    let detectors = built_in_detectors_once();
    let found = scan(detectors, b"db://app:pw@host.example/x");
    let name = &detectors.set().detectors[usize::from(found[0].detector)].name;
    assert_eq!(
        (found[0].start, found[0].end, name.as_str()),
        (2, 24, "url-credentials")
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_failed_checksum_hides_no_other_match() {
    let detectors = built_in_detectors_once();
    let text = "4111 1111 1111 1112 4111 1111 1111 1111";
    let found = scan(detectors, text.as_bytes());
    assert_eq!((found[0].start, found[0].end), (20, 39));
    assert_eq!(found.len(), 1);
}

#[test]
fn an_endless_token_is_masked_in_pieces_and_never_held() {
    let detectors = built_in_detectors_once();
    let mut text = b"key sk-ant-".to_vec();
    text.resize(1 << 20, b'x');
    text.extend_from_slice(b" bye");
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    let mut fed = 0;
    for piece in text.chunks(100) {
        let decided = scanner.push(detectors, u64::MAX, piece, &mut found);
        fed += piece.len() as u64;
        assert!(fed - decided <= 1024, "{fed} fed, {decided} decided");
        assert!(scanner.held() <= 2048, "{} bytes held", scanner.held());
    }
    scanner.finish(detectors, u64::MAX, &mut found);
    assert_in_order(&found);
    assert_eq!(found.first().unwrap().start, 4);
    assert_eq!(found.last().unwrap().end, 1 << 20);
    assert!(found.iter().rev().skip(1).all(|found| found.open));
}

#[test]
fn a_private_key_that_is_cut_off_is_masked_to_the_end_of_the_text() {
    let detectors = built_in_detectors_once();
    let mut text = b"-----BEGIN EC PRIVATE KEY-----\n".to_vec();
    text.resize(10_000, b'M');
    let found = scan(detectors, &text);
    assert_eq!(found.first().unwrap().start, 0);
    assert_eq!(found.last().unwrap().end, 10_000);
    assert_in_order(&found);
}

#[test]
fn a_long_run_of_word_characters_is_no_address_and_is_let_go() {
    let detectors = built_in_detectors_once();
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    let run = vec![b'a'; 100_000];
    for piece in run.chunks(7) {
        scanner.push(detectors, u64::MAX, piece, &mut found);
        assert!(scanner.held() <= 128);
    }
    scanner.finish(detectors, u64::MAX, &mut found);
    assert_eq!(found, []);
}

#[test]
fn more_candidates_than_there_is_room_for_are_masked_and_counted() {
    let detectors = of_patterns(&[("[0-9a-f]{100}", None)]);
    let mut scanner = Scanner::new();
    let text = [b"x ".as_slice(), &b"0123456789abcdef".repeat(5), b" x"].concat();
    let found = scan_pieces(&mut scanner, &detectors, text.chunks(9));
    assert!(scanner.overflows() > 0);
    // The first 64 candidates are followed and fail; what the others may contain is masked.
    assert_eq!(
        found,
        [Found {
            start: 66,
            end: 82,
            detector: 0,
            open: false
        }]
    );
}

#[test]
fn no_text_makes_the_built_in_detectors_hold_much_or_lose_candidates() {
    let detectors = built_in_detectors_once();
    for unit in [
        "1 ",
        "4",
        "4-",
        "a.",
        "1.2.",
        "AB12 ",
        "+1(",
        "-----BEGIN ",
        "sk-",
        "a@",
        "://:",
        "bearer ",
    ] {
        let mut scanner = Scanner::new();
        let mut found = Vec::new();
        for piece in unit.repeat(2000).as_bytes().chunks(5) {
            scanner.push(detectors, u64::MAX, piece, &mut found);
            assert!(
                scanner.held() <= 9000,
                "{unit}: {} bytes held",
                scanner.held()
            );
            assert!(
                scanner.candidates() <= 40,
                "{unit}: {}",
                scanner.candidates()
            );
        }
        assert_eq!(scanner.overflows(), 0, "{unit}");
    }
}

#[test]
fn a_scanner_that_finished_is_as_new() {
    let detectors = built_in_detectors_once();
    let mut scanner = Scanner::new();
    for _ in 0..3 {
        let found = scan_pieces(
            &mut scanner,
            detectors,
            [b"1.2.3.4 ada@".as_slice(), b"example.com"],
        );
        assert_eq!(found.len(), 2);
        assert_eq!((scanner.held(), scanner.candidates()), (0, 0));
    }
}
