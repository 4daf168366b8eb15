//! How fast bodies are masked: `cargo run --release -p tracegate-engine --example masking_speed [which]`.
//!
//! Prints MB/s of the best of several runs over chat completions of about 2 MB, in chunks of 16 KiB.

#![allow(clippy::print_stdout, reason = "a measurement is there to be printed")]

use std::rc::Rc;
use std::time::Instant;

use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget, Path, Selector, Step};
use tracegate_engine::masking::detect::Detectors;
use tracegate_engine::masking::{BodyMasker, Format, Plan};

const CHUNK: usize = 16 * 1024;

/// What a policy might ask for.
const SOME: [&str; 24] = [
    "email",
    "phone",
    "credit-card",
    "iban",
    "us-ssn",
    "uk-nino",
    "de-tax-id",
    "fr-nir",
    "ipv4",
    "ipv6",
    "jwt",
    "bearer-token",
    "basic-auth",
    "url-credentials",
    "private-key",
    "aws-access-key",
    "azure-key",
    "google-api-key",
    "github-token",
    "gitlab-token",
    "npm-token",
    "openai-key",
    "anthropic-key",
    "slack-token",
];

fn main() {
    let body = body();
    println!("{:.1} MB of chat completions", body.len() as f64 / 1e6);
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    let Ok(set) = detectors(&choices) else {
        return println!("the detectors cannot be built");
    };
    let every = set
        .detectors
        .iter()
        .fold(0, |bits, detector| bits | set.named(&detector.name));
    let some = SOME.iter().fold(0, |bits, name| bits | set.named(name));
    let set = Rc::new(Detectors::new(set));
    let run = |name: &str, rules: &[MaskRule]| self::run(name, &set, rules, &body);
    run("no rule", &[]);
    run("5 paths", &paths());
    run("24 detectors", &[detectors_in(some, &[])]);
    run(
        &format!("{} detectors", choices.len()),
        &[detectors_in(every, &[])],
    );
    let with_paths: Vec<_> = paths()
        .into_iter()
        .chain([detectors_in(some, &[])])
        .collect();
    run("5 paths, 24 detectors", &with_paths);
    let content = Step {
        descendant: true,
        selectors: vec![Selector::Name("content".to_owned())],
    };
    let within = [path("$..content", vec![content])];
    run("24 detectors in $..content", &[detectors_in(some, &within)]);
    let run = |name: &str, body: &str| self::run(name, &set, &with_paths, body);
    let one_line = body.replace('\n', "");
    let arguments = one_line.replace('\\', "\\\\").replace('"', "\\\"");
    run("all in one string", &format!("\"{arguments}\""));
    run(
        "texts in brackets",
        &repeated("\"[Open] the settings of the network.\""),
    );
    run("brackets", &repeated("\"[\""));
    run("nested brackets", &repeated("\"[\\\"[\\\\\\\"[\""));
}

/// A list of about 2 MB.
fn repeated(element: &str) -> String {
    let count = 2_000_000 / (element.len() + 1);
    format!("[{}]", vec![element; count].join(","))
}

fn run(name: &str, set: &Rc<Detectors>, rules: &[MaskRule], body: &str) {
    if std::env::args().nth(1).is_some_and(|only| only != name) {
        return;
    }
    let Ok(plan) = Plan::new(rules, Rc::clone(set), None) else {
        return println!("{name}: the rules cannot be run");
    };
    let plan = Rc::new(plan);
    let mut best = f64::MAX;
    let mut found = 0;
    let mut out = Vec::with_capacity(body.len() * 2);
    for _ in 0..40 {
        out.clear();
        let start = Instant::now();
        let mut masker = BodyMasker::new(Format::Document, Rc::clone(&plan), u64::MAX);
        for chunk in body.as_bytes().chunks(CHUNK) {
            if let Err(error) = masker.push(chunk, &mut out) {
                return println!("{name}: {error}");
            }
        }
        if let Err(error) = masker.finish(&mut out) {
            return println!("{name}: {error}");
        }
        best = best.min(start.elapsed().as_secs_f64());
        found = masker
            .report()
            .entries
            .iter()
            .map(|entry| entry.count)
            .sum();
    }
    let speed = body.len() as f64 / 1e6 / best;
    println!("{name:28} {speed:6.0} MB/s, {found} values hidden");
}

fn path(text: &str, steps: Vec<Step>) -> Path {
    Path {
        text: text.to_owned(),
        steps,
    }
}

fn paths() -> Vec<MaskRule> {
    let named = |descendant, name: &str| Step {
        descendant,
        selectors: vec![Selector::Name(name.to_owned())],
    };
    let any = || Step {
        descendant: false,
        selectors: vec![Selector::Wildcard],
    };
    let paths = vec![
        path("$..email", vec![named(true, "email")]),
        path(
            "$.*.card.pan",
            vec![any(), named(false, "card"), named(false, "pan")],
        ),
        path("$..ssn", vec![named(true, "ssn")]),
        path(
            "$[*].choices[*].message.reasoning_content",
            vec![
                any(),
                named(false, "choices"),
                any(),
                named(false, "message"),
                named(false, "reasoning_content"),
            ],
        ),
        path(
            "$..metadata.user",
            vec![named(true, "metadata"), named(false, "user")],
        ),
    ];
    vec![MaskRule::new(
        MaskTarget::Fields(paths),
        MaskAction::Redact(None),
    )]
}

fn detectors_in(detectors: u64, within: &[Path]) -> MaskRule {
    let target = MaskTarget::Detect {
        detectors,
        within: within.to_vec(),
    };
    MaskRule::new(target, MaskAction::Redact(None))
}

/// Prose with line breaks, quotes and code, and now and then something to hide.
fn body() -> String {
    let sentences = [
        "The quarterly figures show that revenue grew by 12.5% while costs stayed flat.",
        "Here is a function that does what you asked for:\\n```python\\ndef add(a, b):\\n    return a + b\\n```\\n",
        "She said \\\"we should ship it on Friday\\\", and nobody objected.",
        "Please write to alice.smith@example.com if anything is unclear.",
        "It was late, the caf\u{e9} had closed, and the 3 of them walked home along the river.",
        "1. Open the settings.\\n2. Choose *Network*.\\n3. Restart the service.\\n",
        "The card 4111 1111 1111 1111 was declined at 14:05 from 10.20.30.40.",
    ];
    let mut seed = 42u32;
    let mut next = |bound: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % bound
    };
    let completions = (0..1000).map(|number| {
        let content: Vec<&str> = (0..20)
            .filter_map(|_| sentences.get(next(sentences.len() as u32) as usize).copied())
            .collect();
        format!(
            "{{\"id\":\"chatcmpl-{number:08x}\",\"object\":\"chat.completion\",\"created\":17630000{number},\
             \"model\":\"o-large-2026-10-01\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{}\",\"reasoning_content\":\"{}\",\"refusal\":null,\"annotations\":[]}},\
             \"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":{},\
             \"completion_tokens\":{},\"total_tokens\":999,\"completion_tokens_details\":{{\"reasoning_tokens\":64,\
             \"audio_tokens\":0}}}},\"metadata\":{{\"user\":\"u-{number}\",\"tier\":\"default\"}},\
             \"system_fingerprint\":\"fp_{number:010x}\"}}",
            content.join(" "),
            content.first().copied().unwrap_or_default(),
            next(4000),
            next(4000),
        )
    });
    format!("[{}]", completions.collect::<Vec<_>>().join(",\n"))
}
