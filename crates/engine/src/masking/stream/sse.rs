//! Server-sent events (WHATWG HTML, section 9.2), cut out of a stream byte for byte.
//!
//! An event ends with an empty line, and a line with LF, CR or CRLF. A CR ends its line at once: the LF
//! that may follow belongs to it, but nobody waits for it. A comment that stands alone is a frame of its
//! own, for it keeps a connection alive and must not wait for the next event.

use std::ops::Range;

use super::frame::{Cut, Frame};
use crate::masking::MaskError;

/// Cuts events out of a stream.
#[derive(Debug, Default)]
pub(super) struct Sse {
    pub(super) frame: Frame,
    /// Where in the frame the line in progress begins.
    line: usize,
    /// The last byte was a CR.
    after_cr: bool,
    /// A line has ended: there is no byte order mark any more.
    begun: bool,
    /// The frame has been handed out.
    whole: bool,
}

impl Sse {
    /// Takes bytes from the front of `chunk`, up to the end of the frame in progress.
    ///
    /// # Errors
    ///
    /// [`MaskError::Limit`] if it grows beyond the bound of a frame.
    pub(super) fn push(&mut self, chunk: &mut &[u8]) -> Result<Cut, MaskError> {
        self.begin();
        loop {
            if self.after_cr
                && let Some((&next, rest)) = chunk.split_first()
            {
                self.after_cr = false;
                if next == b'\n' {
                    *chunk = rest;
                    if self.frame.bytes.is_empty() {
                        return Ok(Cut::Rest(b'\n'));
                    }
                    self.frame.bytes.push(b'\n');
                    self.line = self.frame.bytes.len();
                }
            }
            let Some(end) = self.frame.take_line(chunk, [b'\n', b'\r'])? else {
                return Ok(Cut::Chunk);
            };
            self.after_cr = end == b'\r';
            let end = self.frame.bytes.len();
            if self.end_line(self.line..end - 1) {
                self.whole = true;
                return Ok(Cut::Frame);
            }
            self.line = end;
        }
    }

    /// The stream is complete: whether there is a frame that no empty line has ended. Some readers
    /// take it for an event, others do not.
    pub(super) fn finish(&mut self) -> bool {
        self.begin();
        if self.line < self.frame.bytes.len() {
            self.end_line(self.line..self.frame.bytes.len());
        }
        self.whole = true;
        !self.frame.bytes.is_empty()
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.whole) {
            self.frame.clear();
            self.line = 0;
        }
    }

    /// A line has ended; whether the frame has, too.
    fn end_line(&mut self, mut line: Range<usize>) -> bool {
        if !std::mem::replace(&mut self.begun, true)
            && self.frame.get(&line).starts_with("\u{feff}".as_bytes())
        {
            line.start += "\u{feff}".len();
        }
        let text = self.frame.get(&line);
        let colon = text.iter().position(|&byte| byte == b':');
        let name = text.get(..colon.unwrap_or(text.len())).unwrap_or_default();
        let comment = name.is_empty();
        let alone = self.frame.data.is_empty() && self.frame.lines.is_empty();
        let mut foreign = false;
        match name {
            b"" if colon.is_none() => return true,
            b"data" => {
                let after = colon.map_or(text.len(), |at| at + 1);
                let space = text.get(after) == Some(&b' ');
                let data = line.start + after + usize::from(space)..line.end;
                self.frame.data.push(data);
                return false;
            }
            b"" | b"event" | b"id" | b"retry" => {}
            _ => foreign = true,
        }
        self.frame.foreign |= foreign;
        self.frame.lines.push(line);
        comment && alone
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::MAX_FRAME;
    use super::*;

    /// The frames of a stream: all bytes, the payload, the other lines.
    fn cut<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String, Vec<String>)> {
        let mut sse = Sse::default();
        let mut frames: Vec<(String, String, Vec<String>)> = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let shown = |frame: &Frame| {
            let data: Vec<_> = frame.data.iter().map(|r| text(frame.get(r))).collect();
            let lines = frame.lines.iter().map(|r| text(frame.get(r))).collect();
            (text(&frame.bytes), data.join("\n"), lines)
        };
        for mut chunk in chunks {
            loop {
                match sse.push(&mut chunk).unwrap() {
                    Cut::Chunk => break,
                    Cut::Frame => frames.push(shown(&sse.frame)),
                    Cut::Rest(byte) => frames.last_mut().unwrap().0.push(byte as char),
                }
            }
        }
        if sse.finish() {
            frames.push(shown(&sse.frame));
        }
        frames
    }

    /// As [`cut`], and the same however the stream is cut.
    fn cut_every_way(stream: &str) -> Vec<(String, String, Vec<String>)> {
        let bytes = stream.as_bytes();
        let whole = cut([bytes]);
        assert_eq!(cut(bytes.chunks(1)), whole);
        for at in 1..bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(cut([left, right]), whole, "{stream:?} at {at}");
        }
        let all: String = whole.iter().map(|(bytes, ..)| bytes.as_str()).collect();
        assert_eq!(all, stream);
        whole
    }

    fn payloads(stream: &str) -> Vec<String> {
        let frames = cut_every_way(stream).into_iter();
        frames.map(|(_, data, _)| data).collect()
    }

    #[test]
    fn an_event_ends_with_an_empty_line_whatever_ends_a_line() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = "event: a#data: 1##data: 2##".replace('#', end);
            let frames = cut_every_way(&stream);
            assert_eq!(frames.len(), 2, "{end:?}");
            assert_eq!(frames[0].1, "1");
            assert_eq!(frames[0].2, ["event: a"]);
            assert_eq!(frames[1].1, "2");
        }
        assert_eq!(
            payloads("data: 1\r\rdata: 2\n\r\ndata: 3\r\n\n"),
            ["1", "2", "3"]
        );
    }

    #[test]
    fn several_lines_of_data_are_one_payload_wherever_other_lines_stand() {
        let stream = "data: {\nid: 7\ndata:\"a\":1\ndata\ndata:  }\nevent: x\n\n";
        let frames = cut_every_way(stream);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].1, "{\n\"a\":1\n\n }");
        assert_eq!(frames[0].2, ["id: 7", "event: x"]);
    }

    #[test]
    fn a_byte_order_mark_counts_at_the_beginning_only() {
        assert_eq!(payloads("\u{feff}data: 1\n\n"), ["1"]);
        let frames = cut_every_way("data: 1\n\n\u{feff}data: 2\n\n");
        assert_eq!(frames[1].1, "");
        assert_eq!(frames[1].2, ["\u{feff}data: 2"]);
    }

    #[test]
    fn a_comment_alone_does_not_wait_for_an_event() {
        let frames = cut_every_way(": ping\n: pong\ndata: 1\n: in between\ndata: 2\n\n");
        let bytes: Vec<_> = frames.iter().map(|(bytes, ..)| bytes.as_str()).collect();
        assert_eq!(
            bytes,
            [": ping\n", ": pong\n", "data: 1\n: in between\ndata: 2\n\n"]
        );
    }

    #[test]
    fn the_last_event_may_lack_its_empty_line_or_the_end_of_its_line() {
        assert_eq!(payloads("data: 1\n\ndata: 2\n"), ["1", "2"]);
        assert_eq!(payloads("data: 1\n\ndata: 2"), ["1", "2"]);
        assert_eq!(payloads("data: 1\n\n"), ["1"]);
        assert!(payloads("").is_empty());
    }

    #[test]
    fn a_field_is_data_only_if_that_is_its_name() {
        for line in ["Data: 1", "data : 1", " data: 1", "xdata: 1"] {
            let frames = cut_every_way(&format!("{line}\n\n"));
            assert_eq!(
                (frames[0].1.as_str(), &*frames[0].2),
                ("", &[line.to_owned()][..])
            );
        }
    }

    #[test]
    fn a_frame_has_a_bound() {
        let mut sse = Sse::default();
        let line = vec![b'x'; MAX_FRAME - 2];
        assert_eq!(sse.push(&mut &*line), Ok(Cut::Chunk));
        assert_eq!(sse.push(&mut &b"\n"[..]), Ok(Cut::Chunk));
        assert_eq!(sse.push(&mut &b"\n"[..]), Ok(Cut::Frame));
        assert_eq!(sse.push(&mut &*line), Ok(Cut::Chunk));
        assert_eq!(sse.push(&mut &b"xx\n\n"[..]), Err(MaskError::Limit));
    }
}
