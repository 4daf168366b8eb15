//! What can go wrong around an Envoy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::PATIENCE;

/// Why an Envoy did not start or did not do what was waited for.
#[derive(Debug, Error)]
pub enum EnvoyError {
    /// There is no binary to run.
    #[error("Envoy {version} is not at {}: run `scripts/setup-envoy {version}`", path.display())]
    Missing {
        /// The version.
        version: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// `ENVOY_RUNNER` names no runner.
    #[error("ENVOY_RUNNER is `{0}`: it must be `process` or `container`")]
    Runner(String),
    /// The container runner is not built in.
    #[error("this program runs Envoy as a process only: unset ENVOY_RUNNER")]
    NoContainer,
    /// It ended while it was starting.
    #[error("Envoy did not start; its log ends with:\n{log}")]
    Ended {
        /// The last lines that it wrote.
        log: String,
    },
    /// It does not accept the bootstrap.
    #[error("Envoy rejects the bootstrap:\n{0}")]
    Invalid(String),
    /// Something did not happen in time.
    #[error("waited {}s in vain for {what}", PATIENCE.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
    },
    /// The admin interface refused a request.
    #[error("admin answers {path} with {status}: {body}")]
    Admin {
        /// The path asked for.
        path: String,
        /// The status of the answer.
        status: u16,
        /// Its body.
        body: String,
    },
    /// There is no listener of that name.
    #[error("there is no listener `{0}`")]
    NoListener(String),
    /// The container engine failed.
    #[error("the container engine cannot {what}: {source}")]
    Engine {
        /// What was asked of it.
        what: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or a connection failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl EnvoyError {
    pub(super) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            what: what.into(),
            source: source.into(),
        }
    }

    #[cfg(feature = "container")]
    pub(super) fn engine(
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Engine {
            what: what.into(),
            source: Box::new(source),
        }
    }
}
