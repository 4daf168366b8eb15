//! Lines of JSON: one document per line, ended by LF.

use super::frame::{Cut, Frame};
use crate::masking::MaskError;

/// Cuts lines out of a stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) frame: Frame,
    /// The frame has been handed out.
    whole: bool,
}

impl Lines {
    /// Takes bytes from the front of `chunk`, up to the end of the line in progress.
    ///
    /// # Errors
    ///
    /// [`MaskError::Limit`] if it grows beyond the bound of a frame.
    pub(super) fn push(&mut self, chunk: &mut &[u8]) -> Result<Cut, MaskError> {
        self.begin();
        if self.frame.take_line(chunk, [b'\n'; 2])?.is_none() {
            return Ok(Cut::Chunk);
        }
        self.end(self.frame.bytes.len() - 1);
        Ok(Cut::Frame)
    }

    /// The stream is complete: whether there is a line that no LF has ended.
    pub(super) fn finish(&mut self) -> bool {
        self.begin();
        self.end(self.frame.bytes.len());
        !self.frame.bytes.is_empty()
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.whole) {
            self.frame.clear();
        }
    }

    fn end(&mut self, end: usize) {
        self.frame.data.push(0..end);
        self.whole = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::MAX_FRAME;
    use super::*;

    fn cut<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut lines = Lines::default();
        let mut frames = Vec::new();
        let shown = |frame: &Frame| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(&frame.bytes), text(frame.get(&frame.data[0])))
        };
        for mut chunk in chunks {
            while lines.push(&mut chunk).unwrap() == Cut::Frame {
                frames.push(shown(&lines.frame));
            }
        }
        if lines.finish() {
            frames.push(shown(&lines.frame));
        }
        frames
    }

    #[test]
    fn a_line_is_a_frame_with_its_end() {
        let stream = b"{\"a\":1}\n\r\n[2]\r\n3";
        let expected = [
            ("{\"a\":1}\n", "{\"a\":1}"),
            ("\r\n", "\r"),
            ("[2]\r\n", "[2]\r"),
            ("3", "3"),
        ];
        let expected = expected.map(|(bytes, data)| (bytes.to_owned(), data.to_owned()));
        assert_eq!(cut([&stream[..]]), expected);
        assert_eq!(cut(stream.chunks(1)), expected);
        assert!(cut([]).is_empty());
    }

    #[test]
    fn a_line_has_a_bound() {
        let line = vec![b' '; MAX_FRAME];
        assert_eq!(Lines::default().push(&mut &*line), Ok(Cut::Chunk));
        let line = vec![b' '; MAX_FRAME + 1];
        assert_eq!(Lines::default().push(&mut &*line), Err(MaskError::Limit));
    }
}
