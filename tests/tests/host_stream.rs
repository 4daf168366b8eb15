//! Streams, in every order of events that Envoy knows and in some that it does not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::json;
use support::*;
use tracegate_bundle::policy::StringMatch;
use tracegate_tests::host::{Headers, Message, Process, Settings, Vm};

#[test]
fn an_allowed_request_goes_up_without_its_token_and_its_answer_comes_back_masked() {
    for verify_signature in [true, false] {
        let mut vm = vm_with(
            &Process::new(),
            Settings {
                verify_signature,
                ..settings()
            },
        );
        let mut world = World::default();
        let request = request(&vm, "GET");
        let outcome = run(&mut vm, request, &mut world);
        assert_eq!(outcome.status(), 200, "{outcome:?}");
        assert_eq!(outcome.body(), told_masked());
        let client = outcome.client.headers.as_ref().unwrap();
        assert_eq!(client.get("content-length"), None, "the length has changed");
        let upstream = outcome.upstream.as_ref().unwrap().headers.as_ref().unwrap();
        assert_eq!(
            upstream.text("x-tracegate-subject").as_deref(),
            Some("alice")
        );
        assert_eq!(world.calls.len(), 1);
        assert_eq!(
            record(&outcome)["actor"]["user"]["uid"],
            "alice",
            "{}",
            record(&outcome)
        );
    }
}

#[test]
fn every_cut_of_a_body_gives_the_same_answer() {
    let mut vm = warm_vm();
    for piece in [1, 2, 3, 7, 64, 4_096] {
        for (end_apart, trailers) in [(false, false), (true, false), (false, true)] {
            let mut response = Message {
                end_apart,
                ..json_response(piece)
            };
            let mut request = post(&vm, &json!({"model": "small", "n": 1}), piece);
            request.end_apart = end_apart;
            if trailers {
                (request, response) = (request.with_trailers(), response.with_trailers());
            }
            let mut world = World {
                response,
                ..World::default()
            };
            let outcome = run(&mut vm, request, &mut world);
            assert_eq!(outcome.status(), 200, "{outcome:?}");
            assert_eq!(outcome.body(), told_masked(), "pieces of {piece}");
            assert!(outcome.client.complete);
            assert_eq!(outcome.client.trailers.is_some(), trailers);
            assert_eq!(
                outcome.upstream.unwrap().body,
                br#"{"model":"small","n":1}"#
            );
        }
    }
}

#[test]
fn a_rule_on_the_body_holds_whether_data_or_trailers_end_it() {
    let mut vm = warm_vm();
    for piece in [1, 5, 4_096] {
        let body = json!({"model": "forbidden", "messages": ["x".repeat(200)]});
        let plain = post(&vm, &body, piece);
        let end_apart = Message {
            end_apart: true,
            ..plain.clone()
        };
        for request in [plain.clone(), end_apart, plain.with_trailers()] {
            let mut world = World::default();
            let outcome = run(&mut vm, request, &mut world);
            assert_eq!(
                (outcome.status(), code(&outcome).as_str()),
                (403, "policy.denied")
            );
            assert!(world.asked.is_empty(), "the back end was asked");
        }
    }
}

#[test]
fn bytes_that_no_text_has_and_doubled_pseudo_headers_trap_nothing() {
    let mut vm = warm_vm();
    let strange = [
        ("x-bytes", b"a\xff\0\xfe".as_slice()),
        (":path", b"/second"),
        (":authority", b"other.example"),
        (":method", b"GET"),
        ("authorization", b"Bearer \xff\xff"),
        ("authorization", b""),
        ("cookie", &[b'c'; 60_000]),
        ("", b"empty name"),
        ("content-length", b"99999999999999999999999"),
    ];
    for (name, value) in strange {
        let mut request = request(&vm, "GET");
        request.headers.push(name, value);
        let outcome = run(&mut vm, request, &mut World::default());
        assert!(
            matches!(outcome.status(), 200 | 400 | 401),
            "{name}: {outcome:?}"
        );
    }
    let mut nothing = Message::new(Headers::default());
    assert_eq!(
        run(&mut vm, nothing.clone(), &mut World::default()).status(),
        400
    );
    nothing.headers.push("x-only", "this");
    assert_eq!(run(&mut vm, nothing, &mut World::default()).status(), 400);
}

#[test]
fn nothing_goes_up_after_a_reply_even_if_callbacks_still_come() {
    let mut vm = warm_vm();
    let id = vm.open();
    let body = post(&vm, &json!({"model": "small"}), 5);
    let refused = Message {
        headers: anonymous("POST").headers,
        ..body
    };
    vm.request_headers(id, refused.headers, false).unwrap();
    assert!(vm.is_answered(id));
    for data in refused.body {
        vm.request_data(id, &data, false).unwrap();
    }
    vm.request_trailers(id, Headers::default().with("x", "y"))
        .unwrap();
    assert_eq!(vm.upstream(id).headers, None);
    let outcome = vm.finish(id).unwrap();
    check(&outcome);
    assert_eq!(
        (outcome.status(), code(&outcome).as_str()),
        (401, "jwt.missing")
    );
    assert!(
        outcome.client.complete,
        "our reply passed our own callbacks"
    );
}

#[test]
fn nothing_comes_down_after_a_response_was_refused() {
    let mut vm = warm_vm();
    let held = json_response(16);
    let (headers, body) = (held.headers, held.body);
    for encoded in [true, false] {
        let id = vm.open();
        let request = request(&vm, "GET");
        vm.send_request(id, request).unwrap();
        let mut headers = headers.clone();
        if encoded {
            headers.push("content-encoding", "gzip");
        }
        vm.response_headers(id, headers, false).unwrap();
        if !encoded {
            vm.response_data(id, b"{\"a\":1}", false).unwrap();
            vm.response_data(id, b"} not json", false).unwrap();
        }
        for data in &body {
            // Also past the end of the stream: Envoy would not, a changed Envoy might.
            vm.call_body_after_the_end(id, data);
        }
        let outcome = vm.finish(id).unwrap();
        check(&outcome);
        match encoded {
            true => assert_eq!(
                (outcome.status(), code(&outcome).as_str()),
                (502, "mask.encoding")
            ),
            false => assert!(outcome.reset || outcome.status() == 502, "{outcome:?}"),
        }
    }
}

/// Callbacks that no host should make.
trait Rude {
    fn call_body_after_the_end(&mut self, id: tracegate_tests::host::StreamId, data: &[u8]);
}

impl Rude for Vm {
    fn call_body_after_the_end(&mut self, id: tracegate_tests::host::StreamId, data: &[u8]) {
        let context = id.context();
        let size = u32::try_from(data.len()).unwrap();
        let answer = self
            .call(context, "proxy_on_response_body", &[context, size, 0])
            .unwrap();
        assert_eq!(answer, Some(1), "what we refused goes nowhere");
    }
}

#[test]
fn responses_without_a_body_are_not_held() {
    let mut vm = warm_vm();
    for (method, status) in [("HEAD", "200"), ("GET", "204"), ("GET", "301")] {
        let mut response = json_response(16);
        response.headers.set(b":status", status.as_bytes());
        response.body.clear();
        let mut world = World {
            response,
            ..World::default()
        };
        let request = request(&vm, method);
        let outcome = run(&mut vm, request, &mut world);
        assert_eq!(outcome.status().to_string(), status);
        assert!(outcome.client.complete, "{method} {status} is held");
    }
}

#[test]
fn a_response_that_trailers_end_without_any_data_is_not_held() {
    let mut vm = warm_vm();
    let mut response = json_response(16).with_trailers();
    response.body.clear();
    let mut world = World {
        response,
        ..World::default()
    };
    let request = request(&vm, "GET");
    let outcome = run(&mut vm, request, &mut world);
    assert_eq!(outcome.status(), 200);
    assert!(outcome.client.complete);
}

#[test]
fn a_response_that_the_back_end_breaks_off_leaves_a_record() {
    let mut vm = warm_vm();
    let id = vm.open();
    let request = request(&vm, "GET");
    vm.send_request(id, request).unwrap();
    let response = json_response(16);
    vm.response_headers(id, response.headers, false).unwrap();
    vm.response_data(id, &response.body[0], false).unwrap();
    let outcome = vm.finish(id).unwrap();
    check(&outcome);
    assert!(outcome.audit.is_some());
}

#[test]
fn a_request_that_earlier_filters_rejected_is_recorded_with_its_headers() {
    let mut vm = warm_vm();
    let id = vm.open();
    vm.reject(
        id,
        anonymous("GET").headers,
        431,
        "request_headers_too_large",
    );
    let outcome = vm.finish(id).unwrap();
    let record = record(&outcome);
    assert!(
        record.to_string().contains("/v1/chat/completions"),
        "{record}"
    );
    let nothing = vm.open();
    assert!(
        vm.finish(nothing).unwrap().audit.is_some(),
        "also without any header"
    );
}

#[test]
fn where_the_proxy_does_not_log_the_record_is_written_when_the_stream_is_done() {
    let mut vm = warm_vm();
    let id = vm.open();
    let request = request(&vm, "GET");
    vm.send_request(id, request).unwrap();
    vm.send_response(id, json_response(16)).unwrap();
    let early = vm.filter_state(id, "tracegate.audit").unwrap();
    let sealed = vm.close(id, false).unwrap().unwrap();
    assert_ne!(early, sealed);
    assert!(String::from_utf8(sealed).unwrap().contains("alice"));
}

#[test]
fn the_seal_stops_what_another_filter_lets_go() {
    let mut vm = vm();
    let mut world = World {
        idp: false,
        ..World::default()
    };
    let id = vm.open();
    let request = request(&vm, "GET");
    vm.send_request(id, request).unwrap();
    // As a filter of another VM could: nobody asked ours.
    vm.release_request(id).unwrap();
    assert_eq!(vm.upstream(id).headers, None);
    let outcome = vm.finish(id).unwrap();
    check(&outcome);
    assert_eq!(outcome.status(), 403);
    vm.pass_time(20, &mut world).unwrap();
}

#[test]
fn the_proxys_own_limits_end_held_messages() {
    let settings = Settings {
        buffer_limit: 64,
        ..settings()
    };
    let mut vm = vm_with(&Process::new(), settings);
    let big = json!({"model": "small", "padding": "x".repeat(500)});
    let request = post(&vm, &big, 50);
    let outcome = run(&mut vm, request, &mut World::default());
    assert_eq!(outcome.status(), 413, "held for keys and for its body");
    assert!(outcome.client.complete, "the proxy's own answer passes");
}

#[test]
fn the_peer_identity_of_mutual_tls_is_asked_for_when_a_rule_wants_it() {
    let mut bundle = policy(2);
    let wanted = StringMatch::Exact("cluster.local/ns/prod/sa/web".to_owned());
    for rule in &mut bundle.connections[0].rules {
        for source in &mut rule.from {
            source.principals = vec![wanted.clone()];
        }
    }
    let mut vm = warm_vm();
    assert!(vm.configure(&configuration(&bundle)).unwrap());
    let peers = [
        (Some("spiffe://cluster.local/ns/prod/sa/web"), 200),
        (Some("spiffe://cluster.local/ns/prod/sa/other"), 403),
        (Some(""), 403),
        (None, 403),
    ];
    for (peer, status) in peers {
        let id = vm.open();
        if let Some(peer) = peer {
            vm.set_property(id, "connection.uri_san_peer_certificate", peer.as_bytes());
        }
        let message = request(&vm, "GET");
        vm.send_request(id, message).unwrap();
        if !vm.is_answered(id) {
            vm.send_response(id, json_response(16)).unwrap();
        }
        let outcome = vm.finish(id).unwrap();
        check(&outcome);
        assert_eq!(outcome.status(), status, "{peer:?}");
    }
}
