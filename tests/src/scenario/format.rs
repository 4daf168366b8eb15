//! The format of scenario files.
//!
//! Texts may hold `${name}`: a token of that name, `${name.jwks}` the key set of an issuer on one
//! line. A text that begins with `base64:` stands for the bytes that it decodes to. In claims a text
//! `now`, `now+60` or `now-60` stands for that time in seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    /// What the scenarios show, as a sentence.
    pub about: String,
    /// The policy, as its author would write it.
    pub policy: String,
    /// Who issues tokens, by a short name, which is also the name of the cluster.
    pub issuers: BTreeMap<String, Issuer>,
    /// Tokens that several scenarios use, by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// An issuer of tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Issuer {
    /// Its `iss`.
    pub issuer: String,
    /// The algorithms of its keys, one key for each, `key-1` first. The first signs where a token
    /// does not say otherwise.
    #[serde(default = "es256")]
    pub algorithms: Vec<String>,
    /// A status with which it answers instead of its key set.
    pub failing: Option<u16>,
    /// A text with which it answers instead of its key set.
    pub saying: Option<String>,
}

fn es256() -> Vec<String> {
    vec!["ES256".to_owned()]
}

/// A token to mint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Token {
    /// Who issues it; needed only where there are several.
    pub issuer: Option<String>,
    /// The key that signs it.
    pub kid: Option<String>,
    /// Changes to the usual header; `null` leaves a member out.
    pub header: Value,
    /// Changes to the usual claims; `null` leaves one out.
    pub claims: Value,
    /// The JSON text of the header, for what no serializer would write.
    pub header_text: Option<String>,
    /// The JSON text of the claims, with the usual claims as `${usual}`.
    pub claims_text: Option<String>,
    /// What is done to it after it was signed.
    pub tamper: Option<Tamper>,
}

/// What an attacker does to a token.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tamper {
    /// Changes the last bits of the signature.
    Signature,
    /// Cuts the signature off and leaves the dot.
    NoSignature,
    /// Changes the claims and leaves the signature.
    Claims,
    /// Signs with a key of his own and the issuer's `kid`.
    OwnKey,
    /// Signs with HS256, the issuer's public key being the secret.
    PublicKeyAsSecret,
    /// Adds `=` to the signature.
    Padding,
    /// Adds a fourth segment.
    FourthSegment,
    /// Puts a space into the claims' segment.
    Space,
    /// Sets the unused bits of the last Base64url digit of the signature.
    UnusedBits,
}

/// One exchange and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub name: String,
    /// The name of the token that the client presents.
    pub token: Option<String>,
    /// A token for this scenario alone.
    pub with: Option<Token>,
    /// What the client sends.
    #[serde(default)]
    pub request: Request,
    /// What the back end would answer.
    #[serde(default)]
    pub response: Response,
    /// How often it is played.
    #[serde(default)]
    pub bodies: Bodies,
    /// The drivers that can play it; all if it does not say.
    pub only: Option<Vec<String>>,
    /// The drivers that cannot, by a part of their names. What the HTTP/3 client of the tests does not
    /// send is such a case, and what Envoy rejects before the filter: on HTTP/3 that leaves no record.
    #[serde(default)]
    pub except: Vec<String>,
    /// What must come of it.
    pub expect: Expect,
}

/// How the bodies of a scenario are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bodies {
    /// As they stand.
    #[default]
    AsWritten,
    /// At every place, and into single bytes.
    EverySplit,
}

/// What the client sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Request {
    /// The method: `POST` if there is a body, else `GET`.
    pub method: Option<String>,
    /// The authority: `reasoning.corp.example`.
    pub authority: Option<String>,
    /// Path and query: `/v1/chat/completions`.
    pub path: Option<String>,
    /// Header fields: a text, or a list for several of one name.
    pub headers: BTreeMap<String, Value>,
    /// The body.
    pub body: Option<Body>,
    /// The trailer fields.
    pub trailers: BTreeMap<String, Value>,
    /// Whether the client speaks HTTP/2.
    pub http2: bool,
    /// The URI in the client's certificate.
    pub peer: Option<String>,
}

/// A body.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// As it stands.
    Text(String),
    /// In another way.
    Written(Written),
}

/// Ways to write a body. JSON brings `content-type: application/json`, unless a header says otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Written {
    /// As JSON.
    Json(Value),
    /// In the pieces in which it is sent.
    Chunks(Vec<String>),
    /// A text before, a text that many times, a text after: for long bodies.
    Repeat(String, String, usize, String),
    /// The same in pieces of that many bytes.
    ChunksOf(usize, String, String, usize, String),
    /// Encoded in one piece, with `content-encoding: gzip` unless a header says otherwise.
    Gzip(Box<Body>),
    /// The same with `deflate`, in the format of zlib.
    Deflate(Box<Body>),
    /// Several, one behind the other, in one piece.
    Join(Vec<Body>),
    /// Without that many bytes at its end, in one piece.
    Without(usize, Box<Body>),
}

/// What the back end would answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Response {
    /// The status: 200.
    pub status: Option<u16>,
    /// Header fields, as in a request.
    pub headers: BTreeMap<String, Value>,
    /// The body.
    pub body: Option<Body>,
    /// The trailer fields.
    pub trailers: BTreeMap<String, Value>,
    /// Whether the connection breaks where the body should end.
    pub cut: bool,
    /// Whether the length is told by chunks, also without trailers.
    pub chunked: bool,
    /// Whether the end of the connection is the end of the body. (HTTP/2 has no such thing.)
    pub until_close: bool,
}

/// What must come of a scenario. What is not said does not matter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Expect {
    /// The code of the refusal, which stands for its status, its problem document, its record, and,
    /// if the request was refused, a back end that was not asked.
    pub refused: Option<String>,
    /// The rule that the refusal names.
    pub rule: Option<String>,
    /// The status.
    pub status: Option<u16>,
    /// Header fields of the response; `null`: there is none of that name.
    pub headers: BTreeMap<String, Option<String>>,
    /// The whole body.
    pub body: Option<String>,
    /// Members of the body: objects may have more.
    pub json: Option<Value>,
    /// What occurs in the response.
    pub contains: Vec<String>,
    /// What occurs nowhere in the response, its headers included, nor in the record. A few hexadecimal
    /// digits turn up in ids and digests by chance: they are looked for in the body alone.
    pub lacks: Vec<String>,
    /// Trailer fields of the response; `null`: there is none of that name.
    pub trailers: BTreeMap<String, Option<String>>,
    /// The stream is cut, or the response is refused, or it is empty: the protection may not come
    /// sooner than the bytes that call for it, and what has gone out is gone.
    pub cut: bool,
    /// What the back end got.
    pub upstream: Option<Upstream>,
    /// Members of the record: objects may have more.
    pub record: Option<Value>,
    /// By how much metrics grow, by name and labels.
    pub metrics: BTreeMap<String, u64>,
}

/// What the back end got.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Upstream {
    /// `false`: it was not asked at all.
    pub asked: Option<bool>,
    /// Path and query.
    pub path: Option<String>,
    /// Header fields; `null`: there is none of that name.
    pub headers: BTreeMap<String, Option<String>>,
    /// The whole body.
    pub body: Option<String>,
    /// Trailer fields; `null`: there is none of that name.
    pub trailers: BTreeMap<String, Option<String>>,
    /// What occurs nowhere in the request.
    pub lacks: Vec<String>,
}

impl File {
    /// Reads a file.
    ///
    /// # Panics
    /// With the place of the error when it is not a scenario file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a scenario file can be read");
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The scenario files, sorted. With `TRACEGATE_SCENARIOS` only those whose path contains its value.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let wanted = std::env::var("TRACEGATE_SCENARIOS").unwrap_or_default();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .expect("the folder of scenarios")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                files.push(path);
            }
        }
    }
    files.retain(|path| path.to_string_lossy().contains(&wanted));
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_file_can_be_read_and_names_its_scenarios_once() {
        for path in files() {
            let file = File::read(&path);
            let mut names: Vec<_> = file.scenarios.iter().map(|one| &one.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), file.scenarios.len(), "{}", path.display());
            assert!(file.about.ends_with('.'), "{}", path.display());
        }
    }
}
