//! The plugin configuration: how a bundle reaches the filter.
//!
//! It is the JSON object `{"bundle": <DSSE envelope>}`. An unknown member is refused: in the
//! configuration of a security filter it is either a typing error or a protection that this version
//! does not have, and a proxy that rejects the update goes on with the one it runs.

use serde::{Deserialize, Serialize};

use crate::codec::MAX_BYTES;
use crate::dsse::Envelope;

/// Longest configuration that is read, in bytes: the largest bundle in Base64 and room for its
/// signatures and for white space.
pub const MAX_CONFIGURATION: usize = MAX_BYTES / 3 * 4 + 64 * 1024;

/// The configuration of the filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfiguration {
    /// The signed policy.
    pub bundle: Envelope,
}

/// Why bytes are not a plugin configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationError {
    /// Longer than [`MAX_CONFIGURATION`].
    TooLong,
    /// Not the JSON of one.
    Syntax(String),
}

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => {
                write!(
                    f,
                    "the plugin configuration is longer than {MAX_CONFIGURATION} bytes"
                )
            }
            Self::Syntax(what) => write!(
                f,
                "the plugin configuration is not `{{\"bundle\": <DSSE envelope>}}`: {what}"
            ),
        }
    }
}

impl std::error::Error for ConfigurationError {}

impl PluginConfiguration {
    /// Reads the bytes that the proxy hands over.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] if they are too long or not of this shape.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        if bytes.len() > MAX_CONFIGURATION {
            return Err(ConfigurationError::TooLong);
        }
        serde_json::from_slice(bytes).map_err(|error| ConfigurationError::Syntax(error.to_string()))
    }
}
