//! JSON in a string of JSON: the arguments of a tool call, a message in a queue.
//!
//! A text that begins with a bracket is read a second time, as a document in its own right: names,
//! numbers and strings in it are decoded once more, and paths lead on into it. What that comes to are
//! edits in the coordinates of the text. The text is *also* read as text, because it may turn out to be
//! no document, or not to its end: what is found there and is in no edit becomes one as well, but only
//! where it stands inside of a name, a string or a number, so that a document stays one. From the
//! byte on that makes the text no document, it is text like any other.

use std::ops::Range;
use std::rc::Rc;

use super::super::json::Tokenizer;
use super::super::plan::Scope;
use super::super::stream::watch::{Kind as Watched, Watch as Watching};
use super::super::tape::Output;
use super::{Pass, Site, State};

mod edits;
mod tokens;

pub(in super::super) use edits::{Counted, Edit};
use edits::{Edits, Page};
use tokens::{Kind, Tokens, Watch};

/// How many documents may be nested in one another. What is deeper is read as text.
pub(super) const MAX_NESTED: u8 = 3;

/// A document in a text, between two pieces of it.
#[derive(Debug)]
pub(in super::super) struct Nested {
    tokenizer: Tokenizer,
    state: State,
    edits: Edits,
    tokens: Tokens,
    /// Everything before this is decided, as far as the document is concerned.
    decided: u64,
    /// The text is no document from here on.
    ended: Option<u64>,
    /// A value that is hidden was not whole: all that follows is hidden with it.
    hides_rest: bool,
}

/// The characters of a text that are not decided, and the offset of the first.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pending<'t> {
    pub(in super::super) text: &'t [u8],
    pub(in super::super) start: u64,
}

impl<'t> Pending<'t> {
    fn get(&self, range: Range<u64>) -> &'t [u8] {
        let index = |offset: u64| usize::try_from(offset.saturating_sub(self.start)).ok();
        let range = index(range.start).zip(index(range.end));
        range
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or_default()
    }

    fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }
}

impl Nested {
    /// A document at `site` that begins at offset `at` of the text.
    pub(in super::super) fn begin(site: Site, at: u64) -> Self {
        // The table of texts and copies is about whole events and bodies.
        let watch = Watching::new(Rc::clone(&site.plan.places), Watched::Document, 0);
        let mut tokenizer = Tokenizer::default();
        tokenizer.begin_at(at);
        Self {
            tokenizer,
            state: State::new(site, watch),
            edits: Edits::default(),
            tokens: Tokens::default(),
            decided: at,
            ended: None,
            hides_rest: false,
        }
    }

    /// The same, with the memory of a document that is over.
    pub(in super::super) fn begin_again(&mut self, site: Site, at: u64) {
        self.tokenizer.begin_at(at);
        self.state.begin_again(site);
        self.edits.clear();
        self.tokens.clear();
        self.decided = at;
        self.ended = None;
        self.hides_rest = false;
    }

    /// Reads what came: the characters from the last that was read on. `last`: there are no more.
    pub(in super::super) fn read(&mut self, pending: Pending<'_>, last: bool) {
        if self.ended.is_none() {
            self.read_document(pending, last);
        }
        if self.hides_rest {
            self.hide_rest(pending, last);
        }
    }

    fn read_document(&mut self, pending: Pending<'_>, last: bool) {
        let unread = pending.get(self.tokenizer.offset()..pending.end());
        let mut watch = Watch {
            pass: Pass {
                state: &mut self.state,
                out: Page {
                    edits: &mut self.edits,
                    pending,
                },
            },
            tokens: &mut self.tokens,
        };
        let mut result = self.tokenizer.push(unread, &mut watch);
        if last && result.is_ok() {
            result = self.tokenizer.finish(&mut watch);
        }
        let mut pass = watch.pass;
        let offset = self.tokenizer.offset();
        let unfinished = self.tokenizer.unfinished();
        match result {
            Ok(()) => {
                let hold = pass.hold(offset, unfinished);
                pass.out.pass_to(hold);
                self.decided = hold;
                self.ended = last.then_some(offset);
            }
            Err(_) => {
                let end = unfinished.unwrap_or(offset);
                self.hides_rest = pass.break_off(end);
                pass.out.pass_to(end);
                self.ended = Some(end);
            }
        }
    }

    fn hide_rest(&mut self, pending: Pending<'_>, last: bool) {
        let mut pass = Pass {
            state: &mut self.state,
            out: Page {
                edits: &mut self.edits,
                pending,
            },
        };
        pass.swallow_to(pending.end());
        if last {
            pass.close_swallowed(pending.end());
        }
    }

    /// The offset before which the document says all that it has to say.
    pub(in super::super) fn decided(&self) -> u64 {
        self.ended.map_or(self.decided, |_| u64::MAX)
    }

    /// Whether an edit touches `range`.
    pub(in super::super) fn has_edit(&self, range: Range<u64>) -> bool {
        self.edits.touch(&range)
    }

    /// Hides what is found in the text and in no edit: `substitute` stands where the first part of it
    /// does.
    pub(in super::super) fn hide(
        &mut self,
        range: Range<u64>,
        substitute: &[u8],
        counted: Option<Counted>,
    ) {
        let mut parts = self.tokens.parts(&range);
        if let Some(ended) = self.ended.filter(|&ended| ended < range.end) {
            parts.push((Kind::Beyond, ended.max(range.start)..range.end));
        }
        let (mut substitute, mut counted) = (Some(substitute), counted);
        for (kind, part) in parts {
            for part in self.edits.free(kind, part) {
                let text = kind.write(substitute.take().unwrap_or_default());
                self.edits.insert(part, text, counted.take());
            }
        }
    }

    /// The offset up to which the text may be decided if nothing else is found before `offset`.
    pub(in super::super) fn settle(&mut self, offset: u64) -> u64 {
        self.tokens.settle(offset)
    }

    /// All before `end` has its fate, whatever was to become of it.
    pub(in super::super) fn give_up(&mut self, end: u64) {
        self.edits.give_up(end);
        self.tokens.forget(end);
    }

    /// The next edit that lies before `offset`, or the part of it that does.
    pub(in super::super) fn next_edit(&mut self, offset: u64) -> Option<Edit> {
        self.edits.next(offset)
    }

    /// Whether nothing is left to do: the text beyond `offset` is text like any other.
    pub(in super::super) fn is_over(&self, offset: u64) -> bool {
        !self.hides_rest && self.ended.is_some_and(|ended| ended <= offset) && self.edits.is_empty()
    }
}

impl<O: Output> Pass<'_, O> {
    /// The text proves to be no document at `at`. Whether a value that is hidden has begun: where it
    /// ends nobody knows.
    fn break_off(&mut self, at: u64) -> bool {
        if self.state.reading {
            self.end_reading();
        }
        self.state.comma = None;
        let member = self.state.member.take();
        if self.state.swallow.is_some() {
            self.swallow_to(at);
            return true;
        }
        self.state.deferred = None;
        match member.and_then(Scope::scalar) {
            Some(rule) => {
                self.hide_string(rule, at);
                true
            }
            None => false,
        }
    }

    /// The text ends inside of a value that is hidden.
    fn close_swallowed(&mut self, end: u64) {
        if let Some(swallow) = &mut self.state.swallow {
            swallow.depth = 0;
        }
        self.end_swallowed(end);
    }
}
