//! Every diagnostic by example: `diagnostics.md` holds policies and all that is found in them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;

use policy_compiler::{Code, Diagnostics, Options, compile};

const EXAMPLES: &str = include_str!("diagnostics.md");

/// 2026-01-01, so that an expiry in 2020 has passed.
const NOW: u64 = 1_767_225_600;

/// What stands before an example, by the word after `yaml`.
fn frame(name: &str) -> &'static str {
    match name {
        "policy" => "",
        "spec" => {
            "apiVersion: tracegate.dev/v1alpha1\nkind: TracePolicy\n\
             metadata: {name: test, revision: 1}\nspec:\n"
        }
        "connection" => {
            "apiVersion: tracegate.dev/v1alpha1\nkind: TracePolicy\n\
             metadata: {name: test, revision: 1}\nspec:\n  connections:\n  - name: api\n    \
             hosts: [api.example]\n    allowMissing: true\n"
        }
        "mask" => {
            "apiVersion: tracegate.dev/v1alpha1\nkind: TracePolicy\n\
             metadata: {name: test, revision: 1}\nspec:\n  connections:\n  - name: api\n    \
             hosts: [api.example]\n    allowMissing: true\n    \
             rules: [{name: ok, action: ALLOW, to: [{operation: {paths: [\"/\"]}}]}]\n"
        }
        other => unreachable_frame(other),
    }
}

#[allow(clippy::panic, reason = "a test fails by panicking")]
fn unreachable_frame(name: &str) -> &'static str {
    panic!("there is no frame `{name}`")
}

fn findings(policy: &str) -> Diagnostics {
    let options = Options {
        now: Some(NOW),
        ..Options::default()
    };
    match compile(policy, "policy.yaml", &options) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    }
}

/// One line per finding, with lines counted from the start of the example.
fn listed(policy: &str, frame_lines: usize) -> String {
    let found = findings(policy);
    let mut out = String::new();
    for diagnostic in &found {
        let (start, end) = found.positions(diagnostic);
        let line = |line: usize| line.saturating_sub(frame_lines);
        writeln!(
            out,
            "{}:{}-{}:{} {} {}\n    {}",
            line(start.line),
            start.column,
            line(end.line),
            end.column,
            diagnostic.code,
            diagnostic.message,
            diagnostic.help.as_deref().unwrap_or("(no help)")
        )
        .unwrap();
    }
    out
}

/// The examples with what is found in each.
fn with_findings(examples: &str) -> String {
    let mut out = String::new();
    let mut rest = examples;
    while let Some((before, after)) = rest.split_once("```yaml ") {
        let (name, after) = after.split_once('\n').unwrap();
        let (policy, after) = after.split_once("```\n").unwrap();
        let frame = frame(name);
        let whole = format!("{frame}{policy}").replace('⇥', "\t");
        let found = listed(&whole, frame.lines().count());
        write!(
            out,
            "{before}```yaml {name}\n{policy}```\n\n```text\n{found}```\n"
        )
        .unwrap();
        rest = match after.strip_prefix("\n```text\n") {
            Some(recorded) => recorded.split_once("```\n").unwrap().1,
            None => after,
        };
    }
    out + rest
}

#[test]
fn every_example_has_exactly_the_findings_that_stand_below_it() {
    let actual = with_findings(EXAMPLES);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/diagnostics.md");
        std::fs::write(path, &actual).unwrap();
        return;
    }
    for (line, (expected, actual)) in EXAMPLES.lines().zip(actual.lines()).enumerate() {
        assert_eq!(actual, expected, "diagnostics.md line {}", line + 1);
    }
    assert_eq!(actual, EXAMPLES);
}

#[test]
fn every_code_has_an_example_here_or_among_the_limits() {
    let limits = [
        Code::SourceSize,
        Code::TooMany,
        Code::LargeBundle,
        Code::BundleLimit,
    ];
    for code in Code::ALL {
        let here = EXAMPLES.contains(&format!(" {code} "));
        assert_ne!(here, limits.contains(code), "{code}");
    }
}

#[test]
fn errors_and_almost_all_warnings_say_what_to_do() {
    assert!(
        !EXAMPLES.contains("(no help)"),
        "a diagnostic lacks a help text"
    );
}

// === Limits ===

/// The codes that are found in a policy with this connection.
fn codes(connection: &str) -> Vec<Code> {
    let policy = format!("{}{connection}", frame("connection"));
    findings(&policy)
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

fn rules(count: usize) -> String {
    let rule = |index| {
        format!(
            "    - {{name: r{index}, action: ALLOW, to: [{{operation: {{methods: [GET]}}}}]}}\n"
        )
    };
    format!("    rules:\n{}", (0..count).map(rule).collect::<String>())
}

#[test]
fn a_policy_of_more_than_a_mebibyte_is_not_read() {
    assert_eq!(codes(&"#".repeat(1024 * 1024)), [Code::SourceSize]);
}

#[test]
fn a_list_that_no_bundle_can_hold_is_refused_where_it_stands() {
    assert_eq!(codes(&rules(256)), []);
    assert_eq!(codes(&rules(257)), [Code::TooMany]);
}

/// A connection whose rules hold about `bytes` bytes of values.
fn large(bytes: usize) -> String {
    let value = format!("\"{}\"", "x".repeat(1000));
    let values = vec![value; 200].join(", ");
    let rule = |index| {
        format!(
            "    - {{name: r{index}, action: ALLOW, when: [{{key: request.auth.presenter, \
             values: [{values}]}}]}}\n"
        )
    };
    format!(
        "    rules:\n{}",
        (0..bytes / 200_000).map(rule).collect::<String>()
    )
}

#[test]
fn a_large_bundle_is_warned_about_and_one_too_large_refused() {
    assert_eq!(codes(&large(200_000)), []);
    assert_eq!(codes(&large(400_000)), [Code::LargeBundle]);
    assert_eq!(codes(&large(600_000)), [Code::BundleLimit]);
}

/// A connection whose bundle has exactly that many bytes.
fn bundle_of(bytes: usize) -> String {
    let padded = |length: usize| {
        let value = "x".repeat(length);
        let rule = format!(
            "    - {{name: padding, action: ALLOW, when: [{{key: request.auth.presenter, \
             values: [{value}]}}]}}\n"
        );
        large(bytes / 200_000 * 200_000 - 200_000) + &rule
    };
    let size = |connection: &str| {
        let policy = format!("{}{connection}", frame("connection"));
        let compiled = compile(&policy, "policy.yaml", &Options::default()).unwrap();
        compiled.bundle.to_bytes().len()
    };
    let connection = padded(bytes - size(&padded(1)) + 1);
    if bytes <= 512 * 1024 {
        assert_eq!(size(&connection), bytes);
    }
    connection
}

#[test]
fn two_hundred_and_fifty_six_kibibytes_are_not_too_large_and_five_hundred_and_twelve_not_too_many()
{
    const KIB: usize = 1024;
    assert_eq!(codes(&bundle_of(256 * KIB)), []);
    assert_eq!(codes(&bundle_of(256 * KIB + 1)), [Code::LargeBundle]);
    assert_eq!(codes(&bundle_of(512 * KIB)), [Code::LargeBundle]);
    assert_eq!(codes(&bundle_of(512 * KIB + 1)), [Code::BundleLimit]);
}
