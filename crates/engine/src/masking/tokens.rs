//! The tokens of one exchange: which value has which number.
//!
//! A back end that gets `[EMAIL_1]` and `[EMAIL_2]` can tell two people apart without knowing either.
//! The numbers count from 1 in each exchange and each kind of value, so they say nothing across exchanges.
//! The values are kept for as long as the exchange lasts, within bounds, and are shown to nobody; a value
//! for which there is no room is replaced like any other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Most values that have a token.
const MAX_VALUES: usize = 1024;
/// Longest value that has one, in bytes.
const MAX_VALUE: usize = 1024;
/// Most bytes of all of them.
const MAX_BYTES: usize = 64 * 1024;

/// The tokens of one exchange, shared by whoever masks its messages.
#[derive(Clone, Default)]
pub struct Tokens(Rc<RefCell<Known>>);

#[derive(Default)]
struct Known {
    /// The numbers of the values of each kind.
    kinds: BTreeMap<String, BTreeMap<Vec<u8>, usize>>,
    values: usize,
    bytes: usize,
}

impl Known {
    fn number(&mut self, kind: &str, value: &[u8]) -> Option<usize> {
        if let Some(number) = self.kinds.get(kind).and_then(|kind| kind.get(value)) {
            return Some(*number);
        }
        let bytes = self.bytes + value.len();
        if value.len() > MAX_VALUE || self.values >= MAX_VALUES || bytes > MAX_BYTES {
            return None;
        }
        self.values += 1;
        self.bytes = bytes;
        let kind = self.kinds.entry(kind.to_owned()).or_default();
        let number = kind.len() + 1;
        kind.insert(value.to_vec(), number);
        Some(number)
    }
}

impl Tokens {
    /// Begins the token of a value of that kind; `otherwise` is what stands there if it can have none.
    pub(super) fn begin(&self, kind: &str, otherwise: &str) -> Token {
        Token {
            tokens: self.clone(),
            kind: kind.to_owned(),
            value: Vec::new(),
            otherwise: otherwise.to_owned(),
        }
    }
}

impl std::fmt::Debug for Tokens {
    /// Shows no value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// A token in the making.
pub(super) struct Token {
    tokens: Tokens,
    kind: String,
    /// The value, up to one byte more than can have a token.
    value: Vec<u8>,
    otherwise: String,
}

impl Token {
    pub(super) fn feed(&mut self, hidden: &[u8]) {
        let room = (MAX_VALUE + 1).saturating_sub(self.value.len());
        self.value.extend(hidden.iter().take(room));
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        // Nobody holds the tokens while a value is hidden; if somebody did, there would be no token.
        let tokens = self.tokens.0.try_borrow_mut().ok();
        let number = tokens.and_then(|mut tokens| tokens.number(&self.kind, &self.value));
        match number {
            None => out.extend_from_slice(self.otherwise.as_bytes()),
            Some(number) => {
                out.push(b'[');
                let name = self.kind.bytes().map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => byte.to_ascii_uppercase(),
                    _ => b'_',
                });
                out.extend(name);
                out.extend_from_slice(format!("_{number}]").as_bytes());
            }
        }
    }
}

impl std::fmt::Debug for Token {
    /// Shows nothing of the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(tokens: &Tokens, kind: &str, value: &[u8]) -> String {
        let mut token = tokens.begin(kind, "[OTHERWISE]");
        for piece in value.chunks(100) {
            token.feed(piece);
        }
        let mut out = Vec::new();
        token.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_value_has_the_same_token_and_another_has_another() {
        let tokens = Tokens::default();
        assert_eq!(token(&tokens, "email", b"a@b.co"), "[EMAIL_1]");
        assert_eq!(token(&tokens, "email", b"c@b.co"), "[EMAIL_2]");
        assert_eq!(token(&tokens, "credit-card", b"a@b.co"), "[CREDIT_CARD_1]");
        assert_eq!(token(&tokens.clone(), "email", b"a@b.co"), "[EMAIL_1]");
        assert_eq!(token(&Tokens::default(), "email", b"c@b.co"), "[EMAIL_1]");
    }

    #[test]
    fn values_beyond_the_bounds_have_no_token_and_those_before_keep_theirs() {
        let tokens = Tokens::default();
        assert_eq!(token(&tokens, "v", &[b'x'; MAX_VALUE]), "[V_1]");
        assert_eq!(token(&tokens, "v", &[b'x'; MAX_VALUE + 1]), "[OTHERWISE]");
        for number in 2..=MAX_VALUES {
            let value = number.to_string();
            assert_eq!(
                token(&tokens, "v", value.as_bytes()),
                format!("[V_{number}]")
            );
        }
        assert_eq!(token(&tokens, "v", b"one more"), "[OTHERWISE]");
        assert_eq!(token(&tokens, "v", b"2"), "[V_2]");
    }

    #[test]
    fn values_may_not_fill_the_memory_together() {
        let tokens = Tokens::default();
        let long = |number: usize| {
            let mut value = number.to_string().into_bytes();
            value.resize(MAX_VALUE, b'x');
            token(&tokens, "v", &value)
        };
        let most = MAX_BYTES / MAX_VALUE;
        assert!((0..most).all(|number| long(number) != "[OTHERWISE]"));
        assert_eq!(long(most), "[OTHERWISE]");
    }

    #[test]
    fn debug_output_shows_no_value() {
        let tokens = Tokens::default();
        token(&tokens, "email", b"a@b.co");
        assert!(!format!("{tokens:?}").contains("97"));
        assert!(!format!("{tokens:?}").contains("a@b"));
    }
}
