//! Where in the text of a nested document its names, strings and numbers stand.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::super::fill::escape;
use super::super::super::json::{Container, Sink};

/// How a stretch of the text may be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Characters of a string: each by itself.
    Plain,
    /// An escape, or the inside of a name: as a whole.
    Whole,
    /// A number or literal: as a whole, and a string stands there then.
    Bare,
    /// Not of the document.
    Beyond,
}

impl Kind {
    pub(super) fn can_be_cut(self) -> bool {
        matches!(self, Self::Plain | Self::Beyond)
    }

    /// A substitute as it is written there.
    pub(super) fn write(self, substitute: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(substitute.len() + 2);
        match self {
            Self::Plain | Self::Whole => escape(substitute, &mut text),
            Self::Beyond => text.extend_from_slice(substitute),
            Self::Bare => {
                text.push(b'"');
                escape(substitute, &mut text);
                text.push(b'"');
            }
        }
        text
    }
}

/// The tokens of the part of the text that is not decided, in order.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    queue: VecDeque<(Kind, Range<u64>)>,
}

impl Tokens {
    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    fn add(&mut self, kind: Kind, range: Range<u64>) {
        match self.queue.back_mut() {
            Some((Kind::Plain, last)) if kind == Kind::Plain && last.end == range.start => {
                last.end = range.end;
            }
            _ => self.queue.push_back((kind, range)),
        }
    }

    /// What stands in `range`; what goes as a whole is there as a whole.
    pub(super) fn parts(&self, range: &Range<u64>) -> Vec<(Kind, Range<u64>)> {
        let before = self
            .queue
            .partition_point(|(_, token)| token.end <= range.start);
        let tokens = self.queue.iter().skip(before);
        tokens
            .take_while(|(_, token)| token.start < range.end)
            .map(|(kind, token)| match kind {
                Kind::Plain => (
                    *kind,
                    token.start.max(range.start)..token.end.min(range.end),
                ),
                _ => (*kind, token.clone()),
            })
            .collect()
    }

    /// Forgets what begins before `offset`.
    pub(super) fn forget(&mut self, offset: u64) {
        while self
            .queue
            .front()
            .is_some_and(|(_, token)| token.start < offset)
        {
            if let Some((Kind::Plain, token)) = self.queue.pop_front()
                && token.end > offset
            {
                self.queue.push_front((Kind::Plain, offset..token.end));
            }
        }
    }

    /// Forgets what lies before `offset`, or before the token around it that goes as a whole: before
    /// which of them.
    pub(super) fn settle(&mut self, offset: u64) -> u64 {
        while let Some((kind, token)) = self.queue.front_mut() {
            if token.end > offset {
                if token.start < offset {
                    if !kind.can_be_cut() {
                        return token.start;
                    }
                    token.start = offset;
                }
                break;
            }
            self.queue.pop_front();
        }
        offset
    }
}

/// Notes tokens on their way to the masker.
pub(super) struct Watch<'a, S> {
    pub(super) pass: S,
    pub(super) tokens: &'a mut Tokens,
}

impl<S: Sink> Sink for Watch<'_, S> {
    fn open(&mut self, container: Container, at: u64) {
        self.pass.open(container, at);
    }

    fn close(&mut self, end: u64) {
        self.pass.close(end);
    }

    fn comma(&mut self, at: u64) {
        self.pass.comma(at);
    }

    fn key(&mut self, name: &[u8], raw: Range<u64>) {
        self.tokens.add(Kind::Whole, raw.start + 1..raw.end - 1);
        self.pass.key(name, raw);
    }

    fn string_start(&mut self, at: u64) {
        self.pass.string_start(at);
    }

    fn text(&mut self, decoded: &[u8], raw: Range<u64>) {
        let kind = if decoded.len() as u64 == raw.end - raw.start {
            Kind::Plain
        } else {
            Kind::Whole
        };
        self.tokens.add(kind, raw.clone());
        self.pass.text(decoded, raw);
    }

    fn string_end(&mut self, end: u64) {
        self.pass.string_end(end);
    }

    fn scalar(&mut self, text: &[u8], raw: Range<u64>) {
        self.tokens.add(Kind::Bare, raw.clone());
        self.pass.scalar(text, raw);
    }
}
