//! The response side: from the first header to the last masked byte.
//!
//! Whether a response can be inspected is decided before its headers go out, because afterwards the
//! only refusal left is to break the stream off. So the headers of a response that will be masked
//! are held until its first bytes have proved to be what the headers say.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tracegate_audit::Inspected;
use tracegate_bundle::policy::{Connection, ContentCoding, Direction};

use super::media::{self, Encoding, Media};
use super::observer::Observer;
use super::record::{BodySummary, ResponseSummary};
use super::{Exchange, Flow, Grant, Refused, Stage, representation};
use crate::coding::{CodingError, Decoder};
use crate::http::{HeaderEdit, HeaderMap};
use crate::masking::{Active, BodyMasker, Format, HeaderMasker, MaskError, Report, Section};
use crate::metrics::Metrics;
use crate::policy::MaskPlan;
use crate::refusal::Refusal;

/// What an event of the response came to.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) headers: Vec<HeaderEdit>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) trailers: Vec<HeaderEdit>,
    pub(super) flow: Flow,
}

/// The state of the response side.
#[derive(Debug, Default)]
pub(super) struct ResponseSide {
    masking: Option<Box<Masking>>,
    /// Masks headers and trailers, where rules look into them.
    headers: Option<Box<HeaderMasker>>,
    /// Watch for rules that only observe.
    observer: Option<Box<Observer>>,
    header_observer: Option<Box<HeaderMasker>>,
    inspected: Inspected,
    counted: bool,
}

#[derive(Debug)]
struct Masking {
    /// Undoes the content coding, if there is one.
    decoder: Option<Decoder>,
    masker: BodyMasker,
    /// Bytes that the masker got, and bytes that went out with their hash.
    read: u64,
    sent: u64,
    hash: Sha256,
    complete: bool,
    /// Refused on the way: what went out is not the whole.
    stopped: bool,
}

impl ResponseSide {
    pub(super) fn is_masking(&self) -> bool {
        self.masking.is_some() || self.observer.is_some()
    }

    /// What was hidden in the body, in headers and trailers.
    fn reports(&self) -> [Option<&Report>; 2] {
        let body = self.masking.as_ref().map(|masking| masking.masker.report());
        let headers = self.headers.as_ref().map(|masker| masker.report());
        [body, headers]
    }

    /// What would have been hidden there by rules that only observe.
    fn observed(&self) -> [Option<&Report>; 2] {
        let body = self.observer.as_ref().map(|observer| observer.report());
        let headers = self.header_observer.as_ref();
        [body, headers.map(|observer| observer.report())]
    }

    /// What the record says about the response.
    pub(super) fn summary(&self) -> ResponseSummary<'_> {
        let Some(masking) = &self.masking else {
            let observer = self.observer.as_ref();
            return ResponseSummary {
                body: BodySummary::default(),
                inspected: observer.map_or(self.inspected, |observer| observer.inspected()),
                reports: self.reports(),
                observed: self.observed(),
            };
        };
        let whole = masking.complete && !masking.stopped;
        let digest = whole.then(|| masking.hash.clone().finalize().into());
        ResponseSummary {
            body: BodySummary {
                length: masking.sent,
                digest,
            },
            inspected: match (masking.stopped, masking.complete) {
                // Also where only its end was refused.
                (true, _) => Inspected::Partial("refused"),
                (false, true) => Inspected::Full,
                (false, false) => Inspected::Partial("interrupted"),
            },
            reports: self.reports(),
            observed: self.observed(),
        }
    }

    /// Moves what was masked to the metrics, once.
    pub(super) fn count_masked(&mut self, metrics: &mut Metrics) {
        if std::mem::replace(&mut self.counted, true) {
            return;
        }
        for (reports, observed) in [(self.reports(), false), (self.observed(), true)] {
            for report in reports.into_iter().flatten() {
                metrics.masked(Direction::Response, observed, report);
            }
        }
    }

    /// The request has gone to the back end.
    pub(super) fn expect(&mut self) {
        self.inspected = Inspected::None("no_response");
    }

    /// The exchange has been refused: nothing more is masked.
    pub(super) fn stop(&mut self) {
        match &mut self.masking {
            Some(masking) => masking.stopped = true,
            None => self.inspected = Inspected::None("refused"),
        }
    }
}

impl Exchange {
    pub(super) fn open_response(
        &mut self,
        headers: &HeaderMap,
        local_reply: &mut dyn FnMut() -> bool,
        end_of_stream: bool,
    ) -> Result<Step, Refused> {
        let grant = match &self.stage {
            Stage::Granted(grant) => grant,
            // Our own reply comes by here like any other response.
            Stage::Replied => return Ok(Step::default()),
            Stage::Undecided if local_reply() => {
                self.response.inspected = Inspected::None("local_reply");
                return Ok(Step::default());
            }
            // A back end cannot answer what it was not asked.
            Stage::Undecided => return Err(Refusal::InternalState.into()),
        };
        let Some(rules) = grant.plan() else {
            self.response.inspected = Inspected::None("no_mask_rules");
            return Ok(Step::default());
        };
        let plan = rules.masks();
        let enforced = grant.tokenizing.as_ref().unwrap_or(plan);
        let mut masker = HeaderMasker::new(enforced, grant.masks.enforced);
        let mut observer = HeaderMasker::new(plan, grant.masks.observed);
        if let Some(observer) = &mut observer {
            observer.mask(Section::Header, headers);
        }
        let masked = masker
            .as_mut()
            .map(|masker| masker.mask(Section::Header, headers));
        let private = rules
            .vary_on()
            .map(|names| representation::keep_private(headers, names));
        let mut step = Step {
            // What is removed must not come back masked, so that is done first.
            headers: [masked, private].into_iter().flatten().flatten().collect(),
            ..Step::default()
        };
        let inspection = if grant.masks.is_empty() {
            Ok(Inspection::Skip("caller_exempt"))
        } else {
            grant.inspectable(headers, end_of_stream)
        };
        if let Ok(Inspection::Mask(format, coding)) = inspection
            && grant.masks.observed != 0
        {
            let observer = Observer::new(format, plan, grant.masks.observed, coding);
            self.response.observer = Some(Box::new(observer));
        }
        match inspection {
            // Rules that only observe change nothing.
            Ok(Inspection::Mask(..) | Inspection::NoBody) if grant.masks.enforced == 0 => {
                self.response.inspected = Inspected::None("no_body");
            }
            Err(refusal) if grant.masks.enforced == 0 => {
                self.response.inspected = Inspected::None(refusal.code());
            }
            Ok(Inspection::Mask(format, coding)) => {
                let masker = BodyMasker::new(format, Rc::clone(enforced), grant.masks.enforced);
                self.response.masking = Some(Box::new(Masking::new(masker, coding)));
                step.headers.extend(grant.describe_masked(headers));
                step.flow = Flow::Hold;
            }
            Ok(Inspection::NoBody) => {
                self.response.inspected = Inspected::None("no_body");
                step.headers.extend(grant.describe_masked(headers));
            }
            Ok(Inspection::Skip(reason)) => self.response.inspected = Inspected::None(reason),
            // What the proxy says on its own behalf ("no healthy upstream") is plain text and holds
            // nothing of the back end's.
            Err(_) if local_reply() => {
                self.response.inspected = Inspected::None("local_reply");
                return Ok(Step::default());
            }
            Err(refusal) => return Err(refusal.into()),
        }
        self.response.headers = masker.map(Box::new);
        self.response.header_observer = observer.map(Box::new);
        Ok(step)
    }

    pub(super) fn mask_response_body(
        &mut self,
        chunk: &[u8],
        end_of_stream: bool,
    ) -> Result<Step, Refused> {
        if self.is_replied() {
            return Ok(Step::default());
        }
        if let Some(observer) = &mut self.response.observer {
            observer.push(chunk, end_of_stream);
        }
        let Some(masking) = &mut self.response.masking else {
            return Ok(Step::default());
        };
        let out = masking.push(chunk, end_of_stream)?;
        let body = (out != chunk).then_some(out);
        Ok(Step {
            body,
            ..Step::default()
        })
    }

    pub(super) fn end_response_by_trailers(
        &mut self,
        trailers: &HeaderMap,
    ) -> Result<Step, Refused> {
        if self.is_replied() {
            return Ok(Step::default());
        }
        if let Some(observer) = &mut self.response.observer {
            observer.push(&[], true);
        }
        if let Some(observer) = &mut self.response.header_observer {
            observer.mask(Section::Trailer, trailers);
        }
        let masked = self.response.headers.as_mut();
        let masked = masked.map(|masker| masker.mask(Section::Trailer, trailers));
        let mut step = Step {
            trailers: masked.unwrap_or_default(),
            ..Step::default()
        };
        let Some(masking) = &mut self.response.masking else {
            return Ok(step);
        };
        // The body can no longer be written. Of a complete document nothing is held back, save a
        // number that stands alone, whose end only the end of the body tells.
        if !masking.push(&[], true)?.is_empty() {
            return Err(Refusal::MaskTruncated.into());
        }
        // Envoy's decompressor ends a body that is damaged as if it were whole, be it empty.
        if representation::is_decompressed(trailers) {
            if masking.read == 0 {
                return Err(Refusal::MaskTruncated.into());
            }
            if !masking.masker.has_said_its_end() {
                return Err(Refusal::MaskIncomplete.into());
            }
        }
        step.trailers
            .extend(representation::hide_original(trailers));
        Ok(step)
    }
}

/// What is to be done with the body of a response.
enum Inspection {
    /// Masked, after this content coding was undone.
    Mask(Format, Option<ContentCoding>),
    /// There is none.
    NoBody,
    /// Passed on unread, for this reason.
    Skip(&'static str),
}

impl Grant {
    /// What there is to mask for anybody.
    fn plan(&self) -> Option<&MaskPlan> {
        let plan = self.policy.plan(self.connection)?.masks();
        plan.filter(|plan| plan.masks().is_about(Direction::Response))
    }

    /// What is to be done with the body of a response that this caller may not see as it is.
    fn inspectable(&self, headers: &HeaderMap, end_of_stream: bool) -> Result<Inspection, Refusal> {
        let status = headers.only(":status").unwrap_or_default();
        match status {
            b"101" => return Err(Refusal::MaskUpgrade),
            b"304" => return Err(Refusal::MaskNotModified),
            _ if self.head || end_of_stream || status == b"204" => return Ok(Inspection::NoBody),
            b"206" => return Err(Refusal::MaskPartial),
            _ if headers.contains("content-range") => return Err(Refusal::MaskPartial),
            _ => {}
        }
        let coding = self.coding(headers)?;
        match media::media(headers) {
            Media::Known(format, _) if format.has_paths() => Ok(Inspection::Mask(format, coding)),
            Media::Known(_, media_type) | Media::Other(media_type) if self.passes(media_type) => {
                match coding {
                    None => Ok(Inspection::Skip("pass_type")),
                    Some(_) => Err(Refusal::MaskEncoding),
                }
            }
            Media::Known(format, _) if self.scans_text() => Ok(Inspection::Mask(format, coding)),
            Media::Known(..) | Media::Other(_) | Media::Unknown => Err(Refusal::MaskMediaType),
        }
    }

    /// Removes what does not hold for the masked body.
    fn describe_masked(&self, headers: &HeaderMap) -> Vec<HeaderEdit> {
        let mut edits = representation::hide_original(headers);
        // What is decoded leaves plain.
        if let Ok(Some(_)) = self.coding(headers) {
            edits.push(HeaderEdit::Remove("content-encoding".to_owned()));
        }
        edits
    }

    fn rules(&self) -> Option<&Connection> {
        self.policy.bundle().connections.get(self.connection)
    }

    /// Whether a body without paths can be masked: no rule for this caller needs them, or the policy says
    /// that what detectors find is enough. It cannot be where all is hidden but what has a path.
    fn scans_text(&self) -> bool {
        let Some(plan) = self.plan().map(MaskPlan::masks) else {
            return false;
        };
        let rules = match self.masks {
            Active {
                enforced: 0,
                observed,
            } => observed,
            Active { enforced, .. } => enforced,
        };
        let may_scan = || self.rules().is_some_and(|rules| rules.scan_text);
        !plan.lists_what_is_shown(rules) && (!plan.has_paths(rules) || may_scan())
    }

    fn passes(&self, media_type: &str) -> bool {
        self.rules()
            .is_some_and(|rules| media::is_listed(&rules.pass_types, media_type))
    }

    /// The content coding to undo, if there is one.
    fn coding(&self, headers: &HeaderMap) -> Result<Option<ContentCoding>, Refusal> {
        match media::encoding(headers) {
            Encoding::Plain => Ok(None),
            Encoding::Coded(coding)
                if self.rules().is_some_and(|it| it.decode.contains(&coding)) =>
            {
                Ok(Some(coding))
            }
            Encoding::Coded(_) | Encoding::Opaque => Err(Refusal::MaskEncoding),
        }
    }
}

impl From<MaskError> for Refusal {
    fn from(error: MaskError) -> Self {
        match error {
            MaskError::Syntax => Self::MaskSyntax,
            MaskError::Limit => Self::MaskLimit,
            MaskError::Truncated => Self::MaskTruncated,
            MaskError::Listed => Self::MaskMediaType,
        }
    }
}

impl From<CodingError> for Refusal {
    fn from(error: CodingError) -> Self {
        match error {
            CodingError::Damaged | CodingError::Limit => Self::MaskDecoding,
            CodingError::Truncated => Self::MaskTruncated,
        }
    }
}

impl Masking {
    fn new(masker: BodyMasker, coding: Option<ContentCoding>) -> Self {
        Self {
            decoder: coding.map(Decoder::new),
            masker,
            read: 0,
            sent: 0,
            hash: Sha256::new(),
            complete: false,
            stopped: false,
        }
    }

    fn push(&mut self, chunk: &[u8], end_of_stream: bool) -> Result<Vec<u8>, Refusal> {
        if self.complete && chunk.is_empty() {
            return Ok(Vec::new());
        }
        let mut out = Vec::with_capacity(chunk.len() + 64);
        let mut mask = |piece: &[u8]| {
            self.read = self.read.saturating_add(piece.len() as u64);
            self.masker.push(piece, &mut out).map_err(Refusal::from)
        };
        match &mut self.decoder {
            None => mask(chunk)?,
            Some(decoder) => decoder.push(chunk, mask)?,
        }
        if end_of_stream {
            if let Some(decoder) = &self.decoder {
                decoder.finish()?;
            }
            // No bytes at all are no document, and nothing that could leak.
            if self.read > 0 {
                self.masker.finish(&mut out)?;
            }
        }
        self.complete = end_of_stream;
        self.sent = self.sent.saturating_add(out.len() as u64);
        self.hash.update(&out);
        Ok(out)
    }
}
