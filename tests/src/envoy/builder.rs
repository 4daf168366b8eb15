//! How an Envoy is to be started.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::admin::Admin;
use super::binary::binary;
use super::container::Container;
use super::home::{Home, LOG};
use super::process::Process;
use super::{Envoy, EnvoyError, Instance, wait_for};

/// The version that runs when a test names none.
pub const DEFAULT_VERSION: &str = "1.40.0";

/// What Envoy wrote to its standard output and error.
pub(super) const OUTPUT: &str = "envoy.out";

const BOOTSTRAP: &str = "bootstrap.yaml";
const ADMIN: &str = "admin.address";

/// What an Envoy runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// A child process.
    Process,
    /// A container.
    Container,
}

impl Runner {
    /// The runner that `ENVOY_RUNNER` names; a process when it is not set.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_env() -> Result<Self, EnvoyError> {
        match env::var("ENVOY_RUNNER").as_deref() {
            Err(_) | Ok("" | "process") => Ok(Self::Process),
            Ok("container") => Ok(Self::Container),
            Ok(other) => Err(EnvoyError::Runner(other.to_owned())),
        }
    }
}

/// An Envoy that is not started yet.
#[derive(Debug)]
pub struct Builder {
    bootstrap: String,
    home: Option<Home>,
    runner: Option<Runner>,
    concurrency: u32,
    log_level: String,
    pub(super) version: String,
    pub(super) environment: Vec<(String, String)>,
    pub(super) mounts: Vec<PathBuf>,
}

impl Builder {
    pub(super) fn new(bootstrap: String) -> Self {
        Self {
            bootstrap,
            home: None,
            runner: None,
            concurrency: 1,
            log_level: "info".to_owned(),
            version: DEFAULT_VERSION.to_owned(),
            environment: Vec::new(),
            mounts: Vec::new(),
        }
    }

    /// The version of Envoy, `1.40.0` for example.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// The number of worker threads; 1 if not said.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// The folder whose files the bootstrap names; a new one if not said.
    #[must_use]
    pub fn home(mut self, home: &Home) -> Self {
        self.home = Some(home.clone());
        self
    }

    /// A file or folder outside of the home that the bootstrap names, the wasm module for example.
    #[must_use]
    pub fn mount(mut self, path: impl Into<PathBuf>) -> Self {
        self.mounts.push(path.into());
        self
    }

    /// An environment variable of the Envoy.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The level of Envoy's own log: `info` if not said.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// What it runs in, whatever `ENVOY_RUNNER` says.
    #[must_use]
    pub fn runner(mut self, runner: Runner) -> Self {
        self.runner = Some(runner);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends by itself or is not ready in time.
    pub fn start(self) -> Result<Envoy, EnvoyError> {
        let home = self.prepare()?;
        let runner = self.runner.map_or_else(Runner::from_env, Ok)?;
        let mut instance = match runner {
            Runner::Process => Instance::Process(Process::start(&self, &home)?),
            Runner::Container => Instance::Container(Box::new(Container::start(&self, &home)?)),
        };
        let admin = wait_for("Envoy to become ready", || {
            if instance.has_ended() {
                return Err(ended(&home));
            }
            let address = home.read(ADMIN).unwrap_or_default();
            let admin = address.parse::<SocketAddr>().ok().map(Admin::new);
            Ok(admin.filter(Admin::is_ready))
        })
        .map_err(|error| match error {
            EnvoyError::Timeout { .. } => ended(&home),
            other => other,
        })?;
        Ok(Envoy {
            instance,
            admin,
            home,
        })
    }

    /// Has Envoy check the bootstrap without running it.
    ///
    /// # Errors
    /// When it rejects it; the error says why.
    pub fn validate(self) -> Result<(), EnvoyError> {
        let home = self.prepare()?;
        let binary = binary(&self.version)?;
        let output = Command::new(&binary)
            .args(self.arguments(&home))
            .args(["--mode", "validate"])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .map_err(|source| EnvoyError::io(format!("start {}", binary.display()), source))?;
        if output.status.success() {
            Ok(())
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(EnvoyError::Invalid(said))
        }
    }

    fn prepare(&self) -> Result<Home, EnvoyError> {
        let home = self.home.clone().map_or_else(Home::new, Ok)?;
        home.write(BOOTSTRAP, &self.bootstrap)?;
        // A home may have been lived in before.
        let _ = std::fs::remove_file(home.path(ADMIN));
        Ok(home)
    }

    pub(super) fn arguments(&self, home: &Home) -> Vec<String> {
        let path = |file| home.path(file).to_string_lossy().into_owned();
        let concurrency = self.concurrency.to_string();
        [
            "--config-path",
            &path(BOOTSTRAP),
            "--admin-address-path",
            &path(ADMIN),
            "--concurrency",
            &concurrency,
            "--log-level",
            &self.log_level,
            "--file-flush-interval-msec",
            "50",
            // Hot restart would let two Envoys of one machine find each other.
            "--disable-hot-restart",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

fn ended(home: &Home) -> EnvoyError {
    let log = home.tail(OUTPUT, 20) + &home.tail(LOG, 40);
    EnvoyError::Ended { log }
}

impl Instance {
    fn has_ended(&mut self) -> bool {
        match self {
            Self::Process(process) => process.has_ended(),
            Self::Container(container) => container.has_ended(),
        }
    }
}
