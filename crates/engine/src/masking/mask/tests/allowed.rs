//! Rules that list what is shown.

use super::*;

#[test]
fn only_what_is_listed_is_shown_with_the_names_around_it() {
    let rules = [allow(&["$.id", "$.choices[*].text"], redact())];
    assert_eq!(
        mask(
            &rules,
            r#"{"id":7,"user":"bob","choices":[{"text":"hi","n":1},{"text":{"a":[2]}}],"x":{"y":"z"},"ok":true,"e":null}"#
        ),
        r#"{"id":7,"user":"[REDACTED]","choices":[{"text":"hi","n":"[REDACTED]"},{"text":{"a":[2]}}],"x":"[REDACTED]","ok":"[REDACTED]","e":"[REDACTED]"}"#
    );
}

#[test]
fn what_is_no_object_where_a_path_goes_on_is_hidden() {
    let rules = [allow(&["$.a.b"], redact())];
    for value in ["\"s\"", "1", "true", "null", "[\"s\",1]"] {
        let masked = mask(&rules, &format!("{{\"a\":{value}}}"));
        let expected = match value {
            "[\"s\",1]" => r#"{"a":["[REDACTED]","[REDACTED]"]}"#,
            _ => r#"{"a":"[REDACTED]"}"#,
        };
        assert_eq!(masked, expected);
        assert!(!mask(&rules, value).contains("s\""));
    }
}

#[test]
fn spelling_and_repetition_of_a_name_show_nothing_more_and_nothing_less() {
    let rules = [allow(&["$.a"], redact())];
    assert_eq!(
        mask(
            &rules,
            r#"{"\u0061":1,"A":2,"a ":3,"a":4,"\u0061\u0000":5,"":6}"#
        ),
        r#"{"\u0061":1,"A":"[REDACTED]","a ":"[REDACTED]","a":4,"\u0061\u0000":"[REDACTED]","":"[REDACTED]"}"#
    );
}

#[test]
fn descendants_and_wildcards_lead_everywhere() {
    let rules = [allow(&["$..content"], redact())];
    assert_eq!(
        mask(
            &rules,
            r#"[{"content":{"x":1},"y":2,"z":[[{"content":"c"}],3]},"s"]"#
        ),
        r#"[{"content":{"x":1},"y":"[REDACTED]","z":[[{"content":"c"}],"[REDACTED]"]},"[REDACTED]"]"#
    );
    let rules = [allow(&["$.*.id"], redact())];
    assert_eq!(
        mask(&rules, r#"{"a":{"id":1,"k":2},"b":[{"id":3}],"id":4}"#),
        r#"{"a":{"id":1,"k":"[REDACTED]"},"b":["[REDACTED]"],"id":"[REDACTED]"}"#
    );
    let whole = r#"{"a":[1,"s"]}"#;
    assert_eq!(mask(&[allow(&["$"], redact())], whole), whole);
}

#[test]
fn what_is_not_listed_can_be_dropped() {
    let rules = [allow(&["$..content"], MaskAction::Drop)];
    assert_eq!(
        mask(
            &rules,
            r#"{"id":1, "a":{"content":"c","n":2}, "l":[1,{"content":3},[4]], "e":"x"}"#
        ),
        r#"{ "a":{"content":"c"}, "l":[{"content":3},[]]}"#
    );
    assert_eq!(mask(&rules, "\"s\""), "null");
    let rules = [allow(&["$.a.b"], MaskAction::Drop)];
    assert_eq!(
        mask(&rules, r#"{"x":{"b":1},"a":1,"a":{"b":2,"c":3}}"#),
        r#"{"a":{"b":2}}"#
    );
}

#[test]
fn a_name_whose_value_decides_is_masked_like_any_other() {
    let rules = [
        allow(&["$..content"], MaskAction::Drop),
        detect(&["email"], &[], redact()),
    ];
    assert_eq!(
        mask(
            &rules,
            r#"{"bob@example.com":1,"al@example.com":{"content":"a@b.co","a@b.co":2}}"#
        ),
        r#"{"[EMAIL]#1":{"content":"[EMAIL]"}}"#
    );
}

#[test]
fn two_lists_show_what_both_do_and_other_rules_hold_in_what_is_shown() {
    let rules = [
        allow(&["$.a", "$.b"], redact_with("1")),
        allow(&["$.b", "$.c"], redact_with("2")),
        detect(&["email"], &[], redact()),
        fields(&["$.b.s"], redact_with("field")),
    ];
    assert_eq!(
        mask(&rules, r#"{"a":1,"b":{"s":"x","t":"a@b.co"},"c":3,"d":4}"#),
        r#"{"a":"2","b":{"s":"field","t":"[EMAIL]"},"c":"1","d":"1"}"#
    );
}

#[test]
fn a_list_of_many_paths_works_over_words_of_bits() {
    let names: Vec<String> = (0..100).map(|n| format!("$.k{n}.v")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rules = [allow(&["$.none"], redact()), allow(&names, redact())];
    let plan = plan(&rules);
    let body = br#"{"k0":{"v":1,"w":2},"k63":{"v":3},"k99":{"v":4},"k100":{"v":5}}"#;
    assert_eq!(
        mask_chunks(&plan, 0b10, [&body[..]]).1,
        r#"{"k0":{"v":1,"w":"[REDACTED]"},"k63":{"v":3},"k99":{"v":4},"k100":"[REDACTED]"}"#
    );
}
