//! Envoy's foreign function `verify_signature`, done natively with the crates that the filter uses
//! in wasm. A JWS whose signature only one of the two accepts would be a finding.

use p256::ecdsa::signature::Verifier;

use rsa::pkcs1v15;
use rsa::pkcs8::DecodePublicKey;
use sha2::{Sha256, Sha384, Sha512};

/// Answers `VerifySignatureArguments` with `VerifySignatureResult`; `None` for what Envoy calls a bad
/// argument.
pub(super) fn verify(arguments: &[u8]) -> Option<Vec<u8>> {
    let [hash, key, signature, text] = fields(arguments)?;
    let hash = String::from_utf8_lossy(hash).to_lowercase();
    let valid = verify_rsa(&hash, key, signature, text)
        .or_else(|| verify_ecdsa(&hash, key, signature, text))
        .unwrap_or(false);
    Some(if valid {
        vec![0x08, 0x01]
    } else {
        let error = b"Failed to verify digest. Error code: 0";
        let mut result = vec![0x12, error.len() as u8];
        result.extend(error);
        result
    })
}

/// The length-delimited fields 1 to 4 of a protobuf message, each exactly once.
fn fields(mut bytes: &[u8]) -> Option<[&[u8]; 4]> {
    let mut found = [None; 4];
    while let [tag, rest @ ..] = bytes {
        let mut length = 0_usize;
        let mut rest = rest;
        for shift in (0..28).step_by(7) {
            let (&byte, after) = rest.split_first()?;
            length |= usize::from(byte & 0x7f) << shift;
            rest = after;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let field = found.get_mut(usize::from(tag >> 3).checked_sub(1)?)?;
        if tag & 7 != 2 || field.is_some() {
            return None;
        }
        *field = Some(rest.get(..length)?);
        bytes = &rest[length..];
    }
    let [hash, key, signature, text] = found;
    Some([hash?, key?, signature?, text?])
}

fn verify_rsa(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
    let key = rsa::PublicKey::from_public_key_der(key).ok()?;
    let signature = pkcs1v15::Signature::try_from(signature).ok();
    let verified = |valid: Result<(), _>| -> bool { valid.is_ok() };
    Some(signature.is_some_and(|signature| match hash {
        "sha256" => verified(pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(text, &signature)),
        "sha384" => verified(pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(text, &signature)),
        "sha512" => verified(pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(text, &signature)),
        _ => false,
    }))
}

/// ECDSA with the hash of the curve. The point is the last thing in a SubjectPublicKeyInfo.
fn verify_ecdsa(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
    const P256_POINT: usize = 65;
    const P384_POINT: usize = 97;
    // 1.2.840.10045.2.1, id-ecPublicKey.
    const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    if !key
        .windows(EC_PUBLIC_KEY.len())
        .any(|window| window == EC_PUBLIC_KEY)
    {
        return None;
    }
    let point = |size| key.get(key.len().checked_sub(size)?..);
    match hash {
        "sha256" => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point(P256_POINT)?).ok()?;
            let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
            Some(key.verify(text, &signature).is_ok())
        }
        "sha384" => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point(P384_POINT)?).ok()?;
            let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
            Some(key.verify(text, &signature).is_ok())
        }
        _ => None,
    }
}
