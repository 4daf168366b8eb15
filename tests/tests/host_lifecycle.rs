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
