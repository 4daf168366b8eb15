//! The stand-ins and clients themselves, against each other: a test harness that lies is worse than
//! none.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use jwt_compact::{AlgorithmExt, UntrustedToken};
use serde_json::{Value, json};
use tracegate_tests::client::{self, Connection};
use tracegate_tests::http::{Fields, Request};
use tracegate_tests::standins::engine::{self, Engine};
use tracegate_tests::standins::idp::{Idp, JWKS_PATH, Mood};
use tracegate_tests::standins::server::{Answer, Framing, Message, Server, Step};

fn message(framing: Framing) -> Message {
    Message {
        status: 200,
        headers: Fields::default().with("x-tag", "one"),
        body: vec![b"hel".to_vec(), b"lo".to_vec()],
        framing,
        ..Message::default()
    }
}

#[test]
fn every_framing_brings_the_same_body_over_http1() {
    for framing in [
        Framing::ContentLength,
        Framing::Chunked,
        Framing::UntilClose,
    ] {
        let server = Server::start(move |_| Answer::Message(message(framing)));
        let response = client::send(server.address(), &Request::new("GET", "host", "/")).unwrap();
        assert_eq!(
            (response.status, response.text()),
            (200, "hello".to_owned())
        );
        assert!(response.complete, "{framing:?}");
    }
}

#[test]
fn trailers_travel_both_ways_over_both_protocols() {
    let server = Server::start(|_| {
        Answer::Message(Message {
            trailers: Fields::default().with("x-end", "there"),
            ..message(Framing::Chunked)
        })
    });
    let request = Request {
        trailers: Fields::default().with("x-end", "here"),
        body: vec![b"a".to_vec(), b"b".to_vec()],
        ..Request::new("POST", "host.example", "/path?q=1")
    };
    for send in [client::send, client::send_http2] {
        let response = send(server.address(), &request).unwrap();
        assert_eq!(response.trailers.get("x-end").as_deref(), Some("there"));
        assert_eq!(response.text(), "hello");
        let received = server.take_received().pop().unwrap();
        assert_eq!(received.trailers.get("x-end").as_deref(), Some("here"));
        assert_eq!(received.body, b"ab");
        assert_eq!(received.authority, "host.example");
        assert_eq!(received.path, "/path?q=1");
        assert!(received.complete);
    }
}

#[test]
fn a_response_that_is_cut_is_seen_as_incomplete() {
    for framing in [Framing::ContentLength, Framing::Chunked] {
        let server = Server::start(move |_| {
            let mut cut = message(framing);
            cut.cut = true;
            cut.headers.set("content-length", "100");
            if framing == Framing::Chunked {
                cut.headers.remove("content-length");
            }
            Answer::Message(cut)
        });
        let request = Request::new("GET", "host", "/");
        assert!(!client::send(server.address(), &request).unwrap().complete);
    }
    let server = Server::start(|_| {
        Answer::Message(Message {
            cut: true,
            ..message(Framing::Chunked)
        })
    });
    let request = Request::new("GET", "host", "/");
    assert!(
        !client::send_http2(server.address(), &request)
            .unwrap()
            .complete
    );
}

#[test]
fn exact_bytes_arrive_exactly_and_a_connection_is_used_again() {
    let server = Server::start(|_| {
        Answer::Raw(vec![
            Step::Bytes(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
            Step::Pause(Duration::from_millis(5)),
            Step::Bytes(b"ngth: 2\r\n\r\nok".to_vec()),
        ])
    });
    let mut connection = Connection::open(server.address()).unwrap();
    for _ in 0..2 {
        connection
            .write_request(&Request::new("GET", "host", "/"))
            .unwrap();
        let read = connection.read_until("\r\n\r\nok").unwrap();
        assert_eq!(read, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    }
    assert_eq!(server.received().len(), 2);
}

#[test]
fn tokens_of_the_provider_verify_with_the_set_that_it_publishes() {
    for algorithm in ["ES256", "EdDSA"] {
        let idp = Idp::start("https://issuer.example", algorithm);
        let token = idp.issue(&json!({"groups": ["analysts"]}));
        let jwk: jwt_compact::jwk::JsonWebKey<'_> =
            serde_json::from_value(idp.jwks()["keys"][0].clone()).unwrap();
        let token = UntrustedToken::new(&token).unwrap();
        let claims = match algorithm {
            "ES256" => {
                let key = (&jwk).try_into().unwrap();
                jwt_compact::alg::Es256
                    .validator::<Value>(&key)
                    .validate(&token)
                    .unwrap()
            }
            _ => {
                let key = (&jwk).try_into().unwrap();
                jwt_compact::alg::Ed25519
                    .validator::<Value>(&key)
                    .validate(&token)
                    .unwrap()
            }
        };
        assert_eq!(claims.claims().custom["groups"], json!(["analysts"]));
        assert_eq!(claims.claims().custom["iss"], "https://issuer.example");
    }
}

#[test]
fn an_rsa_key_signs_with_either_padding() {
    for algorithm in ["RS256", "PS256"] {
        let key = tracegate_tests::standins::keys::Key::generate("k", algorithm);
        let token = key.token(&json!({}), &json!({"sub": "alice"}));
        let jwk: jwt_compact::jwk::JsonWebKey<'_> = serde_json::from_value(key.jwk()).unwrap();
        let public: jwt_compact::alg::RsaPublicKey = (&jwk).try_into().unwrap();
        let token = UntrustedToken::new(&token).unwrap();
        let verifier = jwt_compact::alg::Rsa::with_name(algorithm);
        verifier
            .validator::<Value>(&public)
            .validate(&token)
            .unwrap();
    }
}

#[test]
fn the_provider_publishes_what_its_mood_allows_and_counts_who_asks() {
    let idp = Idp::start("https://issuer.example", "ES256");
    let request = Request::new("GET", "idp", JWKS_PATH);
    let first = client::send(idp.address(), &request).unwrap();
    assert_eq!(first.json(), idp.jwks());
    idp.replace_keys("key-2", "EdDSA");
    assert_eq!(
        client::send(idp.address(), &request).unwrap().json()["keys"][0]["kid"],
        "key-2"
    );
    idp.set_mood(Mood::Failing(500));
    assert_eq!(client::send(idp.address(), &request).unwrap().status, 500);
    idp.set_mood(Mood::Gone);
    assert_eq!(client::send(idp.address(), &request).unwrap().status, 0);
    assert_eq!(idp.fetches(), 4);
}

#[test]
fn the_engine_wants_its_key_and_repeats_what_it_got() {
    let engine = Engine::start(Some("sk-engine"));
    let chat = Request::post_json("engine", engine::CHAT_PATH, "{}");
    assert_eq!(client::send(engine.address(), &chat).unwrap().status, 401);
    let answer = client::send(engine.address(), &chat.clone().bearer("sk-engine")).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.mentions(engine::told::EMAIL) && answer.mentions(engine::told::IBAN));

    let echo = Request::new("GET", "engine", engine::ECHO_PATH).bearer("sk-engine");
    let echoed = client::send(engine.address(), &echo).unwrap().json();
    assert_eq!(echoed["headers"]["authorization"], "Bearer sk-engine");
}
