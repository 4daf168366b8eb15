//! Fetching keys, by hard counts.

use serde_json::json;

use super::process::{Process, answer, remote, set_of};
use super::support::{Key, NOW, claims_with, connection};
use crate::identity::SharedData;
use crate::metrics::Metric;
use crate::refusal::Refusal;

/// A token that is good for a day, and has been.
fn token(key: Key, kid: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
    let claims = claims_with(json!({"exp": NOW + 86_400, "iat": NOW - 86_400}));
    key.token_with(&header, claims.to_string())
}

fn good() -> String {
    token(Key::Ed25519, "ed")
}

#[test]
fn nothing_is_fetched_before_the_first_tick() {
    let mut process = Process::new(1);
    let id = process.request(0, &good());
    assert_eq!((process.fetches, process.held()), (0, 1));
    process.run(100);
    assert_eq!((process.fetches, process.ended(id).0), (1, Ok(())));
}

#[test]
fn a_cold_start_of_four_vms_is_one_fetch() {
    let mut process = Process::new(4);
    let ids: Vec<_> = (0..200).map(|n| process.request(n % 4, &good())).collect();
    process.run(300);
    assert_eq!(process.fetches, 1);
    assert_eq!(process.held(), 0);
    for id in ids {
        let (outcome, waited) = process.ended(id);
        assert_eq!(outcome, Ok(()));
        assert!(waited <= 80, "{waited} ms");
    }
}

#[test]
fn a_set_is_refreshed_once_per_process_before_it_is_stale() {
    let mut process = Process::with(4, remote(5, 60));
    let good = good();
    for _ in 0..200 {
        process.run(100);
        assert_eq!(process.at_once(0, &good), Ok(()));
    }
    // 20 s, refreshed every 3.5 to 4.5 s.
    assert!((5..=6).contains(&process.fetches), "{}", process.fetches);
}

#[test]
fn the_age_that_the_issuer_gives_counts_within_bounds() {
    let fetches_in = |header: &'static str, seconds: u64| {
        let mut process = Process::new(1);
        process.issuer.as_mut().unwrap().cache_control = Some(header);
        process.run(seconds * 1_000);
        process.fetches
    };
    assert_eq!(fetches_in("public, max-age=100", 65), 1);
    assert_eq!(fetches_in("public, Max-Age=100", 95), 2);
    assert_eq!(fetches_in("max-age=1", 41), 1, "not below a minute");
    assert_eq!(fetches_in("max-age=1", 56), 2, "not below a minute");
    assert_eq!(
        fetches_in("no-store, max-age=0", 400),
        1,
        "says nothing about keys"
    );
    assert_eq!(fetches_in("max-age=banana", 400), 1);
}

#[test]
fn a_thousand_bogus_key_ids_are_one_fetch() {
    let mut process = Process::warm(4);
    process.run(60_000);
    assert_eq!(process.fetches, 1);
    let bogus = |n: usize| token(Key::Attacker, &format!("bogus-{n}"));
    let ids: Vec<_> = (0..1_000)
        .map(|n| process.request(n % 4, &bogus(n)))
        .collect();
    process.run(2_500);
    for id in ids {
        assert_eq!(process.ended(id).0, Err(Refusal::JwtUnknownKey), "K5");
    }
    assert_eq!(process.fetches, 2);
    // The issuer has just been asked: nobody waits, nobody asks again.
    for n in 0..100 {
        assert_eq!(
            process.at_once(n % 4, &bogus(n)),
            Err(Refusal::JwtUnknownKey)
        );
    }
    process.run(1_000);
    assert_eq!(process.fetches, 2);
    // Half a minute later once more.
    process.run(30_000);
    assert_eq!(process.answer(0, &bogus(1)), Err(Refusal::JwtUnknownKey));
    assert_eq!(process.fetches, 3);
}

#[test]
fn a_new_key_is_accepted_after_one_round_trip() {
    let mut process = Process::warm(2);
    process.run(60_000);
    process.issuer = Some(set_of(&[("ed", Key::Ed25519), ("new", Key::Other)]));
    let id = process.request(1, &token(Key::Other, "new"));
    assert_eq!(process.held(), 1);
    process.run(150);
    let (outcome, waited) = process.ended(id);
    assert_eq!(outcome, Ok(()));
    assert!(waited <= 100, "{waited} ms");
    process.run(1_100);
    assert_eq!(
        process.at_once(0, &token(Key::Other, "new")),
        Ok(()),
        "the other VM"
    );
    assert_eq!(process.fetches, 2);
}

#[test]
fn a_withdrawn_key_is_refused_although_its_token_was_known() {
    let mut process = Process::warm(2);
    let old = good();
    assert_eq!(process.at_once(0, &old), Ok(()));
    assert_eq!(process.at_once(1, &old), Ok(()));
    process.run(60_000);
    process.issuer = Some(set_of(&[("new", Key::Other)]));
    assert_eq!(process.answer(0, &token(Key::Other, "new")), Ok(()));
    assert_eq!(process.at_once(0, &old), Err(Refusal::JwtUnknownKey));
    assert_eq!(process.at_once(1, &old), Err(Refusal::JwtUnknownKey));
}

#[test]
fn new_material_under_an_old_key_id_replaces_it() {
    let mut process = Process::warm(1);
    let old = good();
    assert_eq!(process.at_once(0, &old), Ok(()));
    process.issuer = Some(set_of(&[("ed", Key::Other)]));
    process.run(600_000);
    assert_eq!(process.answer(0, &old), Err(Refusal::JwtSignature));
    assert_eq!(process.at_once(0, &token(Key::Other, "ed")), Ok(()));
}

#[test]
fn new_material_under_an_old_key_id_is_fetched_for_the_first_token_that_it_signed() {
    // An issuer that names no keys is no different.
    let unnamed = json!({"alg": "EdDSA"}).to_string();
    let unnamed = Key::Other.token_with(&unnamed, claims_with(json!({})).to_string());
    for new in [token(Key::Other, "ed"), unnamed] {
        let mut process = Process::warm(2);
        let old = good();
        assert_eq!(process.at_once(0, &old), Ok(()));
        process.run(60_000);
        process.issuer = Some(set_of(&[("ed", Key::Other)]));
        let id = process.request(0, &new);
        assert_eq!(process.held(), 1);
        process.run(150);
        let (outcome, waited) = process.ended(id);
        assert_eq!(outcome, Ok(()));
        assert!(waited <= 100, "{waited} ms");
        assert_eq!(process.at_once(0, &old), Err(Refusal::JwtSignature));
        process.run(1_100);
        assert_eq!(process.at_once(1, &new), Ok(()), "the other VM");
        assert_eq!(process.fetches, 2);
    }
}

#[test]
fn a_thousand_forged_signatures_under_a_known_key_id_are_one_fetch() {
    let mut process = Process::warm(4);
    process.run(60_000);
    let header = json!({"alg": "EdDSA", "kid": "ed"}).to_string();
    let forged = |n: usize| {
        Key::Attacker.token_with(
            &header,
            claims_with(json!({"jti": n.to_string()})).to_string(),
        )
    };
    let ids: Vec<_> = (0..1_000)
        .map(|n| process.request(n % 4, &forged(n)))
        .collect();
    // Who has a good token does not wait behind them.
    assert_eq!(process.at_once(0, &good()), Ok(()));
    process.run(2_500);
    for id in ids {
        assert_eq!(process.ended(id).0, Err(Refusal::JwtSignature));
    }
    assert_eq!(process.fetches, 2);
    for n in 0..100 {
        assert_eq!(
            process.at_once(n % 4, &forged(n)),
            Err(Refusal::JwtSignature),
            "the issuer has just been asked"
        );
    }
    process.run(1_000);
    assert_eq!(process.fetches, 2);
    // Whatever callers send, an hour has 120 half minutes.
    for n in 0..3_600 {
        process.request(n % 4, &forged(n));
        process.run(1_000);
    }
    assert!(process.fetches <= 2 + 120, "{}", process.fetches);
}

#[test]
fn a_forged_signature_is_refused_as_such_while_the_issuer_is_down() {
    let mut process = Process::warm(2);
    process.run(60_000);
    process.issuer = None;
    let forged = token(Key::Attacker, "ed");
    assert_eq!(process.answer(0, &forged), Err(Refusal::JwtSignature));
    assert_eq!(process.at_once(0, &good()), Ok(()));
    assert_eq!(process.fetches, 2);
    process.run(1_000);
    assert_eq!(
        process.at_once(1, &forged),
        Err(Refusal::JwtSignature),
        "nobody waits while nobody may ask"
    );
    assert_eq!(process.fetches, 2);
}

#[test]
fn tokens_of_the_keys_that_stay_remain_known_through_a_rotation() {
    let mut process = Process::warm(1);
    let old = good();
    assert_eq!(process.at_once(0, &old), Ok(()));
    process.run(60_000);
    process.issuer = Some(set_of(&[("ed", Key::Ed25519), ("new", Key::Other)]));
    assert_eq!(process.answer(0, &token(Key::Other, "new")), Ok(()));
    process.vms[0].metrics.take();
    assert_eq!(process.at_once(0, &old), Ok(()));
    let counted: Vec<_> = process.vms[0].metrics.take().collect();
    assert_eq!(counted, [(Metric::TokenCache { hit: true }, 1)]);
}

#[test]
fn while_the_issuer_is_down_the_old_keys_are_used_up_to_their_bound() {
    let mut process = Process::with(2, remote(60, 300));
    process.run(200);
    process.issuer = None;
    let good = good();
    for _ in 0..35 {
        process.run(10_000);
        assert_eq!(process.at_once(1, &good), Ok(()));
    }
    // 60 s fresh and 300 s stale are over.
    process.run(12_000);
    assert_eq!(
        process.answer(1, &good),
        Err(Refusal::JwksUnavailable),
        "known or not"
    );
    let tries = process.fetches;
    // Backed off from 1 s to 60 s: some 10 tries in the five minutes that it was down.
    assert!((7..=14).contains(&tries), "{tries}");
    process.issuer = Some(set_of(&[("ed", Key::Ed25519)]));
    while process.fetches == tries {
        process.run(1_000);
    }
    process.run(100);
    assert_eq!(process.at_once(0, &good), Ok(()));
    assert_eq!(process.fetches, tries + 1);
}

#[test]
fn what_is_no_key_set_leaves_the_old_keys_alone() {
    let useless = [
        answer(302, set_of(&[("new", Key::Other)]).body),
        answer(500, "oops"),
        answer(204, ""),
        answer(200, ""),
        answer(200, "<!doctype html><title>Sign in</title>"),
        answer(200, r#"{"keys":[]}"#),
        answer(200, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#),
        answer(200, vec![b' '; 10 * 1024 * 1024]),
        answer(201, set_of(&[("new", Key::Other)]).body),
    ];
    for (case, useless) in useless.into_iter().enumerate() {
        let mut process = Process::warm(2);
        process.run(60_000);
        process.issuer = Some(useless);
        let unknown = process.answer(0, &token(Key::Other, "new"));
        assert_eq!(
            unknown,
            Err(Refusal::JwksUnavailable),
            "case {case}: nobody could say"
        );
        assert_eq!(process.at_once(0, &good()), Ok(()), "case {case}");
        assert_eq!(process.fetches, 2, "case {case}");
        process.run(600_000);
        assert_eq!(process.at_once(1, &good()), Ok(()), "case {case}");
    }
}

#[test]
fn without_keys_a_request_waits_two_seconds_and_no_longer() {
    let mut process = Process::new(1);
    process.latency = 5_000;
    let id = process.request(0, &good());
    process.run(1_990);
    assert_eq!(process.held(), 1);
    process.run(40);
    let (outcome, waited) = process.ended(id);
    assert_eq!(outcome, Err(Refusal::JwksUnavailable));
    assert!((2_000..=2_030).contains(&waited), "{waited} ms");
}

#[test]
fn an_issuer_that_comes_back_in_time_saves_who_waits() {
    let mut process = Process::new(2);
    process.issuer = None;
    let id = process.request(1, &good());
    process.run(300);
    assert_eq!((process.held(), process.fetches), (1, 1));
    process.issuer = Some(set_of(&[("ed", Key::Ed25519)]));
    process.run(1_500);
    assert_eq!(process.ended(id).0, Ok(()));
    assert_eq!(process.fetches, 2);
}

#[test]
fn nobody_waits_for_a_fetch_that_comes_too_late() {
    let mut process = Process::new(1);
    process.issuer = None;
    process.run(20_000);
    let fetches = process.fetches;
    // The next try is more than two seconds away.
    let at_once = process.at_once(0, &good());
    assert_eq!(at_once, Err(Refusal::JwksUnavailable));
    assert_eq!((process.held(), process.fetches), (0, fetches));
}

#[test]
fn at_most_a_thousand_exchanges_wait() {
    let mut process = Process::new(1);
    let good = good();
    let ids: Vec<_> = (0..1_000).map(|_| process.request(0, &good)).collect();
    assert_eq!(process.at_once(0, &good), Err(Refusal::JwksBusy));
    process.run(200);
    assert!(ids.iter().all(|&id| process.ended(id).0.is_ok()));
    let held: u64 = process.vms[0]
        .metrics
        .take()
        .filter(|(metric, _)| *metric == Metric::Held)
        .map(|(_, value)| value)
        .sum();
    assert_eq!(held, 1_000);
}

#[test]
fn an_exchange_that_is_over_is_not_woken() {
    let mut process = Process::new(1);
    let gone = process.request(0, &good());
    let stays = process.request(0, &good());
    process.vms[0].identity.forget(gone);
    process.vms[0].held.remove(&gone);
    process.run(200);
    assert_eq!(process.ended(stays).0, Ok(()));
    assert!(!process.vms[0].ended.contains_key(&gone));
}

#[test]
fn a_fetch_that_is_never_answered_is_tried_again() {
    let mut process = Process::new(2);
    process.run(20);
    assert_eq!(process.fetches, 1);
    // The proxy has dropped the call: not even a failure is reported.
    process.vms.iter_mut().for_each(|vm| vm.flights.clear());
    // Its timeout of 1 s, and 2 s of grace.
    process.run(3_200);
    assert_eq!(process.fetches, 2);
    assert_eq!(process.at_once(0, &good()), Ok(()));
    assert_eq!(process.at_once(1, &good()), Ok(()));
}

#[test]
fn a_new_vm_takes_the_keys_over_without_a_fetch() {
    let mut process = Process::warm(1);
    let mut late = Process::new(1);
    process.vms.append(&mut late.vms);
    assert_eq!(process.answer(1, &good()), Ok(()));
    assert_eq!(process.fetches, 1);
}

#[test]
fn a_new_policy_keeps_the_keys_of_a_source_that_stays() {
    let mut process = Process::warm(1);
    let mut other = remote(600, 3_600);
    other.audiences = vec!["reasoning".to_owned()];
    process.vms[0].identity.configure(&[other]);
    assert_eq!(process.at_once(0, &good()), Ok(()));
    process.run(2_000);
    assert_eq!(process.fetches, 1);
}

#[test]
fn an_answer_for_a_source_that_the_policy_no_longer_has_is_ignored() {
    let mut process = Process::new(1);
    let waiting = process.request(0, &good());
    process.run(20);
    assert_eq!(process.fetches, 1);
    process.vms[0].identity.configure(&[remote(601, 3_600)]);
    process.issuer = Some(set_of(&[("new", Key::Other)]));
    process.run(200);
    // Who waited for the old source is told at once and finds that it is gone.
    assert_eq!(process.ended(waiting).0, Err(Refusal::JwksUnavailable));
    assert_eq!(process.fetches, 2, "the new source is fetched for itself");
    assert_eq!(process.at_once(0, &token(Key::Other, "new")), Ok(()));
}

#[test]
fn two_providers_with_one_source_are_one_fetch() {
    let mut process = Process::new(2);
    let mut second = remote(600, 3_600);
    second.issuer = "https://tenant.example".to_owned();
    for vm in &mut process.vms {
        vm.identity.configure(&[remote(600, 3_600), second.clone()]);
    }
    process.connection = connection(&[0, 1]);
    assert_eq!(process.answer(0, &good()), Ok(()));
    assert_eq!(process.fetches, 1);
}

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    let mut process = Process::warm(2);
    // An hour back, then on: leases, dates of sets and next ticks all lie in the future now.
    process.now -= 3_600_000;
    process.vms.iter_mut().for_each(|vm| vm.next_tick = 0);
    process.issuer = Some(set_of(&[("ed", Key::Ed25519), ("new", Key::Other)]));
    process.run(1_100);
    assert_eq!(process.fetches, 2);
    assert_eq!(process.at_once(0, &good()), Ok(()));
    assert_eq!(process.at_once(1, &token(Key::Other, "new")), Ok(()));
}

#[test]
fn a_clock_that_leaps_ahead_fetches_anew() {
    let mut process = Process::warm(1);
    process.now += 40 * 3_600_000;
    let claims = claims_with(json!({"exp": NOW + 400_000}));
    let id = process.request(0, &Key::Ed25519.token(&claims));
    process.run(300);
    assert_eq!(process.ended(id).0, Ok(()));
    assert_eq!(process.fetches, 2);
}

#[test]
fn ticks_are_fast_only_while_something_is_awaited() {
    let mut process = Process::new(1);
    let next = |process: &Process| process.vms[0].identity.next_tick_ms(process.at());
    assert_eq!(next(&process), 20);
    process.run(200);
    assert_eq!(next(&process), 1_000);
    process.run(60_000);
    process.request(0, &token(Key::Other, "new"));
    assert_eq!(next(&process), 20);
    process.run(200);
    assert_eq!(next(&process), 1_000);
}

#[test]
fn what_others_wrote_into_the_store_is_not_believed() {
    let mut process = Process::warm(1);
    let keys: Vec<String> = process.shared.values.keys().cloned().collect();
    assert_eq!(keys.len(), 3);
    for key in keys {
        process.shared.set(&key, b"garbage", None);
    }
    process.run(5_000);
    assert_eq!(process.at_once(0, &good()), Ok(()));
    let mut late = Process::new(1);
    process.vms.append(&mut late.vms);
    assert_eq!(process.answer(1, &good()), Ok(()));
    assert_eq!(process.fetches, 2);
}
