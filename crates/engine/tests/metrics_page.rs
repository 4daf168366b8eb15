//! `docs/operator.md` lists every metric, with its labels.

use tracegate_bundle::policy::Direction;
use tracegate_engine::metrics::{Decision, Metric};
use tracegate_engine::refusal::Refusal;

const PAGE: &str = include_str!("../../../docs/operator.md");

fn masked(direction: Direction, observed: bool) -> Metric {
    Metric::Masked {
        direction,
        observed,
        detector: "email".to_owned(),
    }
}

/// One of each kind. A new kind does not compile here until it is added.
fn one_of_each() -> Vec<Metric> {
    let next = |metric: &Metric| match metric {
        Metric::Requests(..) => Some(masked(Direction::Response, false)),
        Metric::Masked {
            direction,
            observed,
            ..
        } => Some(match (direction, observed) {
            (Direction::Response, false) => masked(Direction::Response, true),
            (Direction::Response, true) => masked(Direction::Request, false),
            (Direction::Request, false) => masked(Direction::Request, true),
            (Direction::Request, true) => Metric::JwksFetches { ok: true },
        }),
        Metric::JwksFetches { .. } => Some(Metric::TokenCache { hit: true }),
        Metric::TokenCache { .. } => Some(Metric::Held),
        Metric::Held => Some(Metric::BundlesRefused(Refusal::BundleExpired)),
        Metric::BundlesRefused(_) => Some(Metric::BundleRevision),
        Metric::BundleRevision => None,
    };
    let first = Metric::Requests(Decision::Deny, Some(Refusal::JwtMissing));
    std::iter::successors(Some(first), next).collect()
}

#[test]
fn every_metric_is_a_row_of_the_page() {
    for metric in one_of_each() {
        let written = metric.name();
        let mut parts: Vec<&str> = written.split(";.;").collect();
        let name = parts.pop().unwrap_or_default();
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/operator.md lacks {name}"));
        let kind = if metric.is_gauge() {
            "| gauge |"
        } else {
            "| counter |"
        };
        assert!(row.contains(kind), "{row}");
        for label in parts.iter().filter_map(|part| part.split("=.=").next()) {
            assert!(
                row.contains(&format!("`{label}`")),
                "{name} has the label {label}: {row}"
            );
        }
    }
}
