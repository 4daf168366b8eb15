//! The folder of one Envoy: its bootstrap, logs and whatever a test puts there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use super::{EnvoyError, PATIENCE};

/// Envoy's own log, in its home.
pub(super) const LOG: &str = "envoy.log";

/// A temporary folder, deleted with the last clone of it.
#[derive(Clone, Debug)]
pub struct Home(Arc<TempDir>);

impl Home {
    /// A new, empty folder.
    ///
    /// # Errors
    /// When none can be made.
    pub fn new() -> Result<Self, EnvoyError> {
        tempfile::Builder::new()
            .prefix("tracegate-envoy-")
            .tempdir()
            .map(|dir| Self(Arc::new(dir)))
            .map_err(|source| EnvoyError::io("make a temporary folder", source))
    }

    /// The absolute path of a file in it.
    #[must_use]
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(file)
    }

    /// Writes a file and returns its path. A reader sees the old content or the new, never a part:
    /// the file is moved into place, which is also what Envoy's watches of files wait for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        &self,
        file: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
    ) -> Result<PathBuf, EnvoyError> {
        let path = self.path(file);
        let mut draft = path.clone().into_os_string();
        draft.push(".draft");
        fs::write(&draft, content)
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|source| EnvoyError::io(format!("write {}", path.display()), source))?;
        Ok(path)
    }

    /// Reads a file as text; what is not UTF-8 in it is replaced.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, file: impl AsRef<Path>) -> io::Result<String> {
        fs::read(self.path(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The complete lines of a file, once there are at least that many.
    ///
    /// # Errors
    /// When there are not within [`PATIENCE`].
    pub fn lines(
        &self,
        file: impl AsRef<Path>,
        at_least: usize,
    ) -> Result<Vec<String>, EnvoyError> {
        let file = file.as_ref();
        wait_for(&format!("{at_least} lines in {}", file.display()), || {
            let text = self.read(file).unwrap_or_default();
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            let lines: Vec<String> = complete.lines().map(str::to_owned).collect();
            Ok(Some(lines).filter(|lines| lines.len() >= at_least))
        })
    }

    /// The last lines of a file.
    pub(super) fn tail(&self, file: &str, lines: usize) -> String {
        let text = self.read(file).unwrap_or_default();
        let skip = text.lines().count().saturating_sub(lines);
        text.lines()
            .skip(skip)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// When there is none within [`PATIENCE`], or asking fails.
pub fn wait_for<T>(
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>, EnvoyError>,
) -> Result<T, EnvoyError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(EnvoyError::Timeout {
                what: what.to_owned(),
            });
        }
        thread::sleep(Duration::from_millis(10));
    }
}
