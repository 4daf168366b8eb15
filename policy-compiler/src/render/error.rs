//! Why a configuration cannot be written.

use thiserror::Error;
use tracegate_bundle::LoadError;
use tracegate_bundle::dsse::VerifyError;

/// Why a configuration cannot be written.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The envelope cannot be read.
    #[error("the envelope cannot be read: {0}")]
    Envelope(VerifyError),
    /// The envelope holds no bundle.
    #[error("the envelope holds no bundle: {0}")]
    Bundle(LoadError),
    /// A connection has no back end.
    #[error("the connection `{0}` has no back end: add --upstream {0}=HOST:PORT")]
    NoUpstream(String),
    /// A cluster of the policy has no server.
    #[error("the policy fetches keys from the cluster `{0}`: add --cluster {0}=HOST:PORT")]
    NoCluster(String),
    /// An option names a connection that the policy does not have.
    #[error("--{option} {name}: the policy has no such connection, it has {known}")]
    UnknownConnection {
        /// The option, without dashes.
        option: &'static str,
        /// The name that it gives.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// An option names a cluster that the policy does not use.
    #[error("--cluster {0}: the policy fetches no keys from it")]
    UnknownCluster(String),
    /// A connection and a cluster of the policy have one name, and Envoy has one list of clusters.
    #[error("`{0}` is the name of a connection and of a cluster: rename one in the policy")]
    SameName(String),
    /// A template is wrong: a fault of this program.
    #[error("the template cannot be filled in: {0}")]
    Template(#[from] minijinja::Error),
}
