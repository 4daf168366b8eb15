//! The `type` of an event, read before the event is masked: which rules hold in it depends on it, and
//! it may stand behind what they hold for.

use std::ops::Range;

use crate::masking::json::{Container, Sink, Tokenizer};

/// Reads the member `type` at the root of JSON documents.
#[derive(Debug, Default)]
pub(super) struct Outline {
    tokenizer: Tokenizer,
    found: Found,
}

#[derive(Debug, Default)]
struct Found {
    depth: usize,
    named: bool,
    kind: Vec<u8>,
}

impl Outline {
    /// The `type` of an event; empty if it has none or is no JSON.
    pub(super) fn kind(&mut self, payload: &[u8]) -> &[u8] {
        self.tokenizer.rewind();
        self.found.depth = 0;
        self.found.named = false;
        self.found.kind.clear();
        // What is wrong with it shows again when it is masked.
        if self.tokenizer.push(payload, &mut self.found).is_err() {
            self.found.kind.clear();
        }
        &self.found.kind
    }
}

impl Sink for Found {
    fn open(&mut self, _: Container, _: u64) {
        self.depth += 1;
        self.named = false;
    }

    fn close(&mut self, _: u64) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn comma(&mut self, _: u64) {}

    fn key(&mut self, name: &[u8], _: Range<u64>) {
        self.named = self.depth == 1 && name == b"type";
    }

    fn string_start(&mut self, _: u64) {
        if self.named {
            self.kind.clear();
        }
    }

    fn text(&mut self, decoded: &[u8], _: Range<u64>) {
        if self.named {
            self.kind.extend_from_slice(decoded);
        }
    }

    fn string_end(&mut self, _: u64) {
        self.named = false;
    }

    fn scalar(&mut self, _: &[u8], _: Range<u64>) {
        self.named = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_event_is_read_wherever_it_stands() {
        let mut outline = Outline::default();
        for (event, kind) in [
            (r#"{"type":"a.b","x":{"type":"c"}}"#, "a.b"),
            (r#" {"x":[{"type":"c"}],"t\u0079pe":"a\u002eb"}"#, "a.b"),
            (r#"{"type":{"type":"c"},"x":"type"}"#, ""),
            (r#"{"type":1,"x":"y"}"#, ""),
            (r#"[{"type":"c"}]"#, ""),
            (r#"{"type":"a.b","#, "a.b"),
            ("no JSON", ""),
            ("", ""),
        ] {
            assert_eq!(outline.kind(event.as_bytes()), kind.as_bytes(), "{event}");
        }
    }
}
