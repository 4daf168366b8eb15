//! The dialects where they are special: types, ends, copies and signatures.

use super::*;

/// An event of the Responses API or of Messages.
fn typed(kind: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{rest}}}\n\n")
}

fn all(rules: &[MaskRule], stream: &str) -> (String, String) {
    let (result, early, late, _) = mask_every_way(Framing::Events, &plan(rules), stream);
    assert_eq!(result, Ok(()), "{stream}");
    (early, late)
}

// === OpenAI Chat Completions ===

#[test]
fn every_text_of_a_choice_is_a_channel_of_its_own() {
    for at in [
        r#""content":"#,
        r#""content":[{"type":"text","text":#}]"#,
        r#""content":[{"type":"thinking","thinking":[{"text":#}]}]"#,
        r#""reasoning_content":"#,
        r#""reasoning":"#,
        r#""refusal":"#,
        r#""function_call":{"arguments":#}"#,
        r#""audio":{"transcript":#}"#,
        r#""tool_calls":[{"index":3,"function":{"arguments":#}}]"#,
    ] {
        let delta = |text: &str| {
            let at = if at.contains('#') {
                at.replace('#', text)
            } else {
                format!("{at}{text}")
            };
            event(&format!(
                r#"{{"choices":[{{"index":0,"delta":{{{at}}}}}]}}"#
            ))
        };
        let stream = delta(r#""maria@""#) + &chat(1, "x") + &delta(r#""example.org""#);
        let expected = delta(r#""[EMAIL]""#) + &chat(1, "x") + &delta(r#""""#);
        assert_eq!(mask_events(&[detect()], &stream), expected);
    }
}

#[test]
fn tool_calls_are_told_apart() {
    let delta = |call: usize, text: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"function":{{"arguments":"{text}"}}}}]}}}}]}}"#
        ))
    };
    let stream = delta(0, "4111 1111 ") + &delta(1, "1111 1111") + &delta(0, "1111 1111");
    let expected = delta(0, "[CREDIT_CARD]") + &delta(1, "1111 1111") + &delta(0, "");
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

#[test]
fn log_probabilities_repeat_nothing() {
    let with = |logprobs: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"AKIA"}},"logprobs":{logprobs}}}]}}"#
        ))
    };
    let logprobs = r#"{"content":[{"token":"AKIA","bytes":[65,75,73,65],"top_logprobs":[]}]}"#;
    let (early, late) = all(&[detect()], &with(logprobs));
    assert_eq!(early + &late, with("null"));
    let field = [fields(
        &["$.choices[*].message.content"],
        MaskAction::Redact(None),
    )];
    let (early, _) = all(&field, &with(logprobs));
    assert_eq!(early, with("null").replace("AKIA", "[REDACTED]"));
    // They repeat nothing that a rule is about.
    let other = [fields(
        &["$.choices[*].message.reasoning"],
        MaskAction::Redact(None),
    )];
    let (early, _) = all(&other, &with(logprobs));
    assert_eq!(early, with(logprobs));
}

// === OpenAI Responses ===

#[test]
fn every_delta_of_the_responses_api_is_a_channel_by_its_type_and_item() {
    for kind in [
        "response.output_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.mcp_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.code_interpreter_call_code.delta",
        "response.something_new.delta",
    ] {
        let delta = |item: &str, text: &str| {
            typed(
                kind,
                &format!(r#""item_id":"{item}","output_index":0,"delta":"{text}""#),
            )
        };
        let stream = delta("a", "4111 1111 ") + &delta("b", "1111 ") + &delta("a", "1111 1111");
        let expected = delta("a", "[CREDIT_CARD]") + &delta("b", "1111 ") + &delta("a", "");
        assert_eq!(mask_events(&[detect()], &stream), expected);
    }
}

#[test]
fn repetitions_of_the_text_are_masked_like_the_text() {
    let stream = [
        typed("response.output_text.delta", r#""item_id":"m","content_index":0,"delta":"to maria@ex","logprobs":[{"token":"to"}]"#),
        typed("response.output_text.delta", r#""item_id":"m","content_index":0,"delta":"ample.org","logprobs":[]"#),
        typed("response.output_text.done", r#""item_id":"m","content_index":0,"text":"to maria@example.org","logprobs":[{"token":"maria"}]"#),
        typed("response.content_part.done", r#""item_id":"m","part":{"text":"to maria@example.org","logprobs":[1]}"#),
        typed("response.output_item.done", r#""item":{"content":[{"text":"to maria@example.org","logprobs":[1]}]}"#),
        typed("response.completed", r#""response":{"output":[{"content":[{"text":"to maria@example.org","logprobs":[{"token":"maria"}]}]}]}"#),
    ]
    .concat();
    let (early, late) = all(&[detect()], &stream);
    assert_eq!(late, "");
    assert!(!early.contains("maria") && !early.contains("ample.org") && !early.contains("token"));
    assert_eq!(early.matches("to [EMAIL]").count(), 5);
    assert_eq!(early.matches("event: ").count(), 6);
}

#[test]
fn a_rule_on_the_reasoning_of_the_whole_answer_holds_for_its_events_and_no_others() {
    let rules = [fields(
        &["$.output[*].summary[*].text"],
        MaskAction::Redact(None),
    )];
    let stream = [
        typed("response.reasoning_summary_text.delta", r#""item_id":"r","delta":"secret plan""#),
        typed("response.reasoning_summary_text.done", r#""item_id":"r","text":"secret plan""#),
        typed("response.reasoning_summary_part.done", r#""item_id":"r","part":{"text":"secret plan"}"#),
        typed("response.output_item.done", r#""item":{"summary":[{"text":"secret plan"}]}"#),
        typed("response.output_text.delta", r#""item_id":"m","delta":"the answer""#),
        typed("response.output_text.done", r#""item_id":"m","text":"the answer""#),
        typed("response.content_part.done", r#""item_id":"m","part":{"text":"the answer"}"#),
        typed("response.completed", r#""response":{"output":[{"summary":[{"text":"secret plan"}]},{"content":[{"text":"the answer"}]}]}"#),
    ]
    .concat();
    let expected = stream.replace("secret plan", "[REDACTED]");
    assert_eq!(all(&rules, &stream).0, expected);
}

#[test]
fn the_type_of_an_event_may_stand_behind_the_text() {
    let rules = [fields(
        &["$.output[*].summary[*].text"],
        MaskAction::Redact(None),
    )];
    let event = |text: &str| {
        event(&format!(
            r#"{{"delta":"{text}","type":"response.reasoning_summary_text.delta"}}"#
        ))
    };
    assert_eq!(mask_events(&rules, &event("plan")), event("[REDACTED]"));
}

#[test]
fn a_rule_on_what_holds_the_items_hides_their_deltas() {
    let rules = [fields(&["$.output"], MaskAction::Redact(None))];
    let stream = typed("response.output_text.delta", r#""delta":"s3cret""#)
        + &typed("response.output_item.done", r#""item":{"x":"s3cret"}"#)
        + &typed(
            "response.completed",
            r#""response":{"output":[{"x":"s3cret"}]}"#,
        );
    assert!(!mask_events(&rules, &stream).contains("s3cret"));
}

#[test]
fn a_part_that_is_done_holds_nothing_and_a_response_that_is_completed_neither() {
    let delta = |index: usize| {
        typed(
            "response.output_text.delta",
            &format!(r#""item_id":"m","content_index":{index},"delta":"4111""#),
        )
    };
    let done = typed(
        "response.output_text.done",
        r#""item_id":"m","content_index":0,"text":"4111""#,
    );
    let (early, late) = all(&[detect()], &(delta(0) + &done));
    assert_eq!((early, late), (delta(0) + &done, String::new()));
    let (early, late) = all(&[detect()], &(delta(1) + &done));
    assert_eq!((early, late), (String::new(), delta(1) + &done));
    let completed = typed("response.completed", "");
    let (early, _) = all(&[detect()], &(delta(1) + &completed));
    assert_eq!(early, delta(1) + &completed);
}

// === Anthropic Messages ===

#[test]
fn blocks_of_a_message_are_told_apart_by_their_index() {
    for member in ["text", "thinking", "partial_json"] {
        let delta = |index: usize, text: &str| {
            typed(
                "content_block_delta",
                &format!(r#""index":{index},"delta":{{"type":"x","{member}":"{text}"}}"#),
            )
        };
        let stream = delta(0, "4111 1111 ") + &delta(1, "1111 ") + &delta(0, "1111 1111");
        let expected = delta(0, "[CREDIT_CARD]") + &delta(1, "1111 ") + &delta(0, "");
        assert_eq!(mask_events(&[detect()], &stream), expected);
    }
}

#[test]
fn a_block_that_stops_holds_nothing() {
    let delta = |index: usize| {
        typed(
            "content_block_delta",
            &format!(r#""index":{index},"delta":{{"text":"4111"}}"#),
        )
    };
    let stop = |index: usize| typed("content_block_stop", &format!(r#""index":{index}"#));
    let (early, _) = all(&[detect()], &(delta(0) + &delta(1) + &stop(1)));
    assert_eq!(early, "");
    let (early, late) = all(&[detect()], &(delta(0) + &delta(1) + &stop(1) + &stop(0)));
    assert_eq!(
        (early.len(), late.as_str()),
        (delta(0).len() * 2 + stop(0).len() * 2, "")
    );
    let message_stop = typed("message_stop", "");
    let (_, late) = all(&[detect()], &(delta(0) + &message_stop));
    assert_eq!(late, "");
}

#[test]
fn a_signature_does_not_outlive_the_text_that_it_signs() {
    let thinking = |index: usize, text: &str| {
        typed(
            "content_block_delta",
            &format!(r#""index":{index},"delta":{{"thinking":"{text}"}}"#),
        )
    };
    let signature = |index: usize, text: &str| {
        typed(
            "content_block_delta",
            &format!(r#""index":{index},"delta":{{"signature":"{text}"}}"#),
        )
    };
    let stream = thinking(0, "ask maria@exam")
        + &thinking(1, "think")
        + &thinking(0, "ple.org")
        + &signature(0, "EqoB")
        + &signature(1, "EqoC");
    let expected = thinking(0, "ask [EMAIL]")
        + &thinking(1, "think")
        + &thinking(0, "")
        + &signature(0, "")
        + &signature(1, "EqoC");
    let (early, late) = all(&[detect()], &stream);
    assert_eq!((early + &late), expected);
    // Under a rule on the whole text, too.
    let rules = [fields(&["$.content[*].thinking"], MaskAction::Redact(None))];
    let stream = thinking(0, "think") + &signature(0, "EqoB");
    assert_eq!(
        mask_events(&rules, &stream),
        thinking(0, "[REDACTED]") + &signature(0, "")
    );
}

#[test]
fn a_block_may_begin_with_a_whole_tool_result() {
    let start = |text: &str| {
        typed(
            "content_block_start",
            &format!(
                r#""index":1,"content_block":{{"type":"web_search_tool_result","content":[{{"title":"{text}"}}]}}"#
            ),
        )
    };
    let rules = [detect()];
    assert_eq!(
        mask_events(&rules, &start("mail maria@example.org")),
        start("mail [EMAIL]")
    );
    let rules = [fields(
        &["$.content[*].content[*].title"],
        MaskAction::Redact(None),
    )];
    assert_eq!(mask_events(&rules, &start("mail")), start("[REDACTED]"));
}

#[test]
fn a_rule_on_the_thinking_of_the_whole_answer_leaves_its_text_alone() {
    let rules = [fields(&["$.content[*].thinking"], MaskAction::Drop)];
    let stream = typed(
        "content_block_delta",
        r#""index":0,"delta":{"thinking":"plan"}"#,
    ) + &typed(
        "content_block_delta",
        r#""index":1,"delta":{"text":"answer"}"#,
    );
    let expected = stream.replace(r#""thinking":"plan""#, "");
    assert_eq!(mask_events(&rules, &stream), expected);
}

// === Gemini ===

#[test]
fn thoughts_and_answers_of_gemini_are_two_texts() {
    let part = |thought: &str, text: &str| {
        event(&format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"{thought}}}]}},"index":0,"finishReason":"STOP"}}]}}"#
        ))
    };
    let thought = r#","thought":true"#;
    let stream = part("", "4111 1111 ") + &part(thought, "1111 ") + &part("", "1111 1111");
    let expected = part("", "[CREDIT_CARD]") + &part(thought, "1111 ") + &part("", "");
    assert_eq!(mask_events(&[detect()], &stream), expected);
}

// === Lines ===

#[test]
fn lines_of_ollama_are_one_text() {
    for member in [
        r#""response":"#,
        r#""message":{"role":"assistant","content":#}"#,
    ] {
        let line = |text: &str, rest: &str| {
            let text = format!("\"{text}\"");
            let member = if member.contains('#') {
                member.replace('#', &text)
            } else {
                format!("{member}{text}")
            };
            format!("{{\"model\":\"m\",{member}{rest}}}\n")
        };
        let stream = line("to maria@ex", ",\"done\":false")
            + &line("ample.org", "")
            + &line(" 4111", ",\"done\":true,\"context\":[1,2,3],\"n\":1");
        let expected = line("to [EMAIL]", ",\"done\":false")
            + &line("", "")
            + &line(" 4111", ",\"done\":true,\"context\":[],\"n\":1");
        let (result, early, late, _) = mask_every_way(Framing::Lines, &plan(&[detect()]), &stream);
        assert_eq!((result, early, late.as_str()), (Ok(()), expected, ""));
    }
}

#[test]
fn a_line_that_is_no_json_is_text_or_refused() {
    let stream = "{\"a\":1}\nmaria@example.org\n\n";
    let (result, early, late, _) = mask_every_way(Framing::Lines, &plan(&[detect()]), stream);
    assert_eq!(
        (result, early + &late),
        (Ok(()), "{\"a\":1}\n[EMAIL]\n\n".to_owned())
    );
    let rules = [fields(&["$.x"], MaskAction::Redact(None))];
    let (result, ..) = mask_every_way(Framing::Lines, &plan(&rules), stream);
    assert_eq!(result, Err(MaskError::Syntax));
}

// === Own channels ===

#[test]
fn a_policy_may_name_a_channel_of_its_own() {
    let own = |text: &str| event(&format!(r#"{{"token":{{"text":"{text}"}}}}"#));
    let stream = own("4111 1111") + &own(" 1111 1111");
    assert_eq!(mask_events(&[detect()], &stream), stream);
    let detectors = DETECTORS.with(Rc::clone);
    let plan = Plan::new(&[detect()], detectors, None).unwrap();
    let plan = Rc::new(plan.with_streams(&streams(&["$.token.text"], AtLimit::Mask), false));
    let (result, early, late, _) = mask_every_way(Framing::Events, &plan, &stream);
    assert_eq!(
        (result, early + &late),
        (Ok(()), own("[CREDIT_CARD]") + &own(""))
    );
}

#[test]
fn elements_of_an_own_channel_are_told_apart_by_their_index() {
    let own =
        |one: &str, two: &str| event(&format!(r#"{{"o":[{{"t":"{one}"}},{{"t":"{two}"}}]}}"#));
    let stream = own("4111 1111", "x") + &own(" 1111 1111", "y");
    let detectors = DETECTORS.with(Rc::clone);
    let plan = Plan::new(&[detect()], detectors, None).unwrap();
    let plan = Rc::new(plan.with_streams(&streams(&["$.o[*].t"], AtLimit::Mask), false));
    let (_, early, late, _) = mask_every_way(Framing::Events, &plan, &stream);
    assert_eq!(early + &late, own("[CREDIT_CARD]", "x") + &own("", "y"));
}
