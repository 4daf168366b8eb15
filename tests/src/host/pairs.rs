//! Header maps and the form in which the ABI passes them.

/// Names and values in order, as bytes: a test may send what no client library would.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// Appends a header, for building a map in one expression.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.push(name, value);
        self
    }

    /// Appends a header.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(found, _)| found == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of that name, as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(found, _)| found != name);
    }

    /// Replaces every header of that name by one, in the place of the first.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let place = self
            .0
            .iter()
            .position(|(found, _)| found == name)
            .unwrap_or(self.0.len());
        self.remove(name);
        let place = place.min(self.0.len());
        self.0.insert(place, (name.to_vec(), value.to_vec()));
    }

    /// As the ABI passes it to the module.
    #[must_use]
    pub fn serialize(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut bytes = (self.0.len() as u32).to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend(text);
            bytes.push(0);
        }
        bytes
    }

    /// As the module passes it; `None` if it is not in that form to the last byte.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let word = |index: usize| {
            let word = bytes.get(4 * index..4 * index + 4)?;
            Some(u32::from_le_bytes(word.try_into().ok()?) as usize)
        };
        let count = word(0)?;
        let mut at = 4 + 8 * count;
        let mut take = |length: usize| {
            let text = bytes.get(at..at + length)?.to_vec();
            at += length + 1;
            (bytes.get(at - 1) == Some(&0)).then_some(text)
        };
        let mut headers = Self::default();
        for index in 0..count {
            let (name, value) = (word(1 + 2 * index)?, word(2 + 2 * index)?);
            headers.0.push((take(name)?, take(value)?));
        }
        (at == bytes.len()).then_some(headers)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        headers
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |(name, value): &(Vec<u8>, Vec<u8>)| {
            format!("{}: {}", name.escape_ascii(), value.escape_ascii())
        };
        f.debug_list().entries(self.0.iter().map(text)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_serialized_is_parsed_again() {
        let headers = Headers::default()
            .with("a", "1")
            .with("empty", "")
            .with("a", b"\xff\0");
        assert_eq!(Headers::parse(&headers.serialize()), Some(headers));
        assert_eq!(Headers::parse(&[]), Some(Headers::default()));
        assert_eq!(
            Headers::parse(&0_u32.to_le_bytes()),
            Some(Headers::default())
        );
        assert_eq!(Headers::parse(&[1, 0, 0, 0]), None);
    }
}
