//! A real Envoy, for tests, demo and benchmark.
//!
//! [`Envoy::builder`] takes a bootstrap and starts an Envoy of its own with it: nothing is shared
//! between two of them, so tests run side by side. Bootstraps name port 0 for listeners and admin;
//! the kernel then picks free ports, and [`Envoy::listener`] tells which. Files that Envoy reads or
//! writes lie in a [`Home`], a temporary folder that has the same path inside a container.
//!
//! `ENVOY_RUNNER` chooses how it runs: `process` (the default) starts the binary that
//! `scripts/setup-envoy` fetched, `container` runs it through testcontainers. The container shares
//! the network of the host, because stand-ins listen on its loopback and tests connect from there;
//! published ports would let tests in but not Envoy out.

mod admin;
mod binary;
mod builder;
#[cfg(feature = "container")]
mod container;
#[cfg(not(feature = "container"))]
#[path = "no_container.rs"]
mod container;
mod error;
mod home;
mod proc;
mod process;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub use binary::versions;
pub use builder::{Builder, DEFAULT_VERSION, Runner};
pub use container::engine_answers;
pub use error::EnvoyError;
pub use home::{Home, wait_for};
pub use proc::Usage;

use admin::Admin;

/// How long Envoy may take to become ready, write a log line or reach a count.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running Envoy. Dropping it ends it.
pub struct Envoy {
    instance: Instance,
    admin: Admin,
    home: Home,
}

enum Instance {
    Process(process::Process),
    Container(Box<container::Container>),
}

impl Envoy {
    /// An Envoy with that bootstrap, in YAML. Its admin interface must be configured on port 0.
    pub fn builder(bootstrap: impl Into<String>) -> Builder {
        Builder::new(bootstrap.into())
    }

    /// The address of the listener of that name.
    ///
    /// # Errors
    /// When there is no such listener, or admin does not answer.
    pub fn listener(&self, name: &str) -> Result<SocketAddr, EnvoyError> {
        self.admin.listener(name)
    }

    /// The address of the admin interface.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// The body of the admin interface's answer to a GET.
    ///
    /// # Errors
    /// When the answer is not a 200.
    pub fn get(&self, path: &str) -> Result<String, EnvoyError> {
        self.admin.get(path)
    }

    /// The counters and gauges whose name starts with `prefix`, in order of their names.
    ///
    /// # Errors
    /// When admin does not answer.
    pub fn stats(&self, prefix: &str) -> Result<Vec<(String, u64)>, EnvoyError> {
        self.admin.stats(prefix)
    }

    /// The counter or gauge of that name; 0 while it does not exist.
    ///
    /// # Errors
    /// When admin does not answer.
    pub fn stat(&self, name: &str) -> Result<u64, EnvoyError> {
        let stats = self.stats(name)?;
        Ok(stats.iter().find(|(n, _)| n == name).map_or(0, |s| s.1))
    }

    /// Waits until the counter or gauge has at least that value.
    ///
    /// # Errors
    /// When it has not within [`PATIENCE`].
    pub fn wait_for_stat(&self, name: &str, at_least: u64) -> Result<u64, EnvoyError> {
        wait_for(&format!("{name} to reach {at_least}"), || {
            Ok(Some(self.stat(name)?).filter(|value| *value >= at_least))
        })
    }

    /// What Envoy says that it is configured with.
    ///
    /// # Errors
    /// When admin does not answer with JSON.
    pub fn config_dump(&self) -> Result<serde_json::Value, EnvoyError> {
        self.admin.json("/config_dump?include_eds")
    }

    /// The folder that this Envoy reads from and writes to.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The lines of an access log in [`Envoy::home`], once there are at least that many.
    ///
    /// # Errors
    /// When there are not within [`PATIENCE`].
    pub fn lines(
        &self,
        file: impl AsRef<Path>,
        at_least: usize,
    ) -> Result<Vec<String>, EnvoyError> {
        self.home.lines(file, at_least)
    }

    /// What Envoy itself has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.home.read(home::LOG).unwrap_or_default()
    }

    /// Its process id on this machine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        match &self.instance {
            Instance::Process(process) => process.pid(),
            Instance::Container(container) => container.pid(),
        }
    }

    /// What it has used of processor and memory since it started.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> Result<Usage, EnvoyError> {
        proc::usage(self.pid()).map_err(|source| EnvoyError::io("read the usage of Envoy", source))
    }

    /// Ends it at once, as a crash would, and hands back its files.
    pub fn kill(self) -> Home {
        self.home.clone()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.home.tail(home::LOG, 40);
            eprintln!("--- the end of Envoy's log ---\n{log}---");
        }
    }
}
