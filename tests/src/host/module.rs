//! The compiled filter.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wasmtime::{Config, Engine, OptLevel};

/// A compiled module, ready to be instantiated.
#[derive(Clone)]
pub struct Module {
    pub(super) engine: Engine,
    pub(super) module: wasmtime::Module,
}

impl Module {
    /// The filter of this repository, built by cargo if it is not up to date. Built and compiled once
    /// per process. `TRACEGATE_FILTER` names another module to test.
    ///
    /// # Panics
    /// If it does not build.
    pub fn filter() -> &'static Self {
        static FILTER: OnceLock<Module> = OnceLock::new();
        FILTER.get_or_init(|| {
            let path = Self::filter_path();
            Self::from_file(&path).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
        })
    }

    /// Where [`Module::filter`] lies, after it was built.
    ///
    /// # Panics
    /// If it does not build.
    pub fn filter_path() -> PathBuf {
        if let Some(path) = std::env::var_os("TRACEGATE_FILTER") {
            return path.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "tracegate-filter"])
            .args(["--target", "wasm32-wasip1", "--profile", "filter"])
            .current_dir(&root)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the filter does not build"
        );
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
        target.join("wasm32-wasip1/filter/tracegate_filter.wasm")
    }

    /// Compiles a module.
    ///
    /// # Errors
    /// If it cannot be read or is not a module.
    pub fn from_file(path: &Path) -> wasmtime::Result<Self> {
        // Compiling well would take longer than all that the tests run.
        let engine = Engine::new(Config::new().cranelift_opt_level(OptLevel::None))?;
        let module = wasmtime::Module::new(&engine, std::fs::read(path)?)?;
        Ok(Self { engine, module })
    }

    /// The names of the functions that it imports.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        self.module.imports().map(|import| import.name())
    }

    /// The names of what it exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.module.exports().map(|export| export.name())
    }
}
