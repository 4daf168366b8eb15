//! Rules on fields, bounds and errors.

use super::*;

#[test]
fn a_body_without_a_match_passes_byte_identical() {
    let body =
        "\u{feff} {\"a\" : [1.50, \"\\u0041\\/\\ud83d\\ude00\u{e9}\", null ,{}],\r\n\"a\":1E5 } ";
    let rules = [
        fields(&["$.b", "$..c"], redact()),
        fields(&["$.a.x"], MaskAction::Drop),
    ];
    assert_eq!(mask(&rules, body), body);
    assert_eq!(report(&rules, body), []);
}

#[test]
fn a_field_is_replaced_whatever_it_holds() {
    let rules = [fields(&["$.s"], redact())];
    for value in [
        "\"x\"",
        "\"\"",
        "\"\\u0000\"",
        "-1.5e3",
        "true",
        "null",
        "[1,[2]]",
        "{\"s\":{}}",
    ] {
        assert_eq!(
            mask(&rules, &format!("{{\"r\":0, \"s\" : {value} , \"t\":1}}")),
            "{\"r\":0, \"s\" : \"[REDACTED]\" , \"t\":1}"
        );
    }
}

#[test]
fn the_root_can_be_replaced() {
    for value in ["\"x\"", " 12 ", "[1,{\"a\":2}]"] {
        assert_eq!(
            mask(&[fields(&["$"], redact())], value).trim(),
            "\"[REDACTED]\""
        );
        assert_eq!(
            mask(&[fields(&["$"], MaskAction::Drop)], value).trim(),
            "null"
        );
    }
}

#[test]
fn every_duplicate_and_every_spelling_of_a_name_is_hidden() {
    let rules = [fields(&["$..ssn"], redact())];
    assert_eq!(
        mask(
            &rules,
            r#"{"ssn":1,"\u0073sn":2,"a":[{"s\u0073n":3}],"SSN":4}"#
        ),
        r#"{"ssn":"[REDACTED]","\u0073sn":"[REDACTED]","a":[{"s\u0073n":"[REDACTED]"}],"SSN":4}"#
    );
}

#[test]
fn the_authors_text_is_escaped() {
    let rules = [fields(&["$.a"], redact_with("\"\\\n<gone>\u{e9}"))];
    assert_eq!(
        mask(&rules, r#"{"a":1}"#),
        "{\"a\":\"\\\"\\\\\\u000a<gone>\u{e9}\"}"
    );
}

#[test]
fn a_field_is_shown_in_part() {
    let rules = [fields(&["$.a"], partial(2, 4))];
    let masked = |value: &str| mask(&rules, &format!("{{\"a\":{value}}}"));
    assert_eq!(
        masked("\"4111111111111111\""),
        "{\"a\":\"41**********1111\"}"
    );
    assert_eq!(masked("4111111111111111"), "{\"a\":\"41**********1111\"}");
    assert_eq!(masked("\"12345678901\""), "{\"a\":\"***********\"}");
    assert_eq!(
        masked(r#""\u0022\u00e9xxxxxx\n\ud83d\ude00yz""#),
        "{\"a\":\"\\\"\u{e9}******\\u000a\u{1f600}yz\"}"
    );
    assert_eq!(masked("true"), "{\"a\":\"[REDACTED]\"}");
    assert_eq!(masked("[\"4111111111111111\"]"), "{\"a\":\"[REDACTED]\"}");
}

#[test]
fn a_hash_is_keyed_stable_and_of_the_decoded_value() {
    let rules = [fields(&["$[*].a"], MaskAction::Hash)];
    let expected = hash("field", b"A1");
    assert_eq!(
        mask(&rules, r#"[{"a":"A1"},{"a":"\u0041\u0031"}]"#),
        format!(r#"[{{"a":"{expected}"}},{{"a":"{expected}"}}]"#)
    );
    let number = hash("field", b"42");
    assert_eq!(
        mask(&rules, r#"[{"a":42},{"a":"42"}]"#),
        format!(r#"[{{"a":"{number}"}},{{"a":"{number}"}}]"#)
    );
    let object = hash("field", br#"{ "b": [1, "\u0041"] }"#);
    assert_eq!(
        mask(&rules, r#"[{"a":{ "b": [1, "\u0041"] }}]"#),
        format!(r#"[{{"a":"{object}"}}]"#)
    );
}

#[test]
fn a_hash_names_its_key_so_that_nobody_joins_hashes_of_two_keys() {
    let rules = [fields(&["$"], MaskAction::Hash)];
    let under = |key: &[u8]| {
        let plan = Rc::new(Plan::new(&rules, all_detectors(), Some(key.into())).unwrap());
        let (result, out, _) = mask_chunks(&plan, u64::MAX, [&b"\"v\""[..]]);
        assert_eq!(result, Ok(()));
        out
    };
    assert_eq!(
        under(b"old"),
        format!("\"{}\"", hash_under(b"old", "field", b"v"))
    );
    let id = |out: &str| out.split(':').nth(1).unwrap().to_owned();
    assert_ne!(id(&under(b"old")), id(&under(b"new")));
}

#[test]
fn null_takes_the_place_of_any_value() {
    let rules = [fields(&["$.s", "$[0]", "$[1]"], MaskAction::Nullify)];
    for value in [
        "\"x\"",
        "\"\"",
        "-1.5e3",
        "true",
        "null",
        "[1,[2]]",
        "{\"s\":{}}",
    ] {
        assert_eq!(
            mask(&rules, &format!("{{\"r\":0, \"s\" : {value} , \"s\":1}}")),
            "{\"r\":0, \"s\" : null , \"s\":null}"
        );
    }
    assert_eq!(mask(&rules, "[1,\"a\"]"), "[null,null]");
    assert_eq!(
        mask(&[fields(&["$"], MaskAction::Nullify)], " [1] "),
        " null "
    );
}

#[test]
fn a_hidden_value_can_keep_its_type() {
    for (action, string) in [
        (redact(), "\"[REDACTED]\"".to_owned()),
        (partial(0, 1), "\"***t\"".to_owned()),
        (MaskAction::Hash, format!("\"{}\"", hash("field", b"text"))),
    ] {
        let rules = [keeping_types(fields(&["$.*"], action))];
        assert_eq!(
            mask(
                &rules,
                r#"{"a":"text","b":-12.5e3,"c":true,"d":false,"e":null,"f":{"x":[1]},"g":[{"y":2}]}"#
            ),
            format!(r#"{{"a":{string},"b":0,"c":false,"d":false,"e":null,"f":{{}},"g":[]}}"#)
        );
    }
}

#[test]
fn a_dropped_member_takes_its_comma_with_it() {
    let rules = [fields(&["$..d"], MaskAction::Drop)];
    for (body, expected) in [
        (r#"{"d":1}"#, "{}"),
        (r#"{"d":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"a":2,"d":1}"#, r#"{"a":2}"#),
        (r#"{"a":2,"d":1,"b":3}"#, r#"{"a":2,"b":3}"#),
        (r#"{"d":1,"d":{"a":[1,{"d":2}]},"d":"x"}"#, "{}"),
        (r#"{"d":1,"a":{"d":1},"d":3}"#, r#"{"a":{}}"#),
        (
            r#"{"d":1,"d":2,"a":3,"d":4,"d":5,"b":6,"d":7}"#,
            r#"{"a":3,"b":6}"#,
        ),
        ("{ \"d\" : 1 , \"a\" : 2 }", "{   \"a\" : 2 }"),
        ("{\n \"a\" : 2 ,\n \"d\" : 1\n}", "{\n \"a\" : 2 \n}"),
        (r#"[{"d":[]},{"d":{}}]"#, "[{},{}]"),
    ] {
        assert_eq!(mask(&rules, body), expected);
    }
}

#[test]
fn a_dropped_element_takes_its_comma_with_it() {
    let element = |index: u64| {
        mask(
            &[fields(&[&format!("$[{index}]")], MaskAction::Drop)],
            "[0,[1],2]",
        )
    };
    assert_eq!(element(0), "[[1],2]");
    assert_eq!(element(1), "[0,2]");
    assert_eq!(element(2), "[0,[1]]");
    let rules = [fields(&["$..*"], MaskAction::Drop)];
    assert_eq!(
        mask(&rules, "[ 0 , [1] , {\"a\":2} ]").replace(' ', ""),
        "[]"
    );
    assert_eq!(mask(&rules, "{\"a\":2,\"b\":[]}"), "{}");
}

#[test]
fn the_first_rule_of_the_policy_counts() {
    let body = r#"{"a":"secret"}"#;
    let first = fields(&["$.a"], redact_with("first"));
    let second = fields(&["$..a"], MaskAction::Drop);
    assert_eq!(
        mask(&[first.clone(), second.clone()], body),
        r#"{"a":"first"}"#
    );
    assert_eq!(mask(&[second, first], body), "{}");
}

#[test]
fn what_lies_in_a_hidden_value_is_not_looked_at_but_must_be_json() {
    let rules = [
        fields(&["$.a"], redact()),
        fields(&["$..b"], MaskAction::Drop),
    ];
    assert_eq!(
        mask(&rules, r#"{"a":{"b":1},"b":2}"#),
        r#"{"a":"[REDACTED]"}"#
    );
    let (result, out, _) = mask_every_way(&rules, r#"{"x":1,"a":{"b":01}}"#);
    assert_eq!(result, Err(MaskError::Syntax));
    assert_eq!(out, r#"{"x":1,"a":"[REDACTED]"#);
}

#[test]
fn a_rule_that_is_not_active_hides_nothing() {
    let plan = plan(&[
        fields(&["$.a"], redact()),
        fields(&["$.b"], MaskAction::Drop),
    ]);
    let body = br#"{"a":1,"b":2}"#;
    let masked = |active| mask_chunks(&plan, active, [&body[..]]).1;
    assert_eq!(masked(0b11), r#"{"a":"[REDACTED]"}"#);
    assert_eq!(masked(0b01), r#"{"a":"[REDACTED]","b":2}"#);
    assert_eq!(masked(0b10), r#"{"a":1}"#);
    assert_eq!(masked(0b00), r#"{"a":1,"b":2}"#);
}

#[test]
fn a_document_cut_short_ends_with_an_error_and_without_what_was_held() {
    let rules = [fields(&["$.a"], MaskAction::Drop)];
    let (result, out, _) = mask_every_way(&rules, r#"{"b":1,"a"#);
    assert_eq!(result, Err(MaskError::Truncated));
    assert_eq!(out, r#"{"b":1"#);
}

#[test]
fn an_error_lets_nothing_more_out() {
    let plan = plan(&[fields(&["$.a"], redact())]);
    let mut masker = DocumentMasker::new(plan, u64::MAX);
    let mut out = Vec::new();
    assert_eq!(masker.push(b"[1,]", &mut out), Err(MaskError::Syntax));
    let before = out.clone();
    assert_eq!(masker.push(b"2", &mut out), Err(MaskError::Syntax));
    assert_eq!(masker.finish(&mut out), Err(MaskError::Syntax));
    assert_eq!(out, before);
}

#[test]
fn what_is_held_back_is_bounded() {
    let plan = plan(&[fields(&["$..d"], MaskAction::Drop)]);
    let mut masker = DocumentMasker::new(plan, u64::MAX);
    let mut out = Vec::new();
    masker.push(b"[[1", &mut out).unwrap();
    for _ in 0..64 {
        masker.push(&[b' '; 512], &mut out).unwrap();
    }
    masker.push(b",", &mut out).unwrap();
    let refused = (0..1000).find_map(|_| masker.push(&[b' '; 512], &mut out).err());
    assert_eq!(refused, Some(MaskError::Limit));
}

#[test]
fn a_report_names_paths_and_counts_and_no_values() {
    let rules = [
        fields(&["$..content"], redact()),
        fields(&["$..gone"], MaskAction::Drop),
    ];
    let body = r#"{"choices":[{"content":"a"},{"content":"b","gone":1}],"it's":[[{"gone":[1]}]]}"#;
    let entry = |path: &str, action, count| (path.to_owned(), "field".to_owned(), action, count);
    assert_eq!(
        report(&rules, body),
        [
            entry("$.choices[*].content", ActionKind::Redact, 2),
            entry("$.choices[*].gone", ActionKind::Drop, 1),
            entry("$['it\\'s'][*][*].gone", ActionKind::Drop, 1),
        ]
    );
}

#[test]
fn a_report_is_bounded_and_still_counts_everything() {
    let members: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":{{\"s\":1}}")).collect();
    let body = format!("{{{}}}", members.join(","));
    let (_, _, report) = mask_every_way(&[fields(&["$..s"], redact())], &body);
    assert!(report.truncated);
    assert_eq!(report.entries.len(), 33);
    assert_eq!(report.entries.last().unwrap().path, "$..*");
    assert_eq!(
        report.entries.iter().map(|entry| entry.count).sum::<u32>(),
        1000
    );
}

#[test]
fn a_path_on_a_report_is_bounded() {
    let long = format!("{{\"{}\":{{\"s\":1}}}}", "k".repeat(4000));
    let rules = [fields(&["$..s"], redact())];
    assert_eq!(report(&rules, &long)[0].0, "$.*.s");
    let deep = format!(
        "{}{{\"s\":1}}{}",
        "{\"sixteen_letters_\":".repeat(300),
        "}".repeat(300)
    );
    let path = report(&rules, &deep)[0].0.clone();
    assert!(path.len() < 600 && path.ends_with("..*"), "{path}");
}

#[test]
fn plans_that_cannot_run_are_refused() {
    let refused = |rules: &[MaskRule]| Plan::new(rules, all_detectors(), None).err();
    let one = fields(&["$.a"], redact());
    assert_eq!(refused(&vec![one.clone(); 64]), None);
    assert_eq!(refused(&vec![one; 65]), Some(PlanError::TooManyRules));
    let long = "..a".repeat(300);
    let long = fields(&[&format!("${long}"), &format!("${long}")], redact());
    assert_eq!(refused(&[long]), Some(PlanError::TooManySteps));
    let hash = fields(&["$.a"], MaskAction::Hash);
    assert_eq!(refused(&[hash]), Some(PlanError::HashKeyMissing));
    let unknown = MaskTarget::Detect {
        detectors: 1 << 63,
        within: Vec::new(),
    };
    assert_eq!(
        refused(&[rule(unknown, redact())]),
        Some(PlanError::UnknownDetector)
    );
}
