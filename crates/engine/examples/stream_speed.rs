//! How fast streams are masked: `cargo run --release -p tracegate-engine --example stream_speed`.
//!
//! Prints MB/s of the best of several runs over events of a chat completion and of the Responses API,
//! in chunks as a socket would give them and event by event, with the time per event and how much is
//! held back.

#![allow(clippy::print_stdout, reason = "a measurement is there to be printed")]

use std::rc::Rc;
use std::time::Instant;

use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget, Path, Selector, Step};
use tracegate_engine::masking::detect::Detectors;
use tracegate_engine::masking::{BodyMasker, Format, Plan};

fn main() {
    let words = words();
    let chat: Vec<String> = words.iter().map(|word| chat(word)).collect();
    let responses: Vec<String> = words.iter().map(|word| responses(word)).collect();
    for (name, events) in [("chat completions", chat), ("responses", responses)] {
        let bytes: usize = events.iter().map(String::len).sum();
        println!(
            "{name}: {} events of {} bytes",
            events.len(),
            bytes / events.len().max(1)
        );
        run("  all detectors", &[detect()], &events);
        run("  5 paths", &[fields()], &events);
        run("  5 paths, all detectors", &[fields(), detect()], &events);
    }
}

fn run(name: &str, rules: &[MaskRule], events: &[String]) {
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    let Ok(set) = detectors(&choices) else {
        return println!("{name}: the detectors cannot be built");
    };
    let Ok(plan) = Plan::new(rules, Rc::new(Detectors::new(set)), None) else {
        return println!("{name}: the rules cannot be run");
    };
    let plan = Rc::new(plan);
    let all = events.concat();
    let socket = best(&plan, &all.as_bytes().chunks(16 * 1024).collect::<Vec<_>>());
    let alone: Vec<&[u8]> = events.iter().map(|event| event.as_bytes()).collect();
    let single = best(&plan, &alone);
    let mb = all.len() as f64 / 1e6;
    println!(
        "{name:26} {:5.0} MB/s, event by event {:5.0} MB/s, {:4.0} ns an event, most held {} bytes",
        mb / socket,
        mb / single,
        single * 1e9 / events.len() as f64,
        most_held(&plan, &alone),
    );
}

fn best(plan: &Rc<Plan>, chunks: &[&[u8]]) -> f64 {
    let mut best = f64::MAX;
    let mut out = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let mut masker = BodyMasker::new(Format::Events, Rc::clone(plan), u64::MAX);
        for chunk in chunks {
            out.clear();
            if masker.push(chunk, &mut out).is_err() {
                return f64::NAN;
            }
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// How many bytes wait at most, after an event.
fn most_held(plan: &Rc<Plan>, events: &[&[u8]]) -> usize {
    let mut masker = BodyMasker::new(Format::Events, Rc::clone(plan), u64::MAX);
    let (mut read, mut most) = (0usize, 0);
    let mut out = Vec::new();
    for event in events {
        read += event.len();
        if masker.push(event, &mut out).is_err() {
            return usize::MAX;
        }
        most = most.max(read.saturating_sub(out.len()));
    }
    most
}

fn chat(word: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\
         \"created\":1741570283,\"model\":\"o-large-2026-10-01\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_50cad350e4\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\
         \"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

fn responses(word: &str) -> String {
    format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\
         \"sequence_number\":17,\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654\",\
         \"output_index\":0,\"content_index\":0,\"delta\":\"{word}\",\"logprobs\":[],\"obfuscation\":\"w3kTqPLxE\"}}\n\n"
    )
}

/// Prose in pieces as an engine writes them, with now and then something to hide.
fn words() -> Vec<String> {
    let text = "The quarterly figures show that revenue grew by 12.5% while costs stayed flat. \
        She said that we should ship it on Friday, and nobody objected. It was late, the caf\u{e9} had \
        closed, and the 3 of them walked home along the river. Settings, then Network, then restart. ";
    let text = text.repeat(40) + "Write to alice.smith@example.com, card 4111 1111 1111 1111. ";
    let mut words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
    let more = words.clone();
    words.extend(more);
    words
}

fn fields() -> MaskRule {
    let named = |descendant, name: &str| Step {
        descendant,
        selectors: vec![Selector::Name(name.to_owned())],
    };
    let any = || Step {
        descendant: false,
        selectors: vec![Selector::Wildcard],
    };
    let message = |last: &str| {
        vec![
            named(false, "choices"),
            any(),
            named(false, "message"),
            named(false, last),
        ]
    };
    let summary = vec![
        named(false, "output"),
        any(),
        named(false, "summary"),
        any(),
        named(false, "text"),
    ];
    let paths = [
        message("reasoning_content"),
        message("refusal"),
        summary,
        vec![named(true, "ssn")],
        vec![named(true, "metadata"), named(false, "user")],
    ];
    let path = |steps| Path {
        text: String::new(),
        steps,
    };
    let target = MaskTarget::Fields(paths.map(path).into());
    MaskRule::new(target, MaskAction::Redact(None))
}

fn detect() -> MaskRule {
    let target = MaskTarget::Detect {
        detectors: u64::MAX >> (64 - detector_count()),
        within: Vec::new(),
    };
    MaskRule::new(target, MaskAction::Redact(None))
}

fn detector_count() -> usize {
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    detectors(&choices).map_or(1, |set| set.detectors.len())
}
