//! Envoy's own decompressor behind ours: it ends a damaged body as if it were whole, so what it says is
//! not taken for an end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod corp;

use corp::{Corp, SECRET};
use miniz_oxide::deflate::compress_to_vec;
use serde_json::{Value, json};
use tracegate_tests::http::{Fields, Response};
use tracegate_tests::proxy::{Deployment, Proxy, http_filters};
use tracegate_tests::standins::server::{Answer, Framing, Message};

/// Puts Envoy's decompressor where it sees responses before our filter does.
fn decompressor(bootstrap: &mut Value) {
    let filters = http_filters(bootstrap);
    let router = filters.len() - 1;
    let gzip = "type.googleapis.com/envoy.extensions.compression.gzip.decompressor.v3.Gzip";
    let filter = "type.googleapis.com/envoy.extensions.filters.http.decompressor.v3.Decompressor";
    filters.insert(
        router,
        json!({
            "name": "decompressor",
            "typed_config": {
                "@type": filter,
                "decompressor_library": {"name": "gzip", "typed_config": {"@type": gzip}},
                "request_direction_config": {"advertise_accept_encoding": false},
            },
        }),
    );
}

fn start(corp: &Corp) -> Proxy {
    Deployment::of(&corp.setup(1, "DELETE"))
        .change(decompressor)
        .start()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    body.extend(compress_to_vec(data, 6));
    body.extend(crc32fast::hash(data).to_le_bytes());
    body.extend((data.len() as u32).to_le_bytes());
    body
}

/// What comes of a gzip body that arrives in these pieces.
fn answer(proxy: &Proxy, corp: &Corp, pieces: Vec<Vec<u8>>) -> (Response, Value) {
    proxy.engine.script(move |_| {
        Answer::Message(Message {
            status: 200,
            headers: Fields::default()
                .with("content-type", "application/json")
                .with("content-encoding", "gzip"),
            body: pieces.clone(),
            framing: Framing::Chunked,
            pause: std::time::Duration::from_millis(20),
            ..Message::default()
        })
    });
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    let record = serde_json::from_str(&proxy.record_of(&response)).unwrap();
    (response, record)
}

/// Whole, and in pieces of that many bytes.
fn cuts(body: &[u8], piece: usize) -> [Vec<Vec<u8>>; 2] {
    let pieces = body.chunks(piece).map(<[u8]>::to_vec).collect();
    [vec![body.to_vec()], pieces]
}

fn code(record: &Value) -> &str {
    record["unmapped"]["tracegate"]["code"]
        .as_str()
        .unwrap_or("none")
}

#[test]
fn what_it_decodes_is_masked_and_its_trailers_tell_nothing_of_the_original() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let body = gzip(
        json!({"a": "maria@example.org", "secret": SECRET})
            .to_string()
            .as_bytes(),
    );
    for pieces in cuts(&body, 7) {
        let (response, record) = answer(&proxy, &corp, pieces);
        assert!(response.complete, "{}", response.text());
        assert_eq!(
            response.json()["secret"],
            "[REDACTED]",
            "{}",
            response.text()
        );
        assert!(!response.mentions(SECRET));
        assert_eq!(response.headers.get("content-encoding"), None);
        let sizes = response.trailers.iter().map(|(name, _)| name.to_owned());
        assert_eq!(sizes.collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(
            record["unmapped"]["tracegate"]["inspected"], "full",
            "{record}"
        );
    }
}

#[test]
fn what_it_lets_end_early_is_not_passed_on_as_if_it_were_whole() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let text = json!({"secret": SECRET, "more": "text ".repeat(40)}).to_string();
    let whole = gzip(text.as_bytes());
    let mut damaged = whole.clone();
    damaged[30] ^= 0xff;
    let bomb = format!(
        "{{\"secret\":\"{SECRET}\",\"zeros\":\"{}\"}}",
        "0".repeat(20_000_000)
    );
    let (first, second) = text.as_bytes().split_at(60);
    for (what, body) in [
        ("truncated", whole[..whole.len() - 20].to_vec()),
        ("truncated within its header", whole[..6].to_vec()),
        ("damaged", damaged),
        ("not gzip at all", vec![b'x'; 100]),
        (
            "two members, of which it decodes the first",
            [gzip(first), gzip(second)].concat(),
        ),
        ("a bomb", gzip(bomb.as_bytes())),
    ] {
        for pieces in cuts(&body, 1_000) {
            let (response, record) = answer(&proxy, &corp, pieces);
            assert!(
                !response.complete || response.status == 502,
                "{what}: {} {}",
                response.status,
                response.text()
            );
            assert!(!response.mentions(SECRET), "{what}");
            // Of a bomb it may also leave parts out and go on behind them.
            let codes: &[&str] = match what {
                "a bomb" => &["mask.truncated", "mask.syntax"],
                _ => &["mask.truncated"],
            };
            assert!(codes.contains(&code(&record)), "{what}: {record}");
        }
    }
}

#[test]
fn under_two_codings_only_one_of_which_it_undoes_nothing_passes() {
    let corp = Corp::new();
    let proxy = start(&corp);
    let body = gzip(&gzip(json!({"secret": SECRET}).to_string().as_bytes()));
    proxy.engine.script(move |_| {
        Answer::Message(Message {
            status: 200,
            headers: Fields::default()
                .with("content-type", "application/json")
                .with("content-encoding", "gzip, gzip"),
            body: vec![body.clone()],
            ..Message::default()
        })
    });
    let response = proxy.send(&corp.request("GET", "/v1/models"));
    assert_eq!(response.status, 502);
    assert_eq!(response.json()["code"], "mask.encoding");
}
