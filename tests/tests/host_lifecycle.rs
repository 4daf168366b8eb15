//! The life of a VM: start, configuration, updates, and what holds while there is no policy.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use tracegate_tests::host::{
    Headers, HttpCall, Message, Module, Network, Passed, Process, Settings, Vm,
};

mod support;

use support::*;
use tracegate_bundle::policy::Action;

/// A network in which nothing should be asked for.
struct Nobody;

impl Network for Nobody {
    fn respond(&mut self, request: &Passed) -> Message {
        panic!("the back end was asked: {request:?}");
    }

    fn answer(&mut self, _: &HttpCall) -> Option<(Headers, Vec<u8>)> {
        None
    }
}

/// A configuration whose bundle nobody has signed.
const UNTRUSTED: &[u8] = br#"{"bundle":{"payload":"e30=",
    "payloadType":"application/vnd.tracegate.bundle.v1+json","signatures":[]}}"#;

fn vm() -> Vm {
    Vm::start(Module::filter(), &Process::new(), Settings::default()).unwrap()
}

fn get(path: &str) -> Message {
    let headers = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "api.example"),
    ];
    Message::new(headers.into_iter().collect::<Headers>().with(":path", path))
}

#[test]
fn without_a_policy_everything_is_denied_and_recorded() {
    let mut vm = vm();
    assert!(vm.configure(UNTRUSTED).unwrap());
    let outcome = vm.run(get("/"), &mut Nobody).unwrap();
    assert_eq!(outcome.status(), 503, "{outcome:?}");
    assert!(!outcome.unsealed);
    assert!(outcome.audit.is_some());
}

#[test]
fn what_is_not_a_configuration_is_rejected_whatever_the_hostcalls_say() {
    for failing in 0..30 {
        let mut vm = vm();
        vm.fail_hostcall(failing, 10);
        let read = vm.configure(b"{not json").unwrap();
        // Only if the bytes could not be read at all is there nothing to reject.
        assert!(
            !read
                || vm
                    .process()
                    .log()
                    .iter()
                    .any(|line| line.contains("could not be read"))
        );
    }
}

#[test]
fn a_stream_of_a_root_that_was_never_configured_is_refused() {
    let mut vm = vm();
    let id = vm.open();
    vm.request_headers(id, get("/").headers, true).unwrap();
    let outcome = vm.finish(id).unwrap();
    assert_eq!(
        (outcome.status(), outcome.details.as_str()),
        (500, "internal.state")
    );
}

#[test]
fn callbacks_for_contexts_that_nobody_created_are_refused_without_a_trap() {
    let mut vm = vm();
    for (context, message) in [(4_711, "request"), (4_712, "response")] {
        for (callback, count) in [("headers", 3), ("body", 3), ("trailers", 2)] {
            let export = format!("proxy_on_{message}_{callback}");
            let answer = vm
                .call(context, &export, &[context, 1, 1][..count])
                .unwrap();
            assert_eq!(answer, Some(1), "{export}");
        }
    }
    for callback in [
        "proxy_on_log",
        "proxy_on_done",
        "proxy_on_delete",
        "proxy_on_tick",
    ] {
        vm.call(4_711, callback, &[4_711]).unwrap();
    }
    vm.call(4_711, "proxy_on_http_call_response", &[4_711, 1, 1, 1, 0])
        .unwrap();
}

// === Updates ===

#[test]
fn an_update_in_the_same_vm_takes_over_and_streams_in_flight_end_by_the_old_policy() {
    let mut vm = warm_vm();
    let old = vm.root();
    let id = vm.open();
    let message = request(&vm, "GET");
    vm.send_request(id, message).unwrap();
    let mut stricter = policy(2);
    stricter.connections[0]
        .rules
        .retain(|rule| rule.action == Action::Deny);
    assert!(vm.configure(&configuration(&stricter)).unwrap());
    assert_ne!(vm.root(), old);

    vm.send_response(id, json_response(16)).unwrap();
    let before = vm.finish(id).unwrap();
    check(&before);
    assert_eq!((before.status(), before.body()), (200, told_masked()));
    let message = request(&vm, "GET");
    let after = run(&mut vm, message, &mut World::default());
    assert_eq!(
        (after.status(), code(&after).as_str()),
        (403, "policy.no_rule")
    );
    vm.delete_root(old).unwrap();
    assert_eq!(vm.process().metric("tracegate_bundle_revision"), Some(2));
}

#[test]
fn a_bundle_that_is_refused_leaves_the_running_one_in_force_and_says_so() {
    let mut expired = policy(3);
    expired.expires = Some(1);
    let mut conflicting = policy(2);
    conflicting.name = "another".to_owned();
    let cases = [
        (untrusted_configuration(&policy(3)), "bundle.untrusted"),
        (configuration(&policy(1)), "bundle.rollback"),
        (configuration(&conflicting), "bundle.rollback"),
        (configuration(&expired), "bundle.expired"),
    ];
    for (refused, code) in cases {
        let mut vm = warm_vm();
        assert!(vm.configure(&configuration(&policy(2))).unwrap());
        assert!(
            vm.configure(&refused).unwrap(),
            "a worker must not leave the chain"
        );
        let message = request(&vm, "GET");
        let outcome = run(&mut vm, message, &mut World::default());
        assert_eq!(outcome.status(), 200, "{code}");
        let metric = format!("code=.={code};.;tracegate_bundles_refused_total");
        assert_eq!(vm.process().metric(&metric), Some(1), "{code}");
        assert!(
            vm.process().log().iter().any(|line| line.contains(code)),
            "{code}"
        );
        assert_eq!(vm.process().metric("tracegate_bundle_revision"), Some(2));
    }
}

#[test]
fn without_trust_keys_no_bundle_is_enforced() {
    for value in [None, Some(""), Some("not a key")] {
        let mut settings = settings();
        settings.environment.remove("TRACEGATE_TRUST_KEYS");
        if let Some(value) = value {
            settings
                .environment
                .insert("TRACEGATE_TRUST_KEYS".to_owned(), value.to_owned());
        }
        let mut vm = vm_with(&Process::new(), settings);
        let message = request(&vm, "GET");
        let outcome = run(&mut vm, message, &mut World::default());
        assert_eq!(
            (outcome.status(), code(&outcome).as_str()),
            (503, "bundle.untrusted")
        );
    }
}

#[test]
fn two_plugins_in_one_vm_do_not_share_a_policy() {
    let mut vm = warm_vm();
    vm.set_plugin_name("another");
    let mut open = policy(1);
    open.connections[0]
        .rules
        .retain(|rule| rule.action == Action::Deny);
    assert!(
        vm.configure(&configuration(&open)).unwrap(),
        "no rollback, no conflict"
    );
    let message = request(&vm, "GET");
    let mut world = World::default();
    let outcome = run(&mut vm, message, &mut world);
    assert_eq!(outcome.status(), 403);
}

#[test]
fn a_root_that_ends_with_a_fetch_under_way_leaves_the_next_one_able_to_fetch() {
    let mut vm = support::vm();
    let mut world = World {
        idp: false,
        ..World::default()
    };
    vm.pass_time(20, &mut world).unwrap();
    assert_eq!(vm.calls().count(), 1);
    let old = vm.root();
    assert!(vm.configure(&configuration(&policy(2))).unwrap());
    vm.delete_root(old).unwrap();
    assert_eq!(vm.calls().count(), 0, "the proxy cancels it");
    world.idp = true;
    let message = request(&vm, "GET");
    assert_eq!(run(&mut vm, message, &mut world).status(), 200);
}

#[test]
fn all_vms_of_a_process_fetch_the_keys_once() {
    let process = Process::new();
    let mut vms: Vec<_> = (0..4).map(|_| vm_with(&process, settings())).collect();
    let mut world = World::default();
    for _ in 0..50 {
        for vm in &mut vms {
            vm.run_timers().unwrap();
            vm.pass_time(5, &mut world).unwrap();
        }
    }
    assert_eq!(world.calls.len(), 1);
    for vm in &mut vms {
        let message = request(vm, "GET");
        assert_eq!(run(vm, message, &mut world).status(), 200);
    }
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_vm_that_is_started_anew_cannot_be_handed_an_older_policy() {
    let process = Process::new();
    let mut vm = vm_with(&process, settings());
    assert!(vm.configure(&configuration(&policy(5))).unwrap());
    vm.pass_time(1_000, &mut World::default()).unwrap();
    let mut anew = vm_with(&process, settings());
    let message = request(&anew, "GET");
    let outcome = run(&mut anew, message, &mut World::default());
    assert_eq!(
        (outcome.status(), code(&outcome).as_str()),
        (503, "bundle.rollback")
    );
}
