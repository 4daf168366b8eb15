//! Every hostcall fails once, with every status that matters, in every kind of exchange: the module
//! never traps, and what it cannot decide, inspect or hold is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::json;
use support::*;
use tracegate_tests::host::{Message, Module, Outcome, Process, Settings, Vm};

const STATUSES: [u32; 5] = [1, 2, 3, 10, 4_711];

/// Plays an exchange once for every hostcall that it makes, with that hostcall failing. The seal is
/// off, so that the filter alone must hold.
fn with_every_fault(
    request: impl Fn(&Vm) -> Message,
    world: impl Fn() -> World,
    check: impl Fn(&Outcome),
) {
    for status in STATUSES {
        let mut vm = vm_with(
            &Default::default(),
            Settings {
                seal: false,
                ..settings()
            },
        );
        warm(&mut vm);
        let before = vm.hostcalls();
        let message = request(&vm);
        check(&try_run(&mut vm, message, &mut world()).unwrap());
        let calls = vm.hostcalls() - before;
        assert!(calls > 5, "an exchange makes hostcalls");
        for n in 1..=calls {
            let message = request(&vm);
            vm.fail_hostcall(n, status);
            let outcome = try_run(&mut vm, message, &mut world());
            vm.heal();
            check(&outcome.unwrap_or_else(|trap| panic!("hostcall {n} with {status}: {trap}")));
        }
    }
}

#[test]
fn an_allowed_exchange_is_masked_or_refused() {
    let allowed = |outcome: &Outcome| match outcome.status() {
        200 if outcome.client.complete => assert_eq!(outcome.body(), told_masked()),
        200 => assert!(told_masked().starts_with(&outcome.body())),
        0 => assert!(outcome.body().is_empty()),
        status => assert!(status >= 400, "{outcome:?}"),
    };
    with_every_fault(|vm| request(vm, "GET"), World::default, allowed);
    let trailers = || World {
        response: json_response(9).with_trailers(),
        ..World::default()
    };
    with_every_fault(
        |vm| post(vm, &json!({"model": "small"}), 6).with_trailers(),
        trailers,
        allowed,
    );
}

#[test]
fn a_denied_request_never_goes_up() {
    let denied = |outcome: &Outcome| {
        assert_eq!(outcome.upstream, None);
        assert!(matches!(outcome.status(), 0 | 403 | 500), "{outcome:?}");
    };
    with_every_fault(|vm| request(vm, "DELETE"), World::default, denied);
    let forbidden = |vm: &Vm| post(vm, &json!({"model": "forbidden"}), 4);
    with_every_fault(forbidden, World::default, denied);
    with_every_fault(|vm| forbidden(vm).with_trailers(), World::default, denied);
}

#[test]
fn a_caller_without_a_valid_token_never_gets_through() {
    let refused = |outcome: &Outcome| {
        assert_eq!(outcome.upstream, None);
        assert!(matches!(outcome.status(), 0 | 401 | 500), "{outcome:?}");
    };
    with_every_fault(|_| anonymous("GET"), World::default, refused);
    let forged = |vm: &Vm| {
        let token = token(&vm.process());
        let (signed, _) = token.rsplit_once('.').unwrap();
        let token = format!("{signed}.{}", "A".repeat(86));
        anonymous("GET").with_header("authorization", &format!("Bearer {token}"))
    };
    with_every_fault(forged, World::default, refused);
}

#[test]
fn a_response_that_cannot_be_inspected_never_comes_down() {
    let encoded = || {
        let mut response = json_response(16);
        response.headers.push("content-encoding", "gzip");
        World {
            response,
            ..World::default()
        }
    };
    with_every_fault(
        |vm| request(vm, "GET"),
        encoded,
        |outcome| {
            assert!(!outcome.body().contains("answer"), "{outcome:?}");
            assert!(
                matches!(outcome.status(), 0 | 401 | 403 | 500 | 502),
                "{outcome:?}"
            );
        },
    );
}

#[test]
fn keys_are_fetched_in_the_end_whatever_fails_on_the_way() {
    for status in STATUSES {
        for n in 1..40 {
            let mut vm = vm();
            let mut world = World::default();
            vm.fail_hostcall(n, status);
            let message = request(&vm, "GET");
            let first = try_run(&mut vm, message, &mut world).unwrap();
            assert!(
                matches!(first.status(), 0 | 200 | 500 | 503),
                "{n}, {status}: {first:?}"
            );
            vm.heal();
            for _ in 0..200 {
                vm.pass_time(1_000, &mut world).unwrap();
            }
            let message = request(&vm, "GET");
            let second = try_run(&mut vm, message, &mut world).unwrap();
            assert_eq!(
                second.status(),
                200,
                "after hostcall {n} failed with {status}"
            );
        }
    }
}

#[test]
fn a_configuration_that_meets_a_failing_hostcall_is_never_rejected_nor_half_taken() {
    for status in STATUSES {
        for n in 1..30 {
            let mut vm = Vm::start(Module::filter(), &Process::new(), settings()).unwrap();
            vm.fail_hostcall(n, status);
            assert!(
                vm.configure(&configuration(&policy(1))).unwrap(),
                "{n}, {status}"
            );
            vm.heal();
            let mut world = World::default();
            let message = request(&vm, "GET");
            let outcome = try_run(&mut vm, message, &mut world).unwrap();
            assert!(
                matches!(outcome.status(), 0 | 200 | 503),
                "{n}, {status}: {outcome:?}"
            );
            assert!(vm.configure(&configuration(&policy(2))).unwrap());
            let message = request(&vm, "GET");
            let outcome = try_run(&mut vm, message, &mut world).unwrap();
            assert_eq!(outcome.status(), 200, "{n}, {status}: {outcome:?}");
        }
    }
}
