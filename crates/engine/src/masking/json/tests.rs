use proptest::prelude::*;
use std::ops::Range;

use super::*;

/// Every event as a line; neighbouring pieces of text are one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace(Vec<Event>);

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Open(Container, u64),
    Close(u64),
    Comma(u64),
    Key(Vec<u8>, Range<u64>),
    StringStart(u64),
    Text(Vec<u8>, Range<u64>),
    StringEnd(u64),
    Scalar(Vec<u8>, Range<u64>),
}

impl Sink for Trace {
    fn open(&mut self, container: Container, at: u64) {
        self.0.push(Event::Open(container, at));
    }
    fn close(&mut self, end: u64) {
        self.0.push(Event::Close(end));
    }
    fn comma(&mut self, at: u64) {
        self.0.push(Event::Comma(at));
    }
    fn key(&mut self, name: &[u8], raw: Range<u64>) {
        self.0.push(Event::Key(name.to_vec(), raw));
    }
    fn string_start(&mut self, at: u64) {
        self.0.push(Event::StringStart(at));
    }
    fn text(&mut self, decoded: &[u8], raw: Range<u64>) {
        assert!(std::str::from_utf8(decoded).is_ok(), "whole characters");
        if let Some(Event::Text(text, range)) = self.0.last_mut() {
            assert_eq!(range.end, raw.start);
            text.extend_from_slice(decoded);
            range.end = raw.end;
        } else {
            self.0.push(Event::Text(decoded.to_vec(), raw));
        }
    }
    fn string_end(&mut self, end: u64) {
        self.0.push(Event::StringEnd(end));
    }
    fn scalar(&mut self, text: &[u8], raw: Range<u64>) {
        self.0.push(Event::Scalar(text.to_vec(), raw));
    }
}

type Outcome = (Result<(), JsonError>, u64, Option<u64>, Trace);

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut tokenizer = Tokenizer::default();
    let mut trace = Trace::default();
    let pushed = chunks
        .into_iter()
        .try_for_each(|chunk| tokenizer.push(chunk, &mut trace));
    let place = (tokenizer.offset(), tokenizer.unfinished());
    let result = pushed.and_then(|()| tokenizer.finish(&mut trace));
    (result, place.0, place.1, trace)
}

/// Reads `body` whole, byte by byte and at every single cut; all must agree.
fn read_every_way(body: &[u8]) -> Result<(), JsonError> {
    let whole = read([body]);
    let name = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    // The place of an error inside a long name or number depends on what was looked at together.
    let same = |other: Outcome, cut: &str| {
        assert_eq!(other.0, whole.0, "{name} {cut}");
        assert_eq!(other.3, whole.3, "{name} {cut}");
        assert_eq!(
            other.2.unwrap_or(other.1),
            whole.2.unwrap_or(whole.1),
            "{name} {cut}"
        );
    };
    same(read(body.chunks(1)), "byte by byte");
    if body.len() < 200 {
        for cut in 1..body.len() {
            let (left, right) = body.split_at(cut);
            same(read([left, right]), &format!("cut at {cut}"));
        }
    }
    whole.0
}

const ACCEPTED: &[&[u8]] = &[
    b"{}",
    b"[]",
    b" [ ] ",
    b"\t{\r\n}\n",
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"42",
    b"-12.5e+10",
    b"0.5",
    b"1E400",
    b"1e-7",
    b"123456789012345678901234567890",
    b"\"\"",
    b"\"plain\"",
    b"[1,2,3]",
    b"[null,true,false,0]",
    b"[[[[]]],{}]",
    b"{\"a\":1,\"b\":[{}],\"a\":2}",
    b"{\"\":0}",
    b"{\"a\" : { \"b\" :\n\"c\" } , \"d\":[ 1 , 2 ] }",
    br#""\"\\\/\b\f\n\r\t""#,
    br#""\u0041\u00e9\u20AC""#,
    br#""\ud83d\ude00""#,
    br#""\uD834\uDd1e x""#,
    br#"{"\u0061b":1,"a\u0062":2,"\ud83d\ude00":3}"#,
    "\"\u{e9}\u{20ac}\u{1f600}\"".as_bytes(),
    "{\"\u{e9}\":\"\u{7ff}\u{800}\u{ffff}\u{10ffff}\"}".as_bytes(),
    b"\"\x7f\"",
    b"\"eight by\"",
    b"\"eight byt\"",
    b"\"seven b\\u0020ytes then more\"",
    // Surrogates without their other half: tolerated as RFC 8259 §8.2 allows.
    br#""\ud800""#,
    br#""\udc00""#,
    br#""\ud800\ud800\udc00""#,
    br#""\ud800\n""#,
    br#""\ud800x""#,
    br#""\ude00\ud83d""#,
    br#"{"\ud800":1,"\ud800a":2,"\ud800\u0061":3,"\udc00":4}"#,
    "\"\\ud83d\u{e9}\"".as_bytes(),
    br#""\u0000""#,
    b"\xef\xbb\xbf{}",
    b"\xef\xbb\xbf 1 ",
];

const REFUSED: &[&[u8]] = &[
    b"]",
    b"}",
    b",",
    b":",
    b"[1,]",
    b"[,1]",
    b"[1 2]",
    b"[1,,2]",
    b"[}",
    b"{]",
    b"[1}",
    b"{\"a\":1]",
    b"{\"a\"}",
    b"{\"a\":}",
    b"{\"a\":1,}",
    b"{\"a\":1,,\"b\":2}",
    b"{\"a\" 1}",
    b"{\"a\"::1}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b"{,}",
    b"{\"a\":1 \"b\":2}",
    b"'a'",
    b"nul ",
    b"nulL",
    b"True",
    b"truex",
    b"nulll",
    b"[tru]",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"+1",
    b"01",
    b"-01",
    b"- 1",
    b"-a",
    b"[-]",
    b".5",
    b"[1.]",
    b"[1.e5]",
    b"[1e]",
    b"[1e+]",
    b"[1e5.5]",
    b"[1.5.5]",
    b"[0x10]",
    b"[1_000]",
    b"1 2",
    b"1,",
    b"{}{}",
    b"[] x",
    b"\"a\"b",
    b"// c\n1",
    b"[1] /* c */",
    b"\"\n\"",
    b"\"\t\"",
    b"\"\x00\"",
    b"\"\x1f\"",
    br#""\x""#,
    br#""\'""#,
    br#""\u12g4""#,
    br#""\u+123""#,
    br#""\U0041""#,
    br#""\ud83d\x""#,
    b"\"\\u00\xc3\xa9\"",
    b"\"\x80\"",
    b"\"\xbf\xbf\"",
    b"\"\xc3\"",
    b"\"\xc3\x28\"",
    b"\"\xc0\xaf\"",
    b"\"\xc1\xbf\"",
    b"\"\xe0\x80\xaf\"",
    b"\"\xe2\x82\"",
    b"\"\xe2\x28\xa1\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xf0\x80\x80\x80\"",
    b"\"\xf0\x9f\x98\"",
    b"\"\xf0\x9f\x98x\"",
    b"\"\xf4\x90\x80\x80\"",
    b"\"\xf5\x80\x80\x80\"",
    b"\"\xff\"",
    b"{\"\xc3\":1}",
    b"\"long enough for words \xc3 and on\"",
    b"[\xc3\xa9]",
    b"\xc2\xa01",
    b"\x0c1",
    b"\xef\xbb{}",
    b"\xef{}",
    b"{}\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbf1",
    b"\xfe\xff\x00[\x00]",
    b"[\x00]",
];

const TRUNCATED: &[&[u8]] = &[
    b"",
    b" \n",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b"[",
    b"[1",
    b"[1,",
    b"[[]",
    b"{",
    b"{\"a",
    b"{\"a\"",
    b"{\"a\":",
    b"{\"a\":1",
    b"{\"a\":1,",
    b"\"",
    b"\"a",
    b"\"\\",
    b"\"\\u00",
    b"\"\\ud83d",
    b"\"\\ud83d\\",
    b"\"\xc3",
    b"\"\xe2\x82",
    b"-",
    b"1.",
    b"1e",
    b"1e+",
    b"tru",
    b"n",
];

#[test]
fn what_rfc_8259_allows_is_accepted_however_it_is_cut() {
    for body in ACCEPTED {
        let name = String::from_utf8_lossy(body);
        assert_eq!(read_every_way(body), Ok(()), "{name}");
    }
}

#[test]
fn what_rfc_8259_does_not_allow_is_refused_however_it_is_cut() {
    for body in REFUSED {
        let name = String::from_utf8_lossy(body);
        assert_eq!(read_every_way(body), Err(JsonError::Syntax), "{name}");
    }
}

#[test]
fn a_document_without_its_end_is_truncated() {
    for body in TRUNCATED {
        let name = String::from_utf8_lossy(body);
        assert_eq!(read_every_way(body), Err(JsonError::Truncated), "{name}");
    }
}

#[test]
fn tokens_arrive_decoded_with_their_place_in_the_body() {
    let (result, _, _, trace) = read([br#"{"\u0061":["x\ud83d\ude00",-1.5]}"# as &[u8]]);
    assert_eq!(result, Ok(()));
    let expected = [
        Event::Open(Container::Object, 0),
        Event::Key(b"a".to_vec(), 1..9),
        Event::Open(Container::Array, 10),
        Event::StringStart(11),
        Event::Text("x\u{1f600}".into(), 12..25),
        Event::StringEnd(26),
        Event::Comma(26),
        Event::Scalar(b"-1.5".to_vec(), 27..31),
        Event::Close(32),
        Event::Close(33),
    ];
    assert_eq!(trace.0, expected);
}

#[test]
fn a_surrogate_without_its_other_half_reads_as_the_replacement_character() {
    let (_, _, _, trace) = read([br#""\ud800\ud800\udc00\udc00""# as &[u8]]);
    assert_eq!(
        trace.0.get(1),
        Some(&Event::Text("\u{fffd}\u{10000}\u{fffd}".into(), 1..25))
    );
}

#[test]
fn nesting_is_bounded() {
    let nest = |open: &str, close: &str, depth: usize| {
        read_every_way(format!("{}0{}", open.repeat(depth), close.repeat(depth)).as_bytes())
    };
    assert_eq!(nest("[", "]", MAX_DEPTH), Ok(()));
    assert_eq!(nest("{\"k\":", "}", MAX_DEPTH), Ok(()));
    assert_eq!(nest("[", "]", MAX_DEPTH + 1), Err(JsonError::Limit));
    assert_eq!(nest("{\"k\":", "}", 100_000), Err(JsonError::Limit));
}

#[test]
fn every_level_remembers_which_bracket_closes_it() {
    let body = format!("{}1{}", "[{\"a\":".repeat(200), "}]".repeat(200));
    assert_eq!(read_every_way(body.as_bytes()), Ok(()));
    let wrong = format!("{}1{}]", "[{\"a\":".repeat(200), "}]".repeat(100));
    assert_eq!(read_every_way(wrong.as_bytes()), Err(JsonError::Syntax));
}

#[test]
fn names_numbers_and_gaps_are_bounded_and_strings_are_not() {
    let name = |length| read_every_way(format!("{{\"{}\":1}}", "k".repeat(length)).as_bytes());
    assert_eq!(name(MAX_TOKEN), Ok(()));
    assert_eq!(name(MAX_TOKEN + 1), Err(JsonError::Limit));
    let escaped = |length| read_every_way(format!("{{\"{}\":1}}", "\\n".repeat(length)).as_bytes());
    assert_eq!(escaped(MAX_TOKEN), Ok(()));
    assert_eq!(escaped(MAX_TOKEN + 1), Err(JsonError::Limit));
    let number = |length| read_every_way("1".repeat(length).as_bytes());
    assert_eq!(number(MAX_TOKEN), Ok(()));
    assert_eq!(number(MAX_TOKEN + 1), Err(JsonError::Limit));
    let gap = |length| read_every_way(format!("[{}]", " ".repeat(length)).as_bytes());
    assert_eq!(gap(MAX_GAP), Ok(()));
    assert_eq!(gap(MAX_GAP + 1), Err(JsonError::Limit));
    let long = format!("{}\"{}\"", " ".repeat(MAX_GAP * 2), "s".repeat(1 << 20));
    assert_eq!(read_every_way(long.as_bytes()), Ok(()));
}

#[test]
fn a_limit_and_an_error_behind_it_are_told_apart_the_same_way_however_it_is_cut() {
    let body = format!("{{\"{}\x01\":1}}", "k".repeat(MAX_TOKEN + 10));
    assert_eq!(read_every_way(body.as_bytes()), Err(JsonError::Limit));
    let body = format!("{{\"{}\x01\":1}}", "k".repeat(MAX_TOKEN));
    assert_eq!(read_every_way(body.as_bytes()), Err(JsonError::Syntax));
    let body = format!("[{}x]", "1".repeat(MAX_TOKEN + 10));
    assert_eq!(read_every_way(body.as_bytes()), Err(JsonError::Limit));
}

#[test]
fn an_error_stays() {
    let mut tokenizer = Tokenizer::default();
    let mut trace = Trace::default();
    assert_eq!(tokenizer.push(b"[1,]", &mut trace), Err(JsonError::Syntax));
    assert_eq!(tokenizer.push(b"[]", &mut trace), Err(JsonError::Syntax));
    assert_eq!(tokenizer.finish(&mut trace), Err(JsonError::Syntax));
}

/// What `serde_json` makes of a document; it checks neither UTF-8 nor surrogates when it ignores.
fn serde_accepts(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// Texts that are JSON or nearly so.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"a\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "00e9",
        "\\n",
        "\u{e9}",
        "\u{1f600}",
        "0",
        "-",
        "1",
        ".",
        "e",
        "E",
        "+",
        "true",
        "false",
        "null",
        "tru",
        " ",
        "\n",
        "\u{1}",
        "\"k\":",
        "[1]",
        "{\"a\":{}}",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn serde_json_accepts_the_same_documents(body in nearly_json()) {
        prop_assert_eq!(read_every_way(&body).is_ok(), serde_accepts(&body));
    }

    #[test]
    fn serde_json_accepts_the_same_bytes(body in prop::collection::vec(any::<u8>(), 0..8)) {
        let quoted = [b"[\"", &body[..], b"\"]"].concat();
        prop_assert_eq!(read_every_way(&body).is_ok(), serde_accepts(&body));
        prop_assert_eq!(read_every_way(&quoted).is_ok(), serde_accepts(&quoted));
    }
}
