//! The masking of bodies: where a body is cut makes no difference.

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::IgnoredAny;
use tracegate_engine::masking::detect::Detectors;
use tracegate_engine::masking::{BodyMasker, Format, MaskError, Plan, Report};

use super::fixture;
use super::mutate::Random;

/// Values that the policy hides wherever they stand in a `content`.
const EMAIL: &str = "maria.jensen@example.org";

/// Bodies to start from; their first byte decides what they are and how they are cut.
pub fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"choices":[{"message":{"content":"write to maria.jensen@example.org, card 4111 1111 1111 1111","reasoning_content":"the customer is angry"}}],"usage":[1,2,3,4,5],"debug":{"password":"x"}}"#,
        r#"[{"content":"\u006daria.jensen@example.org \ud83d\ude00 \\ \" GB82WEST12345698765432 AKIAIOSFODNN7EXAMPLE"},1.5e-3,true,null,{"a":{"password":["deep",{"password":1}]}}]"#,
        r#" {"content" : "4111-1111-1111-1111 a@b.example" , "x":-0 , "debug":1}  "#,
        "\"content\"",
        r#"{"content":"{\"a\":[\"maria.jensen\\u0040example.org\",4111111111111111],\"password\":{\"b\":\"{\\\"password\\\":1}\"}} x"}"#,
    ];
    let texts = [
        "write to maria.jensen@example.org,\r\ncard 4111\u{a0}1111\u{202f}1111 1111 \u{200b}\u{ff20}",
        "<p title='a@b.example'>maria&#46;jensen&commat;example.org &lt;4111&#x20;1111 1111 1111&gt</p>",
    ];
    let streams = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"maria.jensen@ex\"}}]}\r\n\r\n: ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"ample.org \"},\"index\":0}]}\n\ndata: [DONE]\n\n",
        "event: x\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"4111\",\ndata: \"password\":[1]}\n\n",
    ];
    let lines = [
        "{\"message\":{\"content\":\"maria.jensen@ex\"}}\n\n{\"message\":{\"content\":\"ample.org \"},\"done\":true,\"context\":[1]}\n",
    ];
    let documents = bodies.iter().map(|body| (0, body));
    let streams = streams.iter().map(|stream| (EVENTS, stream));
    let lines = lines.iter().map(|stream| (LINES, stream));
    let texts = texts.iter().flat_map(|text| [(TEXT, text), (MARKUP, text)]);
    documents
        .chain(texts)
        .chain(streams)
        .chain(lines)
        .flat_map(|(kind, body)| (0..3u8).map(move |cut| [&[kind | cut], body.as_bytes()].concat()))
        .collect()
}

/// Set in the first byte of a seed that is text, markup, events or lines.
const TEXT: u8 = 0x80;
const MARKUP: u8 = 0xc0;
const EVENTS: u8 = 0x40;
const LINES: u8 = 0x60;

fn format(seed: u8) -> Format {
    match seed & (MARKUP | LINES) {
        bits if bits & MARKUP == MARKUP => Format::Markup,
        bits if bits & TEXT == TEXT => Format::Text,
        LINES => Format::Lines,
        EVENTS => Format::Events,
        _ => Format::Document,
    }
}

/// One piece, pieces of any length and single bytes give the same bytes, the same report and the
/// same verdict. What passes was JSON and is JSON, and hides what the policy hides.
pub fn run(data: &[u8]) {
    let Some((&seed, body)) = data.split_first() else {
        return;
    };
    let format = format(seed);
    let whole = mask(format, body, &mut |rest| rest);
    let mut random = Random::new(seed.into());
    let pieces = mask(format, body, &mut |rest| 1 + random.below(rest.min(40)));
    let bytes = mask(format, body, &mut |_| 1);
    assert_same(&whole, &pieces);
    assert_same(&whole, &bytes);
    if let Ok((masked, _)) = &whole
        && !format.has_paths()
    {
        let masked = std::str::from_utf8(masked).expect("text stays UTF-8");
        assert!(!masked.split_whitespace().any(|word| word == EMAIL));
    } else if let (Ok((masked, _)), Format::Document) = (&whole, format) {
        assert!(is_json(body), "what passes was not JSON");
        assert!(is_json(masked), "what passes is no longer JSON");
        // Escapes of half a surrogate pair are JSON, but no string of Rust.
        if let Ok(value) = serde_json::from_slice(masked) {
            assert_hidden(&value, "");
        }
    }
}

/// A reader may ignore a byte order mark (RFC 8259 §8.1); this one does not by itself.
fn is_json(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

type Masked = Result<(Vec<u8>, Report), MaskError>;

fn assert_same(one: &Masked, other: &Masked) {
    match (one, other) {
        (Ok((bytes, report)), Ok((other_bytes, other_report))) => {
            assert_eq!(
                bytes.escape_ascii().to_string(),
                other_bytes.escape_ascii().to_string()
            );
            assert_eq!(report, other_report);
        }
        _ => assert_eq!(one.as_ref().err(), other.as_ref().err()),
    }
}

/// Masks `body` in pieces whose length `cut` decides from the length of what is left.
fn mask(format: Format, body: &[u8], cut: &mut dyn FnMut(usize) -> usize) -> Masked {
    let mut masker = BodyMasker::new(format, plan(), u64::MAX);
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(cut(rest.len()).min(rest.len()));
        masker.push(piece, &mut out)?;
        rest = later;
    }
    masker.finish(&mut out)?;
    Ok((out, masker.report().clone()))
}

fn plan() -> Rc<Plan> {
    thread_local! {
        static PLAN: RefCell<Option<Rc<Plan>>> = const { RefCell::new(None) };
    }
    PLAN.with_borrow_mut(|plan| Rc::clone(plan.get_or_insert_with(new_plan)))
}

fn new_plan() -> Rc<Plan> {
    let bundle = fixture::bundle();
    let detectors = Rc::new(Detectors::new(bundle.detectors.clone()));
    let masks = &bundle.connections[0].masks;
    Rc::new(Plan::new(masks, detectors, None).expect("the policy of the fixture can be run"))
}

fn assert_hidden(value: &serde_json::Value, name: &str) {
    match value {
        serde_json::Value::String(text) => {
            assert!(name != "password" || text == "[REDACTED]");
            assert!(name != "content" || !text.split_whitespace().any(|word| word == EMAIL));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| assert_hidden(item, "")),
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                assert_hidden(member, name);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_of_the_seeds_pass_and_something_in_them_is_hidden() {
        let hidden = |seed: &Vec<u8>| {
            let format = format(seed[0]);
            let (_, report) = mask(format, &seed[1..], &mut |rest| rest).expect("the seed passes");
            report.entries.len()
        };
        assert!(seeds().iter().map(hidden).sum::<usize>() > 10);
    }
}
