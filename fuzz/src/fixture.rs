//! A policy that uses everything, and the keys that its bundles and tokens are signed with.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ed25519_dalek::{Signer as _, SigningKey};
use policy_compiler::{Options, compile};
use tracegate_bundle::Bundle;
use tracegate_engine::Timestamp;

pub(super) const ISSUER: &str = "https://login.corp.example";
pub(super) const AUDIENCE: &str = "reasoning";
pub(super) const KID: &str = "fuzz";

/// The time at which everything happens.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_795_417_200);

/// A policy in the language of authors.
pub(super) fn policy() -> String {
    let key = BASE64URL.encode(token_key().verifying_key().as_bytes());
    let jwks = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{KID}","alg":"EdDSA","x":"{key}"}}]}}"#
    );
    include_str!("policy.yaml").replace("{{jwks}}", &jwks)
}

/// The same, compiled.
pub(super) fn bundle() -> &'static Bundle {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let compiled = compile(&policy(), "policy.yaml", &Options::default());
        compiled.expect("the policy of the fixture compiles").bundle
    })
}

/// The issuer's key.
pub(super) fn token_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

/// A token with exactly these header and claims, rightly signed.
pub(super) fn token(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = token_key().sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", BASE64URL.encode(signature))
}
