//! A reasoning engine: it answers like an OpenAI-compatible service and tells what it should not.
//!
//! Its answers carry personal data and secrets in the content, in the reasoning and in the arguments
//! of tool calls. It wants an API key of its own, and at [`ECHO_PATH`] it repeats the request headers
//! that it got, as badly written services do.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::server::{Answer, Message, Server};
use crate::http::Received;

/// Where it answers chat completions.
pub const CHAT_PATH: &str = "/v1/chat/completions";

/// Where it repeats the headers that it got.
pub const ECHO_PATH: &str = "/v1/echo";

/// Personal data and secrets in its answers. None of them is real: the card and the account are the
/// documented test numbers, the keys are made up.
pub mod told {
    /// An email address in the content.
    pub const EMAIL: &str = "maria.jensen@example.org";
    /// A card number in the content (a scheme's test number).
    pub const CARD: &str = "4111 1111 1111 1111";
    /// An IBAN in the arguments of a tool call (the example of ISO 13616).
    pub const IBAN: &str = "GB82WEST12345698765432";
    /// An access key in the reasoning (AWS's own example).
    pub const AWS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    /// What the model thought.
    pub const REASONING: &str = "The customer is angry and will churn";
}

/// A running reasoning engine.
pub struct Engine {
    server: Server,
}

impl Engine {
    /// Starts an engine. With an `api_key` it answers 401 to requests that do not carry it as their
    /// bearer token.
    #[must_use]
    pub fn start(api_key: Option<&str>) -> Self {
        let api_key = api_key.map(str::to_owned);
        let server = Server::start(move |request| guard(api_key.as_deref(), request, answer));
        Self { server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Answers as this closure says from now on, to whoever asks.
    pub fn script(&self, script: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        self.server.script(script);
    }

    /// What it got so far, in the order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.server.received()
    }

    /// Forgets what it got, and returns it.
    pub fn take_received(&self) -> Vec<Received> {
        self.server.take_received()
    }
}

fn guard(
    api_key: Option<&str>,
    request: &Received,
    answer: impl Fn(&Received) -> Message,
) -> Answer {
    let presented = request.headers.get("authorization");
    let known = api_key.is_none_or(|key| presented == Some(format!("Bearer {key}")));
    Answer::Message(if known {
        answer(request)
    } else {
        Message::json(401, &json!({"error": {"type": "invalid_api_key"}}))
    })
}

fn answer(request: &Received) -> Message {
    let path = request.path.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", CHAT_PATH) => Message::json(200, &chat_completion()),
        ("GET", "/v1/models") => Message::json(200, &models()),
        ("DELETE", _) => Message::json(200, &json!({"object": "model", "deleted": true})),
        (_, ECHO_PATH) => Message::json(200, &json!({"headers": echo(request)})),
        _ => Message::json(404, &json!({"error": {"type": "not_found"}})),
    }
}

fn echo(request: &Received) -> Value {
    let pair =
        |(name, value): (&str, &[u8])| (name.to_owned(), json!(String::from_utf8_lossy(value)));
    Value::Object(request.headers.iter().map(pair).collect::<Map<_, _>>())
}

fn models() -> Value {
    json!({
        "object": "list",
        "data": [{"id": "o-large", "object": "model", "owned_by": "acme-ai"}],
    })
}

/// The answer to every chat.
#[must_use]
pub fn chat_completion() -> Value {
    let content = format!(
        "I have written to Maria Jensen at {} and refunded the card {}. Anything else?",
        told::EMAIL,
        told::CARD
    );
    let reasoning = format!("{}; I signed in with {}.", told::REASONING, told::AWS_KEY);
    let arguments = json!({"iban": told::IBAN, "amount": 49.9}).to_string();
    json!({
        "id": "chatcmpl-8f2e",
        "object": "chat.completion",
        "created": 1_795_417_200,
        "model": "o-large",
        "choices": [{
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": content,
                "reasoning_content": reasoning,
                "tool_calls": [{
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "refund", "arguments": arguments},
                }],
            },
        }],
        "usage": {"prompt_tokens": 41, "completion_tokens": 97, "total_tokens": 138},
    })
}
