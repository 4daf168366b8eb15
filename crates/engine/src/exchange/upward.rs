//! Masks the body of a request before it goes up.
//!
//! What a third party must not get is hidden in a body that is there as a whole: it is held until it is
//! complete, within the bound of the connection, and what goes up is the masked body. A body that cannot
//! be read is refused, because it could hold anything.

use std::rc::Rc;

use tracegate_bundle::policy::Connection;

use super::media::{self, Media};
use super::observer::Observer;
use super::representation;
use super::request::announced_length;
use crate::http::{HeaderEdit, HeaderMap};
use crate::masking::{Active, BodyMasker, Format, Plan, Report};
use crate::refusal::Refusal;

/// The body of a request on a connection that has rules for it.
#[derive(Debug, Default)]
pub(super) struct Upward {
    /// What came of it, until it is decided what becomes of it.
    body: Vec<u8>,
    /// What was hidden in it.
    report: Option<Report>,
    observer: Option<Observer>,
}

/// How a request that may go can go.
pub(super) enum Passage {
    /// Not before more of the body is there.
    Waits,
    /// As it came.
    Unchanged,
    /// With this body.
    Masked(Vec<u8>),
}

/// How much of the body has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) length: u64,
    pub(super) complete: bool,
}

impl Upward {
    /// More of the body came, and is held.
    pub(super) fn hold(&mut self, chunk: &[u8]) {
        self.body.extend_from_slice(chunk);
    }

    /// More of the body came, and passes.
    pub(super) fn watch(&mut self, chunk: &[u8], end_of_stream: bool) {
        if let Some(observer) = &mut self.observer {
            observer.push(chunk, end_of_stream);
        }
    }

    /// The request may go: what becomes of its body under the rules that hold for the caller.
    pub(super) fn pass(
        &mut self,
        plan: &Rc<Plan>,
        rules: Active,
        connection: &Connection,
        headers: &HeaderMap,
        extent: Extent,
    ) -> Result<Passage, Refusal> {
        let is_empty = extent.complete && extent.length == 0;
        let readable = readable(headers);
        let mut passage = Passage::Unchanged;
        if rules.enforced != 0 && !is_empty {
            if announced_length(headers) > connection.max_request_body {
                return Err(Refusal::RequestBodyTooLarge);
            }
            // Without its first byte it is not known whether there is a body at all.
            if extent.length > 0 {
                readable?;
            }
            if !extent.complete {
                return Ok(Passage::Waits);
            }
            passage = self.mask(plan, rules.enforced)?;
        }
        if rules.observed != 0 && !is_empty && readable.is_ok() {
            let mut observer = Observer::new(Format::Document, plan, rules.observed, None);
            observer.push(&self.body, extent.complete);
            self.observer = Some(observer);
        }
        self.body = Vec::new();
        Ok(passage)
    }

    fn mask(&mut self, plan: &Rc<Plan>, rules: u64) -> Result<Passage, Refusal> {
        let mut masker = BodyMasker::new(Format::Document, Rc::clone(plan), rules);
        let mut masked = Vec::with_capacity(self.body.len());
        let done = masker
            .push(&self.body, &mut masked)
            .and_then(|()| masker.finish(&mut masked));
        done.map_err(|_| Refusal::RequestBodySyntax)?;
        self.report = Some(masker.report().clone());
        Ok(if masked == self.body {
            Passage::Unchanged
        } else {
            Passage::Masked(masked)
        })
    }

    /// What was hidden.
    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// What would have been hidden by rules that only observe.
    pub(super) fn observed(&self) -> Option<&Report> {
        self.observer.as_ref().map(Observer::report)
    }
}

fn readable(headers: &HeaderMap) -> Result<(), Refusal> {
    if media::encoding(headers) != media::Encoding::Plain {
        return Err(Refusal::RequestBodyEncoding);
    }
    match media::media(headers) {
        Media::Known(Format::Document, _) => Ok(()),
        _ => Err(Refusal::RequestBodyType),
    }
}

/// The headers of a request whose body is this one now.
pub(super) fn describe(headers: &HeaderMap, body: &[u8]) -> Vec<HeaderEdit> {
    let mut edits = representation::hide_original(headers);
    if headers.contains("content-length") {
        let length = body.len().to_string().into_bytes();
        edits.push(HeaderEdit::Set("content-length".to_owned(), length));
    }
    edits
}
