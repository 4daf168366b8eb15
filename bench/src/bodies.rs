//! What the reasoning engine answers: a chat completion with personal data and secrets in it.

use serde_json::{Value, json};

/// Values that must not reach a caller whose answers are masked. The card and the keys are test
/// values that their issuers publish; nobody has this address.
pub(crate) const SECRETS: [&str; 3] = [
    "maria.jensen@example.org",
    "4111 1111 1111 1111",
    "sk-proj-Zq3v8Yt1Lk9Xw2Rb7Nc5Md4Pf6Gh0JsT3BlbkFJaUiOeYxWvUtSrQpOnMl",
];

/// What the model thought, for the rule that hides a whole field.
pub(crate) const REASONING: &str = "The customer is angry and will churn.";

const PROSE: &str = "The quarterly review shows that demand in the northern region grew faster than \
    planned, while returns fell for the third month in a row. Two suppliers have asked for earlier \
    payment; the contract allows it from the next quarter on. ";

/// A chat completion of about `length` bytes. One in eight messages holds the secrets.
pub(crate) fn completion(length: usize) -> Vec<u8> {
    let mut choices = Vec::new();
    let mut size = 400;
    while size < length || choices.is_empty() {
        let room = (length.saturating_sub(size) / PROSE.len()).clamp(1, 8);
        let choice = choice(choices.len(), room);
        size += choice.to_string().len() + 1;
        choices.push(choice);
    }
    let completion = json!({
        "id": "chatcmpl-9f86d081884c7d659a2feaa0c55ad015",
        "object": "chat.completion",
        "created": 1_795_417_201,
        "model": "o-large-2026-10",
        "choices": choices,
        "usage": {"prompt_tokens": 61, "completion_tokens": 512, "total_tokens": 573},
        "system_fingerprint": "fp_44709d6fcb",
    });
    completion.to_string().into_bytes()
}

/// The same kind of answer as a stream of events of about `length` bytes: a few characters in each, as
/// models send them. One paragraph in eight holds the secrets, cut where the tokens end.
pub(crate) fn stream(length: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(length + 4096);
    let mut paragraphs = 0usize;
    while body.len() < length {
        let mut text = PROSE.to_owned();
        if paragraphs.is_multiple_of(8) {
            let [email, card, key] = SECRETS;
            text.push_str(&format!("Write to {email}, card {card}, key {key}. "));
        }
        for token in tokens(&text) {
            body.extend_from_slice(&delta(token));
        }
        paragraphs += 1;
    }
    body.extend_from_slice(END);
    body
}

const END: &[u8] = b"data: {\"id\":\"chatcmpl-9f86d081\",\"object\":\"chat.completion.chunk\",\
    \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// The event that carries a piece of text.
pub(crate) fn delta(text: &str) -> Vec<u8> {
    let event = json!({
        "id": "chatcmpl-9f86d081884c7d659a2feaa0c55ad015",
        "object": "chat.completion.chunk",
        "created": 1_795_417_201,
        "model": "o-large-2026-10",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}],
    });
    format!("data: {event}\n\n").into_bytes()
}

/// Pieces of a text that are about as long as a model's tokens.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(at, c)| *c == ' ' || *at == 4)?
            .0;
        let (token, others) = rest.split_at(end);
        rest = others;
        Some(token)
    })
}

/// Some ordinary text.
pub(crate) fn prose(length: usize) -> String {
    PROSE.repeat(length.div_ceil(PROSE.len()))
}

fn choice(index: usize, paragraphs: usize) -> Value {
    let mut content = PROSE.repeat(paragraphs);
    if index.is_multiple_of(8) {
        let [email, card, key] = SECRETS;
        content.push_str(&format!("Write to {email}, card {card}, key {key}."));
    }
    json!({
        "index": index,
        "finish_reason": "stop",
        "logprobs": null,
        "message": {"role": "assistant", "content": content, "reasoning_content": REASONING},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_about_as_long_as_asked_and_cut_the_secrets() {
        let body = stream(100_000);
        assert!(body.len().abs_diff(100_000) < 20_000, "{}", body.len());
        let text = String::from_utf8(body).unwrap();
        let deltas = text.lines().filter_map(|line| line.strip_prefix("data: {"));
        let read = |delta: &str| -> Value { serde_json::from_str(&format!("{{{delta}")).unwrap() };
        let content = |delta: Value| {
            delta["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        };
        let whole: String = deltas.filter_map(|delta| content(read(delta))).collect();
        for secret in SECRETS {
            assert!(whole.contains(secret) && !text.contains(secret), "{secret}");
        }
    }

    #[test]
    fn bodies_are_about_as_long_as_asked_and_hold_the_secrets() {
        for length in [2_700, 1 << 20] {
            let body = completion(length);
            assert!(body.len().abs_diff(length) < length / 10, "{}", body.len());
            let text = String::from_utf8(body).unwrap();
            assert!(SECRETS.iter().all(|secret| text.contains(secret)));
        }
    }
}
