//! Plays scenario files on drivers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use serde_json::Value;

use super::expect::check;
use super::format::{Bodies, Body, File, Issuer, Scenario, Written};
use super::split::splits;
use super::tokens::mint;
use crate::client::BETWEEN_PIECES;
use crate::drivers::{Driver, Play, Setup};
use crate::http::{Fields, Request};
use crate::standins::idp::{Idp, Mood};
use crate::standins::server::{Framing, Message};

/// Where requests go when they do not say.
const AUTHORITY: &str = "reasoning.corp.example";
const PATH: &str = "/v1/chat/completions";

/// A file of scenarios, ready to be played: its issuers run, its policy is compiled.
pub struct Stage {
    /// The file's name, for messages.
    name: String,
    file: File,
    texts: BTreeMap<String, String>,
    /// What drivers are opened with.
    pub setup: Setup,
}

/// What came of playing.
#[derive(Debug, Default)]
pub struct Report {
    /// How many scenarios were played.
    pub scenarios: usize,
    /// How many exchanges that took.
    pub exchanges: usize,
    /// What was not as expected, with file, scenario, driver and cut.
    pub failures: Vec<String>,
}

impl Report {
    /// Adds another report to this one.
    pub fn add(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.exchanges += other.exchanges;
        self.failures.extend(other.failures);
    }
}

impl Stage {
    /// Reads a file, starts its issuers, compiles its policy.
    ///
    /// # Errors
    /// The compiler's findings when the policy is not clean.
    ///
    /// # Panics
    /// When it is no scenario file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let name = path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string();
        let file = File::read(path);
        let idps: BTreeMap<String, Arc<Idp>> = file
            .issuers
            .iter()
            .map(|(name, issuer)| (name.clone(), Arc::new(start(issuer))))
            .collect();
        let mut texts = BTreeMap::new();
        for (name, idp) in &idps {
            texts.insert(format!("{name}.jwks"), idp.jwks().to_string());
        }
        for (name, token) in &file.tokens {
            texts.insert(
                name.clone(),
                mint(issuer_of(&idps, token.issuer.as_deref()), token),
            );
        }
        let setup = Setup::compile(&name, &fill(&file.policy, &texts), idps)?;
        Ok(Self {
            name,
            file,
            texts,
            setup,
        })
    }

    /// Plays the scenarios that the driver can play.
    pub fn play(&self, driver: &mut dyn Driver) -> Report {
        let mut report = Report::default();
        let kind = driver.name();
        for scenario in &self.file.scenarios {
            let only = scenario.only.as_ref();
            if only.is_some_and(|only| !only.iter().any(|name| kind.starts_with(name.as_str()))) {
                continue;
            }
            if scenario
                .except
                .iter()
                .any(|part| kind.contains(part.as_str()))
            {
                continue;
            }
            report.scenarios += 1;
            let (play, token) = self.script(scenario);
            for (cut, play) in variants(scenario.bodies, play, driver.is_slow()) {
                report.exchanges += 1;
                let outcome = driver.play(&play);
                let wrong = check(&scenario.expect, &play, &outcome, token.as_deref());
                if !wrong.is_empty() {
                    let wrong = wrong.join("\n    ");
                    report.failures.push(format!(
                        "{}: {}\n  on {kind}, {cut}:\n    {wrong}",
                        self.name, scenario.name,
                    ));
                    break;
                }
            }
        }
        for line in driver.leftovers() {
            report.failures.push(format!(
                "{}: on {kind} a record is left over: {line}",
                self.name
            ));
        }
        report
    }

    /// What a scenario plays, and the token that its client presents.
    fn script(&self, scenario: &Scenario) -> (Play, Option<String>) {
        let mut texts = self.texts.clone();
        let token = match (&scenario.with, &scenario.token) {
            (Some(token), _) => {
                let idp = issuer_of(&self.setup.idps, token.issuer.as_deref());
                Some(mint(idp, token))
            }
            (None, Some(name)) => {
                let token = texts.get(name);
                Some(
                    token
                        .unwrap_or_else(|| panic!("there is no token {name}"))
                        .clone(),
                )
            }
            (None, None) => None,
        };
        if let Some(token) = &token {
            texts.insert("token".to_owned(), token.clone());
        }
        let play = Play {
            request: self.request(scenario, token.as_deref(), &texts),
            http2: scenario.request.http2,
            peer: scenario.request.peer.clone(),
            response: response(scenario, &texts),
        };
        (play, token)
    }

    fn request(
        &self,
        scenario: &Scenario,
        token: Option<&str>,
        texts: &BTreeMap<String, String>,
    ) -> Request {
        let written = &scenario.request;
        let mut headers = fields(&written.headers, texts);
        let body = pieces(written.body.as_ref(), &mut headers, texts);
        if let Some(token) = token.filter(|_| !headers.contains("authorization")) {
            headers.push("authorization", format!("Bearer {token}"));
        }
        let usual = if body.is_empty() { "GET" } else { "POST" };
        Request {
            method: written.method.clone().unwrap_or_else(|| usual.to_owned()),
            authority: written
                .authority
                .clone()
                .unwrap_or_else(|| AUTHORITY.to_owned()),
            path: fill(written.path.as_deref().unwrap_or(PATH), texts),
            headers,
            body,
            trailers: fields(&written.trailers, texts),
        }
    }
}

fn response(scenario: &Scenario, texts: &BTreeMap<String, String>) -> Message {
    let written = &scenario.response;
    let mut headers = fields(&written.headers, texts);
    let body = pieces(written.body.as_ref(), &mut headers, texts);
    let trailers = fields(&written.trailers, texts);
    let chunked = written.chunked || !trailers.is_empty() || written.cut || body.len() > 1;
    Message {
        status: written.status.unwrap_or(200),
        headers,
        body,
        trailers,
        framing: if written.until_close {
            Framing::UntilClose
        } else if chunked {
            Framing::Chunked
        } else {
            Framing::ContentLength
        },
        pause: BETWEEN_PIECES,
        cut: written.cut,
        ..Message::default()
    }
}

fn start(issuer: &Issuer) -> Idp {
    let (first, others) = issuer.algorithms.split_first().expect("an algorithm");
    let idp = Idp::start(&issuer.issuer, first);
    for (index, algorithm) in others.iter().enumerate() {
        idp.add_key(&format!("key-{}", index + 2), algorithm);
    }
    if let Some(status) = issuer.failing {
        idp.set_mood(Mood::Failing(status));
    }
    if let Some(text) = &issuer.saying {
        idp.set_mood(Mood::Saying(text.clone()));
    }
    idp
}

fn issuer_of<'a>(idps: &'a BTreeMap<String, Arc<Idp>>, name: Option<&str>) -> &'a Idp {
    match name {
        Some(name) => idps
            .get(name)
            .unwrap_or_else(|| panic!("there is no issuer {name}")),
        None => idps.values().next().expect("an issuer"),
    }
}

/// Puts texts in place of `${name}`.
fn fill(text: &str, texts: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in texts {
        filled = filled.replace(&format!("${{{name}}}"), value);
    }
    filled
}

fn bytes(text: &str, texts: &BTreeMap<String, String>) -> Vec<u8> {
    match text.strip_prefix("base64:") {
        Some(encoded) => STANDARD.decode(encoded).expect("Base64 after `base64:`"),
        None => fill(text, texts).into_bytes(),
    }
}

fn fields(written: &BTreeMap<String, Value>, texts: &BTreeMap<String, String>) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in written {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            fields.push(name, bytes(&text, texts));
        }
    }
    fields
}

/// The pieces of a body. JSON brings its media type along.
fn pieces(
    body: Option<&Body>,
    headers: &mut Fields,
    texts: &BTreeMap<String, String>,
) -> Vec<Vec<u8>> {
    match body {
        None => Vec::new(),
        Some(Body::Text(text)) => vec![bytes(text, texts)],
        Some(Body::Written(Written::Json(value))) => {
            if !headers.contains("content-type") {
                headers.push("content-type", "application/json");
            }
            vec![fill(&value.to_string(), texts).into_bytes()]
        }
        Some(Body::Written(Written::Chunks(chunks))) => {
            chunks.iter().map(|chunk| bytes(chunk, texts)).collect()
        }
        Some(Body::Written(Written::Repeat(before, text, times, after))) => {
            vec![format!("{before}{}{after}", text.repeat(*times)).into_bytes()]
        }
        Some(Body::Written(Written::ChunksOf(size, before, text, times, after))) => {
            let body = format!("{before}{}{after}", text.repeat(*times));
            body.as_bytes().chunks(*size).map(<[u8]>::to_vec).collect()
        }
        Some(Body::Written(Written::Gzip(body))) => {
            let data = pieces(Some(body), headers, texts).concat();
            encoded("gzip", gzip(&data), headers)
        }
        Some(Body::Written(Written::Deflate(body))) => {
            let data = pieces(Some(body), headers, texts).concat();
            encoded("deflate", compress_to_vec_zlib(&data, 6), headers)
        }
        Some(Body::Written(Written::Join(bodies))) => {
            let parts = bodies.iter();
            let whole = parts.flat_map(|body| pieces(Some(body), headers, texts).concat());
            vec![whole.collect()]
        }
        Some(Body::Written(Written::Without(bytes, body))) => {
            let mut whole = pieces(Some(body), headers, texts).concat();
            whole.truncate(whole.len().saturating_sub(*bytes));
            vec![whole]
        }
    }
}

/// An encoded body in one piece. It brings the name of its coding along.
fn encoded(coding: &str, body: Vec<u8>, headers: &mut Fields) -> Vec<Vec<u8>> {
    if !headers.contains("content-encoding") {
        headers.push("content-encoding", coding);
    }
    vec![body]
}

/// One member of RFC 1952.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    body.extend(compress_to_vec(data, 6));
    body.extend(crc32fast::hash(data).to_le_bytes());
    body.extend((data.len() as u32).to_le_bytes());
    body
}

/// The exchanges that a scenario stands for.
fn variants(bodies: Bodies, play: Play, few: bool) -> Vec<(String, Play)> {
    let mut variants = vec![("as written".to_owned(), play.clone())];
    if bodies == Bodies::AsWritten {
        return variants;
    }
    let describe = |of: &str, pieces: &[Vec<u8>]| match pieces {
        [first, _] => format!("{of} cut after {} bytes", first.len()),
        pieces => format!("{of} in {} pieces", pieces.len()),
    };
    for pieces in splits(&play.request.body.concat(), few) {
        let cut = describe("request", &pieces);
        let mut play = play.clone();
        play.request.body = pieces;
        variants.push((cut, play));
    }
    for pieces in splits(&play.response.body.concat(), few) {
        let cut = describe("response", &pieces);
        let mut play = play.clone();
        play.response.body = pieces;
        let has_length = play.response.headers.contains("content-length");
        if !has_length && play.response.framing != Framing::UntilClose {
            play.response.framing = Framing::Chunked;
        }
        variants.push((cut, play));
    }
    variants
}
