use super::*;
use crate::fixture::{automaton, bundle};
use crate::policy::{ExpressionId, Lead, Step, StringMatch};

/// The bundle of the fixture after a change, checked.
fn after(change: impl FnOnce(&mut Bundle)) -> Check {
    let mut bundle = bundle();
    change(&mut bundle);
    bundle.validate()
}

#[test]
fn the_fixture_is_valid() {
    assert_eq!(after(|_| ()), Ok(()));
}

#[test]
fn an_issuer_that_is_not_there_is_refused() {
    let check = after(|bundle| bundle.connections[0].providers = vec![1]);
    assert_eq!(check, Err(LoadError::Dangling("issuer")));
}

#[test]
fn an_issuer_is_set_up_once_and_listed_once() {
    // Which audiences and keys count for its tokens must not depend on an order.
    let twice = after(|bundle| {
        let mut other = bundle.providers[0].clone();
        other.audiences = vec!["other".to_owned()];
        bundle.providers.push(other);
    });
    assert_eq!(
        twice,
        Err(LoadError::Invalid("an issuer that is set up twice"))
    );
    let listed = after(|bundle| bundle.connections[0].providers = vec![0, 0]);
    let message = "a connection that lists an issuer twice";
    assert_eq!(listed, Err(LoadError::Invalid(message)));
    let other = after(|bundle| {
        let mut other = bundle.providers[0].clone();
        other.issuer.push('/');
        bundle.providers.push(other);
        bundle.connections[0].providers = vec![1, 0];
    });
    assert_eq!(other, Ok(()), "another name is another issuer");
}

#[test]
fn an_expression_that_is_not_there_is_refused_wherever_it_is_used() {
    let in_rule = after(|bundle| {
        bundle.connections[0].rules[0].when[0].not_matches = vec![ExpressionId(1)];
    });
    assert_eq!(in_rule, Err(LoadError::Dangling("expression")));
    let in_mask = after(|bundle| {
        let unless = Condition {
            key: Attribute::Principal,
            matches: vec![ExpressionId(9)],
            values: Vec::new(),
            not_values: Vec::new(),
            not_matches: Vec::new(),
        };
        bundle.connections[0].masks[0].unless = vec![unless];
    });
    assert_eq!(in_mask, Err(LoadError::Dangling("expression")));
}

#[test]
fn a_detector_that_is_not_there_is_refused_in_masks_and_in_the_automaton() {
    let in_mask = after(|bundle| {
        let target = &mut bundle.connections[0].masks[1].target;
        *target = MaskTarget::Detect {
            detectors: 0b10,
            within: Vec::new(),
        };
    });
    assert_eq!(in_mask, Err(LoadError::Dangling("detector")));
    let in_automaton = after(|bundle| {
        bundle.detectors.detectors.clear();
        bundle.connections[0].masks.truncate(1);
    });
    assert_eq!(in_automaton, Err(LoadError::Dangling("detector")));
}

#[test]
fn sixty_four_mask_rules_and_detectors_are_the_most() {
    let masks = |count| {
        after(|bundle| {
            let mask = bundle.connections[0].masks[0].clone();
            bundle.connections[0].masks = vec![mask; count];
        })
    };
    assert_eq!(masks(MAX_MASKS), Ok(()));
    assert_eq!(masks(MAX_MASKS + 1), Err(LoadError::Limit("mask rules")));
    let detectors = |count| {
        after(|bundle| {
            let detector = bundle.detectors.detectors[0].clone();
            bundle.detectors.detectors = vec![detector; count];
        })
    };
    assert_eq!(detectors(MAX_DETECTORS), Ok(()));
    assert_eq!(
        detectors(MAX_DETECTORS + 1),
        Err(LoadError::Limit("detectors"))
    );
}

#[test]
fn a_path_has_a_bounded_number_of_steps() {
    let steps = |count| {
        after(|bundle| {
            let step = Step {
                descendant: false,
                selectors: vec![Selector::Wildcard],
            };
            let path = Path {
                text: String::new(),
                steps: vec![step; count],
            };
            bundle.connections[0].masks[0].target = MaskTarget::Fields(vec![path]);
        })
    };
    assert_eq!(steps(MAX_STEPS), Ok(()));
    assert_eq!(
        steps(MAX_STEPS + 1),
        Err(LoadError::Limit("segments in a JSON path"))
    );
}

#[test]
fn a_slice_that_never_advances_is_refused() {
    let check = after(|bundle| {
        let slice = Selector::Slice {
            start: 0,
            end: None,
            step: 0,
        };
        let Attribute::Body(path) = &mut bundle.connections[0].rules[0].when[0].key else {
            panic!("the fixture has a condition on the body");
        };
        path.steps[1].selectors = vec![slice];
    });
    assert_eq!(check, Err(LoadError::Invalid("a slice with step 0")));
}

#[test]
fn an_operator_after_the_double_star_is_refused_and_a_literal_is_not() {
    let template = |last| {
        after(|bundle| {
            bundle.connections[0].rules[0].to[0].paths =
                vec![PathMatch::Template(vec![TemplateSegment::Many, last])];
        })
    };
    assert_eq!(template(TemplateSegment::Literal("x".to_owned())), Ok(()));
    let refused = Err(LoadError::Invalid(
        "a path template with an operator after `{**}`",
    ));
    assert_eq!(template(TemplateSegment::One), refused);
    assert_eq!(template(TemplateSegment::Many), refused);
}

#[test]
fn a_replacement_that_could_break_out_of_a_json_string_is_refused() {
    for text in ["\"", "\\", "\n", "é", &"x".repeat(MAX_REPLACEMENT + 1)] {
        let check = after(|bundle| {
            bundle.connections[0].masks[0].action = MaskAction::Redact(Some(text.to_owned()));
        });
        let refused = Err(LoadError::Invalid("a replacement that needs an escape"));
        assert_eq!(check, refused, "{text:?}");
    }
}

#[test]
fn what_a_detector_finds_is_replaced_by_text() {
    for action in [MaskAction::Drop, MaskAction::Nullify] {
        let check = after(|bundle| bundle.connections[0].masks[1].action = action);
        let refused = "a detector whose matches leave no text; only fields can";
        assert_eq!(check, Err(LoadError::Invalid(refused)));
    }
}

#[test]
fn what_is_removed_has_no_type_to_keep() {
    for action in [MaskAction::Drop, MaskAction::Nullify] {
        let check = after(|bundle| bundle.connections[0].masks[0].action = action);
        let refused = "a mask rule that keeps the type of what it removes";
        assert_eq!(check, Err(LoadError::Invalid(refused)));
    }
}

#[test]
fn automata_may_not_fill_the_memory_together() {
    let count = MAX_EXPRESSIONS;
    let fits = after(|bundle| bundle.expressions = vec![automaton(); count]);
    assert_eq!(fits, Ok(()));
    let states = 2_048;
    let mut classes = [0u8; 256];
    for (class, byte) in classes.iter_mut().zip(0..=255) {
        *class = byte;
    }
    let empty = vec![0; states];
    let large = Automaton::new(classes, 0, vec![0; states * 256], empty.clone(), empty).unwrap();
    let check = after(|bundle| bundle.expressions = vec![large; 4]);
    assert_eq!(check, Err(LoadError::Limit("states in its automata")));
}

#[test]
fn a_list_of_values_is_bounded() {
    let check = after(|bundle| {
        let value = StringMatch::Present;
        bundle.connections[0].rules[0].when[0].values = vec![value; MAX_ENTRIES + 1];
    });
    assert_eq!(check, Err(LoadError::Limit("values")));
}

#[test]
fn a_detector_looks_back_for_a_bounded_run_of_ascii() {
    let lead = |class: &str, max| {
        after(|bundle| {
            let class = class.to_owned();
            bundle.detectors.detectors[0].lead = Some(Lead { class, max });
        })
    };
    assert_eq!(lead("abc", 64), Ok(()));
    let refused = Err(LoadError::Invalid(
        "a detector that looks back in a way that makes no sense",
    ));
    assert_eq!(lead("", 64), refused);
    assert_eq!(lead("é", 64), refused);
    assert_eq!(lead("abc", MAX_MATCH + 1), refused);
}
