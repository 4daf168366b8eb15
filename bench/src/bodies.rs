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
    fn bodies_are_about_as_long_as_asked_and_hold_the_secrets() {
        for length in [2_700, 1 << 20] {
            let body = completion(length);
            assert!(body.len().abs_diff(length) < length / 10, "{}", body.len());
            let text = String::from_utf8(body).unwrap();
            assert!(SECRETS.iter().all(|secret| text.contains(secret)));
        }
    }
}
