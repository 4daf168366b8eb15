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

use std::time::{Duration, Instant};

use corp::{Corp, HOST, tell_secrets};
use serde_json::{Value, json};
use tracegate_tests::client::{self, Connection};
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

// === Exactly one ===

/// What a client does, by its own count of exchanges.
type Act = fn(&Corp, &Proxy) -> usize;

/// Writes `bytes` at once and counts the answers until the proxy hangs up.
fn answers(proxy: &Proxy, bytes: &[u8]) -> usize {
    let mut connection = Connection::open(proxy.address()).unwrap();
    connection.write(bytes).unwrap();
    let seen = connection.read_until("no answer says this").unwrap();
    String::from_utf8_lossy(&seen).matches("HTTP/1.1 ").count()
}

fn head(corp: &Corp, path: &str, more: &str) -> String {
    let token = corp.token();
    let start =
        format!("POST {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n");
    start + "content-type: application/json\r\n" + more + "\r\n"
}

fn without_token(more: &str, body: &str) -> Vec<u8> {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\n{more}\r\n{body}").into_bytes()
}

/// Waits until the engine has been asked once more.
fn wait_until_asked(proxy: &Proxy, before: usize) {
    let start = Instant::now();
    while proxy.engine.received().len() == before {
        assert!(start.elapsed().as_secs() < 20, "the engine was not asked");
        std::thread::yield_now();
    }
}

const CHUNKED: &str = "transfer-encoding: chunked\r\n";
const BODY: &str = "6\r\n{\"a\":1\r\n1\r\n}\r\n0\r\n\r\n";

/// Ways for exchanges to end, each with the number of exchanges that it is.
const ENDS: &[(&str, Act)] = &[
    (
        "a refusal in the head of a request that is there as a whole",
        |_, proxy| answers(proxy, &without_token(CHUNKED, BODY)),
    ),
    (
        "a refusal in the head of a request that comes in pieces",
        |_, proxy| {
            let pieces = vec![b"1".to_vec(); 20];
            let mut request = Request::post_json(HOST, "/", "");
            request.body = pieces;
            assert_eq!(proxy.send(&request).status, 401);
            1
        },
    ),
    (
        "a refusal of a request whose body never comes",
        |_, proxy| answers(proxy, &without_token("content-length: 1000\r\n", "{")),
    ),
    ("two requests at once, both answered", |corp, proxy| {
        let first = head(corp, "/v1/1", "content-length: 2\r\n") + "{}";
        let second = head(corp, "/v1/2", "content-length: 2\r\nconnection: close\r\n") + "{}";
        let seen = answers(proxy, (first + &second).as_bytes());
        assert_eq!(seen, 2);
        seen
    }),
    (
        "two requests at once, the first of which is refused in its head",
        |corp, proxy| {
            let mut both = without_token(CHUNKED, BODY);
            both.extend(
                head(corp, "/v1/2", "content-length: 0\r\nconnection: close\r\n").into_bytes(),
            );
            answers(proxy, &both)
        },
    ),
    ("a request and then nonsense", |corp, proxy| {
        let request = head(corp, "/v1/1", "content-length: 0\r\n") + "nonsense\r\n\r\n";
        let seen = answers(proxy, request.as_bytes());
        assert_eq!(seen, 2);
        seen
    }),
    ("a denial while the body still comes", |corp, proxy| {
        let request = corp.request("DELETE", "/v1/models/x");
        let request = Request {
            body: vec![b"x".to_vec(); 10],
            ..request
        };
        assert_eq!(proxy.send(&request).status, 403);
        1
    }),
    (
        "a client that hangs up within its request",
        |corp, proxy| {
            let mut connection = Connection::open(proxy.address()).unwrap();
            let request = head(corp, "/v1/1", "content-length: 1000\r\n") + "{";
            connection.write(request.as_bytes()).unwrap();
            1
        },
    ),
    ("a client that hangs up before the answer", |corp, proxy| {
        let before = proxy.engine.received().len();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection
            .write_request(&corp.request("GET", "/slow"))
            .unwrap();
        wait_until_asked(proxy, before);
        1
    }),
    (
        "a refusal over HTTP/2 while the body still comes",
        |_, proxy| {
            let mut request = Request::post_json(HOST, "/", "");
            request.body = vec![b"1".to_vec(); 20];
            client::send_http2(proxy.address(), &request).unwrap();
            1
        },
    ),
    ("a back end that hangs up", |corp, proxy| {
        assert_eq!(proxy.send(&corp.request("GET", "/hangup")).status, 503);
        1
    }),
    (
        "a response that is cut off for what is in it",
        |corp, proxy| {
            let _ = proxy.send(&corp.request("GET", "/broken"));
            1
        },
    ),
];

#[test]
fn an_exchange_leaves_exactly_one_record_however_it_ends() {
    let corp = Corp::new();
    let setup = corp.setup(1, "DELETE");
    let proxy = Deployment::of(&setup).start();
    proxy.engine.script(|request| match request.path.as_str() {
        "/slow" => Answer::Message(Message {
            delay: Duration::from_secs(60),
            ..Message::json(200, &json!({}))
        }),
        "/hangup" => Answer::Hangup,
        "/broken" => {
            let mut message = Message::json(200, &json!({}));
            message.body = vec![b"{\"a\": 1,".to_vec(), b" nonsense}".to_vec()];
            Answer::Message(message)
        }
        _ => Answer::Message(Message::json(200, &json!({}))),
    });
    assert_eq!(proxy.send(&corp.request("GET", "/")).status, 200);
    let _ = proxy.next_record();

    for (way, act) in ENDS {
        for _ in 0..3 {
            let exchanges = act(&corp, &proxy);
            for _ in 0..exchanges {
                let record = proxy.next_record_json();
                assert!(record["activity_name"].is_string(), "{way}: {record}");
            }
        }
        // The only worker logs in order: behind the record of one more exchange nothing comes from
        // those before it.
        let last = proxy.send(&corp.request("GET", "/last"));
        let _ = proxy.record_of(&last);
        let left = proxy.untaken_records();
        assert!(left.is_empty(), "{way}: {left:?}");
    }
}
