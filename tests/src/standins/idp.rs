//! An identity provider: it publishes a JWK set over HTTP and issues tokens.
//!
//! It rotates keys, counts fetches, and can be slow, broken or gone, as the test demands.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::keys::{Key, merge};
use super::server::{Answer, Message, Server};
use crate::http::Fields;

/// The path of the JWK set.
pub const JWKS_PATH: &str = "/jwks";

/// How the provider behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It answers at once.
    #[default]
    Well,
    /// It answers after that time.
    Slow(Duration),
    /// It answers with that status.
    Failing(u16),
    /// It accepts connections and closes them.
    Gone,
    /// It answers 200 with this text.
    Saying(String),
}

struct State {
    issuer: String,
    keys: Vec<Arc<Key>>,
    mood: Mood,
    cache_control: Option<String>,
}

impl State {
    fn answer(&self) -> Answer {
        let set = || jwks(&self.keys).to_string();
        let (status, body, delay) = match &self.mood {
            Mood::Well => (200, set(), Duration::ZERO),
            Mood::Slow(delay) => (200, set(), *delay),
            Mood::Failing(status) => (*status, String::new(), Duration::ZERO),
            Mood::Saying(text) => (200, text.clone(), Duration::ZERO),
            Mood::Gone => return Answer::Hangup,
        };
        let mut headers = Fields::default().with("content-type", "application/jwk-set+json");
        if let Some(cache_control) = &self.cache_control {
            headers.push("cache-control", cache_control.as_str());
        }
        Answer::Message(Message {
            status,
            headers,
            body: vec![body.into_bytes()],
            delay,
            ..Message::default()
        })
    }
}

/// A JWK set (RFC 7517 §5).
#[must_use]
pub fn jwks(keys: &[Arc<Key>]) -> Value {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys })
}

/// Seconds since the Unix epoch.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}

/// A running identity provider.
pub struct Idp {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl Idp {
    /// Starts a provider whose tokens say `iss: issuer` and are signed with `algorithm`.
    #[must_use]
    pub fn start(issuer: &str, algorithm: &str) -> Self {
        let key = Arc::new(Key::generate("key-1", algorithm));
        let state = Arc::new(Mutex::new(State {
            issuer: issuer.to_owned(),
            keys: vec![key],
            mood: Mood::Well,
            cache_control: None,
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| {
            if request.path == JWKS_PATH {
                shared.lock().unwrap().answer()
            } else {
                Answer::Message(Message {
                    status: 404,
                    ..Message::default()
                })
            }
        });
        Self { state, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its `iss`.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.state.lock().unwrap().issuer.clone()
    }

    /// The key that signs now.
    #[must_use]
    pub fn key(&self) -> Arc<Key> {
        Arc::clone(self.state.lock().unwrap().keys.last().expect("a key"))
    }

    /// The key that it published first.
    #[must_use]
    pub fn first_key(&self) -> Arc<Key> {
        Arc::clone(self.state.lock().unwrap().keys.first().expect("a key"))
    }

    /// The key of that `kid`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn key_named(&self, kid: &str) -> Arc<Key> {
        let state = self.state.lock().unwrap();
        let key = state.keys.iter().find(|key| key.kid == kid);
        Arc::clone(key.unwrap_or_else(|| panic!("the provider has no key {kid}")))
    }

    /// The set that it publishes.
    #[must_use]
    pub fn jwks(&self) -> Value {
        jwks(&self.state.lock().unwrap().keys)
    }

    /// How often the set was asked for.
    #[must_use]
    pub fn fetches(&self) -> usize {
        let asked = |request: &&crate::http::Received| request.path == JWKS_PATH;
        self.server.received().iter().filter(asked).count()
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// Sends this `cache-control` with the set.
    pub fn set_cache_control(&self, value: &str) {
        self.state.lock().unwrap().cache_control = Some(value.to_owned());
    }

    /// Publishes one more key, which signs from now on.
    pub fn add_key(&self, kid: &str, algorithm: &str) {
        let key = Arc::new(Key::generate(kid, algorithm));
        self.state.lock().unwrap().keys.push(key);
    }

    /// Publishes one new key, which signs from now on, and takes all others away.
    pub fn replace_keys(&self, kid: &str, algorithm: &str) {
        let key = Arc::new(Key::generate(kid, algorithm));
        self.state.lock().unwrap().keys = vec![key];
    }

    /// Issues a token for `reasoning`, valid for five minutes, with these claims added; `null` leaves
    /// one of the usual claims out.
    #[must_use]
    pub fn issue(&self, claims: &Value) -> String {
        self.issue_with(&json!({}), claims)
    }

    /// As [`Idp::issue`], with these members in the token's header.
    #[must_use]
    pub fn issue_with(&self, header: &Value, claims: &Value) -> String {
        self.key().token(header, &self.claims(claims))
    }

    /// The claims of a usual token, changed by `claims`.
    #[must_use]
    pub fn claims(&self, claims: &Value) -> Value {
        let now = now();
        let mut full = json!({
            "iss": self.issuer(),
            "aud": "reasoning",
            "sub": "alice",
            "iat": now,
            "exp": now + 300,
        });
        merge(&mut full, claims);
        full
    }
}
