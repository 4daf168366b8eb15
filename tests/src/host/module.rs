//! The compiled filter.

use std::path::Path;
use std::sync::OnceLock;

use wasmtime::{Config, Engine, OptLevel};

/// A compiled module, ready to be instantiated.
#[derive(Clone)]
pub struct Module {
    pub(super) engine: Engine,
    pub(super) module: wasmtime::Module,
}

impl Module {
    /// The filter ([`crate::module::filter`]), compiled once per process.
    ///
    /// # Panics
    /// If it does not build.
    pub fn filter() -> &'static Self {
        static FILTER: OnceLock<Module> = OnceLock::new();
        FILTER.get_or_init(|| {
            let path = crate::module::filter();
            Self::from_file(path).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
        })
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
