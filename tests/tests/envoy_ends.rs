//! Exchanges that end otherwise than they should: each leaves its record, and none leaks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use std::time::{Duration, Instant};

use corp::{Corp, HOST, SECRET, tell_secrets};
use serde_json::{Value, json};
use tracegate_tests::client::{self, Connection};
use tracegate_tests::http::{Fields, Request};
use tracegate_tests::proxy::{Deployment, Proxy, preceded_by};
use tracegate_tests::standins::server::{Answer, Framing, Message, Step};

fn start(corp: &Corp) -> Proxy {
    Deployment::of(&corp.setup(1, "DELETE")).start()
}

fn ours(record: &Value) -> &Value {
    &record["unmapped"]["tracegate"]
}

#[test]
fn a_client_that_hangs_up_leaves_a_record() {
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

    let record = proxy.next_record_json();
    assert_eq!(record["actor"]["user"]["uid"], "alice");
    let details = ours(&record)["response"]["code_details"].as_str().unwrap();
    assert!(details.contains("downstream"), "{record}");
    assert_eq!(record["status"], "Failure");
}

#[test]
fn a_client_that_hangs_up_within_its_request_leaves_a_record() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let mut connection = Connection::open(proxy.address()).unwrap();
    let token = corp.token();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"model\":"
    );
    connection.write(head.as_bytes()).unwrap();
    // Envoy has read it when the filter has counted the look-up of the token.
    let start = Instant::now();
    while !proxy
        .metrics()
        .keys()
        .any(|name| name.contains("jwks_fetches"))
    {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            proxy.metrics()
        );
    }

    drop(connection);

    let record = proxy.next_record_json();
    assert_eq!(ours(&record)["code"], "internal.unfinished", "{record}");
    assert!(proxy.engine.received().is_empty());
}

#[test]
fn a_back_end_that_hangs_up_before_its_answer_leaves_a_record() {
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| Answer::Hangup);
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 503, "{}", response.text());
    let record = proxy.next_record_json();
    assert_eq!(record["status_code"], "503");
    assert_eq!(record["actor"]["user"]["uid"], "alice");
    assert_eq!(ours(&record)["inspected_reason"], "local_reply");
}

#[test]
fn a_back_end_that_breaks_off_within_its_answer_leaves_a_record_and_lets_nothing_out_that_was_held()
{
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| {
        Answer::Message(Message {
            status: 200,
            headers: Fields::default().with("content-type", "application/json"),
            body: vec![
                br#"{"note":"maria@exam"#.to_vec(),
                br#"ple.org","secret":"s3cret-va"#.to_vec(),
            ],
            framing: Framing::Chunked,
            pause: Duration::from_millis(50),
            cut: true,
            ..Message::default()
        })
    });
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert!(!response.complete || response.status >= 500);
    assert!(
        !response.mentions("s3cret") && !response.mentions("maria"),
        "{}",
        response.text()
    );
    let record = proxy.next_record_json();
    assert_eq!(ours(&record)["inspected"], "partial", "{record}");
}

#[test]
fn a_back_end_that_nobody_can_reach_leaves_a_record() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let nowhere = |bootstrap: &mut Value| {
        let address = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
        *bootstrap.pointer_mut(address).unwrap() = json!(1);
    };
    let proxy = Deployment::of(&setup).change(nowhere).start();
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 503);
    assert_eq!(proxy.next_record_json()["status_code"], "503");
}

#[test]
fn a_request_that_an_earlier_filter_rejects_leaves_a_record() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let rejecting = json!({
        "name": "earlier",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {"http_status": 451, "percentage": {"numerator": 100}},
        },
    });
    let proxy = Deployment::of(&setup)
        .change(preceded_by(rejecting))
        .start();
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 451);
    let record = proxy.next_record_json();
    assert_eq!(record["status_code"], "451");
    assert_eq!(record["status_detail"], "proxy.not_reached");
    assert_eq!(record["api"]["operation"], "GET /v1/models");
    assert_eq!(record["actor"]["user"]["name"], "unverified");
}

#[test]
fn a_request_that_is_none_leaves_a_record() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let nonsense = vec![b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n".to_vec()];
    let response = client::send_raw(proxy.address(), "GET", nonsense).unwrap();
    assert_eq!(response.status, 400);
    assert_eq!(
        proxy.next_record_json()["status_detail"],
        "proxy.not_reached"
    );
}

#[test]
fn trailers_travel_both_ways_over_http2_and_what_comes_before_them_is_decided_and_masked() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).http2_back_end().start();
    proxy.engine.script(|_| {
        Answer::Message(Message {
            body: vec![br#"{"secret":"s3cret"#.to_vec(), br#"-value"}"#.to_vec()],
            trailers: Fields::default().with("x-took", "12ms"),
            ..Message::json(200, &json!({}))
        })
    });
    let with_trailers = |request: Request| Request {
        trailers: Fields::default().with("x-checksum", "1"),
        ..request
    };

    let allowed = with_trailers(corp.post(&json!({"model": "o-large"})));
    let response = client::send_http2(proxy.address(), &allowed).unwrap();
    assert_eq!(response.text(), r#"{"secret":"[REDACTED]"}"#);
    assert_eq!(response.trailers.get("x-took").as_deref(), Some("12ms"));
    let received = proxy.engine.take_received().pop().unwrap();
    assert_eq!(received.body, br#"{"model":"o-large"}"#);
    assert_eq!(received.trailers.get("x-checksum").as_deref(), Some("1"));

    let denied = with_trailers(corp.post(&json!({"model": "forbidden"})));
    let response = client::send_http2(proxy.address(), &denied).unwrap();
    assert_eq!(response.status, 403);
    assert!(proxy.engine.received().is_empty());
}

#[test]
fn an_upgrade_ends_at_the_proxy() {
    let corp = Corp::new();
    let proxy = start(&corp);
    tell_secrets(&proxy);
    let request = corp
        .request("GET", "/v1/models")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let response = proxy.send(&request);
    assert_eq!(response.status, 403, "{}", response.text());
    assert!(proxy.engine.received().is_empty());
}

#[test]
fn a_back_end_that_switches_the_protocol_unasked_is_refused() {
    let corp = Corp::new();
    let proxy = start(&corp);
    proxy.engine.script(|_| {
        Answer::Message(Message {
            status: 101,
            headers: Fields::default()
                .with("connection", "upgrade")
                .with("upgrade", "websocket"),
            body: vec![SECRET.as_bytes().to_vec()],
            framing: Framing::UntilClose,
            ..Message::default()
        })
    });
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert!(response.status >= 500, "{}", response.status);
    assert!(!response.mentions(SECRET));
}

#[test]
fn an_informational_response_tells_nothing() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let early = format!("HTTP/1.1 103 Early Hints\r\nlink: <{SECRET}>\r\n\r\n");
    proxy.engine.script(move |_| {
        let answer = format!(
            "{early}HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 25\r\n\r\n\
             {{\"secret\":\"{SECRET}\"}}"
        );
        Answer::Raw(vec![Step::Bytes(answer.into_bytes())])
    });
    let mut connection = Connection::open(proxy.address()).unwrap();
    connection
        .write_request(&corp.request("GET", "/v1/models"))
        .unwrap();
    let seen = connection.read_until("[REDACTED]").unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("[REDACTED]"), "{seen}");
    assert!(!seen.contains(SECRET), "{seen}");
}
