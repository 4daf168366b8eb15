//! A reasoning engine: it answers like an OpenAI-compatible service and tells what it should not.
//!
//! Its answers carry personal data and secrets in the content, in the reasoning and in the arguments
//! of tool calls. It wants an API key of its own, and at [`ECHO_PATH`] it repeats the request headers
//! that it got, as badly written services do.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::server::{Answer, Framing, Message, Server};
use crate::http::{Fields, Received, Response};

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
        ("POST", CHAT_PATH) if wants_stream(request) => chat_stream(),
        ("POST", CHAT_PATH) => Message::json(200, &chat_completion()),
        ("GET", "/v1/models") => Message::json(200, &models()),
        ("DELETE", _) => Message::json(200, &json!({"object": "model", "deleted": true})),
        (_, ECHO_PATH) => Message::json(200, &json!({"headers": echo(request)})),
        _ => Message::json(404, &json!({"error": {"type": "not_found"}})),
    }
}

fn wants_stream(request: &Received) -> bool {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    body["stream"] == true
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

/// The answer to every chat, as a stream of events with a few characters each.
fn chat_stream() -> Message {
    let whole = chat_completion();
    let message = &whole["choices"][0]["message"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let call = &message["tool_calls"][0]["function"];
    let mut deltas = vec![json!({"role": "assistant"})];
    let mut say = |text: &str, delta: &dyn Fn(&str) -> Value| {
        let characters: Vec<char> = text.chars().collect();
        deltas.extend(
            characters
                .chunks(4)
                .map(|token| delta(&token.iter().collect::<String>())),
        );
    };
    say(
        &text(&message["reasoning_content"]),
        &|token| json!({"reasoning_content": token}),
    );
    say(
        &text(&message["content"]),
        &|token| json!({"content": token}),
    );
    say(
        &text(&call["arguments"]),
        &|token| json!({"tool_calls": [{"index": 0, "function": {"arguments": token}}]}),
    );
    let event = |delta: &Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let event = json!({"id": "chatcmpl-8f2e", "object": "chat.completion.chunk",
            "created": 1_795_417_200, "model": "o-large", "choices": [choice]});
        format!("data: {event}\n\n").into_bytes()
    };
    let mut body: Vec<Vec<u8>> = deltas.iter().map(|delta| event(delta, None)).collect();
    body.push(event(&json!({}), Some("tool_calls")));
    body.push(b"data: [DONE]\n\n".to_vec());
    Message {
        status: 200,
        headers: Fields::default().with("content-type", "text/event-stream"),
        body,
        framing: Framing::Chunked,
        pause: Duration::from_millis(2),
        ..Message::default()
    }
}

/// The answer to a chat that came as a stream, put together as a client does; `None` if it is none.
#[must_use]
pub fn put_together(response: &Response) -> Option<Value> {
    let media_type = response.headers.get("content-type")?;
    media_type.starts_with("text/event-stream").then_some(())?;
    let (mut content, mut reasoning, mut arguments) = Default::default();
    for line in response.text().lines() {
        let data = line.strip_prefix("data: ").unwrap_or_default();
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let delta = &event["choices"][0]["delta"];
        let add = |text: &mut String, value: &Value| {
            text.push_str(value.as_str().unwrap_or_default());
        };
        add(&mut content, &delta["content"]);
        add(&mut reasoning, &delta["reasoning_content"]);
        add(
            &mut arguments,
            &delta["tool_calls"][0]["function"]["arguments"],
        );
    }
    Some(json!({"choices": [{"message": {
        "content": content,
        "reasoning_content": reasoning,
        "tool_calls": [{"function": {"arguments": arguments}}],
    }}]}))
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
