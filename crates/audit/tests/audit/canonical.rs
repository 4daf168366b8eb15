//! Whatever a caller sends: one line, valid, canonical, at most 8 KiB.

use crate::support::{allowed, refused};
use proptest::prelude::*;
use tracegate_audit::{
    Caller, Connection, Inspected, MAX_BYTES, MaskAction, Masked, Message, Outcome, Peers, Policy,
    Record, Request, Response, Text, Times,
};

/// Text as an attacker would write it: of any length, with what needs escapes, what some parsers
/// take for a line end, and bytes that are not UTF-8.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{0,40}".prop_map(String::into_bytes),
        2 => "\\PC{0,20}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::sample::select(vec![
            "\u{0}\u{1}\u{1f}\u{7f}", "\r\n\t\u{8}\u{c}", "\"\\/", "\u{2028}\u{2029}\u{85}",
            "😀\u{10ffff}", "\u{feff}\u{202e}", "}{\",\"x\":1",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => (0u8..0x20, 1usize..3000).prop_map(|(byte, times)| vec![byte; times]),
        1 => Just(b"\xed\xa0\x80\xc0\xaf\xff".to_vec()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let codes = [
        "jwt.expired",
        "policy.denied",
        "request.path",
        "mask.limit",
        "bundle.expired",
    ];
    let refusals = codes.map(|code| refused(code, "A reason.")).to_vec();
    prop_oneof![
        prop::sample::select(refusals),
        prop::sample::select(vec![
            Outcome::Unfinished,
            Outcome::NotReached,
            Outcome::Allowed,
            Outcome::Held,
            Outcome::Approved,
            Outcome::Rejected,
            Outcome::Observed,
        ]),
    ]
}

/// The parts that a record borrows.
#[derive(Debug)]
struct Parts {
    outcome: Outcome,
    texts: Vec<Vec<u8>>,
    present: u32,
    groups: Vec<Vec<u8>>,
    masked: Vec<(Vec<u8>, Vec<u8>, usize, u64)>,
    numbers: Vec<u64>,
    code: Option<u16>,
}

fn parts() -> impl Strategy<Value = Parts> {
    let masked = (hostile(), hostile(), 0usize..6, any::<u64>());
    let group = prop::collection::vec(hostile(), 0..40);
    (
        outcome(),
        prop::collection::vec(hostile(), 20),
        any::<u32>(),
        group,
        prop::collection::vec(masked, 0..40),
        prop::collection::vec(any::<u64>(), 8),
        any::<Option<u16>>(),
    )
        .prop_map(
            |(outcome, texts, present, groups, masked, numbers, code)| Parts {
                outcome,
                texts,
                present,
                groups,
                masked,
                numbers,
                code,
            },
        )
}

impl Parts {
    fn text(&self, index: usize) -> Text<'_> {
        self.texts[index].as_slice().into()
    }

    fn maybe<T>(&self, bit: u32, value: T) -> Option<T> {
        (self.present >> bit & 1 == 1).then_some(value)
    }

    fn record<'a>(&'a self, groups: &'a [Text<'a>], masked: &'a [Masked<'a>]) -> Record<'a> {
        let number = |index: usize| self.numbers[index];
        let verified = Caller::Verified {
            issuer: self.text(0),
            subject: self.text(1),
            groups,
            token_id: self.maybe(0, self.text(2)),
            expires: self.maybe(1, number(0)),
            presenter: self.maybe(2, self.text(3)),
        };
        Record {
            outcome: self.outcome,
            caller: self.maybe(3, verified).unwrap_or_default(),
            request: Request {
                method: self.text(4),
                authority: self.text(5),
                path: self.text(6),
                scheme: self.maybe(4, self.text(7)),
                protocol: self.maybe(5, self.text(8)),
                user_agent: self.maybe(6, self.text(9)),
                id: self.maybe(7, self.text(10)),
                body_bytes: self.maybe(8, number(1)),
                body_sha256: self.maybe(9, [0xab; 32]),
            },
            response: Response {
                code: self.code,
                content_type: self.maybe(10, self.text(11)),
                body_bytes: self.maybe(11, number(2)),
                body_sha256: self.maybe(12, [0xcd; 32]),
                code_details: self.maybe(13, self.text(12)),
                flags: self.maybe(14, number(3)),
            },
            policy: self.maybe(
                15,
                Policy {
                    name: self.text(13),
                    digest: self.text(14),
                    revision: number(4),
                },
            ),
            refused_bundle: self.maybe(27, "bundle.untrusted"),
            connection: self.maybe(
                16,
                Connection {
                    name: self.text(15),
                    supplier: self.maybe(17, self.text(16)),
                },
            ),
            rule: self.maybe(18, self.text(17)),
            inspected: self.maybe(19, Inspected::Full).unwrap_or_default(),
            masked,
            masked_more: self.present >> 26 & 1 == 1,
            times: Times {
                start: number(5),
                duration: self.maybe(20, number(6)),
                latency: self.maybe(21, number(7)),
            },
            peers: Peers {
                source: self.maybe(22, self.text(18)),
                source_principal: self.maybe(23, self.text(19)),
                upstream: self.maybe(24, self.text(12)),
            },
            trace: self.maybe(25, allowed().trace).flatten(),
        }
    }

    fn line(&self) -> Vec<u8> {
        let groups: Vec<Text<'_>> = self
            .groups
            .iter()
            .map(|group| group.as_slice().into())
            .collect();
        let masked: Vec<Masked<'_>> = self
            .masked
            .iter()
            .map(|(path, detector, action, count)| Masked {
                message: [Message::Request, Message::Response][(count & 1) as usize],
                observed: count & 2 == 2,
                json_path: path.as_slice().into(),
                detector: detector.as_slice().into(),
                action: MaskAction::ALL[*action],
                count: *count,
            })
            .collect();
        self.record(&groups, &masked).line()
    }
}

fn assert_one_canonical_line(line: &[u8]) {
    assert!(line.len() <= MAX_BYTES, "{} bytes", line.len());
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    let value: serde_json::Value = serde_json::from_slice(line).unwrap();
    let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
    assert_eq!(
        String::from_utf8_lossy(line),
        String::from_utf8_lossy(&canonical)
    );
}

proptest! {
    #[test]
    fn any_record_is_one_canonical_line_of_at_most_8_kib(parts in parts()) {
        assert_one_canonical_line(&parts.line());
    }
}

#[test]
fn any_record_is_valid_ocsf() {
    let Some(schema) = crate::support::schema() else {
        return;
    };
    proptest!(|(parts in parts())| {
        let value = serde_json::from_slice(&parts.line()).unwrap();
        prop_assert!(schema.is_valid(&value), "{value}");
    });
}

/// Every text is as long as can be and made of what takes most room: six bytes for each.
fn enormous(byte: u8) -> Parts {
    let text = vec![byte; 60_000];
    Parts {
        outcome: Outcome::Allowed,
        texts: vec![text.clone(); 20],
        present: u32::MAX,
        groups: vec![text.clone(); 200],
        masked: (0..200)
            .map(|index| (text.clone(), text.clone(), index % 4, u64::MAX))
            .collect(),
        numbers: vec![u64::MAX; 8],
        code: Some(u16::MAX),
    }
}

#[test]
fn the_largest_record_fits_and_says_that_it_was_shortened() {
    for byte in [b'a', b'"', 1, 0xff] {
        let line = enormous(byte).line();
        assert_one_canonical_line(&line);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["metadata"]["is_truncated"], true);
    }
}

#[test]
fn a_record_that_fits_is_not_marked() {
    let value: serde_json::Value = serde_json::from_slice(&allowed().line()).unwrap();
    assert_eq!(value["metadata"].get("is_truncated"), None);
}

#[test]
fn the_user_agent_goes_first_and_who_asked_stays() {
    let long = "x".repeat(4000);
    let mut record = allowed();
    record.request.user_agent = Some(Text::from(&long));
    let value: serde_json::Value = serde_json::from_slice(&record.line()).unwrap();
    assert_eq!(value["metadata"]["is_truncated"], true);
    assert!(
        value["http_request"]["user_agent"]
            .as_str()
            .unwrap()
            .ends_with('…')
    );
    assert_eq!(value["actor"]["user"]["uid"], "ana");
}

#[test]
fn counts_stay_exact_when_paths_are_left_out() {
    let paths: Vec<String> = (0..100)
        .map(|index| format!("$.rows[*].column{index}"))
        .collect();
    let masked: Vec<Masked<'_>> = paths
        .iter()
        .map(|path| Masked {
            message: Message::Response,
            observed: false,
            json_path: path.into(),
            detector: "email".into(),
            action: MaskAction::Hash,
            count: 3,
        })
        .collect();
    let record = Record {
        masked: &masked,
        ..allowed()
    };
    let value: serde_json::Value = serde_json::from_slice(&record.line()).unwrap();
    let kind = &value["resources"][0]["data_classifications"][0];
    assert_eq!(kind["total"], 300);
    assert!(kind["discovery_details"].as_array().unwrap().len() < 100);
    assert_eq!(
        value["unmapped"]["tracegate"]["mask"]["actions"]["hash"],
        300
    );
    assert_eq!(value["metadata"]["is_truncated"], true);
}
