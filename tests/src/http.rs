//! HTTP messages as the tests see them: what a client sends and gets, what a back end saw.
//!
//! Header values are bytes, because a client may send any; names are lower case.

/// Header or trailer fields, in order, with duplicates.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// Appends a field. The name is put in lower case.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Appends a field, for building a message in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.push(name, value);
        self
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(found, _)| found != name);
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.push(name, value);
    }

    /// The values of that name, as text; bytes that are not UTF-8 show as U+FFFD.
    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// All values of that name joined by `, ` (RFC 9110 §5.3); `None` if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.all(name).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether there is a field of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.push(name.as_ref(), value);
        }
        fields
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |(name, value): (&str, &[u8])| format!("{name}: {}", value.escape_ascii());
        f.debug_list().entries(self.iter().map(text)).finish()
    }
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// `Host` or `:authority`.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// The header fields, without pseudo-headers and `host`.
    pub headers: Fields,
    /// The body, in the pieces in which it is sent. No piece at all: a request without a body.
    pub body: Vec<Vec<u8>>,
    /// The trailer fields.
    pub trailers: Fields,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// A `POST` of a JSON text.
    #[must_use]
    pub fn post_json(authority: &str, path: &str, json: impl Into<Vec<u8>>) -> Self {
        Self {
            headers: Fields::default().with("content-type", "application/json"),
            body: vec![json.into()],
            ..Self::new("POST", authority, path)
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }
}

/// A request as a server saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// `Host` or `:authority`.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// The header fields, without pseudo-headers and `host`.
    pub headers: Fields,
    /// The body.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Fields,
    /// Whether the request came to its end.
    pub complete: bool,
}

impl Received {
    /// Whether `text` occurs anywhere in the request.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let fields = || self.headers.iter().chain(self.trailers.iter());
        self.path.contains(text)
            || self.authority.contains(text)
            || contains(&self.body, text)
            || fields().any(|(name, value)| name.contains(text) || contains(value, text))
    }
}

/// A response as a client saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code; 0 when the connection ended before there was one.
    pub status: u16,
    /// The header fields.
    pub headers: Fields,
    /// The body.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Fields,
    /// Whether the response came to its end. `false`: the stream was reset or the connection cut.
    pub complete: bool,
}

impl Response {
    /// The body as text; bytes that are not UTF-8 show as U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether `text` occurs anywhere in the response.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let mut fields = self.headers.iter().chain(self.trailers.iter());
        contains(&self.body, text) || fields.any(|(_, value)| contains(value, text))
    }
}

/// Whether `text` occurs in `bytes`.
#[must_use]
pub fn contains(bytes: &[u8], text: &str) -> bool {
    !text.is_empty()
        && bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
}
