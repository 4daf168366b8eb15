//! Which bundles take the place of which.

use ed25519_dalek::SigningKey;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::{Envelope, TrustKeys, trust_entry};
use tracegate_bundle::policy::{Connection, DetectorSet, FORMAT, HostMatch};

use super::{Loaded, PolicySlot};
use crate::Timestamp;
use crate::refusal::Refusal;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn bundle(revision: u64, expires: Option<u64>) -> Bundle {
    Bundle {
        format: FORMAT,
        name: "reasoning".to_owned(),
        revision,
        expires,
        source: format!("sha256:{}", "0".repeat(64)),
        providers: Vec::new(),
        connections: Vec::new(),
        detectors: DetectorSet::default(),
        expressions: Vec::new(),
    }
}

fn configuration(bundle: &Bundle, signer: &SigningKey) -> Vec<u8> {
    let mut envelope = Envelope::new(&bundle.to_bytes());
    envelope.sign(signer).unwrap();
    serde_json::to_vec(&serde_json::json!({ "bundle": envelope })).unwrap()
}

/// A slot that trusts key 1.
fn slot() -> PolicySlot {
    PolicySlot::new(
        TrustKeys::parse(&trust_entry(&key(1).verifying_key())).unwrap(),
        None,
    )
}

fn running(slot: &PolicySlot) -> Result<u64, Refusal> {
    slot.enforced(NOW).map(|policy| policy.bundle().revision)
}

#[test]
fn without_a_bundle_everything_is_denied() {
    assert_eq!(running(&slot()), Err(Refusal::BundleMissing));
}

#[test]
fn a_trusted_bundle_is_enforced() {
    let mut slot = slot();
    let loaded = slot.offer(&configuration(&bundle(3, None), &key(1)), 0, NOW);
    assert_eq!(loaded, Loaded::Enforced);
    assert_eq!(running(&slot), Ok(3));
}

#[test]
fn an_untrusted_bundle_denies_everything_where_nothing_ran() {
    let mut slot = slot();
    let loaded = slot.offer(&configuration(&bundle(3, None), &key(2)), 0, NOW);
    assert_eq!(loaded, Loaded::Refused(Refusal::BundleUntrusted));
    assert_eq!(running(&slot), Err(Refusal::BundleUntrusted));
}

#[test]
fn an_untrusted_bundle_leaves_the_running_one_in_force_and_is_remembered() {
    let mut slot = slot();
    slot.offer(&configuration(&bundle(3, None), &key(1)), 0, NOW);
    slot.offer(&configuration(&bundle(4, None), &key(2)), 0, NOW);
    assert_eq!(running(&slot), Ok(3));
    assert_eq!(slot.refused(), Some(Refusal::BundleUntrusted));
    slot.offer(&configuration(&bundle(4, None), &key(1)), 0, NOW);
    assert_eq!((running(&slot), slot.refused()), (Ok(4), None));
}

#[test]
fn a_policy_never_goes_back() {
    let mut slot = slot();
    slot.offer(&configuration(&bundle(3, None), &key(1)), 0, NOW);
    let loaded = slot.offer(&configuration(&bundle(2, None), &key(1)), 0, NOW);
    assert_eq!(loaded, Loaded::Refused(Refusal::BundleRollback));
    assert_eq!(running(&slot), Ok(3));
}

#[test]
fn a_revision_has_one_content() {
    let mut slot = slot();
    slot.offer(&configuration(&bundle(3, None), &key(1)), 0, NOW);
    let other = Bundle {
        name: "other".to_owned(),
        ..bundle(3, None)
    };
    let loaded = slot.offer(&configuration(&other, &key(1)), 0, NOW);
    assert_eq!(loaded, Loaded::Refused(Refusal::BundleRollback));
    let again = slot.offer(&configuration(&bundle(3, None), &key(1)), 0, NOW);
    assert_eq!(again, Loaded::Enforced);
}

#[test]
fn a_new_vm_is_not_handed_an_older_policy_than_its_process_has_seen() {
    let mut slot = slot();
    let loaded = slot.offer(&configuration(&bundle(3, None), &key(1)), 4, NOW);
    assert_eq!(loaded, Loaded::Refused(Refusal::BundleRollback));
    assert_eq!(running(&slot), Err(Refusal::BundleRollback));
}

#[test]
fn an_expired_bundle_is_not_taken_in() {
    let mut slot = slot();
    let loaded = slot.offer(
        &configuration(&bundle(3, Some(NOW.secs())), &key(1)),
        0,
        NOW,
    );
    assert_eq!(loaded, Loaded::Refused(Refusal::BundleExpired));
}

#[test]
fn a_running_bundle_that_expires_denies_everything() {
    let mut slot = slot();
    slot.offer(
        &configuration(&bundle(3, Some(NOW.secs() + 1)), &key(1)),
        0,
        NOW,
    );
    assert_eq!(running(&slot), Ok(3));
    let later = slot.enforced(Timestamp::from_secs(NOW.secs() + 1));
    assert_eq!(later.map(|_| ()), Err(Refusal::BundleExpired));
}

#[test]
fn what_is_no_configuration_is_malformed_whoever_is_trusted() {
    let nobody = PolicySlot::new(TrustKeys::default(), None);
    for mut slot in [slot(), nobody] {
        for bytes in [
            &b""[..],
            b"{}",
            b"null",
            b"{\"bundle\": 1}",
            b"{\"bundle\": {}}",
        ] {
            assert!(matches!(slot.offer(bytes, 0, NOW), Loaded::Malformed(_)));
        }
    }
}

#[test]
fn whether_a_configuration_is_malformed_depends_on_its_bytes_alone() {
    let valid = configuration(&bundle(3, Some(NOW.secs())), &key(2));
    let malformed = |loaded| matches!(loaded, Loaded::Malformed(_));
    for now in [Timestamp::default(), NOW, Timestamp::from_secs(u64::MAX)] {
        for floor in [0, 3, u64::MAX] {
            assert!(!malformed(slot().offer(&valid, floor, now)));
            assert!(malformed(slot().offer(&valid[1..], floor, now)));
        }
    }
}

/// A connection to these hosts.
fn connection(hosts: Vec<HostMatch>) -> Connection {
    Connection {
        name: "connection".to_owned(),
        hosts,
        supplier: None,
        providers: Vec::new(),
        allow_missing: true,
        forward_subject: false,
        max_request_body: 0,
        pass_types: Vec::new(),
        decode: Vec::new(),
        scan_text: false,
        rules: Vec::new(),
        masks: Vec::new(),
        stream: tracegate_bundle::policy::StreamRules::default(),
    }
}

#[test]
fn a_host_belongs_to_the_most_specific_pattern_whatever_the_order_of_connections() {
    let suffix = |text: &str| HostMatch::Suffix(text.to_owned());
    let exact = |text: &str| HostMatch::Exact(text.to_owned());
    // The first connection has the most and the least specific pattern at once.
    let connections = [
        connection(vec![exact("api.corp.example"), HostMatch::Any]),
        connection(vec![suffix(".example")]),
        connection(vec![suffix(".corp.example")]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let bundle = Bundle {
            connections: order
                .map(|index: usize| connections[index].clone())
                .to_vec(),
            ..bundle(1, None)
        };
        let mut slot = slot();
        slot.offer(&configuration(&bundle, &key(1)), 0, NOW);
        let policy = slot.enforced(NOW).unwrap();
        for (host, expected) in [
            ("api.corp.example", 0),
            ("web.corp.example", 2),
            ("web.example", 1),
            ("elsewhere.test", 0),
        ] {
            let found = policy.connection(host).map(|index| order[index]);
            assert_eq!(found, Some(expected), "{host} in {order:?}");
        }
    }
}
