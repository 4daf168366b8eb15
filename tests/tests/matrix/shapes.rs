//! The shapes in which an answer can come.

use serde_json::{Value, json};
use tracegate_tests::http::Fields;
use tracegate_tests::standins::server::{Framing, Message};

use super::secrets::Secret;

/// One shape.
pub(crate) struct Shape {
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// What hoop-inspect 0.1.0 let through of it, where that was measured.
    pub(crate) rival: Option<&'static str>,
    media_type: &'static str,
    framing: Framing,
    format: Format,
    cut: Cut,
    /// Length of what stands before the text, in bytes.
    padding: usize,
    gzip: bool,
    trailers: bool,
}

/// How the text lies in the body.
#[derive(Clone, Copy)]
enum Format {
    /// A member of one JSON document.
    Document,
    /// JSON that is itself text in a document.
    Nested,
    /// The body is the text.
    Text,
    /// The body is a page with the text.
    Page,
    /// A frame for each piece of the text, and where the piece is in it.
    Frames(Stream),
}

/// A stream of pieces of text.
#[derive(Clone, Copy)]
struct Stream {
    framing: Frames,
    /// The frame of one piece.
    frame: fn(&str) -> Value,
    /// Where the piece stands in it.
    pointer: &'static str,
    /// What comes before and after the pieces.
    opening: fn() -> Vec<Value>,
    closing: fn() -> Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frames {
    Events,
    Lines,
}

/// What is cut, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Nothing.
    Whole,
    /// The body, in two, at every place in the secret.
    Bytes,
    /// The text, into two frames, at every place in the secret; and a frame for each character.
    Deltas,
}

const JSON: Shape = Shape {
    name: "",
    rival: None,
    media_type: "application/json",
    framing: Framing::ContentLength,
    format: Format::Document,
    cut: Cut::Whole,
    padding: 0,
    gzip: false,
    trailers: false,
};

const SSE: Shape = Shape {
    media_type: "text/event-stream",
    framing: Framing::Chunked,
    format: Format::Frames(CHAT),
    ..JSON
};

/// All shapes.
pub(crate) const SHAPES: &[Shape] = &[
    Shape {
        name: "JSON, content-length, one write",
        rival: Some("nothing"),
        ..JSON
    },
    Shape {
        name: "JSON, content-length, two writes",
        rival: Some("all"),
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "JSON, chunked",
        rival: Some("all"),
        framing: Framing::Chunked,
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "JSON, ended by closing the connection",
        rival: Some("all"),
        framing: Framing::UntilClose,
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "JSON, 40 KB",
        rival: Some("all"),
        cut: Cut::Bytes,
        padding: 40_000,
        ..JSON
    },
    Shape {
        name: "JSON, over 1 MiB",
        padding: (1 << 20) + 1_000,
        ..JSON
    },
    Shape {
        name: "JSON with trailers",
        framing: Framing::Chunked,
        cut: Cut::Bytes,
        trailers: true,
        ..JSON
    },
    Shape {
        name: "JSON in a string of JSON",
        format: Format::Nested,
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "JSON, gzip",
        rival: Some("all, without a word"),
        cut: Cut::Bytes,
        gzip: true,
        ..JSON
    },
    Shape {
        name: "plain text",
        media_type: "text/plain; charset=utf-8",
        format: Format::Text,
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "HTML",
        media_type: "text/html; charset=utf-8",
        format: Format::Page,
        cut: Cut::Bytes,
        ..JSON
    },
    Shape {
        name: "SSE, one event, one write",
        rival: Some("all"),
        ..SSE
    },
    Shape {
        name: "SSE, one event in two chunks",
        rival: Some("all, without a word"),
        cut: Cut::Bytes,
        ..SSE
    },
    Shape {
        name: "SSE, OpenAI chat, split over events",
        rival: Some("all, without a word"),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, OpenAI chat, reasoning, split over events",
        format: Format::Frames(Stream {
            frame: |piece| {
                json!({"id": "c-1", "object": "chat.completion.chunk", "choices": [
                    {"delta": {"reasoning_content": piece}, "finish_reason": null, "index": 0}]})
            },
            pointer: "/choices/0/delta/reasoning_content",
            ..CHAT
        }),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, OpenAI Responses, split over events",
        format: Format::Frames(Stream {
            frame: |piece| {
                json!({"type": "response.output_text.delta", "item_id": "msg_1",
                    "output_index": 0, "content_index": 0, "delta": piece})
            },
            pointer: "/delta",
            closing: || vec![json!({"type": "response.completed", "response": {"id": "r-1"}})],
            ..CHAT
        }),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, Anthropic text, split over events",
        format: Format::Frames(Stream {
            frame: |piece| {
                json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "text_delta", "text": piece}})
            },
            pointer: "/delta/text",
            opening: || {
                vec![json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "text", "text": ""}})]
            },
            closing: || {
                vec![
                    json!({"type": "content_block_stop", "index": 0}),
                    json!({"type": "message_stop"}),
                ]
            },
            ..CHAT
        }),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, Anthropic thinking, split over events",
        format: Format::Frames(Stream {
            frame: |piece| {
                json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "thinking_delta", "thinking": piece}})
            },
            pointer: "/delta/thinking",
            closing: || vec![json!({"type": "content_block_stop", "index": 0})],
            ..CHAT
        }),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, Gemini, split over events",
        format: Format::Frames(GEMINI),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "NDJSON, Ollama chat, split over lines",
        media_type: "application/x-ndjson",
        format: Format::Frames(Stream {
            framing: Frames::Lines,
            frame: |piece| {
                json!({"model": "m", "message": {"role": "assistant", "content": piece},
                    "done": false})
            },
            pointer: "/message/content",
            closing: || vec![json!({"model": "m", "done": true, "done_reason": "stop"})],
            ..CHAT
        }),
        cut: Cut::Deltas,
        ..SSE
    },
    Shape {
        name: "SSE, MCP tool result, one event in two chunks",
        format: Format::Frames(Stream {
            frame: |piece| {
                json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [
                    {"type": "text", "text": piece}]}})
            },
            pointer: "/result/content/0/text",
            closing: Vec::new,
            ..CHAT
        }),
        cut: Cut::Bytes,
        ..SSE
    },
];

const CHAT: Stream = Stream {
    framing: Frames::Events,
    frame: |piece| {
        json!({"id": "c-1", "object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": {"content": piece}, "finish_reason": null}]})
    },
    pointer: "/choices/0/delta/content",
    opening: Vec::new,
    closing: || {
        vec![
            json!({"id": "c-1", "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            Value::Null,
        ]
    },
};

const GEMINI: Stream = Stream {
    frame: |piece| {
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]},
            "index": 0}]})
    },
    pointer: "/candidates/0/content/parts/0/text",
    closing: || vec![json!({"candidates": [{"finishReason": "STOP", "index": 0}]})],
    ..CHAT
};

impl Shape {
    /// The answers of this shape that hold the secret, and how each is cut.
    pub(crate) fn cases(&self, secret: &Secret, few: bool) -> Vec<(String, Message)> {
        let text = secret.text();
        // Of a long body a few cuts are enough: what differs is the length.
        let few = few || self.padding > 0;
        match self.cut {
            Cut::Whole => {
                let body = self.body(&[text]);
                vec![("whole".to_owned(), self.message(vec![self.coded(body)]))]
            }
            Cut::Bytes => {
                let body = self.coded(self.body(&[text]));
                let places = if self.gzip {
                    gzip_cuts(&body, few)
                } else {
                    let start = self.position(&body, secret);
                    let shift = |at: usize| start + at - secret.before().len();
                    secret.cuts(few).into_iter().map(shift).collect()
                };
                let two = |at: usize| {
                    let pieces = vec![body[..at].to_vec(), body[at..].to_vec()];
                    (format!("cut after {at} bytes"), self.message(pieces))
                };
                places.into_iter().map(two).collect()
            }
            Cut::Deltas => {
                let two = |at: usize| {
                    let body = self.body(&[&text[..at], &text[at..]]);
                    let how = format!("cut after {at} characters");
                    (how, self.message(vec![body]))
                };
                let mut cases: Vec<_> = secret.cuts(few).into_iter().map(two).collect();
                let single: Vec<String> = text.chars().map(String::from).collect();
                let single: Vec<&str> = single.iter().map(String::as_str).collect();
                let body = self.body(&single);
                cases.push(("a delta a character".to_owned(), self.message(vec![body])));
                cases
            }
        }
    }

    /// Where the secret begins in a body. What JSON escapes in it is longer there than in the text, so
    /// that a few cuts fall behind its end and none before it.
    fn position(&self, body: &[u8], secret: &Secret) -> usize {
        let value = Value::from(secret.value()).to_string();
        let head: String = value[1..value.len() - 1].chars().take(4).collect();
        let body = String::from_utf8_lossy(body);
        let from = self.padding;
        body[from..].find(&head).expect("the secret is in the body") + from
    }

    fn message(&self, body: Vec<Vec<u8>>) -> Message {
        let mut headers = Fields::default().with("content-type", self.media_type);
        if self.gzip {
            headers.push("content-encoding", "gzip");
        }
        let mut trailers = Fields::default();
        if self.trailers {
            trailers.push("x-checked", "yes");
        }
        Message {
            status: 200,
            headers,
            body,
            trailers,
            framing: self.framing,
            pause: std::time::Duration::from_millis(1),
            ..Message::default()
        }
    }

    fn coded(&self, body: Vec<u8>) -> Vec<u8> {
        if self.gzip { gzip(&body) } else { body }
    }

    /// The body, before any encoding, with the text in these pieces.
    fn body(&self, pieces: &[&str]) -> Vec<u8> {
        let padding = "word ".repeat(self.padding / 5);
        let text = pieces.concat();
        let body = match self.format {
            Format::Document => json!({"a": padding, "text": text, "z": 1}).to_string(),
            Format::Nested => {
                json!({"arguments": json!({"text": text}).to_string(), "z": 1}).to_string()
            }
            Format::Text => text,
            Format::Page => format!("<!doctype html><p>{}</p>", escape(&text)),
            Format::Frames(stream) => stream.write(pieces),
        };
        body.into_bytes()
    }

    /// A body without a text.
    pub(crate) fn frame(&self) -> String {
        String::from_utf8_lossy(&self.body(&[""])).into_owned()
    }

    /// The text in a body that reached the client.
    pub(crate) fn read(&self, body: &[u8]) -> Result<String, String> {
        let body = std::str::from_utf8(body).map_err(|_| "not UTF-8".to_owned())?;
        let json = |text: &str| -> Result<Value, String> {
            serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
        };
        let string = |value: &Value, pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        Ok(match self.format {
            Format::Document => string(&json(body)?, "/text"),
            Format::Nested => string(&json(&string(&json(body)?, "/arguments"))?, "/text"),
            Format::Text => body.to_owned(),
            Format::Page => {
                let text = body.strip_prefix("<!doctype html><p>");
                let text = text.and_then(|text| text.strip_suffix("</p>"));
                unescape(text.ok_or("the page was harmed")?)
            }
            Format::Frames(stream) => {
                let mut text = String::new();
                for frame in stream.frames(body) {
                    text.push_str(&string(&json(frame)?, stream.pointer));
                }
                text
            }
        })
    }

    /// The body of an answer as it came, decoded.
    pub(crate) fn plain(&self, message: &Message) -> Vec<u8> {
        let body = message.body.concat();
        if !self.gzip {
            return body;
        }
        miniz_oxide::inflate::decompress_to_vec(&body[GZIP_HEAD.len()..body.len() - 8])
            .expect("what was compressed here")
    }
}

impl Stream {
    fn write(self, pieces: &[&str]) -> String {
        let mut frames = (self.opening)();
        frames.extend(pieces.iter().map(|piece| (self.frame)(piece)));
        frames.extend((self.closing)());
        let texts = frames.iter().map(|frame| match frame {
            Value::Null => "[DONE]".to_owned(),
            frame => frame.to_string(),
        });
        match self.framing {
            Frames::Events => texts.map(|text| format!("data: {text}\n\n")).collect(),
            Frames::Lines => texts.map(|text| format!("{text}\n")).collect(),
        }
    }

    /// The documents in a body.
    fn frames(self, body: &str) -> Vec<&str> {
        match self.framing {
            Frames::Events => body
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter(|data| *data != "[DONE]")
                .collect(),
            Frames::Lines => body.lines().collect(),
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&amp;", "&")
}

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = GZIP_HEAD.to_vec();
    out.extend(miniz_oxide::deflate::compress_to_vec(body, 6));
    out.extend(crc32fast::hash(body).to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out
}

/// In compressed bytes no place is more telling than another.
fn gzip_cuts(body: &[u8], few: bool) -> Vec<usize> {
    let step = if few { body.len() / 2 } else { 1 };
    (1..body.len()).step_by(step.max(1)).collect()
}
