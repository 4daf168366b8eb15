//! A bundle that uses every kind of member once.

use crate::automaton::Automaton;
use crate::policy::*;

/// Matches `a+`; accepts as pattern 0.
pub(crate) fn automaton() -> Automaton {
    let mut classes = [0u8; 256];
    classes[usize::from(b'a')] = 1;
    Automaton::new(
        classes,
        1,
        vec![0, 0, 0, 2, 0, 2],
        vec![0, 0, 1],
        vec![0, 0, 1],
    )
    .unwrap()
}

fn path() -> Path {
    let step = |descendant, selectors| Step {
        descendant,
        selectors,
    };
    Path {
        text: "$..messages[*,0,1:9:2].content".to_owned(),
        steps: vec![
            step(true, vec![Selector::Name("messages".to_owned())]),
            step(
                false,
                vec![
                    Selector::Wildcard,
                    Selector::Index(0),
                    Selector::Slice {
                        start: 1,
                        end: Some(9),
                        step: 2,
                    },
                ],
            ),
            step(false, vec![Selector::Name("content".to_owned())]),
        ],
    }
}

fn provider() -> Provider {
    Provider {
        issuer: "https://login.corp.example".to_owned(),
        audiences: vec!["reasoning".to_owned()],
        algorithms: vec![Algorithm::RS256],
        keys: KeySource::Remote {
            cluster: "idp".to_owned(),
            authority: "login.corp.example".to_owned(),
            path: "/jwks".to_owned(),
            scheme: "https".to_owned(),
            cache_seconds: 300,
            max_stale_seconds: 86_400,
            timeout_ms: 2_000,
        },
        from_headers: vec![TokenHeader {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }],
        clock_skew: 60,
        max_lifetime: None,
        token_type: TokenType::Any,
    }
}

fn rule() -> Rule {
    Rule {
        name: "no-production-data".to_owned(),
        action: Action::Deny,
        from: vec![Source::default()],
        to: vec![Operation {
            methods: vec![StringMatch::Exact("POST".to_owned())],
            paths: vec![PathMatch::Template(vec![
                TemplateSegment::Literal("v1".to_owned()),
                TemplateSegment::One,
                TemplateSegment::Many,
            ])],
            ..Operation::default()
        }],
        when: vec![Condition {
            key: Attribute::Body(path()),
            values: Vec::new(),
            not_values: Vec::new(),
            matches: vec![ExpressionId(0)],
            not_matches: Vec::new(),
        }],
    }
}

fn masks() -> Vec<MaskRule> {
    let fields = MaskTarget::Fields(vec![path()]);
    let detect = MaskTarget::Detect {
        detectors: 1,
        within: vec![path()],
    };
    let ends = MaskAction::Partial {
        keep_first: 0,
        keep_last: 4,
    };
    vec![
        MaskRule {
            keep_type: true,
            ..MaskRule::new(fields, MaskAction::Redact(Some("[HIDDEN]".to_owned())))
        },
        MaskRule {
            direction: Direction::Request,
            mode: MaskMode::Observe,
            ..MaskRule::new(detect.clone(), ends.clone())
        },
        MaskRule {
            headers: vec![StringMatch::Prefix("x-".to_owned())],
            ..MaskRule::new(detect, ends)
        },
        MaskRule::new(MaskTarget::AllowFields(vec![path()]), MaskAction::Drop),
    ]
}

/// The bundle.
pub(crate) fn bundle() -> Bundle {
    Bundle {
        format: FORMAT,
        name: "reasoning".to_owned(),
        revision: 7,
        expires: Some(1_800_000_000),
        source: format!("sha256:{}", "0".repeat(64)),
        providers: vec![provider()],
        connections: vec![Connection {
            name: "o-series".to_owned(),
            hosts: vec![HostMatch::Suffix(".corp.example".to_owned())],
            supplier: Some("acme-ai".to_owned()),
            providers: vec![0],
            allow_missing: false,
            forward_subject: true,
            max_request_body: 1 << 20,
            pass_types: vec!["image/*".to_owned()],
            decode: vec![ContentCoding::Gzip],
            scan_text: true,
            rules: vec![rule()],
            masks: masks(),
            stream: StreamRules::default(),
        }],
        detectors: DetectorSet {
            automaton: Some(automaton()),
            detectors: vec![Detector {
                name: "as".to_owned(),
                token: "[AS]".to_owned(),
                lead: None,
                left: Boundary::Any,
                right: Boundary::NotDigit,
                min_len: 1,
                max_len: 64,
                overlong: Overlong::Release,
                validator: Validator::None,
                prelude: String::new(),
                context: vec!["by".to_owned()],
                ignore: Some(automaton()),
            }],
        },
        expressions: vec![automaton()],
    }
}
