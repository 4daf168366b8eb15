//! What is counted.
//!
//! The engine counts into a list; whoever drives it moves the counts to the proxy's own metrics
//! after each event. Every name and label comes from a closed set (an enum, the names in a bundle),
//! because a proxy never frees a metric: nothing that a caller sends may become a name.

use tracegate_bundle::policy::Direction;

use crate::masking::Report;
use crate::refusal::Refusal;

/// How an exchange was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It went to the back end.
    Allow,
    /// It was refused, or its response was.
    Deny,
    /// Its caller left before it was decided, or the proxy gave it up.
    None,
}

/// One metric, with its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Counter: exchanges, by decision and refusal.
    Requests(Decision, Option<Refusal>),
    /// Counter: values masked, by detector name or `field`.
    Masked {
        /// In which message.
        direction: Direction,
        /// Whether they only would have been, by a rule that observes.
        observed: bool,
        /// The name of the detector.
        detector: String,
    },
    /// Counter: fetches of a key set, by outcome.
    JwksFetches {
        /// Whether a usable set came.
        ok: bool,
    },
    /// Counter: look-ups of a verified token, by outcome.
    TokenCache {
        /// Whether the token was known.
        hit: bool,
    },
    /// Counter: requests that were held for the keys of an issuer.
    Held,
    /// Counter: bundles that were refused, by reason.
    BundlesRefused(Refusal),
    /// Gauge: revision of the running bundle; 0 when everything is denied.
    BundleRevision,
}

impl Metric {
    /// Whether the value is set rather than added.
    #[must_use]
    pub fn is_gauge(&self) -> bool {
        matches!(self, Self::BundleRevision)
    }

    /// The name in Envoy, with Istio's way of writing labels: `decision=.=deny;.;…`.
    #[must_use]
    pub fn name(&self) -> String {
        let refusal = |refusal: &Option<Refusal>| refusal.map_or("none", Refusal::code);
        match self {
            Self::Requests(decision, code) => {
                let decision = match decision {
                    Decision::Allow => "allow",
                    Decision::Deny => "deny",
                    Decision::None => "none",
                };
                format!(
                    "decision=.={decision};.;code=.={};.;tracegate_requests_total",
                    refusal(code)
                )
            }
            Self::Masked {
                direction,
                observed,
                detector,
            } => {
                let name = match (direction, observed) {
                    (Direction::Response, false) => "tracegate_masked_total",
                    (Direction::Response, true) => "tracegate_observed_total",
                    (Direction::Request, false) => "tracegate_request_masked_total",
                    (Direction::Request, true) => "tracegate_request_observed_total",
                };
                format!("detector=.={detector};.;{name}")
            }
            Self::JwksFetches { ok } => {
                let outcome = if *ok { "success" } else { "failure" };
                format!("outcome=.={outcome};.;tracegate_jwks_fetches_total")
            }
            Self::TokenCache { hit } => {
                let outcome = if *hit { "hit" } else { "miss" };
                format!("outcome=.={outcome};.;tracegate_token_cache_total")
            }
            Self::Held => "tracegate_held_total".to_owned(),
            Self::BundlesRefused(code) => {
                format!("code=.={};.;tracegate_bundles_refused_total", code.code())
            }
            Self::BundleRevision => "tracegate_bundle_revision".to_owned(),
        }
    }
}

/// The counts since they were last taken.
#[derive(Debug, Default)]
pub struct Metrics {
    pending: Vec<(Metric, u64)>,
}

impl Metrics {
    /// Adds to a counter, or sets a gauge.
    pub fn record(&mut self, metric: Metric, value: u64) {
        self.pending.push((metric, value));
    }

    /// Adds what was hidden in a message, or would have been.
    pub(crate) fn masked(&mut self, direction: Direction, observed: bool, report: &Report) {
        for entry in &report.entries {
            let metric = Metric::Masked {
                direction,
                observed,
                detector: entry.what.clone(),
            };
            self.record(metric, u64::from(entry.count));
        }
    }

    /// Hands over what has been counted and forgets it.
    pub fn take(&mut self) -> std::vec::Drain<'_, (Metric, u64)> {
        self.pending.drain(..)
    }
}
