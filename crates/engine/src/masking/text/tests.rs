//! Texts made of pieces whose meaning is known, masked whole and in every way they can be cut.

use std::rc::Rc;

use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use proptest::prelude::*;
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget};

use super::*;
use crate::masking::detect::{Detectors, Scanner};

/// What is written, and what a detector sees of it.
type Piece = (&'static str, &'static str);

const PLAIN: &[Piece] = &[
    ("bob@example.com", "bob@example.com"),
    ("4111 1111 1111 1111", "4111 1111 1111 1111"),
    (
        "4111\u{a0}1111\u{202f}1111\u{2007}1111",
        "4111 1111 1111 1111",
    ),
    (
        "DE89\u{200b}3704\u{200b}0044\u{feff}0532013000",
        "DE89370400440532013000",
    ),
    ("\u{ff42}\u{ff4f}\u{ff42}\u{ff20}b.co", "bob@b.co"),
    ("078\u{2011}05\u{2011}1120", "078-05-1120"),
    ("\u{664}\u{661}\u{661}\u{661}", "4111"),
    ("\u{ad}", ""),
    ("caf\u{e9} ", "caf\u{e9} "),
    ("\u{4e2d}\u{3002}", "\u{4e2d}\u{3002}"),
    ("\r\n", "\r\n"),
    (" ", " "),
    ("@", "@"),
    ("b.co", "b.co"),
    ("10.0.0.1", "10.0.0.1"),
];

const MARKUP: &[Piece] = &[
    ("bob&#64;b.co", "bob@b.co"),
    ("bob&#x0040;b&period;co", "bob@b.co"),
    ("&amp;", "&"),
    ("&nbsp;", " "),
    ("&#8209;", "-"),
    ("&shy;", ""),
    ("&#x34;111", "4111"),
    ("<b>", "<b>"),
    ("& ", "& "),
    ("&unknown;", "&unknown;"),
];

thread_local! {
    static DETECTORS: Rc<Detectors> = {
        let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
        Rc::new(Detectors::new(detectors(&choices).unwrap()))
    };
}

fn rule(action: MaskAction) -> MaskRule {
    let target = MaskTarget::Detect {
        detectors: (1 << built_in_names().count()) - 1,
        within: Vec::new(),
    };
    MaskRule::new(target, action)
}

fn plan(action: MaskAction) -> Rc<Plan> {
    let detectors = DETECTORS.with(Rc::clone);
    Rc::new(Plan::new(&[rule(action)], detectors, None).unwrap())
}

type Outcome = (Result<(), MaskError>, String, Report);

fn mask<'a>(plan: &Rc<Plan>, markup: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut masker = TextMasker::new(Rc::clone(plan), u64::MAX, markup);
    let mut out = Vec::new();
    let mut chunks = chunks.into_iter();
    let result = chunks
        .try_for_each(|chunk| masker.push(chunk, &mut out))
        .and_then(|()| masker.finish(&mut out));
    (
        result,
        String::from_utf8(out).unwrap(),
        masker.report().clone(),
    )
}

/// One character as it is written, and what a detector sees of it.
fn characters(pieces: &[Piece]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for &(mut written, mut seen) in pieces {
        while let Some(first) = written.chars().next() {
            let reference = written
                .find(';')
                .filter(|_| first == '&' && written != seen && !written.starts_with("& "));
            let length = reference.map_or(first.len_utf8(), |end| end + 1);
            let (one, rest) = written.split_at(length);
            let unseen = matches!(one, "\u{200b}" | "\u{feff}" | "\u{ad}" | "&shy;");
            let (as_seen, left) = match seen.chars().next() {
                Some(first) if !unseen => seen.split_at(first.len_utf8()),
                _ => ("", seen),
            };
            all.push((one.to_owned(), as_seen.to_owned()));
            (written, seen) = (rest, left);
        }
        assert_eq!(seen, "", "the pieces of the test say what is seen");
    }
    all
}

/// The text with what is found in it replaced by `[…]`: decoded as a whole, scanned as a whole.
fn reference(pieces: &[Piece]) -> String {
    let characters = characters(pieces);
    let seen: String = characters.iter().map(|(_, seen)| &**seen).collect();
    let mut found = Vec::new();
    let active = (1 << built_in_names().count()) - 1;
    DETECTORS.with(|detectors| {
        Scanner::new().scan(detectors, active, seen.as_bytes(), &mut found);
    });
    let mut out = String::new();
    let mut at = 0;
    for (written, seen) in characters {
        let end = at + seen.len() as u64;
        // What is not seen goes if it stands inside a match.
        let hidden = found.iter().find(|it| match seen.is_empty() {
            true => it.start < at && at < it.end,
            false => it.start <= at && end <= it.end,
        });
        match hidden {
            None => out.push_str(&written),
            Some(found) if found.start == at && !seen.is_empty() => out.push('#'),
            Some(_) => {}
        }
        at = end;
    }
    out
}

fn any_text(markup: bool) -> impl Strategy<Value = Vec<Piece>> {
    let mut pieces = PLAIN.to_vec();
    if markup {
        pieces.extend(MARKUP);
    }
    prop::collection::vec(prop::sample::select(pieces), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn text_is_masked_as_the_reference_does_however_it_is_cut(
        (markup, pieces) in any::<bool>().prop_flat_map(|markup| (Just(markup), any_text(markup))),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let text: String = pieces.iter().map(|(written, _)| *written).collect();
        let plan = plan(MaskAction::Redact(Some("#".to_owned())));
        let whole = mask(&plan, markup, [text.as_bytes()]);
        prop_assert_eq!(&whole.0, &Ok(()), "{}", &text);
        prop_assert_eq!(&whole.1, &reference(&pieces), "{}", &text);
        for cut in cuts {
            let (left, right) = text.as_bytes().split_at(cut.index(text.len() + 1));
            prop_assert_eq!(&mask(&plan, markup, [left, right]), &whole, "{}", &text);
        }
        prop_assert_eq!(&mask(&plan, markup, text.as_bytes().chunks(1)), &whole, "{}", &text);
    }
}

#[test]
fn a_long_text_leaves_as_it_comes() {
    let plan = plan(MaskAction::Redact(None));
    for markup in [false, true] {
        let mut masker = TextMasker::new(Rc::clone(&plan), u64::MAX, markup);
        let (mut out, mut sent) = (Vec::new(), 0);
        for _ in 0..200 {
            // The last candidate goes on and on, in characters that nobody sees.
            let piece = format!("a.b@c d &lt;{}4111", "\u{200b}".repeat(1000)).repeat(4);
            sent += piece.len();
            masker.push(piece.as_bytes(), &mut out).unwrap();
            assert!(out.len() + 16 * 1024 > sent, "{} of {sent}", out.len());
        }
    }
}

#[test]
fn what_is_shown_of_a_match_is_folded_and_in_markup_escaped() {
    let key =
        "-----BEGIN PRIVATE KEY-----\u{ff1c}\u{a0}MIIEvQIBADANBgkqhkiG9w0BAQEFAASCMIIEvQIBADAN";
    let plan = plan(MaskAction::Partial {
        keep_first: 29,
        keep_last: 0,
    });
    let shown = |markup| mask(&plan, markup, [key.as_bytes()]).1;
    assert!(shown(false).starts_with("-----BEGIN PRIVATE KEY-----< ***"));
    assert!(shown(true).starts_with("-----BEGIN PRIVATE KEY-----&lt; ***"));
}

#[test]
fn what_is_not_utf_8_is_refused_however_it_is_cut() {
    let plan = plan(MaskAction::Redact(None));
    for (bytes, error) in [
        (&b"a\xff b"[..], MaskError::Syntax),
        (b"caf\xc3(", MaskError::Syntax),
        (b"\xed\xa0\x80", MaskError::Syntax),
        (b"caf\xc3", MaskError::Truncated),
        (b"\xf0\x9f\x98", MaskError::Truncated),
    ] {
        let whole = mask(&plan, false, [bytes]);
        assert_eq!(whole.0, Err(error));
        assert_eq!(mask(&plan, false, bytes.chunks(1)), whole);
    }
}
