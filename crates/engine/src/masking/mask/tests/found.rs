//! Rules on text that detectors find.

use super::*;

fn emails(action: MaskAction) -> [MaskRule; 1] {
    [detect(&["email"], &[], action)]
}

#[test]
fn what_is_found_in_a_string_is_replaced_and_the_rest_stays_byte_identical() {
    assert_eq!(
        mask(
            &emails(redact()),
            r#"{"t":"\u00e9\/ bob@example.com\n\u0041lice\u0040example.com, \ud83d\ude00"}"#
        ),
        r#"{"t":"\u00e9\/ [EMAIL]\n[EMAIL], \ud83d\ude00"}"#
    );
}

#[test]
fn a_body_in_which_nothing_is_found_passes_byte_identical() {
    let body = r#"{"t":["no \u0061ddress at all @ here", "", 12.50, true], "n" : null}"#;
    let all: Vec<&str> = built_in_names().collect();
    assert_eq!(mask(&[detect(&all, &[], redact())], body), body);
}

#[test]
fn every_built_in_secret_is_hidden_at_every_cut() {
    let all: Vec<&str> = built_in_names().collect();
    let rules = [detect(&all, &[], redact_with("#"))];
    for secret in [
        "bob@example.com",
        "4111 1111 1111 1111",
        "DE89370400440532013000",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    ] {
        // That the output is the same at every cut shows that no part of it went out early.
        assert_eq!(
            mask(&rules, &format!("[\"<{secret}>\",\"{secret}\"]")),
            "[\"<#>\",\"#\"]"
        );
    }
}

#[test]
fn a_number_in_which_something_is_found_becomes_a_string() {
    let cards = |action| [detect(&["credit-card"], &[], action)];
    let body = r#"{"pan":4111111111111111,"n":[4111111111111112]}"#;
    assert_eq!(
        mask(&cards(redact_with("#")), body),
        r##"{"pan":"#","n":[4111111111111112]}"##
    );
    assert_eq!(
        mask(&cards(partial(0, 4)), body),
        r#"{"pan":"************1111","n":[4111111111111112]}"#
    );
    assert_eq!(mask(&cards(redact_with("#")), "4111111111111111"), "\"#\"");
}

#[test]
fn a_number_in_which_something_is_found_can_stay_a_number() {
    let rules = [keeping_types(detect(&["credit-card"], &[], partial(0, 4)))];
    assert_eq!(
        mask(
            &rules,
            r#"{"pan":4111111111111111,"s":"4111111111111111","n":[4111111111111112]}"#
        ),
        r#"{"pan":0,"s":"************1111","n":[4111111111111112]}"#
    );
    assert_eq!(mask(&rules, "4111111111111111"), "0");
}

#[test]
fn names_are_masked_too_and_stay_apart() {
    let body = r#"{"bob@example.com":1,"\u0062ob@example.com":2,"al@example.com":{"x":3}}"#;
    assert_eq!(
        mask(&emails(redact()), body),
        r#"{"[EMAIL]#1":1,"[EMAIL]#2":2,"[EMAIL]#3":{"x":3}}"#
    );
    let (bob, al) = (
        hash("email", b"bob@example.com"),
        hash("email", b"al@example.com"),
    );
    assert_eq!(
        mask(&emails(MaskAction::Hash), body),
        format!(r#"{{"{bob}":1,"{bob}":2,"{al}":{{"x":3}}}}"#)
    );
}

#[test]
fn a_masked_name_appears_masked_on_the_report() {
    let rules = [
        detect(&["email"], &["$.never"], redact()),
        fields(&["$..ssn"], redact()),
    ];
    let body = r#"{"bob@example.com":{"ssn":1},"al@example.com":{"ssn":2}}"#;
    let entry = (
        "$['[EMAIL]'].ssn".to_owned(),
        "field".to_owned(),
        ActionKind::Redact,
        2,
    );
    assert_eq!(report(&rules, body), [entry]);
}

#[test]
fn a_match_is_shown_in_part_or_hashed_inside_its_string() {
    let body = r#"["to bob@example.com now"]"#;
    assert_eq!(
        mask(&emails(partial(1, 4)), body),
        r#"["to b**********.com now"]"#
    );
    let expected = hash("email", b"bob@example.com");
    assert_eq!(
        mask(&emails(MaskAction::Hash), body),
        format!(r#"["to {expected} now"]"#)
    );
    assert_ne!(hash("email", b"x"), hash("field", b"x"));
}

#[test]
fn what_is_shown_of_a_match_is_escaped() {
    let rules = [detect(&["private-key"], &[], partial(28, 0))];
    let key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCMIIEvQIB";
    assert_eq!(
        mask(&rules, &format!("[\"{key}\"]")),
        format!("[\"-----BEGIN PRIVATE KEY-----\\u000a{}\"]", "*".repeat(40))
    );
}

#[test]
fn within_means_at_or_below_its_paths() {
    let rules = [detect(&["email"], &["$..content", "$.at[1]"], redact())];
    assert_eq!(
        mask(
            &rules,
            r#"{"a":"a@b.co","content":["a@b.co",{"k":"a@b.co","a@b.co":1}],"at":["a@b.co","a@b.co"]}"#
        ),
        r#"{"a":"a@b.co","content":["[EMAIL]",{"k":"[EMAIL]","[EMAIL]#1":1}],"at":["a@b.co","[EMAIL]"]}"#
    );
}

#[test]
fn fields_beat_detectors_and_the_first_rule_that_runs_a_detector_decides() {
    let body = r#"{"a":"a@b.co","b":"a@b.co"}"#;
    let rules = [
        detect(&["email"], &[], redact_with("first")),
        detect(&["email", "ipv4"], &[], redact_with("second")),
        fields(&["$.a"], redact_with("field")),
    ];
    assert_eq!(mask(&rules, body), r#"{"a":"field","b":"first"}"#);
    assert_eq!(mask(&rules, r#"["10.0.0.1"]"#), r#"["second"]"#);
}

#[test]
fn a_string_of_any_length_needs_no_memory() {
    let all: Vec<&str> = built_in_names().collect();
    let plan = plan(&[detect(&all, &[], redact())]);
    let mut masker = DocumentMasker::new(plan, u64::MAX);
    let mut out = Vec::new();
    masker.push(b"{\"a\":\"", &mut out).unwrap();
    let mut sent = 0;
    for _ in 0..200 {
        let piece = "sk-aaaa.bbbb@cccc 1234 5678 \\u0041eyJhbGciOi".repeat(40);
        sent += piece.len();
        masker.push(piece.as_bytes(), &mut out).unwrap();
        assert!(
            out.len() + 64 * 1024 > sent,
            "{} of {sent} bytes went out",
            out.len()
        );
    }
}

#[test]
fn a_long_secret_is_swallowed_as_it_comes() {
    let rules = [detect(&["private-key"], &[], redact())];
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\\n".repeat(500)
    );
    let masked = mask(&rules, &format!("[\"a {key} b\"]"));
    assert!(
        masked.starts_with("[\"a [") && masked.len() < 100,
        "{masked}"
    );
    // The end of the key never comes; it stays hidden.
    let open = format!("[\"a {}\"]", key.split("\\n-----END").next().unwrap());
    let masked = mask(&rules, &open);
    assert!(!masked.contains("MIIE"), "{masked}");
}
