//! Rules on text that detectors find.

use super::*;

#[test]
fn a_rule_that_finds_nothing_changes_nothing() {
    let rules = [detect(&["email"], &[], redact())];
    let body = r#"{"a":["no \u0061ddress", 12, true]}"#;
    assert_eq!(mask(&rules, body), body);
}
