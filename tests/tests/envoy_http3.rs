//! HTTP/3 between client and proxy: the same decisions, the same masking, and one record each, although
//! Envoy ends these streams in another order.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use std::time::{Duration, Instant};

use corp::{Corp, SECRET, tell_secrets};
use serde_json::{Value, json};
use tracegate_tests::client::{self, Connection};
use tracegate_tests::http::{Fields, Request, Response};
use tracegate_tests::proxy::{Deployment, Proxy};
use tracegate_tests::standins::server::{Answer, Framing, Message};

fn start(corp: &Corp) -> Proxy {
    Deployment::of(&corp.setup(1, "DELETE")).http3().start()
}

fn record(proxy: &Proxy, response: &Response) -> Value {
    serde_json::from_str(&proxy.record_of(response)).unwrap()
}

/// All records, once one more would have been written too.
fn all_records(proxy: &Proxy) -> Vec<String> {
    std::thread::sleep(Duration::from_millis(300));
    proxy.records()
}

fn ours(record: &Value) -> &Value {
    &record["unmapped"]["tracegate"]
}

#[test]
fn requests_are_decided_and_answers_masked_and_each_leaves_one_sealed_record() {
    let corp = Corp::new();
    let proxy = start(&corp);
    tell_secrets(&proxy);

    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["secret"], "[REDACTED]");
    assert_eq!(response.json()["note"], "write to [EMAIL]");
    let told = record(&proxy, &response);
    assert_eq!(told["actor"]["user"]["uid"], "alice", "{told}");
    assert_eq!(told["http_request"]["version"], "HTTP/3", "{told}");
    assert_eq!(ours(&told)["inspected"], "full", "{told}");
    assert_eq!(told["status_code"], "200", "{told}");

    let stranger = Request::new("GET", corp::HOST, "/v1/models");
    let response = proxy.send(&stranger);
    assert_eq!(
        (response.status, response.json()["code"].clone()),
        (401, json!("jwt.missing"))
    );
    assert_eq!(ours(&record(&proxy, &response))["code"], "jwt.missing");

    let response = proxy.send(&corp.request("DELETE", "/v1/models"));
    assert_eq!(response.status, 403);
    assert_eq!(ours(&record(&proxy, &response))["code"], "policy.denied");

    let response = proxy.send(&corp.post(&json!({"model": "forbidden"})));
    assert_eq!(response.status, 403);
    assert_eq!(ours(&record(&proxy, &response))["code"], "policy.denied");

    let records = all_records(&proxy);
    assert_eq!(records.len(), 4, "{records:#?}");
}

#[test]
fn trailers_travel_both_ways_and_what_comes_before_them_is_decided_and_masked() {
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| {
        Answer::Message(Message {
            body: vec![br#"{"secret":"s3cret"#.to_vec(), br#"-value"}"#.to_vec()],
            trailers: Fields::default()
                .with("x-took", "12ms")
                .with("content-digest", "x"),
            framing: Framing::Chunked,
            pause: Duration::from_millis(20),
            ..Message::json(200, &json!({}))
        })
    });
    let with_trailers = |request: Request| Request {
        trailers: Fields::default().with("x-checksum", "1"),
        ..request
    };
    for send in [client::send, client::send_http2] {
        let allowed = with_trailers(corp.post(&json!({"model": "o-large"})));
        let response = send(proxy.address(), &allowed).unwrap();
        assert_eq!(response.text(), r#"{"secret":"[REDACTED]"}"#);
        assert_eq!(response.trailers.get("x-took").as_deref(), Some("12ms"));
        assert_eq!(response.trailers.get("content-digest"), None);
        let received = proxy.engine.take_received().pop().unwrap();
        assert_eq!(received.body, br#"{"model":"o-large"}"#);
        assert_eq!(received.trailers.get("x-checksum").as_deref(), Some("1"));
        assert_eq!(ours(&record(&proxy, &response))["inspected"], "full");

        let denied = with_trailers(corp.post(&json!({"model": "forbidden"})));
        let response = send(proxy.address(), &denied).unwrap();
        assert_eq!(response.status, 403);
        assert!(proxy.engine.received().is_empty());
        assert_eq!(ours(&record(&proxy, &response))["code"], "policy.denied");
    }
}

#[test]
fn a_back_end_that_breaks_off_lets_nothing_out_that_was_held() {
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| {
        Answer::Message(Message {
            body: vec![
                br#"{"note":"maria@exam"#.to_vec(),
                br#"ple.org","secret":"s3cret-va"#.to_vec(),
            ],
            framing: Framing::Chunked,
            pause: Duration::from_millis(50),
            cut: true,
            ..Message::json(200, &json!({}))
        })
    });
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert!(!response.complete || response.status >= 500);
    assert!(!response.mentions("s3cret") && !response.mentions("maria"));
    let told = record(&proxy, &response);
    assert_eq!(ours(&told)["inspected"], "partial", "{told}");
    assert_eq!(all_records(&proxy).len(), 1);
}

#[test]
fn a_client_that_hangs_up_leaves_one_record() {
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| {
        let mut message = Message::json(200, &json!({"secret": SECRET}));
        message.delay = Duration::from_secs(60);
        Answer::Message(message)
    });
    let mut connection = Connection::open(proxy.address()).unwrap();
    connection
        .write_request(&corp.request("GET", "/v1/models"))
        .unwrap();
    let start = Instant::now();
    while proxy.engine.received().is_empty() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the engine was not asked"
        );
        std::thread::yield_now();
    }

    drop(connection);

    let told = proxy.next_record_json();
    assert_eq!(told["actor"]["user"]["uid"], "alice", "{told}");
    assert_eq!(told["status"], "Failure", "{told}");
    assert_eq!(all_records(&proxy).len(), 1);
}
