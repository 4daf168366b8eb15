//! Tokens and the keys to verify them with: fetched by a root context, awaited by streams.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::json;
use support::*;
use tracegate_tests::host::{Headers, Process, Settings};

#[test]
fn each_new_token_costs_one_verification_by_the_proxy() {
    const VERIFY: &str = "proxy_call_foreign_function";
    let keys = [issuer_key(), rsa_key()];
    let mut vm = vm();
    let mut world = World {
        keys: keys.to_vec(),
        ..World::default()
    };
    for key in keys {
        let mut calls = Vec::new();
        for subject in ["warm-up", "alice", "alice", "bob"] {
            let token = token_by(key, &vm.process(), subject);
            let request = anonymous("GET").with_header("authorization", &format!("Bearer {token}"));
            assert_eq!(
                run(&mut vm, request, &mut world).status(),
                200,
                "{}",
                key.algorithm
            );
            calls.push(vm.hostcalls_of(VERIFY));
        }
        let costs: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(costs, [1, 0, 1], "after the self-test of {}", key.algorithm);
    }
}

#[test]
fn the_capability_restriction_may_forbid_the_proxys_verification() {
    let forbidden = ["proxy_call_foreign_function"].into();
    let mut vm = vm_with(
        &Process::new(),
        Settings {
            forbidden,
            ..settings()
        },
    );
    let request = request(&vm, "GET");
    assert_eq!(run(&mut vm, request, &mut World::default()).status(), 200);
}

#[test]
fn a_forged_token_is_refused_by_both_verifiers() {
    for verify_signature in [true, false] {
        let mut vm = vm_with(
            &Process::new(),
            Settings {
                verify_signature,
                ..settings()
            },
        );
        let mut token = token(&vm.process());
        let last = if token.ends_with('A') { "Q" } else { "A" };
        token.replace_range(token.len() - 3..token.len() - 2, last);
        let request = anonymous("GET").with_header("authorization", &format!("Bearer {token}"));
        let outcome = run(&mut vm, request, &mut World::default());
        assert_eq!(
            (outcome.status(), code(&outcome).as_str()),
            (401, "jwt.signature")
        );
        assert_eq!(outcome.details, "jwt.signature");
    }
}

#[test]
fn a_request_waits_for_the_first_fetch_and_no_longer_than_that() {
    let mut vm = vm();
    let mut world = World {
        idp: false,
        ..World::default()
    };
    let id = vm.open();
    let held = request(&vm, "GET");
    vm.send_request(id, held).unwrap();
    for _ in 0..5 {
        vm.pass_time(20, &mut world).unwrap();
    }
    assert_eq!(vm.calls().count(), 1, "the keys are being fetched");
    assert_eq!(vm.upstream(id).headers, None, "the request is held");
    assert!(!vm.is_answered(id));
    world.idp = true;
    vm.pass_time(20, &mut world).unwrap();
    assert!(vm.upstream(id).complete, "the answer lets it go at once");
    let response = world.response.clone();
    vm.send_response(id, response).unwrap();
    let outcome = vm.finish(id).unwrap();
    check(&outcome);
    assert_eq!(outcome.body(), told_masked());
    let metrics = vm.process().metrics();
    assert_eq!(metrics["tracegate_held_total"], 1);
}

#[test]
fn a_held_request_brings_the_idle_tick_forward() {
    let mut vm = warm_vm();
    assert_eq!(vm.tick_period(), 1_000, "idle");
    let id = vm.open();
    let mut claims = json!({"iss": ISSUER, "aud": "reasoning", "sub": "bob"});
    claims["exp"] = json!(vm.process().now() / 1_000_000_000 + 600);
    let token = issuer_key().token(&json!({"kid": "unknown"}), &claims);
    // Past the cool-down of the fetch before.
    let later = vm.process().now() + 60_000_000_000;
    vm.process().set_now(later);
    let request = anonymous("GET").with_header("authorization", &format!("Bearer {token}"));
    vm.send_request(id, request).unwrap();
    assert!(!vm.is_answered(id), "held, not {}", vm.details(id));
    assert_eq!(vm.tick_period(), 20);
}

#[test]
fn keys_that_never_come_end_in_503_and_a_record() {
    for unknown in [false, true] {
        let unknown_clusters = if unknown {
            [CLUSTER.to_owned()].into()
        } else {
            Default::default()
        };
        let mut vm = vm_with(
            &Process::new(),
            Settings {
                unknown_clusters,
                ..settings()
            },
        );
        let mut world = World {
            idp: false,
            ..World::default()
        };
        let request = request(&vm, "GET");
        let outcome = run(&mut vm, request, &mut world);
        assert_eq!(
            (outcome.status(), code(&outcome).as_str()),
            (503, "jwks.unavailable")
        );
        assert!(outcome.audit.is_some());
    }
}

#[test]
fn a_caller_who_leaves_while_held_leaves_a_record_and_disturbs_nobody() {
    let mut vm = vm();
    let mut world = World {
        idp: false,
        ..World::default()
    };
    let (gone, stays) = (vm.open(), vm.open());
    for id in [gone, stays] {
        let request = request(&vm, "GET");
        vm.send_request(id, request).unwrap();
    }
    let outcome = vm.finish(gone).unwrap();
    check(&outcome);
    assert_eq!(outcome.status(), 0);
    assert!(outcome.audit.is_some());
    world.idp = true;
    for _ in 0..10 {
        vm.pass_time(20, &mut world).unwrap();
    }
    assert!(vm.upstream(stays).complete, "the other one goes on");
}

#[test]
fn a_fetch_that_is_answered_with_nonsense_leaves_the_vm_able_to_fetch_again() {
    let answers = [
        (Headers::default(), b"".to_vec()),
        (Headers::default().with(":status", "abc"), b"{}".to_vec()),
        (
            Headers::default()
                .with(":status", "200")
                .with(":status", "200"),
            b"{}".to_vec(),
        ),
        (
            Headers::default().with(":status", "200"),
            b"<html>".to_vec(),
        ),
        (
            Headers::default().with(":status", "200"),
            vec![b' '; 3 << 20],
        ),
        (
            Headers::default().with(":status", "503"),
            b"upstream connect error".to_vec(),
        ),
    ];
    for (headers, body) in answers {
        let mut vm = vm();
        vm.pass_time(
            20,
            &mut World {
                idp: false,
                ..World::default()
            },
        )
        .unwrap();
        let token = vm.calls().next().unwrap().0;
        vm.answer(token, headers, &body).unwrap();
        let mut world = World::default();
        for _ in 0..20 {
            vm.pass_time(1_000, &mut world).unwrap();
        }
        let message = request(&vm, "GET");
        assert_eq!(run(&mut vm, message, &mut world).status(), 200);
    }
}
