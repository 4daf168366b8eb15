//! Values as back ends write them, and as somebody would who wants them to slip through.

use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget, StringMatch};

use super::super::detect::Detectors;
use super::*;
use crate::masking::ActionKind;

/// Hides addresses and card numbers in these fields.
fn masker(headers: &[StringMatch], action: MaskAction) -> Option<HeaderMasker> {
    let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
    let detectors = Rc::new(Detectors::new(detectors(&choices).unwrap()));
    let named = detectors.set().named("email") | detectors.set().named("credit-card");
    let target = MaskTarget::Detect {
        detectors: named,
        within: Vec::new(),
    };
    let rule = MaskRule {
        headers: headers.to_vec(),
        ..MaskRule::new(target, action)
    };
    let plan = Plan::new(&[rule], detectors, None).unwrap();
    HeaderMasker::new(&Rc::new(plan), 1)
}

fn any() -> [StringMatch; 1] {
    [StringMatch::Present]
}

fn redact() -> MaskAction {
    MaskAction::Redact(None)
}

/// What becomes of one value of `x-note`; `None` if it stays.
fn masked_with(action: MaskAction, value: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let fields = [("x-note", value)].into_iter().collect();
    let mut edits = masker(&any(), action)
        .unwrap()
        .mask(Section::Header, &fields);
    assert!(edits.len() <= 1);
    match edits.pop()? {
        HeaderEdit::Set(name, value) if name == "x-note" => Some(value),
        other => panic!("{other:?}"),
    }
}

fn masked(value: &str) -> Option<String> {
    let value = masked_with(redact(), value)?;
    Some(String::from_utf8(value).unwrap())
}

#[test]
fn what_detectors_find_is_replaced_and_the_rest_stays_as_it_came() {
    assert_eq!(
        masked("to maria@example.org, card 4111 1111 1111 1111!").as_deref(),
        Some("to [EMAIL], card [CREDIT_CARD]!")
    );
    assert_eq!(masked("maria@example.org").as_deref(), Some("[EMAIL]"));
    assert_eq!(masked("/v1/models?page=2%20of%203"), None);
    assert_eq!(masked(""), None);
}

#[test]
fn percent_encoding_hides_nothing_however_often_it_was_done() {
    for address in [
        "maria%40example.org",
        "maria%2540example.org",
        "maria%25252540example.org",
        "%6d%61%72%69%61%40%65%78%61%6D%70%6C%65%2E%6F%72%67",
        "m%61ria@example%2eorg",
    ] {
        let url = format!("https://a.example/?to=%3D{address}%26x=%zz&y=100%");
        let expected = "https://a.example/?to=%3D[EMAIL]%26x=%zz&y=100%";
        assert_eq!(masked(&url).as_deref(), Some(expected), "{address}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_read_around() {
    assert_eq!(
        masked_with(redact(), b"\xe9\xff maria@example.org \x80\xc3"),
        Some(b"\xe9\xff [EMAIL] \x80\xc3".to_vec())
    );
    // An encoded byte that begins no character stands for itself.
    assert_eq!(
        masked("%ff%C3x maria@example.org").as_deref(),
        Some("%ff%C3x [EMAIL]")
    );
}

#[test]
fn what_is_shown_in_part_can_stand_in_a_field() {
    let partial = MaskAction::Partial {
        keep_first: 2,
        keep_last: 3,
    };
    assert_eq!(
        masked_with(partial, "a=\"maria@example.org\"").as_deref(),
        Some(&b"a=\"ma************org\""[..])
    );
    let mut out = Vec::new();
    encode(b"a\r\n\xc3\xa9\x7f%\"\\", &mut out);
    assert_eq!(out, b"a%0D%0A%C3%A9%7F%\"\\");
}

#[test]
fn every_value_of_a_name_is_masked_and_the_others_stay_beside_it() {
    let fields = [
        ("set-cookie", "a=1"),
        ("x-other", "maria@example.org"),
        ("set-cookie", "user=maria@example.org"),
        ("set-cookie", "b=2"),
    ]
    .into_iter()
    .collect();
    let cookies = [StringMatch::Exact("set-cookie".to_owned())];
    let edits = masker(&cookies, redact())
        .unwrap()
        .mask(Section::Header, &fields);
    let (name, bytes) = (
        || "set-cookie".to_owned(),
        |text: &str| text.as_bytes().to_vec(),
    );
    assert_eq!(
        edits,
        [
            HeaderEdit::Set(name(), bytes("a=1")),
            HeaderEdit::Append(name(), bytes("user=[EMAIL]")),
            HeaderEdit::Append(name(), bytes("b=2")),
        ]
    );
}

#[test]
fn a_value_that_could_not_be_written_back_is_left_out() {
    let masker = || masker(&any(), redact()).unwrap();
    let fields = [("x-note", "maria@example.org\u{1}")].into_iter().collect();
    assert_eq!(
        masker().mask(Section::Header, &fields),
        [HeaderEdit::Remove("x-note".to_owned())]
    );
    let fields = [("x-note", "\u{7f}"), ("x-note", "maria@example.org\t")]
        .into_iter()
        .collect();
    assert_eq!(
        masker().mask(Section::Header, &fields),
        [HeaderEdit::Set("x-note".to_owned(), b"[EMAIL]\t".to_vec())]
    );
}

#[test]
fn fields_that_frame_a_message_are_never_touched() {
    let fields = [
        (":status", "maria@example.org"),
        ("connection", "maria@example.org"),
        ("content-type", "maria@example.org"),
        ("transfer-encoding", "maria@example.org"),
    ]
    .into_iter()
    .collect();
    let edits = masker(&any(), redact())
        .unwrap()
        .mask(Section::Header, &fields);
    assert_eq!(edits, []);
}

#[test]
fn only_the_names_of_the_rule_are_looked_into() {
    let names = [
        StringMatch::Exact("location".to_owned()),
        StringMatch::Prefix("x-".to_owned()),
    ];
    let fields = [
        ("location", "/maria@example.org"),
        ("x-note", "maria@example.org"),
        ("link", "maria@example.org"),
    ]
    .into_iter()
    .collect();
    let mut masker = masker(&names, redact()).unwrap();
    assert_eq!(masker.mask(Section::Header, &fields).len(), 2);
    assert!(
        super::tests::masker(&[], redact()).is_none(),
        "no rule asks"
    );
}

#[test]
fn the_report_names_sections_and_fields_and_counts() {
    let mut masker = masker(&any(), redact()).unwrap();
    let twice = "maria@example.org, ole@example.org";
    let headers = [("location", twice), ("x-4111111111111111", "a@example.org")];
    masker.mask(Section::Header, &headers.into_iter().collect());
    let long = format!("x-{}", "n".repeat(80));
    let trailers = [
        ("x-foo", "4111 1111 1111 1111"),
        (long.as_str(), "a@example.org"),
    ];
    masker.mask(Section::Trailer, &trailers.into_iter().collect());
    let report = masker.report();
    let entries: Vec<_> = report
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.what.as_str(), entry.count))
        .collect();
    assert_eq!(
        entries,
        [
            ("header.location", "email", 2),
            ("header.x-[CREDIT_CARD]", "email", 1),
            ("trailer.x-foo", "credit-card", 1),
            ("trailer.*", "email", 1),
        ]
    );
    assert!(
        report
            .entries
            .iter()
            .all(|entry| entry.action == ActionKind::Redact)
    );
}
