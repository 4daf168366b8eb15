//! How much text detectors hold back: a property of the text and the detectors, not of any clock.

use std::error::Error;

use tracegate_bundle::dsse::TrustKeys;
use tracegate_bundle::{Bundle, PluginConfiguration};
use tracegate_engine::masking::detect::{Detectors, Scanner};

use crate::callers::Callers;
use crate::chains::Chain;
use crate::{bodies, tracegate};

/// How many bytes were held back, looked at after each byte of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// On average.
    pub(crate) mean: f64,
    /// In 99 of 100 places at most.
    pub(crate) p99: u64,
    /// At most.
    pub(crate) most: u64,
}

/// Reads ordinary prose byte by byte with all the detectors of the benchmark.
pub(crate) fn on_prose(callers: &Callers) -> Result<Held, Box<dyn Error>> {
    let (configuration, trust) = tracegate::configuration(Chain::Tracegate, &callers.jwks)?;
    let envelope = PluginConfiguration::from_bytes(&configuration)?.bundle;
    let bundle = Bundle::from_bytes(&envelope.verify(&TrustKeys::parse(&trust)?)?)?;
    let detectors = Detectors::new(bundle.detectors);
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    let mut held: Vec<u64> = Vec::new();
    for (position, byte) in (1..).zip(bodies::prose(1 << 20).bytes()) {
        let decided = scanner.push(&detectors, u64::MAX, &[byte], &mut found);
        held.push(position - decided);
    }
    held.sort_unstable();
    let sum: u64 = held.iter().sum();
    Ok(Held {
        mean: sum as f64 / held.len() as f64,
        p99: held[held.len() * 99 / 100],
        most: held[held.len() - 1],
    })
}
