//! The built-in detectors, read from `policy-compiler/detectors/`.
//!
//! One file holds everything about one detector: its pattern and checks, examples of what it finds and
//! what it leaves alone (they are tests), and its known false hits (they are documentation).

use std::sync::LazyLock;

use serde::Deserialize;
use tracegate_bundle::policy::{Boundary, Overlong, Validator};

/// The files, in the order of the documentation: personal data, then secrets.
const FILES: [&str; 34] = [
    include_str!("../../detectors/email.yaml"),
    include_str!("../../detectors/phone.yaml"),
    include_str!("../../detectors/credit-card.yaml"),
    include_str!("../../detectors/iban.yaml"),
    include_str!("../../detectors/us-ssn.yaml"),
    include_str!("../../detectors/uk-nino.yaml"),
    include_str!("../../detectors/br-cpf.yaml"),
    include_str!("../../detectors/in-aadhaar.yaml"),
    include_str!("../../detectors/de-tax-id.yaml"),
    include_str!("../../detectors/fr-nir.yaml"),
    include_str!("../../detectors/es-dni.yaml"),
    include_str!("../../detectors/it-codice-fiscale.yaml"),
    include_str!("../../detectors/ipv4.yaml"),
    include_str!("../../detectors/ipv6.yaml"),
    include_str!("../../detectors/mac.yaml"),
    include_str!("../../detectors/bitcoin-address.yaml"),
    include_str!("../../detectors/ethereum-address.yaml"),
    include_str!("../../detectors/jwt.yaml"),
    include_str!("../../detectors/bearer-token.yaml"),
    include_str!("../../detectors/basic-auth.yaml"),
    include_str!("../../detectors/url-credentials.yaml"),
    include_str!("../../detectors/private-key.yaml"),
    include_str!("../../detectors/aws-access-key.yaml"),
    include_str!("../../detectors/azure-key.yaml"),
    include_str!("../../detectors/google-api-key.yaml"),
    include_str!("../../detectors/gcp-service-account.yaml"),
    include_str!("../../detectors/github-token.yaml"),
    include_str!("../../detectors/gitlab-token.yaml"),
    include_str!("../../detectors/npm-token.yaml"),
    include_str!("../../detectors/openai-key.yaml"),
    include_str!("../../detectors/anthropic-key.yaml"),
    include_str!("../../detectors/slack-token.yaml"),
    include_str!("../../detectors/stripe-key.yaml"),
    include_str!("../../detectors/sendgrid-key.yaml"),
];

static CATALOGUE: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    // A file that does not parse is missing here; a test counts them.
    FILES
        .iter()
        .filter_map(|file| serde_saphyr::from_str(file).ok())
        .collect()
});

/// A built-in detector.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuiltIn {
    /// Its name in policies.
    pub name: String,
    /// What it finds, in one sentence.
    pub summary: String,
    /// What stands in place of a match.
    pub token: String,
    /// The ways in which it is written.
    pub forms: Vec<Form>,
    /// Texts with something to find.
    pub finds: Vec<Example>,
    /// Texts in which it finds nothing.
    pub ignores: Vec<String>,
    /// What it finds although it should not, or does not find although one might think so.
    pub limits: Vec<String>,
}

/// One way in which what a detector finds is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Form {
    /// The skeleton pattern.
    pub pattern: String,
    /// What belongs to the match before the pattern.
    pub lead: Option<BuiltInLead>,
    /// What may stand before a match.
    pub left: Boundary,
    /// What may stand after a match.
    pub right: Boundary,
    /// Shortest match, in bytes.
    pub min_length: u32,
    /// Longest match, in bytes.
    pub max_length: u32,
    /// What happens to a longer one.
    #[serde(default = "release")]
    pub overlong: Overlong,
    /// The check in code.
    #[serde(default = "unchecked")]
    pub validator: Validator,
}

fn release() -> Overlong {
    Overlong::Release
}

fn unchecked() -> Validator {
    Validator::None
}

/// What belongs to a match before the pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltInLead {
    /// A character class, in the syntax of regular expressions.
    pub class: String,
    /// Most characters of it.
    pub max: u32,
}

/// A text and what is found in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The text.
    pub text: String,
    /// The match; the whole text if absent.
    pub hit: Option<String>,
}

/// The built-in detectors, in the order of the documentation.
#[must_use]
pub fn built_ins() -> &'static [BuiltIn] {
    &CATALOGUE
}

/// The names of the built-in detectors, in the order of the documentation.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|built_in| built_in.name.as_str())
}
