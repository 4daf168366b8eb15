//! Watches a body that passes unchanged, for rules that only observe.
//!
//! What is recorded is what these rules would have hidden, were they alone. So they are run alone, by a
//! masker whose output nobody gets: they cannot get in the way of the rules that are enforced, nor
//! these in theirs. A body that cannot be read is no reason to refuse it here.

use std::rc::Rc;

use tracegate_audit::Inspected;
use tracegate_bundle::policy::ContentCoding;

use crate::coding::Decoder;
use crate::masking::{BodyMasker, Format, Plan, Report};
use crate::refusal::Refusal;

/// Reads one body.
#[derive(Debug)]
pub(super) struct Observer {
    decoder: Option<Decoder>,
    masker: BodyMasker,
    /// Where the output goes.
    out: Vec<u8>,
    read: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Complete,
    /// The body cannot be read, for this reason.
    Lost(Refusal),
}

impl Observer {
    pub(super) fn new(
        format: Format,
        plan: &Rc<Plan>,
        rules: u64,
        coding: Option<ContentCoding>,
    ) -> Self {
        Self {
            decoder: coding.map(Decoder::new),
            masker: BodyMasker::new(format, Rc::clone(plan), rules),
            out: Vec::new(),
            read: 0,
            state: State::Reading,
        }
    }

    /// Reads the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8], end_of_stream: bool) {
        if self.state != State::Reading {
            return;
        }
        match self.read(chunk, end_of_stream) {
            Err(refusal) => self.state = State::Lost(refusal),
            Ok(()) if end_of_stream => self.state = State::Complete,
            Ok(()) => {}
        }
    }

    fn read(&mut self, chunk: &[u8], end_of_stream: bool) -> Result<(), Refusal> {
        let mut read = |piece: &[u8]| {
            self.read = self.read.saturating_add(piece.len() as u64);
            self.out.clear();
            self.masker
                .push(piece, &mut self.out)
                .map_err(Refusal::from)
        };
        match &mut self.decoder {
            None => read(chunk)?,
            Some(decoder) => decoder.push(chunk, read)?,
        }
        if end_of_stream {
            if let Some(decoder) = &self.decoder {
                decoder.finish()?;
            }
            if self.read > 0 {
                self.masker.finish(&mut self.out)?;
            }
        }
        Ok(())
    }

    /// What would have been hidden so far.
    pub(super) fn report(&self) -> &Report {
        self.masker.report()
    }

    /// How much of the body was read.
    pub(super) fn inspected(&self) -> Inspected {
        match self.state {
            State::Reading => Inspected::Partial("interrupted"),
            State::Complete => Inspected::Full,
            State::Lost(refusal) => Inspected::Partial(refusal.code()),
        }
    }
}
