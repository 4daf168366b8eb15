//! Envoy as a child process.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use super::binary::binary;
use super::builder::Builder;
use super::home::{Home, LOG};
use super::{EnvoyError, builder};

/// The child. Dropping it kills it.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(builder: &Builder, home: &Home) -> Result<Self, EnvoyError> {
        let binary = binary(&builder.version)?;
        // What Envoy says before it has opened its log, a wrong argument for example.
        let output = || File::create(home.path(builder::OUTPUT));
        let failed = |source| EnvoyError::io(format!("start {}", binary.display()), source);
        let output = output().map_err(failed)?;
        let child = Command::new(&binary)
            .args(builder.arguments(home))
            .args(["--log-path", &home.path(LOG).to_string_lossy()])
            .envs(
                builder
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(home.path("."))
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(failed)?;
        Ok(Self(child))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
