//! The records of a real Envoy, held against the schema of OCSF.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it is skipped"
)]

mod corp;
mod ocsf;

use corp::{Corp, tell_secrets};
use serde_json::{Value, json};
use tracegate_tests::client;
use tracegate_tests::http::Request;
use tracegate_tests::proxy::{Deployment, Proxy};
use tracegate_tests::standins::server::{Answer, Message};

/// One exchange of each kind.
fn exchanges(corp: &Corp, proxy: &Proxy) -> Vec<(&'static str, u16)> {
    let mut seen = Vec::new();
    let mut send = |kind, request: &Request| {
        seen.push((kind, client::send(proxy.address(), request).unwrap().status));
    };
    tell_secrets(proxy);
    send("masked", &corp.post(&json!({"model": "o-large"})));
    send("no token", &Request::new("GET", corp::HOST, "/v1/models"));
    send(
        "bad token",
        &Request::new("GET", corp::HOST, "/v1/models").bearer("a.b.c"),
    );
    send("denied", &corp.request("DELETE", "/v1/models/x"));
    send(
        "no connection",
        &Request::new("GET", "elsewhere.example", "/"),
    );
    send(
        "bad body",
        &corp.post(&json!("x")).header("content-encoding", "gzip"),
    );
    send(
        "too large",
        &corp.post(&json!({"x": "y".repeat(1_100_000)})),
    );
    proxy.engine.script(|_| Answer::Hangup);
    send("back end gone", &corp.request("GET", "/v1/models"));
    proxy.engine.script(|_| {
        Answer::Message(Message {
            status: 204,
            ..Message::default()
        })
    });
    send("no content", &corp.request("GET", "/v1/models"));
    let mut text = Message::json(200, &json!({}));
    text.headers.set("content-type", "text/plain");
    proxy.engine.script(move |_| Answer::Message(text.clone()));
    send("not inspectable", &corp.request("GET", "/v1/models"));
    seen
}

#[test]
fn every_record_is_valid_ocsf_and_says_what_the_caller_got() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).start();
    let schema = ocsf::schema();
    for (kind, status) in exchanges(&corp, &proxy) {
        let line = proxy.next_record();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["status_code"], status.to_string(), "{kind}: {line}");
        assert!(line.len() <= 8192, "{kind}");
        ocsf::assert_valid(schema.as_ref(), line.as_bytes());
    }
}

#[test]
fn every_exchange_leaves_exactly_one_record_also_when_many_are_at_it() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).workers(2).start();
    tell_secrets(&proxy);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (corp, proxy) = (&corp, &proxy);
            scope.spawn(move || {
                for call in 0..10 {
                    let path = format!("/v1/models/{thread}-{call}");
                    assert_eq!(proxy.send(&corp.request("GET", &path)).status, 200);
                }
            });
        }
    });
    let mut seen: Vec<_> = (0..40)
        .map(|_| {
            proxy.next_record_json()["api"]["operation"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 40);
    assert_eq!(
        proxy.metrics()["tracegate_requests_total{decision=allow,code=none}"],
        40
    );
}
