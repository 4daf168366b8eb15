//! Every example of every built-in detector, through the automaton and the scanner that run in the
//! proxy, whole and cut in two at every place; and the page of the documentation that shows them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::path::Path;

use policy_compiler::automata::{BuiltIn, DetectorChoice, Form, built_ins, detectors};
use tracegate_bundle::policy::{Boundary, Overlong, Validator};
use tracegate_engine::masking::detect::{Detectors, Found, Scanner};

fn all_detectors() -> Detectors {
    let choices: Vec<_> = built_ins()
        .iter()
        .map(|built_in| DetectorChoice::BuiltIn(&built_in.name))
        .collect();
    Detectors::new(detectors(&choices).unwrap())
}

/// Scans `text` in two pieces and gives what was found, as text.
fn scan_in_two(
    scanner: &mut Scanner,
    detectors: &Detectors,
    active: u64,
    text: &str,
    cut: usize,
) -> Vec<String> {
    let mut found: Vec<Found> = Vec::new();
    let (one, two) = text.as_bytes().split_at(cut);
    scanner.push(detectors, active, one, &mut found);
    scanner.push(detectors, active, two, &mut found);
    scanner.finish(detectors, active, &mut found);
    assert!(
        found.iter().all(|found| !found.open),
        "an example is longer than `maxLength`: {text}"
    );
    let slice = |found: &Found| &text.as_bytes()[found.start as usize..found.end as usize];
    found
        .iter()
        .map(|found| String::from_utf8_lossy(slice(found)).into_owned())
        .collect()
}

#[test]
fn every_file_is_read() {
    assert_eq!(
        built_ins().len(),
        38,
        "a file under policy-compiler/detectors does not parse"
    );
}

#[test]
fn every_example_is_found_or_ignored_wherever_the_text_is_cut() {
    let detectors = all_detectors();
    let mut scanner = Scanner::new();
    for built_in in built_ins() {
        let name = &built_in.name;
        let active = detectors.set().named(name);
        for example in &built_in.finds {
            let text = &example.text;
            let hit = example.hit.as_ref().unwrap_or(text);
            for cut in 0..=text.len() {
                let found = scan_in_two(&mut scanner, &detectors, active, text, cut);
                assert_eq!(found.first(), Some(hit), "{name} in {text:?} cut at {cut}");
            }
        }
        for text in &built_in.ignores {
            for cut in 0..=text.len() {
                let found = scan_in_two(&mut scanner, &detectors, active, text, cut);
                assert!(
                    found.is_empty(),
                    "{name} in {text:?} cut at {cut}: {found:?}"
                );
            }
        }
    }
}

fn begins_anywhere(built_in: &BuiltIn) -> bool {
    // What is found by looking back takes in what stands before it.
    let anywhere =
        |form: &Form| form.left == Boundary::Any && form.lead.is_none() && form.prelude.is_empty();
    built_in.forms.iter().all(anywhere)
}

#[test]
fn secrets_are_found_right_behind_an_underscore_a_letter_or_a_digit() {
    let detectors = all_detectors();
    let mut scanner = Scanner::new();
    let secrets = || {
        built_ins()
            .iter()
            .filter(|built_in| begins_anywhere(built_in))
    };
    for built_in in secrets() {
        let active = detectors.set().named(&built_in.name);
        for example in &built_in.finds {
            let hit = example.hit.as_ref().unwrap_or(&example.text);
            for before in ["TOKEN_", "x", "9", "-", "=", "\""] {
                let text = format!("{before}{hit}");
                let found = scan_in_two(&mut scanner, &detectors, active, &text, 0);
                assert_eq!(found.first(), Some(hit), "{} in {text:?}", built_in.name);
            }
        }
    }
    assert!(secrets().count() >= 13);
}

#[test]
fn a_key_goes_by_one_name_only() {
    let detectors = all_detectors();
    for name in ["openai-key", "anthropic-key"] {
        let built_in = built_ins()
            .iter()
            .find(|built_in| built_in.name == name)
            .unwrap();
        for example in &built_in.finds {
            let mut found = Vec::new();
            Scanner::new().scan(&detectors, u64::MAX, example.text.as_bytes(), &mut found);
            let names: Vec<_> = found
                .iter()
                .map(|found| &detectors.set().detectors[usize::from(found.detector)].name)
                .collect();
            assert_eq!(names, [name], "{}", example.text);
        }
    }
}

#[test]
fn every_detector_is_documented_with_examples_and_limits() {
    for built_in in built_ins() {
        let name = &built_in.name;
        assert!(
            built_in.finds.len() >= 2 && built_in.ignores.len() >= 2,
            "{name}"
        );
        assert!(!built_in.limits.is_empty(), "{name}");
        assert!(built_in.summary.ends_with('.'), "{name}");
        let token: String = name.to_uppercase().replace('-', "_");
        assert_eq!(built_in.token, format!("[{token}]"));
    }
}

// === The page ===

fn boundary(boundary: Boundary) -> &'static str {
    match boundary {
        Boundary::Any => "any character",
        Boundary::NotAlphanumeric => "no letter or digit, no decimal point",
        Boundary::NotDigit => "no digit, no decimal point",
    }
}

fn check(validator: Validator) -> &'static str {
    match validator {
        Validator::None => "none beyond the pattern",
        Validator::Email => "labels and domain of RFC 1035 lengths, a top-level domain of letters",
        Validator::PaymentCard => "an issuer's range and length, Luhn (ISO/IEC 7812-1)",
        Validator::Iban => "length of the country, remainder 1 modulo 97 (ISO 13616)",
        Validator::UsSsn => "no area 000, 666 or 9xx, no group 00, no serial 0000",
        Validator::Phone => {
            "8 to 15 digits after `+`, 9 to 12 after a trunk 0, one kind of separator"
        }
        Validator::Ipv4 => {
            "octets to 255 without leading zeros, no `N.0.0.0`, no word for a version before"
        }
        Validator::UkNino => "a prefix that is in use",
        Validator::BrCpf => "not all digits the same, two check digits modulo 11",
        Validator::InAadhaar => "check digit of Verhoeff",
        Validator::DeTaxId => {
            "one of the first ten digits twice or thrice, check digit of ISO/IEC 7064 MOD 11,10"
        }
        Validator::FrNir => "a month that there is, key modulo 97",
        Validator::EsDni => "the letter is the number modulo 23",
        Validator::ItCodiceFiscale => "six letters first, check character modulo 26",
        Validator::Ipv6 => "an address of RFC 4291 with a digit and at least two groups",
        Validator::Bitcoin => "checksum of Base58Check, Bech32 or Bech32m",
        Validator::BasicAuth => "Base64 of text with a colon",
        Validator::NlBsn => "the eleven test",
        Validator::Passport => "a letter first, five digits at least",
        Validator::Date => {
            "a day and a month that there are, a year from 1800 to 2099 or of two digits"
        }
        Validator::BarePhone => "7 to 15 digits that are no date",
        Validator::HighEntropy => {
            "16 characters at least, letters and digits, 3 bits of entropy in each of hexadecimal digits, 3.5 else"
        }
        Validator::Jwt => "the header is a JSON object in Base64url",
    }
}

/// Text as an inline code span; line breaks are shown as `⏎`.
fn code(text: &str) -> String {
    let text = text.replace('\n', "⏎");
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

/// How one way of writing is found.
fn form(page: &mut String, form: &Form) {
    let lead = form.lead.as_ref().map_or_else(String::new, |lead| {
        format!("1 to {} of {}, then ", lead.max, code(&lead.class))
    });
    let _ = writeln!(page, "- Pattern: {lead}{}", code(&form.pattern));
    if !form.prelude.is_empty() {
        let prelude = code(&form.prelude);
        let _ = writeln!(page, "  - Shown: what it begins with of {prelude}");
    }
    let _ = match form.context_score {
        Some(with) => writeln!(
            page,
            "  - Score: {}, behind a word of context {with}",
            form.score
        ),
        None => writeln!(page, "  - Score: {}", form.score),
    };
    let _ = writeln!(
        page,
        "  - Before it: {}; after it: {}",
        boundary(form.left),
        boundary(form.right)
    );
    let overlong = match form.overlong {
        Overlong::Release => "what is longer is no match",
        Overlong::Mask => "what is longer is masked to its end",
    };
    let _ = writeln!(
        page,
        "  - Length: {} to {} bytes; {overlong}",
        form.min_length, form.max_length
    );
    let _ = writeln!(page, "  - Check: {}", check(form.validator));
}

fn section(page: &mut String, built_in: &BuiltIn) {
    let BuiltIn {
        name,
        summary,
        token,
        ..
    } = built_in;
    let _ = writeln!(page, "\n## {name}\n\n{summary}\n");
    let _ = writeln!(page, "- Token: `{token}`");
    if !built_in.context.is_empty() {
        let words: Vec<_> = built_in.context.iter().map(|word| code(word)).collect();
        let _ = writeln!(page, "- Words of context: {}", words.join(", "));
    }
    for form in &built_in.forms {
        self::form(page, form);
    }
    let _ = writeln!(page, "\nFinds:\n");
    for example in &built_in.finds {
        let text = code(&example.text);
        let _ = match &example.hit {
            Some(hit) => writeln!(page, "- {} in {text}", code(hit)),
            None => writeln!(page, "- {text}"),
        };
    }
    let _ = writeln!(page, "\nLeaves alone:\n");
    for text in &built_in.ignores {
        let _ = writeln!(page, "- {}", code(text));
    }
    let _ = writeln!(page, "\nLimits:\n");
    for limit in &built_in.limits {
        let _ = writeln!(page, "- {limit}");
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Detectors\n\n\
         <!-- Written by `UPDATE_DOCS=1 cargo test -p policy-compiler --test catalogue`\n\
         from the files in `policy-compiler/detectors/`. Edit those. -->\n\n\
         A mask rule names detectors in `detect`. Each looks for text of one kind in decoded JSON strings and\n\
         in numbers, wherever the body is cut. All examples below are tests.\n\n\
         | name | token | finds |\n|---|---|---|\n",
    );
    for BuiltIn {
        name,
        token,
        summary,
        ..
    } in built_ins()
    {
        let _ = writeln!(page, "| [{name}](#{name}) | `{token}` | {summary} |");
    }
    page.push_str(
        "\n## How certain\n\n\
         Each way of writing has a *score* from 0 to 1: how certain it is that a match is what the detector looks\n\
         for, guessed from its form and its check. A rule asks for at least `minScore`, 0.5 if it does not say. Some\n\
         detectors have *words of context*, with which a match is more certain: a word counts if it begins in the 64\n\
         bytes before the match, in the same text, or stands in the name of the member that holds the text (also of a\n\
         list that holds it). It counts as a whole, in any case of letters, with or without a plural `s`; a part of\n\
         `camelCase` or `snake_case` is whole. What stands behind a match is never asked, because it would have to be\n\
         waited for.\n\n\
         ```yaml\n\
         mask:\n\
         - detect:\n  \
           - email\n  \
           - {detector: phone, minScore: 0.7}          # only behind a word such as `call`\n  \
           - {detector: passport, minScore: 0.1}       # every number that could be one\n  \
           ignore: [\"noreply@example.com\", {pattern: '[a-z]+@status\\.example'}]\n\
         ```\n\n\
         `ignore` shows matches that are exactly such a text, or that the pattern matches as a whole. A match that\n\
         lies within one that is ignored is shown too; case of letters counts.\n\n\
         ## On a text of your own\n\n\
         ```console\n\
         $ policy-compiler detect < text                                  # all detectors, score 0.5\n\
         $ policy-compiler detect --detector phone,email --min-score 0.3 --show letters.txt\n\
         {\"start\":17,\"end\":27,\"detector\":\"phone\",\"score\":0.3,\"text\":\"5551234567\"}\n\
         ```\n\n\
         It prints one JSON object per match and line, with byte offsets; the value only with `--show`. Each detector\n\
         looks for itself, so matches may overlap. With `--lines` each line is a text of its own. Exit code 1 means\n\
         that something was found. How well the detectors do on texts that we made up is in\n\
         [detectors-measured.md](detectors-measured.md).\n\n\
         ## What all have in common\n\n\
         Matches that overlap are masked as one, under the name of the one that begins first. The built-in\n\
         detectors match ASCII: digits and letters of other scripts are not found, and any other character is a neighbour\n\
         like a space.\n\n\
         A detector of your own is a `pattern`. It is searched for everywhere, without regard to what stands\n\
         beside it; anchors and word boundaries are refused. A match of a pattern without a bound that grows\n\
         past `maxLength` (1024 bytes if not given) is masked as it comes, to its end, even where the pattern\n\
         would still have had to see its last characters.\n",
    );
    for built_in in built_ins() {
        section(&mut page, built_in);
    }
    page
}

#[test]
fn the_page_of_the_documentation_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detectors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/detectors.md is stale; run UPDATE_DOCS=1 cargo test -p policy-compiler --test catalogue"
    );
}
