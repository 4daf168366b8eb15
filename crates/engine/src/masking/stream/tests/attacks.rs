//! What has leaked elsewhere, and what could.

use super::*;

const SECRETS: [(&str, &str); 3] = [
    ("maria.jensen@example.org", "[EMAIL]"),
    ("4111 1111 1111 1111", "[CREDIT_CARD]"),
    ("AKIAIOSFODNN7EXAMPLE", "[AWS_ACCESS_KEY]"),
];

/// The text as deltas that end at these places.
fn deltas(text: &str, cuts: &[usize]) -> Vec<String> {
    let bytes = text.as_bytes();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| String::from_utf8(bytes[start..end].to_vec()).unwrap())
        .collect()
}

// === Secrets that deltas cut ===

#[test]
fn a_secret_that_two_deltas_cut_never_shows() {
    for (secret, token) in SECRETS {
        let text = format!("so {secret}, ok");
        for cut in 1..text.len() {
            let stream: String = deltas(&text, &[cut]).iter().map(|it| chat(0, it)).collect();
            let (result, early, late, _) =
                mask_chunks(Framing::Events, &plan(&[detect()]), [stream.as_bytes()]);
            assert_eq!(result, Ok(()));
            let out = early + &late;
            assert_eq!(content_of(&out, 0), format!("so {token}, ok"), "{stream}");
            assert_eq!(out.matches("data: ").count(), 2);
        }
    }
}

#[test]
fn no_prefix_of_the_output_shows_a_secret_that_comes_byte_by_byte() {
    for (secret, token) in SECRETS {
        let text = format!("so {secret}, ok");
        let cuts: Vec<usize> = (1..text.len()).collect();
        let stream: String = deltas(&text, &cuts).iter().map(|it| chat(0, it)).collect();
        let mut masker = StreamMasker::new(Framing::Events, plan(&[detect()]), u64::MAX);
        let mut out = Vec::new();
        for byte in stream.as_bytes().chunks(1) {
            masker.push(byte, &mut out).unwrap();
            let shown = content_of(std::str::from_utf8(&out).unwrap(), 0);
            assert!(
                "so ".starts_with(&shown) || shown.starts_with(&format!("so {token}")),
                "{shown}"
            );
        }
        masker.finish(&mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(content_of(&out, 0), format!("so {token}, ok"));
        assert_eq!(out.matches("data: ").count(), text.len());
    }
}

#[test]
fn a_secret_may_be_spread_over_events_that_come_between() {
    let stream = [
        chat(0, "card 4111 1111"),
        ": ping\n\n".to_owned(),
        event(r#"{"type":"ping"}"#),
        chat(0, ""),
        chat(0, " 1111 1111."),
    ]
    .concat();
    let out = mask_events(&[detect()], &stream);
    let expected = [
        chat(0, "card [CREDIT_CARD]"),
        ": ping\n\n".to_owned(),
        event(r#"{"type":"ping"}"#),
        chat(0, ""),
        chat(0, "."),
    ];
    assert_eq!(out, expected.concat());
}

#[test]
fn an_escape_hides_nothing_whichever_delta_it_stands_in() {
    for (one, two) in [
        (r"AKIA\u0049OSFO", r"DNN7EXAMPLE"),
        (r"\u0041KIAIOSFO", r"\u0044NN7EXAMPLE"),
    ] {
        let delta = |text: &str| {
            event(&format!(
                r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#
            ))
        };
        let stream = delta(one) + &delta(two);
        let expected = delta("[AWS_ACCESS_KEY]") + &delta("");
        assert_eq!(mask_events(&[detect()], &stream), expected);
    }
}

// === Channels ===

#[test]
fn choices_that_alternate_do_not_disturb_each_other() {
    for (secret, token) in SECRETS {
        for cut in 1..secret.len() {
            let (one, two) = secret.split_at(cut);
            let stream = chat(0, one) + &chat(1, one) + &chat(0, two) + &chat(1, two);
            let out = mask_events(&[detect()], &stream);
            let expected = chat(0, token) + &chat(1, token) + &chat(0, "") + &chat(1, "");
            assert_eq!(out, expected);
        }
    }
}

#[test]
fn texts_of_different_choices_are_not_joined() {
    let stream = chat(0, "4111 1111 ") + &chat(1, "1111 1111");
    assert_eq!(mask_events(&[detect()], &stream), stream);
}

#[test]
fn several_choices_may_stand_in_one_event() {
    let both = |one: &str, two: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":1,"delta":{{"content":"{one}"}}}},{{"delta":{{"content":"{two}"}},"index":0}}]}}"#
        ))
    };
    let stream =
        both("4111 1111", "maria@exam") + &both(" 1111 1111", "ple.org") + &chat(0, " and");
    let expected = both("[CREDIT_CARD]", "[EMAIL]") + &both("", "") + &chat(0, " and");
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

#[test]
fn what_tells_choices_apart_may_stand_behind_the_text() {
    let late = |choice: usize, text: &str| {
        event(&format!(
            r#"{{"choices":[{{"delta":{{"content":"{text}"}},"index":{choice}}}]}}"#
        ))
    };
    let stream = late(0, "4111 1111") + &late(1, "x") + &late(0, " 1111 1111") + &late(1, "y");
    let expected = late(0, "[CREDIT_CARD]") + &late(1, "x") + &late(0, "") + &late(1, "y");
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

#[test]
fn without_an_index_the_place_in_the_list_counts() {
    let stream = event(
        r#"{"choices":[{"delta":{"content":"4111 1111 "}},{"delta":{"content":"1111 1111"}}]}"#,
    );
    assert_eq!(mask_events(&[detect()], &stream), stream);
}

#[test]
fn an_index_that_is_there_twice_with_two_values_is_refused() {
    let stream = event(r#"{"choices":[{"index":0,"delta":{"content":"a"},"index":1}]}"#);
    let (result, ..) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!(result, Err(MaskError::Syntax));
}

#[test]
fn a_value_that_tells_texts_apart_has_a_bound() {
    for (length, ok) in [(256, true), (257, false)] {
        let id = "i".repeat(length);
        let stream = event(&format!(r#"{{"item_id":"{id}","delta":"x"}}"#));
        let (result, ..) = mask_chunks(Framing::Events, &plan(&[detect()]), [stream.as_bytes()]);
        assert_eq!(result.is_ok(), ok);
    }
}

// === The format ===

#[test]
fn an_event_name_may_come_after_the_data_and_other_bytes_stay_as_they_are() {
    let stream = "data: {\"choices\" : [ {\"delta\":{\"content\":\"maria@\"}}],\"x\":1e3 }\r\nevent: delta\r\nid: 7\r\nretry: 10\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"example.org\"}}]}\r\n\r\n";
    let expected = stream
        .replace("maria@", "[EMAIL]")
        .replace("example.org", "");
    assert_eq!(mask_events(&[detect()], stream), expected);
}

#[test]
fn data_on_several_lines_is_one_document_and_stays_on_its_lines() {
    let stream = "data: {\"choices\":[\ndata: {\"delta\":\nid: 1\ndata: {\"content\":\"4111 1111\"}}]}\n\n: c\ndata: {\"choices\":[{\"delta\":\ndata: {\"content\":\" 1111 1111\"}}]}\n\n";
    let expected = stream
        .replace("4111 1111", "[CREDIT_CARD]")
        .replace(" 1111 1111", "");
    assert_eq!(mask_events(&[detect()], stream), expected);
}

#[test]
fn lines_of_data_that_are_hidden_stay_as_empty_lines() {
    let rules = [fields(&["$.secret"], MaskAction::Redact(None))];
    let stream = "data: {\"secret\":[\nid: 3\ndata: 1\ndata: ],\"a\":1}\n\n";
    let expected = "data: {\"secret\":\"[REDACTED]\",\"a\":1}\nid: 3\ndata: \ndata: \n\n";
    assert_eq!(mask_events(&rules, stream), expected);
}

#[test]
fn comments_and_fields_hold_no_secret_either() {
    let stream = "event: maria@example.org\ndata: 1\n\n: AKIAIOSFODNN7EXAMPLE\nid: 4111 1111 1111 1111\nx: a@b.example\ndata: 2\n\n";
    let expected =
        "event: [EMAIL]\ndata: 1\n\n: [AWS_ACCESS_KEY]\nid: [CREDIT_CARD]\nx: [EMAIL]\ndata: 2\n\n";
    assert_eq!(mask_events(&[detect()], stream), expected);
}

#[test]
fn the_last_event_is_masked_although_nothing_ends_it() {
    let stream = chat(0, "maria@exam") + chat(0, "ple.org").trim_end();
    let expected = chat(0, "[EMAIL]") + chat(0, "").trim_end();
    assert_eq!(mask_events(&[detect()], &stream), expected);
    let stream = "data: maria@example.org";
    assert_eq!(mask_events(&[detect()], stream), "data: [EMAIL]");
}

#[test]
fn a_byte_order_mark_does_not_hide_the_first_event() {
    let stream = format!("\u{feff}{}", chat(0, "maria@example.org"));
    let expected = format!("\u{feff}{}", chat(0, "[EMAIL]"));
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

// === Events that are no JSON, or of no known form ===

#[test]
fn after_the_last_event_nothing_is_held() {
    let stream = chat(0, "call 4111 1111") + &event("[DONE]");
    let (result, early, late, _) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!(result, Ok(()));
    assert_eq!((early, late), (stream, String::new()));
}

#[test]
fn words_are_one_text_too() {
    let stream = "data: write to maria@\n\ndata: example\n\ndata: .org now\n\ndata: 4111\n\ndata:  1111 1111\n\ndata:  1111\n\n";
    let expected = "data: write to [EMAIL]\n\ndata: \n\ndata:  now\n\ndata: [CREDIT_CARD]\n\ndata: \n\ndata: \n\n";
    assert_eq!(mask_events(&[detect()], stream), expected);
}

#[test]
fn words_on_several_lines_stay_on_their_lines() {
    let key = "data: -----BEGIN PRIVATE KEY-----\nid: 1\ndata: MIIBVQ\ndata: -----END PRIVATE KEY-----\n\ndata: x\n\n";
    let expected = "data: [PRIVATE_KEY]\nid: 1\ndata: \ndata: \n\ndata: x\n\n";
    assert_eq!(mask_events(&[detect()], key), expected);
}

#[test]
fn what_is_almost_json_is_read_as_text_unless_an_escape_could_hide_something() {
    let stream = event("{'content': 'maria@example.org'}");
    let expected = event("{'content': '[EMAIL]'}");
    assert_eq!(mask_events(&[detect()], &stream), expected);
    let stream = event(r"{'content': 'maria\u0040example.org'}");
    let (result, early, ..) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!((result, early.as_str()), (Err(MaskError::Syntax), ""));
}

#[test]
fn a_rule_on_fields_is_not_got_round_by_events_that_are_no_json() {
    let rules = [fields(&["$.secret"], MaskAction::Redact(None))];
    for stream in [
        event("{'secret': 's3cret'}"),
        event("s3cret"),
        "secret: s3cret\n\n".to_owned(),
        "Data: {\"secret\":\"s3cret\"}\n\n".to_owned(),
    ] {
        let (result, early, ..) = mask_every_way(Framing::Events, &plan(&rules), &stream);
        assert_eq!(
            (result, early.as_str()),
            (Err(MaskError::Syntax), ""),
            "{stream}"
        );
    }
    let stream = ": ping\n\n".to_owned() + &event("[DONE]") + &event("");
    assert_eq!(mask_events(&rules, &stream), stream);
}

#[test]
fn what_is_counted_in_an_event_that_turns_out_to_be_no_json_is_counted_once() {
    let stream = event("{\"a\":\"maria@example.org\",}");
    let (_, out, _, report) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!(out, event("{\"a\":\"[EMAIL]\",}"));
    let counts: Vec<_> = report.entries.iter().map(|entry| entry.count).collect();
    assert_eq!(counts, [1]);
}

#[test]
fn an_event_of_an_unknown_type_is_masked_like_any_document() {
    let stream = event(
        r#"{"type":"new.thing","payload":[{"deep":"maria@example.org"}],"n":4111111111111111}"#,
    );
    let expected =
        event(r#"{"type":"new.thing","payload":[{"deep":"[EMAIL]"}],"n":"[CREDIT_CARD]"}"#);
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    for stream in [
        &b"data: {\"a\":\"\xff\"}\n\n"[..],
        b"data: \xff\n\n",
        b": \xff\n\n",
    ] {
        let (result, out, ..) = mask_chunks(Framing::Events, &plan(&[detect()]), [stream]);
        assert_eq!((result, out.as_str()), (Err(MaskError::Syntax), ""));
    }
}

// === Ends ===

#[test]
fn what_is_held_does_not_leave_before_the_end() {
    let stream = chat(0, "fine ") + &chat(0, "4111 1111");
    let (result, early, late, _) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!(result, Ok(()));
    assert_eq!(early, chat(0, "fine "));
    assert_eq!(late, chat(0, "4111 1111"));
}

#[test]
fn a_choice_that_has_finished_holds_nothing() {
    let finish = event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
    let stream = chat(0, "4111 1111") + &chat(1, "4111") + &finish;
    let (_, early, ..) = mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    // The other choice is open.
    assert_eq!(early, chat(0, "4111 1111"));
}

#[test]
fn a_finish_that_is_none_does_not_cut_a_secret() {
    for reason in ["null", "\"\""] {
        let delta = |text: &str| {
            event(&format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{reason}}}]}}"#
            ))
        };
        let stream = delta("4111 1111") + &delta(" 1111 1111");
        let expected = delta("[CREDIT_CARD]") + &delta("");
        assert_eq!(mask_events(&[detect()], &stream), expected);
    }
}

#[test]
fn a_text_that_goes_on_after_its_end_does_not_complete_a_secret() {
    let delta = |text: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":"stop"}}]}}"#
        ))
    };
    let stream =
        delta("4111 1111") + &delta(" 1111 1111") + &delta(" ok maria@exam") + &delta("ple.org");
    let out = mask_events(&[detect()], &stream);
    let expected =
        delta("4111 1111") + &delta("[CREDIT_CARD]") + &delta(" ok maria@exam") + &delta("[EMAIL]");
    assert_eq!(out, expected);
}

// === Bounds ===

#[test]
fn when_too_many_events_wait_what_is_held_is_hidden_and_what_follows_of_it_too() {
    let others: String = (0..70).map(|_| chat(1, "x")).collect();
    let stream = chat(0, "card 4111 1111") + &others + &chat(0, " 1111 1111 ok");
    let (result, early, late, report) =
        mask_every_way(Framing::Events, &plan(&[detect()]), &stream);
    assert_eq!(result, Ok(()));
    let expected = chat(0, "card [REDACTED]") + &others + &chat(0, "[CREDIT_CARD] ok");
    assert_eq!(early + &late, expected);
    assert!(
        report
            .entries
            .iter()
            .any(|entry| entry.what == "held" && entry.count == 1)
    );
}

#[test]
fn when_too_many_events_wait_a_stream_may_end() {
    let detectors = DETECTORS.with(Rc::clone);
    let plan = Plan::new(&[detect()], detectors, None).unwrap();
    let plan = Rc::new(plan.with_streams(&streams(&[], AtLimit::End), false));
    for (others, ok) in [(63, true), (64, false)] {
        let others: String = (0..others).map(|_| chat(1, "x")).collect();
        let stream = chat(0, "card 4111 1111") + &others;
        let (result, early, ..) = mask_every_way(Framing::Events, &plan, &stream);
        assert_eq!(result.is_ok(), ok);
        assert_eq!(early, "");
    }
}

#[test]
fn there_may_be_more_channels_than_the_bound_if_they_hold_nothing() {
    let stream: String = (0..200).map(|choice| chat(choice, "words ")).collect();
    assert_eq!(mask_events(&[detect()], &stream), stream);
}

#[test]
fn when_too_many_channels_hold_text_the_oldest_loses_it() {
    let held: String = (0..64).map(|choice| chat(choice, "4111")).collect();
    let all = |stream: &str| {
        let (result, early, late, _) = mask_every_way(Framing::Events, &plan(&[detect()]), stream);
        assert_eq!(result, Ok(()));
        early + &late
    };
    assert_eq!(all(&held), held);
    let one_event: String = (0..65)
        .map(|choice| format!(r#"{{"index":{choice},"delta":{{"content":"4111"}}}},"#))
        .collect();
    let one_event = event(&format!(
        r#"{{"choices":[{}]}}"#,
        one_event.trim_end_matches(',')
    ));
    assert_eq!(all(&one_event), one_event.replacen("4111", "[REDACTED]", 1));
}

#[test]
fn an_event_that_is_too_long_is_refused_for_now() {
    let stream = event(&format!("\"{}\"", "x".repeat(frame::MAX_FRAME)));
    let (result, ..) = mask_chunks(Framing::Events, &plan(&[detect()]), [stream.as_bytes()]);
    assert_eq!(result, Err(MaskError::Limit));
}

// === Fields ===

#[test]
fn a_rule_on_a_field_hides_the_whole_text_once() {
    let rules = [fields(
        &["$.choices[*].message.content"],
        MaskAction::Redact(None),
    )];
    let stream =
        chat(0, "") + &chat(0, "the") + &chat(1, "a") + &chat(0, " plan") + &event("[DONE]");
    let expected = chat(0, "")
        + &chat(0, "[REDACTED]")
        + &chat(1, "[REDACTED]")
        + &chat(0, "")
        + &event("[DONE]");
    let (result, early, late, report) = mask_every_way(Framing::Events, &plan(&rules), &stream);
    assert_eq!((result, early + &late), (Ok(()), expected));
    assert_eq!(report.entries[0].count, 2);
    assert_eq!(report.entries[0].path, "$.choices[*].delta.content");
}

#[test]
fn what_cannot_be_known_at_the_first_piece_is_replaced_by_a_text() {
    for action in [
        MaskAction::Hash,
        MaskAction::Partial {
            keep_first: 1,
            keep_last: 1,
        },
    ] {
        let rules = [fields(&["$.choices[*].delta.content"], action)];
        let stream = chat(0, "the") + &chat(0, " plan");
        let expected = chat(0, "[REDACTED]") + &chat(0, "");
        assert_eq!(mask_events(&rules, &stream), expected);
    }
}

#[test]
fn a_rule_that_leaves_null_leaves_it_in_every_piece() {
    let rules = [fields(
        &["$.choices[*].message.content"],
        MaskAction::Nullify,
    )];
    let null = event(r#"{"id":"c-1","choices":[{"index":0,"delta":{"content":null}}]}"#);
    assert_eq!(
        mask_events(&rules, &(chat(0, "the") + &chat(0, " plan"))),
        null.repeat(2)
    );
}

#[test]
fn a_rule_that_drops_a_text_drops_every_piece() {
    for path in ["$.choices[*].message.content", "$..content"] {
        let rules = [fields(&[path], MaskAction::Drop), detect()];
        let stream = chat(0, "the") + &chat(0, " plan");
        let empty = event(r#"{"id":"c-1","choices":[{"index":0,"delta":{}}]}"#);
        assert_eq!(mask_events(&rules, &stream), empty.repeat(2));
    }
}

#[test]
fn a_rule_on_what_holds_the_text_hides_it_in_every_event() {
    let rules = [fields(&["$.choices[*].message"], MaskAction::Redact(None))];
    let hidden = event(r#"{"id":"c-1","choices":[{"index":0,"delta":"[REDACTED]"}]}"#);
    assert_eq!(
        mask_events(&rules, &(chat(0, "the") + &chat(0, " plan"))),
        hidden.repeat(2)
    );
}

#[test]
fn detectors_that_look_in_the_whole_answer_look_in_its_stream() {
    let note = event(r#"{"note":"maria@example.org"}"#);
    let stream = chat(0, "maria@exam") + &chat(0, "ple.org") + &note;
    let expected = chat(0, "[EMAIL]") + &chat(0, "") + &note;
    for path in ["$.choices[*].message.content", "$..content", "$.choices"] {
        assert_eq!(
            mask_events(&[detect_in(&[path])], &stream),
            expected,
            "{path}"
        );
    }
    let other = mask_events(&[detect_in(&["$.choices[*].message.refusal"])], &stream);
    assert_eq!(other, stream);
}
