//! The built-in detectors, read from `policy-compiler/detectors/`.
//!
//! One file holds everything about one detector: its pattern and checks, examples of what it finds and
//! what it leaves alone (they are tests), and its known false hits (they are documentation).

use std::sync::LazyLock;

use serde::Deserialize;
use tracegate_bundle::policy::{Boundary, Overlong, Validator};

/// The files, in the order of the documentation: personal data, then secrets.
const FILES: [&str; 38] = [
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
    include_str!("../../detectors/nl-bsn.yaml"),
    include_str!("../../detectors/passport.yaml"),
    include_str!("../../detectors/date-of-birth.yaml"),
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
    include_str!("../../detectors/high-entropy.yaml"),
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
    /// Words that make a match more certain, before it or in the name of its member.
    #[serde(default)]
    pub context: Vec<String>,
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
    /// How certain a match is, without a word of context.
    pub score: Score,
    /// How certain it is with one, if that makes a difference.
    pub context_score: Option<Score>,
    /// The skeleton pattern.
    pub pattern: String,
    /// Characters with which the pattern begins that do not belong to the match.
    #[serde(default)]
    pub prelude: String,
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

/// How certain a match is: from 0 to 1, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// What a rule asks for that does not say.
    pub const DEFAULT: Self = Self(50);

    /// Reads `0.75`, with at most two digits behind the point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, hundredths) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole, 1) || !is_number(hundredths, 2) {
            return None;
        }
        let hundredths = format!("{whole}{hundredths:0<2}").parse().ok()?;
        (hundredths <= 100).then_some(Self(hundredths))
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = format!("{}.{:02}", self.0 / 100, self.0 % 100);
        f.write_str(digits.strip_suffix('0').unwrap_or(&digits))
    }
}

impl serde::Serialize for Score {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Self::parse(&number.to_string())
            .ok_or_else(|| serde::de::Error::custom("a score lies between 0 and 1"))
    }
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
