//! One stream of events or lines, masked while it goes by.
//!
//! A stream is cut into *frames*: events of `text/event-stream`, lines of JSON. Each is masked as a
//! document of its own, by the rules and paths that hold for any document. What makes a stream
//! different is text that goes on from event to event: the pieces of such a text are one text to the
//! detectors, a *channel*, and a frame waits as long as a channel holds a character in it. So a secret
//! is found wherever the deltas cut it, and what leaves never depends on how the stream came in.
//! Frames leave whole and in order; none is invented, none is dropped, and no clock ever lets one go.
//!
//! - `sse` and `lines` cut frames, `frame` is what they cut.
//! - `dialect` is the table of the formats that reasoning engines speak; `places` finds one's way in it.
//! - `outline` reads ahead what has to be known of an event, `watch` is what its masker notes.
//! - `channels` are the texts that go on, `queue` the frames that wait.

mod aside;
mod channels;
pub(super) mod dialect;
mod frame;
mod lines;
mod outline;
pub(super) mod places;
mod queue;
mod sse;
pub(super) mod watch;

use std::rc::Rc;

use super::body::MaskError;
use super::mask::DocumentMasker;
use super::plan::Plan;
use super::report::Report;
use super::strand::Strand;
use channels::{Channels, Tools};
use frame::{Cut, Frame};
use lines::Lines;
use outline::Outline;
use queue::Queue;
use sse::Sse;

/// How a stream is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `text/event-stream`.
    Events,
    /// A JSON document per line.
    Lines,
}

/// Masks one stream.
pub(super) struct StreamMasker {
    cutter: Cutter,
    masking: Masking,
    failed: Option<MaskError>,
}

#[derive(Debug)]
enum Cutter {
    Events(Sse),
    Lines(Lines),
}

/// All but the cutter, which lends its frame.
struct Masking {
    plan: Rc<Plan>,
    active: u64,
    /// Masks the documents in frames, one after the other.
    masker: DocumentMasker,
    channels: Channels,
    queue: Queue,
    outline: Outline,
    /// Reads what stands beside the payload.
    aside: Strand,
    /// Whether the `$.type` of events decides which rules hold, and that of the last event.
    needs_kind: bool,
    kind: Vec<u8>,
    /// A payload of several lines, and what became of it.
    joined: Vec<u8>,
    masked: Vec<u8>,
    /// The last payload says that none follows.
    ended: bool,
}

impl StreamMasker {
    /// A masker for one stream. Bit `i` of `active` tells whether rule `i` applies to this caller.
    pub(super) fn new(framing: Framing, plan: Rc<Plan>, active: u64) -> Self {
        let mut masker = DocumentMasker::for_events(Rc::clone(&plan), active);
        masker.set_kind(b"");
        Self {
            cutter: match framing {
                Framing::Events => Cutter::Events(Sse::default()),
                Framing::Lines => Cutter::Lines(Lines::default()),
            },
            masking: Masking {
                needs_kind: masker.needs_kind(),
                masker,
                plan,
                active,
                channels: Channels::default(),
                queue: Queue::default(),
                outline: Outline::default(),
                aside: Strand::default(),
                kind: Vec::new(),
                joined: Vec::new(),
                masked: Vec::new(),
                ended: false,
            },
            failed: None,
        }
    }

    /// Takes in the next bytes and appends to `out` what may leave now.
    ///
    /// # Errors
    ///
    /// [`MaskError`]; the masker is of no use after it.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read(chunk, out);
        self.failed = result.err();
        result
    }

    fn read(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MaskError> {
        loop {
            match self.cutter.push(&mut chunk)? {
                Cut::Chunk => return Ok(()),
                Cut::Rest(byte) => self.masking.queue.append(byte, out),
                Cut::Frame => self.masking.frame(self.cutter.frame(), out)?,
            }
        }
    }

    /// The stream is complete: appends what was held back.
    ///
    /// # Errors
    ///
    /// The error that a push returned, or one about the last frame.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = match self.cutter.finish() {
            true => self.masking.frame(self.cutter.frame(), out),
            false => Ok(()),
        };
        self.failed = result.err();
        if result.is_ok() {
            self.masking.end(out);
        }
        result
    }

    /// Whether the last event says that none follows.
    pub(super) fn has_said_its_end(&self) -> bool {
        self.masking.ended
    }

    /// What was hidden so far.
    pub(super) fn report(&self) -> &Report {
        self.masking.masker.report()
    }
}

impl std::fmt::Debug for StreamMasker {
    /// Shows nothing of the stream.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamMasker").finish_non_exhaustive()
    }
}

impl Cutter {
    fn push(&mut self, chunk: &mut &[u8]) -> Result<Cut, MaskError> {
        match self {
            Self::Events(events) => events.push(chunk),
            Self::Lines(lines) => lines.push(chunk),
        }
    }

    fn finish(&mut self) -> bool {
        match self {
            Self::Events(events) => events.finish(),
            Self::Lines(lines) => lines.finish(),
        }
    }

    fn frame(&mut self) -> &mut Frame {
        match self {
            Self::Events(events) => &mut events.frame,
            Self::Lines(lines) => &mut lines.frame,
        }
    }
}

/// What an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Nothing,
    /// `[DONE]`: no event follows.
    Done,
    Json,
    Text,
}

impl Payload {
    fn of(payload: &[u8]) -> Self {
        match payload.trim_ascii() {
            b"" => Self::Nothing,
            b"[DONE]" => Self::Done,
            [b'{' | b'[' | b'"', ..] => Self::Json,
            // Words, and numbers that may be words of a longer text.
            _ => Self::Text,
        }
    }
}

impl Masking {
    /// A frame is whole.
    fn frame(&mut self, frame: &mut Frame, out: &mut Vec<u8>) -> Result<(), MaskError> {
        self.channels.begin_frame();
        // Comments and empty lines may follow the end.
        self.ended &= frame.data.is_empty();
        self.mask_lines(frame)?;
        match &*frame.data {
            [] => self.queue.bytes().extend_from_slice(&frame.bytes),
            [data] => {
                let payload = frame.get(data);
                let (before, after) = (..data.start, data.end..);
                let kind = Payload::of(payload);
                if kind == Payload::Json {
                    let before = frame.bytes.get(before).unwrap_or_default();
                    let mark = self.queue.bytes().len();
                    self.queue.bytes().extend_from_slice(before);
                    if self.document(payload, None)? {
                        let after = frame.bytes.get(after).unwrap_or_default();
                        self.queue.bytes().extend_from_slice(after);
                    } else {
                        self.queue.bytes().truncate(mark);
                        self.text(frame, payload)?;
                    }
                } else {
                    self.other(kind, frame, payload)?;
                }
            }
            _ => self.joined(frame)?,
        }
        self.queue.end_frame();
        self.release(out)
    }

    /// A payload of several lines.
    fn joined(&mut self, frame: &Frame) -> Result<(), MaskError> {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        for (index, data) in frame.data.iter().enumerate() {
            if index > 0 {
                joined.push(b'\n');
            }
            joined.extend_from_slice(frame.get(data));
        }
        let kind = Payload::of(&joined);
        let done = if kind == Payload::Json && self.document(&joined, Some(frame))? {
            Ok(())
        } else if kind == Payload::Json {
            self.text(frame, &joined)
        } else {
            self.other(kind, frame, &joined)
        };
        self.joined = joined;
        done
    }

    /// Masks a document into the queue; `false`, and nothing has happened, if it is none. With
    /// `frame`, the document stands on the lines of that frame.
    fn document(&mut self, payload: &[u8], frame: Option<&Frame>) -> Result<bool, MaskError> {
        if self.needs_kind {
            let kind = self.outline.kind(payload);
            if kind != self.kind {
                self.masker.set_kind(kind);
                self.kind.clear();
                self.kind.extend_from_slice(kind);
            }
        }
        let result = match frame {
            None => self.masker.event(payload, self.queue.bytes()),
            Some(_) => {
                self.masked.clear();
                self.masker.event(payload, &mut self.masked)
            }
        };
        match result {
            Ok(()) => {}
            Err(MaskError::Syntax | MaskError::Truncated) => return Ok(false),
            Err(error @ (MaskError::Limit | MaskError::Listed)) => return Err(error),
        }
        if let Some(frame) = frame {
            self.spread(frame);
        }
        let strict = self.plan.ends_at_limit();
        let (notes, tally) = self.masker.noted();
        notes.flaw()?;
        let mut tools = Tools {
            plan: &self.plan,
            tally,
            queue: &mut self.queue,
        };
        for piece in &notes.pieces {
            self.channels.feed(piece, notes, &mut tools, strict)?;
        }
        self.channels.end_frame(&mut tools);
        self.ended = self.channels.end_by(notes, &mut tools);
        Ok(true)
    }

    /// Writes what became of a document back on the lines of its frame. A line may have lost all that
    /// stood on it; there are as many as before.
    fn spread(&mut self, frame: &Frame) {
        let glue = |index: usize| {
            let ends = frame.data.get(index).zip(frame.data.get(index + 1));
            let between = ends.and_then(|(one, next)| frame.bytes.get(one.end..next.start));
            between.unwrap_or_default()
        };
        let bytes = self.queue.bytes();
        let first = frame.data.first().map_or(0, |data| data.start);
        bytes.extend_from_slice(frame.bytes.get(..first).unwrap_or_default());
        let mut from = 0u64;
        let mut written = 0;
        for line in self.masked.split(|&byte| byte == b'\n') {
            if from > 0 {
                bytes.extend_from_slice(glue(written));
                written += 1;
            }
            let to = from + line.len() as u64;
            self.masker.move_notes(from..=to, bytes.len() as u64);
            bytes.extend_from_slice(line);
            from = to + 1;
        }
        for index in written..frame.data.len() - 1 {
            bytes.extend_from_slice(glue(index));
        }
        let last = frame.data.last().map_or(0, |data| data.end);
        bytes.extend_from_slice(frame.bytes.get(last..).unwrap_or_default());
    }

    /// A frame without a document.
    fn other(&mut self, kind: Payload, frame: &Frame, payload: &[u8]) -> Result<(), MaskError> {
        if kind == Payload::Text {
            return self.text(frame, payload);
        }
        self.queue.bytes().extend_from_slice(&frame.bytes);
        if kind == Payload::Done {
            let mut tools = Tools {
                plan: &self.plan,
                tally: self.masker.noted().1,
                queue: &mut self.queue,
            };
            self.channels.end_all(&mut tools);
            self.ended = true;
        }
        Ok(())
    }

    /// A payload that is no JSON is read as text, and all such payloads are one text. Rules on paths
    /// cannot hold in it, unless the policy says that text is to be scanned, and what only a lenient reader takes for JSON may hide things behind escapes.
    fn text(&mut self, frame: &Frame, payload: &[u8]) -> Result<(), MaskError> {
        let escapes = Payload::of(payload) == Payload::Json && payload.contains(&b'\\');
        let unknown = self.plan.lists_what_is_shown(self.active)
            || self.plan.has_paths(self.active) && !self.plan.scans_text();
        if unknown || escapes || std::str::from_utf8(payload).is_err() {
            return Err(MaskError::Syntax);
        }
        let base = self.queue.bytes().len();
        self.queue.bytes().extend_from_slice(&frame.bytes);
        let scope = self.plan.without_paths(self.active);
        let strict = self.plan.ends_at_limit();
        let mut tools = Tools {
            plan: &self.plan,
            tally: self.masker.noted().1,
            queue: &mut self.queue,
        };
        for (index, data) in frame.data.iter().enumerate() {
            let place = tools.queue.place((base + data.start) as u64);
            let channels = &mut self.channels;
            if index > 0 {
                // The lines stay apart whatever is hidden around them.
                channels.feed_plain(b"\n", place..place, scope, &mut tools, strict)?;
            }
            let place = place..place + data.len() as u64;
            channels.feed_plain(frame.get(data), place, scope, &mut tools, strict)?;
        }
        self.channels.end_frame(&mut tools);
        Ok(())
    }

    /// What stands beside the payload, for whoever reads it.
    fn mask_lines(&mut self, frame: &mut Frame) -> Result<(), MaskError> {
        if frame.foreign && self.plan.has_paths(self.active) {
            return Err(MaskError::Syntax);
        }
        let scope = self.plan.without_paths(self.active);
        if scope.detectors == 0 {
            return Ok(());
        }
        for index in 0..frame.lines.len() {
            let Some(range) = frame.lines.get(index).cloned() else {
                continue;
            };
            let line = frame.get(&range);
            if std::str::from_utf8(line).is_err() {
                return Err(MaskError::Syntax);
            }
            let tally = self.masker.noted().1;
            let masked = aside::mask(&mut self.aside, &self.plan, scope, line, tally);
            if let Some(masked) = masked {
                frame.replace(range, &masked);
            }
        }
        Ok(())
    }

    /// Lets the frames go that nothing holds.
    fn release(&mut self, out: &mut Vec<u8>) -> Result<(), MaskError> {
        let hold = self.channels.held_from().unwrap_or(u64::MAX);
        self.queue.release(hold, out);
        while self.queue.is_full() {
            if self.plan.ends_at_limit() {
                return Err(MaskError::Limit);
            }
            let mut tools = Tools {
                plan: &self.plan,
                tally: self.masker.noted().1,
                queue: &mut self.queue,
            };
            self.channels.give_up_oldest(&mut tools);
            let hold = self.channels.held_from().unwrap_or(u64::MAX);
            self.queue.release(hold, out);
        }
        Ok(())
    }

    /// The stream is complete.
    fn end(&mut self, out: &mut Vec<u8>) {
        let mut tools = Tools {
            plan: &self.plan,
            tally: self.masker.noted().1,
            queue: &mut self.queue,
        };
        self.channels.end_all(&mut tools);
        self.queue.release(u64::MAX, out);
    }
}

#[cfg(test)]
mod tests;
