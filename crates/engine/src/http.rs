//! HTTP as the engine sees it: header maps, edits of them, replies.
//!
//! A proxy hands over all headers of a message in one buffer. [`HeaderMap`] keeps that buffer and an
//! index into it, so that a request costs two allocations however many headers it has. Names are
//! compared in lower case, as Envoy hands them over; values are bytes, for a client may send any.

use std::ops::Range;

/// The headers (or trailers) of one message, in order, with duplicates.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    buffer: Vec<u8>,
    entries: Vec<(Range<u32>, Range<u32>)>,
}

impl HeaderMap {
    /// A map over `buffer`, whose entries are the ranges of a name and of its value.
    ///
    /// A range outside the buffer reads as empty.
    #[must_use]
    pub fn from_parts(buffer: Vec<u8>, entries: Vec<(Range<u32>, Range<u32>)>) -> Self {
        Self { buffer, entries }
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.buffer
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .iter()
            .map(|(name, value)| (self.slice(name), self.slice(value)))
    }

    /// The values of all headers of that name (in lower case), in order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The value of the only header of that name; `None` if there is none or several.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The first value of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Whether there is a header of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = Self::default();
        let mut put = |bytes: &[u8]| {
            let start = map.buffer.len() as u32;
            map.buffer.extend_from_slice(bytes);
            start..map.buffer.len() as u32
        };
        for (name, value) in pairs {
            let entry = (put(name.as_ref()), put(value.as_ref()));
            map.entries.push(entry);
        }
        map
    }
}

impl std::fmt::Debug for HeaderMap {
    /// Names only: a value may be a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name.escape_ascii().to_string()))
            .finish()
    }
}

/// One change to the headers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Remove every header of that name.
    Remove(String),
    /// Replace every header of that name by this one.
    Set(String, Vec<u8>),
    /// Add a header of that name to those that there are.
    Append(String, Vec<u8>),
}

/// An answer that the filter gives in place of the back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// What Envoy's access log shows as `%RESPONSE_CODE_DETAILS%`: the refusal's code.
    pub details: &'static str,
}
