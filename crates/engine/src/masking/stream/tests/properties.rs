//! Streams as chance makes them, against a reference that is written for the eye: it joins each text,
//! masks it whole as a document, and compares.

use proptest::prelude::*;

use super::*;

/// Text with something to find here and there.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => Just("the answer is "),
        2 => Just("maria.jensen@example.org"),
        2 => Just("4111 1111 1111 1111"),
        2 => Just("4111 1111 "),
        2 => Just("AKIAIOSFODNN7EXAMPLE"),
        1 => Just("-----BEGIN PRIVATE KEY-----\nMIIBVQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----"),
        1 => Just("\u{e9}\u{1f600}\"\\\n"),
        1 => Just(" "),
        1 => Just("@"),
    ];
    proptest::collection::vec(word, 0..6).prop_map(|words| words.concat())
}

/// Cuts a text into pieces of a few characters.
fn pieces(text: &str, lengths: &[usize]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut rest = &*characters;
    let mut lengths = lengths.iter().cycle();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        pieces.push(piece.iter().collect());
        rest = later;
    }
    pieces
}

/// The text as it is masked where it stands in a document.
fn masked_whole(plan: &Rc<Plan>, text: &str) -> String {
    let document = serde_json::to_string(&[text]).unwrap();
    let mut masker = DocumentMasker::new(Rc::clone(plan), u64::MAX);
    let mut out = Vec::new();
    masker.push(document.as_bytes(), &mut out).unwrap();
    masker.finish(&mut out).unwrap();
    let [text]: [String; 1] = serde_json::from_slice(&out).unwrap();
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Each text of a stream comes out as it would from a document, whatever the deltas and the chunks
    /// are, and the events are the same but for their texts.
    #[test]
    fn a_stream_shows_what_a_document_would(
        texts in proptest::collection::vec(text(), 1..4),
        lengths in proptest::collection::vec(1usize..12, 1..8),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 1..40),
        chunks in proptest::collection::vec(1usize..80, 1..8),
    ) {
        let mut deltas: Vec<std::collections::VecDeque<String>> =
            texts.iter().map(|text| pieces(text, &lengths).into()).collect();
        let mut events = Vec::new();
        let mut order = order.iter().cycle();
        while deltas.iter().any(|pieces| !pieces.is_empty()) {
            let open: Vec<usize> = (0..deltas.len()).filter(|&at| !deltas[at].is_empty()).collect();
            let choice = *order.next().unwrap().get(&open);
            let piece = deltas[choice].pop_front().unwrap();
            events.push(chat(choice, &piece));
        }
        // More than the bound would have to hide what waits.
        prop_assume!(events.len() <= 64);
        let stream = events.concat();
        let plan = plan(&[detect()]);
        let mut rest = stream.as_bytes();
        let mut parts = Vec::new();
        for length in chunks.iter().cycle() {
            if rest.is_empty() { break; }
            let (part, later) = rest.split_at((*length).min(rest.len()));
            parts.push(part);
            rest = later;
        }
        let (result, early, late, report) = mask_chunks(Framing::Events, &plan, parts);
        prop_assert_eq!(result, Ok(()));
        let out = early + &late;
        for (choice, text) in texts.iter().enumerate() {
            prop_assert_eq!(content_of(&out, choice as u64), masked_whole(&plan, text));
        }
        prop_assert_eq!(out.matches("\n\n").count(), events.len());
        let (_, early, late, again) = mask_chunks(Framing::Events, &plan, [stream.as_bytes()]);
        prop_assert_eq!(early + &late, out);
        prop_assert_eq!(again, report);
    }

    /// Whatever the bytes are, where they are cut makes no difference.
    #[test]
    fn any_bytes_come_out_the_same_however_they_are_cut(
        parts in proptest::collection::vec(prop_oneof![
            Just("data: "), Just("data:"), Just("\n"), Just("\r"), Just("\r\n"), Just(": "),
            Just("{\"choices\":[{\"delta\":{\"content\":\"maria@\"}}]}"),
            Just("{\"choices\":[{\"delta\":{\"content\":\"example.org\"}}]}"),
            Just("{\"a\":"), Just("}"), Just("maria@"), Just("example.org"), Just("[DONE]"), Just("\u{feff}"),
        ], 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = parts.concat();
        for framing in [Framing::Events, Framing::Lines] {
            let plan = plan(&[detect()]);
            let whole = mask_chunks(framing, &plan, [stream.as_bytes()]);
            prop_assert_eq!(&mask_chunks(framing, &plan, stream.as_bytes().chunks(1)), &whole);
            if !stream.is_empty() {
                let at = cut.index(stream.len());
                let (left, right) = stream.as_bytes().split_at(at);
                prop_assert_eq!(&mask_chunks(framing, &plan, [left, right]), &whole);
            }
        }
    }
}
