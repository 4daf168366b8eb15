//! No policy makes the compiler panic, and what it accepts the filter reads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use policy_compiler::{Options, compile};
use proptest::prelude::*;
use tracegate_bundle::Bundle;

const POLICY: &str = include_str!("policies/reasoning.yaml");

/// Texts that mean something in YAML, in paths, in patterns or in the language.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    "\0",
    "-",
    ":",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "#",
    "&a",
    "*a",
    "!t",
    "|",
    ">",
    "*",
    "**",
    "{*}",
    "{**}",
    "$",
    "$.",
    "..",
    "[-1]",
    "[?",
    "\\",
    "\\u",
    "é",
    "\u{202e}",
    "no",
    "~",
    "0",
    "-1",
    "99999999999999999999",
    "1h",
    "deny",
    "APPROVE",
    "shadow",
    "hosts",
    "mask",
    "detect",
    "[email]",
    "{pattern: \"(a|b)+\", name: x}",
    "request.body[$",
    "---\n",
    "\r\n",
    "\u{feff}",
];

/// The compiler's answer to a policy keeps its promises.
fn check(policy: &str) -> Result<(), TestCaseError> {
    match compile(policy, "policy.yaml", &Options::default()) {
        Ok(compiled) => {
            prop_assert!(!compiled.warnings.has_errors());
            let bytes = compiled.bundle.to_bytes();
            prop_assert_eq!(Bundle::from_bytes(&bytes), Ok(compiled.bundle));
        }
        Err(diagnostics) => {
            prop_assert!(diagnostics.has_errors());
            for diagnostic in &diagnostics {
                let span = diagnostic.label.span;
                prop_assert!(
                    policy.get(span.start..span.end).is_some(),
                    "{:?}",
                    diagnostic
                );
            }
            prop_assert!(!diagnostics.to_string().is_empty());
            let lines = diagnostics.to_json();
            prop_assert_eq!(lines.lines().count(), diagnostics.len());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_policy_with_pieces_exchanged_is_compiled_or_refused(
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, prop::sample::select(PIECES)),
            1..6,
        ),
    ) {
        let mut policy: Vec<char> = POLICY.chars().collect();
        for (at, length, piece) in edits {
            let at = at.index(policy.len() + 1);
            let end = (at + length).min(policy.len());
            policy.splice(at..end, piece.chars());
        }
        check(&policy.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_policy_with_lines_exchanged_is_compiled_or_refused(
        swaps in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            1..4,
        ),
    ) {
        let mut lines: Vec<&str> = POLICY.lines().collect();
        for (one, other) in swaps {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn any_text_is_refused(text in ".{0,200}") {
        prop_assert!(compile(&text, "policy.yaml", &Options::default()).is_err());
        check(&text)?;
    }
}
