//! Distrust of the host's verifier, until it has shown what it can.
//!
//! Envoy's `verify_signature` says "false" for a forged signature, for a hash that it does not know
//! and for a key that it cannot parse, and a host that is not Envoy may say anything. So before the
//! host's word counts for an algorithm it must accept one signature that is good and refuse one that
//! is not. The test runs at first use, in the host where the tokens will be verified; never while
//! the proxy configures the module, where a host call must not decide anything.

use serde_json::Value;
use tracegate_bundle::policy::Algorithm;

use super::json::base64url;
use super::keys::{Jwk, PublicKey};
use super::ports::SignatureVerifier;
use super::verify::RustVerifier;

/// A verifier of the host, asked first for each algorithm for which it has passed a known-answer and
/// a known-bad test. For all others, and when it cannot tell, [`RustVerifier`] decides.
#[derive(Debug)]
pub struct SelfTested<V> {
    host: V,
    passed: [Option<bool>; Algorithm::ALL.len()],
}

impl<V: SignatureVerifier> SelfTested<V> {
    /// Wraps a verifier that has not been tested yet.
    pub fn new(host: V) -> Self {
        Self {
            host,
            passed: [None; Algorithm::ALL.len()],
        }
    }

    fn trusts_host(&mut self, algorithm: Algorithm) -> bool {
        let Some(slot) = self.passed.get_mut(algorithm as usize) else {
            return false;
        };
        let host = &mut self.host;
        *slot.get_or_insert_with(|| passes(host, algorithm).unwrap_or(false))
    }
}

impl<V: SignatureVerifier> SignatureVerifier for SelfTested<V> {
    fn verify(
        &mut self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        if self.trusts_host(algorithm)
            && let Some(verdict) = self.host.verify(algorithm, key, message, signature)
        {
            return Some(verdict);
        }
        RustVerifier.verify(algorithm, key, message, signature)
    }
}

/// Whether the host tells the good signature from two bad ones. `None`: there is no test.
fn passes(host: &mut impl SignatureVerifier, algorithm: Algorithm) -> Option<bool> {
    let (members, signature) = vector(algorithm)?;
    let key = key(&members)?;
    let good = base64url(signature)?;
    let mut bad = good.clone();
    *bad.last_mut()? ^= 1;
    let mut says = |message, signature: &[u8]| host.verify(algorithm, &key, message, signature);
    Some(
        says(MESSAGE, &good) == Some(true)
            && says(MESSAGE, &bad) == Some(false)
            && says(b"another message", &good) == Some(false),
    )
}

/// The key and the signature of [`MESSAGE`] for an algorithm that a host may know.
fn vector(algorithm: Algorithm) -> Option<(Vec<(&'static str, &'static str)>, &'static str)> {
    let rsa = || vec![("kty", "RSA"), ("n", RSA_N), ("e", "AQAB")];
    let ec = |crv, x, y| vec![("kty", "EC"), ("crv", crv), ("x", x), ("y", y)];
    match algorithm {
        Algorithm::RS256 => Some((rsa(), RS256_SIGNATURE)),
        Algorithm::RS384 => Some((rsa(), RS384_SIGNATURE)),
        Algorithm::RS512 => Some((rsa(), RS512_SIGNATURE)),
        Algorithm::ES256 => Some((ec("P-256", P256_X, P256_Y), ES256_SIGNATURE)),
        Algorithm::ES384 => Some((ec("P-384", P384_X, P384_Y), ES384_SIGNATURE)),
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 | Algorithm::EdDSA => None,
    }
}

fn key(members: &[(&str, &str)]) -> Option<PublicKey> {
    let members = members
        .iter()
        .map(|&(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    let jwk = Jwk::parse(&Value::Object(members)).ok()?;
    Some(jwk.key)
}

// The keys were made for these vectors; their private halves are gone.

/// What is signed.
const MESSAGE: &[u8] = b"Tracegate asks the host whether it verifies what it should.";

/// Modulus of the RSA key; its exponent is 65537.
const RSA_N: &str = "\
    oRPkkSVyp9U0yGjK18PrYUcW-i6F25oAp6pl4nyknocw55gCv1QslzT8aQHLvnBeCgoYZDvxJ9gvPc-mUDjaoqj9oVW1\
    B6xXQxpd7skSL2n9FVqbuBCvURCPUGxZ_9xa2K4Ybjy4sYyEI6wLTCex9JZBMNadiExr54zuLFwHxrbj4rGX5xnluMow\
    ZsjFFF_h9Bwcr3kzX2nxLOqiXty5NcGHbEr2Mgd1TOz0cX6FvFBEV7YP7_VaCrQLzUGAfB7GhA4G5iD-9VEmOYhpNdJ0\
    DsEVmV8wGQRnGjqEtMbj9CUwspGBOc8lnp6FwgP3blDOHCTX4Ai8ZP16AxlQyOjwAQ";

/// RS256 signature of [`MESSAGE`].
const RS256_SIGNATURE: &str = "\
    gm9Aziw4LDSsBno5TPzzeuMrPUX-z5KhJgeRFB7W3OvrA6-JceLSHpGYP9hfMJcFwqkG87mTQb_JwNMMrYSfYtNpzFR1\
    ANNxRn0fA4r5mb5E6F-tofPJKCCEmvOfTg67i9ko6M7N1L9ZZHrBmkQctC2R3YXGRNoW1qbz-kERIXtNcOWV0i61bv6K\
    eBCIcdBW4xA4M8CvMbr71KbJsX9cPgWUEDsdqVD4ugXISADq5dpm6melNpuisaeWFlV_D94AVDEKhgUPiGIcCJdTEBuO\
    gHl5Epj8ZwgPbAPgPHRsK9cqBXYNtpDlOXyfy0VHKjaW1iIU1bU5ioWK4jppRXdRbw";

/// RS384 signature of [`MESSAGE`].
const RS384_SIGNATURE: &str = "\
    LQS9IwFa886YVB0l7IQxh_5hkDVmWLWfUGrol9q3Q3l0DzVl2hUADNPbw8zWqRZ1E824YoyoX8IOgxOYda0df28ESi88\
    xJimJTvjNxoQ98tePvW3kWuizrHjuzfj6pah3X2-FcGX3jBCyUEfFWGD-q-tnvZd14ym6DQrCzv26SVyUA-H6mKo2mDQ\
    -QlljLg-E8uRnUfXBEp9DZfEe-1may32WMsTNaPKnNkcSYSGZhsBcMkkswbLbjlRHhld8ptHsutSLmFmtIGd_Zbf-5wc\
    Vd-C5i2NhmzeqnKv9Ain2LfHbGnOo14BC20_q_s-vmH8S7NEfZNRwolEM6kI0V-aLQ";

/// RS512 signature of [`MESSAGE`].
const RS512_SIGNATURE: &str = "\
    jsLvUygfBtTqPq_uDgfPmqJqlYVUDJ2KY_t5JEYIBAv6lGoIGQ-8hzKyD8mM1LRdGbiKEBTK8W63NWLpvjWolyHUrNXi\
    xPvI8AfQ6vXAvf9YC7tOVhCxNhPZz4ZNg1ZDyO_7gIRIB75NlJfwpbs39Uhyh3q09dVI2EzZohBcvUhKvi8wxAEf5EDx\
    t3pL1rANbVXbYoSgdv8oH_Z7WUGOYid4cEuMBT4HdrYO1kkak-k1FALVa3BCkYlz5qhz2-fJpSoE7xi5TMpGhp2jBcqP\
    DuP6e20-1husKrL5JxD8_3oP28_aLEmMB8paB6SpFEQ7KYreCcT_ZlTxh3gL0fPkwQ";

/// The P-256 key.
const P256_X: &str = "yYrcWa0KqHOJtlpcdSbwkdCbGK-D5dB2WRgmxTMZgLo";

/// The P-256 key.
const P256_Y: &str = "OXmozkIFdbFG3jWjkulOu8nfuXwYuzrAloakqoO3kRY";

/// ES256 signature of [`MESSAGE`], `r||s`.
const ES256_SIGNATURE: &str =
    "WUmEq1lRhtWb1iZDP3WkA4EUg9AcSmWls_DMYXTBADC6A34HoIM8IhrO_FjkRzrBBxnz_MC8SlxCXeRcMMFTvg";

/// The P-384 key.
const P384_X: &str = "W6qYzyaBirmJtGfv6NrLD0xJOkQYzTd7NCRiFb91v3UhBfL6kqopcNd6BPA6mcBr";

/// The P-384 key.
const P384_Y: &str = "6v_dgQejSaK__ZukuUQv6L61dkBY2L412FBdhb1p0SktcupHHzzN7IguSWG2ug3M";

/// ES384 signature of [`MESSAGE`], `r||s`.
const ES384_SIGNATURE: &str = "\
    F0sfcnwjqXehVxX6O4me4nBiWU17s2q5-lSH78hd1fuUZfxqfGUghnohUqiLaZo159o_PJYk-5Df7jhvRW03M2hUMi3r\
    GlL2XujikieUP13bYP5FqjRLwMO2TK0MtYnl";
