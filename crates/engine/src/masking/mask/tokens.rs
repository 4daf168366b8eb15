//! What the masker does at each token.

use std::ops::Range;

use super::super::json::{Container, Sink};
use super::super::plan::Type;
use super::super::tape::Output;
use super::Pass;

impl<O: Output> Sink for Pass<'_, O> {
    fn open(&mut self, container: Container, at: u64) {
        if let Some(swallow) = &mut self.state.swallow {
            swallow.depth += 1;
            return;
        }
        let scope = self.begin_value(at, true);
        if let Some(swallow) = &mut self.state.swallow {
            swallow.depth += 1;
            return;
        }
        if let Some(rule) = scope.container() {
            self.hide_container(rule, container.into(), at);
            return;
        }
        if self.empty_copy(container, at) {
            return;
        }
        self.state.cursor.open();
        self.state.watch.open();
        self.state.trail.open();
        self.state.levels.open(scope.named);
    }

    fn close(&mut self, end: u64) {
        if let Some(swallow) = &mut self.state.swallow {
            swallow.depth -= 1;
            self.end_swallowed(end);
            return;
        }
        self.state.cursor.close();
        self.state.watch.close();
        self.state.trail.close();
        self.state.levels.close();
    }

    fn comma(&mut self, at: u64) {
        if self.state.drops && self.state.swallow.is_none() {
            self.state.comma = Some(at);
        }
    }

    fn key(&mut self, name: &[u8], raw: Range<u64>) {
        if self.state.swallow.is_some() {
            return;
        }
        self.state.cursor.member(&self.state.plan.paths, name);
        self.state.watch.member(name);
        self.join_aliases();
        self.state.trail.member(name);
        self.note_listed(name);
        let scope = self.scope();
        let clean = self.state.clean_names.get(name, scope.detectors);
        let detectors = &self.state.plan.detectors;
        let named = clean.unwrap_or_else(|| detectors.context_in(name, scope.detectors));
        let scope = scope.in_member(named);
        self.state.member = Some(scope);
        let unclean = scope.detectors != 0 && clean.is_none();
        self.begin_member(unclean.then_some(name), raw, scope);
    }

    fn string_start(&mut self, at: u64) {
        if self.state.swallow.is_some() {
            return;
        }
        let scope = self.begin_value(at, false);
        self.state.watch.begin_string();
        if self.state.swallow.is_some() || self.note_piece(scope, at) {
            return;
        }
        if let Some(rule) = scope.scalar() {
            self.hide_string(rule, at);
        } else if scope.detectors != 0 {
            self.state.strand.begin(scope, at + 1);
            self.state.reading = true;
        } else {
            self.state.peeking = self.may_nest();
        }
    }

    fn text(&mut self, decoded: &[u8], raw: Range<u64>) {
        if self.state.watch.listens() {
            self.hear(decoded, raw.clone());
        }
        if self.state.swallow.is_some() {
            self.swallow_text(decoded);
        } else if self.state.reading {
            self.read(decoded, raw);
        } else if self.state.peeking {
            self.peek(decoded, raw);
        }
    }

    fn string_end(&mut self, end: u64) {
        self.state.watch.end_string();
        self.state.peeking = false;
        if self.state.swallow.is_some() {
            self.end_swallowed(end);
        } else if self.state.reading {
            self.end_reading();
        }
    }

    fn scalar(&mut self, text: &[u8], raw: Range<u64>) {
        if self.state.swallow.is_none() {
            let scope = self.begin_value(raw.start, false);
            self.state.watch.scalar(text);
            if self.state.swallow.is_none() {
                if let Some(rule) = scope.scalar() {
                    self.hide_scalar(rule, text, raw.clone());
                } else if scope.detectors != 0 && Type::of_scalar(text) == Type::Number {
                    self.mask_number(text, raw.clone(), scope);
                }
            }
        }
        if self.state.swallow.is_some() {
            self.end_swallowed(raw.end);
        }
    }
}
