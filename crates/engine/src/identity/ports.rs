//! What identity needs from the proxy: a verifier of signatures, a store that all VMs share, and
//! HTTP fetches.

use tracegate_bundle::policy::Algorithm;

use super::PublicKey;

/// Verifies signatures. The filter has two: the proxy's own, and ours in wasm; the one is the test
/// oracle of the other.
pub trait SignatureVerifier {
    /// Whether `signature` (as in the JWS: raw `r||s` for ECDSA, RFC 7518 §3.4) is one of `key` over
    /// `message`. `None`: this verifier cannot tell, ask another.
    fn verify(
        &mut self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool>;
}

/// A key-value store that all VMs of one proxy process share.
pub trait SharedData {
    /// The value and its compare-and-swap token.
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Sets the value. With `cas`, only if the value is still the one with that token. Returns
    /// whether it was set.
    ///
    /// Envoy creates an absent key whatever the token; callers must not rely on either.
    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> bool;
}

/// A key set to fetch with an HTTP GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Names the source of the keys across a change of policy.
    pub provider: String,
    /// The cluster to call.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// `:scheme`.
    pub scheme: String,
    /// Timeout, in milliseconds.
    pub timeout_ms: u64,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult<'a> {
    /// An answer came.
    Answer {
        /// Its status.
        status: u16,
        /// `cache-control`, if any.
        cache_control: Option<&'a [u8]>,
        /// Its body.
        body: &'a [u8],
    },
    /// None came.
    Failed,
}
