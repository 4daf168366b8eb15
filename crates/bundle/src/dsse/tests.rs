use proptest::prelude::*;

use super::*;
use crate::PluginConfiguration;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn trust(keys: &[&SigningKey]) -> TrustKeys {
    let entries: Vec<String> = keys
        .iter()
        .map(|key| trust_entry(&key.verifying_key()))
        .collect();
    TrustKeys::parse(&entries.join(",")).unwrap()
}

fn signed(payload: &[u8], keys: &[&SigningKey]) -> Envelope {
    let mut envelope = Envelope::new(payload);
    for key in keys {
        envelope.sign(key).unwrap();
    }
    envelope
}

#[test]
fn the_encoding_that_is_signed_is_that_of_the_specification() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(encoded, expected);
}

#[test]
fn a_payload_comes_back_when_a_trusted_key_signed_it() {
    let envelope = signed(b"policy", &[&key(1)]);
    assert_eq!(envelope.verify(&trust(&[&key(1)])), Ok(b"policy".to_vec()));
}

#[test]
fn one_trusted_signature_among_several_suffices() {
    let envelope = signed(b"policy", &[&key(1), &key(2), &key(3)]);
    assert!(envelope.verify(&trust(&[&key(9), &key(3)])).is_ok());
}

#[test]
fn an_unsigned_payload_is_refused() {
    let envelope = Envelope::new(b"policy");
    assert_eq!(
        envelope.verify(&trust(&[&key(1)])),
        Err(VerifyError::Unsigned)
    );
}

#[test]
fn a_signature_of_a_stranger_is_refused_by_name() {
    let stranger = key(2);
    let error = signed(b"policy", &[&stranger]).verify(&trust(&[&key(1)]));
    let name = key_id(&stranger.verifying_key());
    assert_eq!(error, Err(VerifyError::UnknownKeys(vec![name])));
}

#[test]
fn a_stranger_who_takes_the_name_of_a_trusted_key_is_refused() {
    let mut envelope = signed(b"policy", &[&key(2)]);
    let name = key_id(&key(1).verifying_key());
    envelope.signatures[0].keyid.clone_from(&name);
    assert_eq!(
        envelope.verify(&trust(&[&key(1)])),
        Err(VerifyError::Invalid(name))
    );
}

#[test]
fn a_signature_without_a_name_is_tried_with_every_trusted_key() {
    let mut envelope = signed(b"policy", &[&key(2)]);
    envelope.signatures[0].keyid.clear();
    assert!(envelope.verify(&trust(&[&key(1), &key(2)])).is_ok());
    assert!(envelope.verify(&trust(&[&key(1)])).is_err());
}

#[test]
fn nobody_is_trusted_by_default() {
    let error = signed(b"policy", &[&key(1)]).verify(&TrustKeys::default());
    assert_eq!(error, Err(VerifyError::NoTrustedKey));
}

#[test]
fn another_payload_type_is_refused_even_if_signed() {
    let mut envelope = Envelope::new(b"policy");
    envelope.payload_type = "application/vnd.in-toto+json".to_owned();
    let error = VerifyError::PayloadType(envelope.payload_type.clone());
    assert_eq!(envelope.sign(&key(1)), Err(error.clone()));
    assert_eq!(envelope.verify(&trust(&[&key(1)])), Err(error));
}

#[test]
fn signing_twice_leaves_one_signature() {
    let once = signed(b"policy", &[&key(1)]);
    assert_eq!(signed(b"policy", &[&key(1), &key(1)]), once);
}

#[test]
fn there_is_room_for_sixteen_signatures() {
    let keys: Vec<SigningKey> = (1..=17).map(key).collect();
    let mut envelope = signed(b"policy", &keys[..16].iter().collect::<Vec<_>>());
    assert_eq!(
        envelope.sign(&keys[16]),
        Err(VerifyError::TooManySignatures)
    );
    envelope.signatures.push(envelope.signatures[0].clone());
    assert_eq!(
        envelope.verify(&trust(&[&keys[0]])),
        Err(VerifyError::TooManySignatures)
    );
}

#[test]
fn both_alphabets_of_base64_are_read_as_the_specification_demands() {
    let payload = [0xfb, 0xff, 0xfe];
    let mut envelope = signed(&payload, &[&key(1)]);
    for text in ["+//+", "-__-"] {
        text.clone_into(&mut envelope.payload);
        assert_eq!(envelope.verify(&trust(&[&key(1)])), Ok(payload.to_vec()));
    }
}

#[test]
fn members_that_the_specification_does_not_know_are_ignored_in_the_envelope_only() {
    let envelope = signed(b"policy", &[&key(1)]);
    let mut json = serde_json::to_value(&envelope).unwrap();
    json["note"] = "hello".into();
    let configuration = serde_json::json!({ "bundle": json });
    let read = PluginConfiguration::from_bytes(configuration.to_string().as_bytes()).unwrap();
    assert_eq!(read.bundle, envelope);
    let unknown = serde_json::json!({ "bundle": json, "approver": "x" });
    let error = PluginConfiguration::from_bytes(unknown.to_string().as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("unknown field `approver`"),
        "{error}"
    );
}

// === Trusted keys ===

#[test]
fn keys_are_separated_by_commas_or_white_space() {
    let (one, two) = (
        trust_entry(&key(1).verifying_key()),
        trust_entry(&key(2).verifying_key()),
    );
    let keys = TrustKeys::parse(&format!(" {one},\n\t{two} , {one}")).unwrap();
    assert_eq!(keys, trust(&[&key(1), &key(2)]));
}

#[test]
fn an_empty_text_trusts_nobody() {
    assert!(TrustKeys::parse(" , \n").unwrap().is_empty());
}

#[test]
fn every_kind_of_broken_entry_is_named_with_its_place() {
    let good = trust_entry(&key(1).verifying_key());
    let (name, text) = good.split_once('=').unwrap();
    let expected = name.to_owned();
    let weak = VerifyingKey::from_bytes(&{
        let mut identity = [0u8; 32];
        identity[0] = 1;
        identity
    })
    .unwrap();
    let cases = [
        ("nonsense".to_owned(), TrustError::Syntax(2)),
        (format!("{name}=AAAA"), TrustError::Encoding(2)),
        (format!("{name}=*{text}"), TrustError::Encoding(2)),
        (
            format!("other={text}"),
            TrustError::Name { entry: 2, expected },
        ),
        (trust_entry(&weak), TrustError::Key(2)),
    ];
    for (entry, error) in cases {
        assert_eq!(
            TrustKeys::parse(&format!("{good},{entry}")),
            Err(error),
            "{entry}"
        );
    }
}

proptest! {
    #[test]
    fn a_bit_flipped_in_the_payload_is_refused(
        payload in proptest::collection::vec(any::<u8>(), 1..256),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let envelope = signed(&payload, &[&key(1)]);
        let mut changed = payload.clone();
        *at.get_mut(&mut changed) ^= 1 << bit;
        let forged = Envelope { payload: STANDARD.encode(changed), ..envelope };
        prop_assert!(matches!(forged.verify(&trust(&[&key(1)])), Err(VerifyError::Invalid(_))));
    }

    #[test]
    fn a_bit_flipped_in_the_signature_is_refused(at in 0usize..64, bit in 0u8..8) {
        let mut envelope = signed(b"policy", &[&key(1)]);
        let mut bytes = STANDARD.decode(&envelope.signatures[0].sig).unwrap();
        bytes[at] ^= 1 << bit;
        envelope.signatures[0].sig = STANDARD.encode(bytes);
        prop_assert!(matches!(envelope.verify(&trust(&[&key(1)])), Err(VerifyError::Invalid(_))));
    }

    #[test]
    fn a_bit_flipped_in_the_text_of_an_envelope_changes_nothing_that_is_accepted(
        at in any::<prop::sample::Index>(),
        bit in 0u8..7,
    ) {
        let text = serde_json::to_vec(&signed(b"the policy", &[&key(1)])).unwrap();
        let mut changed = text;
        *at.get_mut(&mut changed) ^= 1 << bit;
        if let Ok(envelope) = serde_json::from_slice::<Envelope>(&changed)
            && let Ok(payload) = envelope.verify(&trust(&[&key(1)]))
        {
            prop_assert_eq!(payload, b"the policy");
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_keys_panic(text in ".{0,120}") {
        let _ = TrustKeys::parse(&text);
    }
}
