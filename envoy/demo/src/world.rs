//! What the story plays in: two identity providers, two engines, and an Envoy between them and us.
//!
//! The policy is compiled, signed and turned into Envoy's configuration by `policy-compiler`, with the
//! commands that a user would type.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use tracegate_tests::envoy::{DEFAULT_VERSION, Envoy, wait_for};
use tracegate_tests::module;
use tracegate_tests::standins::engine::Engine;
use tracegate_tests::standins::idp::Idp;

/// The policy of the demo, from the root of the repository.
const POLICY: &str = "envoy/demo/policy.yaml";
/// Where the demo leaves its files, from the same place.
const FOLDER: &str = "target/demo";
/// What the engines want, and only Envoy knows.
const API_KEY: &str = "sk-demo-engine-key-that-only-envoy-knows";
/// The key of the mask action `hash`, in Base64.
const HASH_KEY: &str = "YSBrZXkgZm9yIHRoZSBkZW1vIGFuZCBub3RoaW5nIGVsc2U=";

/// What did not go as told.
#[derive(Debug)]
pub(crate) struct Failure {
    step: String,
    what: String,
}

impl Failure {
    pub(crate) fn new(step: &str, what: impl Into<String>) -> Self {
        Self {
            step: step.to_owned(),
            what: what.into(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.what)
    }
}

/// The Envoy, where whoever ends the program can reach it.
pub(crate) type EnvoySlot = Arc<Mutex<Option<Envoy>>>;

/// Everything that runs.
pub(crate) struct World {
    pub(crate) corp: Idp,
    pub(crate) partner: Idp,
    pub(crate) listener: SocketAddr,
    pub(crate) commands: Vec<String>,
    engines: [Engine; 2],
    records: Cell<usize>,
}

impl World {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not start, with what it said.
    pub(crate) fn start(slot: &EnvoySlot) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new("set-up", format!("{FOLDER}: {error}"));
        let _ = fs::remove_dir_all(root().join(FOLDER));
        fs::create_dir_all(root().join(FOLDER)).map_err(failed)?;

        let corp = Idp::start("https://login.corp.example", "ES256");
        let partner = Idp::start("https://id.partner.example", "EdDSA");
        let engines = [Engine::start(Some(API_KEY)), Engine::start(Some(API_KEY))];
        for name in ["o-series", "research"] {
            fs::write(secret_file(name), secret(name)).map_err(failed)?;
        }
        let mut compiler = Compiler::build()?;
        let bootstrap = configure(&mut compiler, [&corp, &partner], &engines)?;
        let trust = fs::read_to_string(file("signing.pub")).map_err(failed)?;
        let envoy = start_envoy(bootstrap, trust.trim())?;
        let listener = envoy
            .listener("ingress")
            .map_err(|error| Failure::new("set-up", error.to_string()))?;
        if let Ok(mut slot) = slot.lock() {
            *slot = Some(envoy);
        }
        Ok(Self {
            corp,
            partner,
            listener,
            commands: compiler.shown,
            engines,
            records: Cell::new(0),
        })
    }

    /// The next line of the audit log.
    ///
    /// # Errors
    /// When none comes.
    pub(crate) fn next_record(&self) -> Result<String, Failure> {
        let index = self.records.get();
        self.records.set(index + 1);
        let found = wait_for("the record", || {
            let text = fs::read_to_string(records()).unwrap_or_default();
            let complete = text
                .rfind('\n')
                .map_or("", |end| text.get(..end).unwrap_or(""));
            Ok(complete.lines().nth(index).map(str::to_owned))
        });
        found.map_err(|error| Failure::new("audit log", error.to_string()))
    }

    /// Makes sure that the engines got their own key and nobody's token.
    ///
    /// # Errors
    /// When they did not.
    pub(crate) fn check_secrets(&self, tokens: &[&str]) -> Result<(), Failure> {
        let fail = |what: &str| Err(Failure::new("what the engines got", what));
        for request in self.engines.iter().flat_map(Engine::received) {
            if tokens.iter().any(|token| request.mentions(token)) {
                return fail("a caller's token");
            }
            if request.headers.get("authorization") != Some(format!("Bearer {API_KEY}")) {
                return fail("no key of their own");
            }
        }
        Ok(())
    }
}

/// The version of Envoy that the demo runs on.
pub(crate) const ENVOY_VERSION: &str = DEFAULT_VERSION;

/// The audit log, from the root of the repository.
pub(crate) fn records_shown() -> String {
    format!("{FOLDER}/records.jsonl")
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

fn file(name: &str) -> PathBuf {
    root().join(FOLDER).join(name)
}

fn records() -> PathBuf {
    file("records.jsonl")
}

fn secret_file(connection: &str) -> PathBuf {
    file(&format!("{connection}.secret.json"))
}

/// A secret as Envoy's SDS reads it.
fn secret(name: &str) -> String {
    serde_json::json!({"resources": [{
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": API_KEY}},
    }]})
    .to_string()
}

/// Makes a key, compiles and signs the policy, and writes Envoy's configuration.
fn configure(
    compiler: &mut Compiler,
    [corp, partner]: [&Idp; 2],
    [o_series, research]: &[Engine; 2],
) -> Result<String, Failure> {
    let signing = format!("{FOLDER}/signing");
    let key = format!("{FOLDER}/signing.key");
    let bundle = format!("{FOLDER}/bundle.json");
    compiler.run(&["keygen", "--output", &signing])?;
    compiler.run(&["build", POLICY, "--key", &key, "--output", &bundle])?;
    let credential = |name: &str| format!("{name}={}", secret_file(name).display());
    compiler.run(&[
        "render",
        "envoy",
        "--bundle",
        &bundle,
        "--wasm",
        &module::filter().display().to_string(),
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--upstream",
        &format!("o-series={}", o_series.address()),
        "--upstream",
        &format!("research={}", research.address()),
        "--cluster",
        &format!("corp-idp={}", corp.address()),
        "--cluster",
        &format!("partner-idp={}", partner.address()),
        "--credential",
        &credential("o-series"),
        "--credential",
        &credential("research"),
        "--access-log",
        &records().display().to_string(),
    ])
}

fn start_envoy(bootstrap: String, trust: &str) -> Result<Envoy, Failure> {
    Envoy::builder(bootstrap)
        .mount(module::filter())
        .mount(root().join(FOLDER))
        .env("TRACEGATE_TRUST_KEYS", trust)
        .env("TRACEGATE_HASH_KEY", HASH_KEY)
        .start()
        .map_err(|error| Failure::new("set-up", error.to_string()))
}

/// `policy-compiler`, as a user runs it.
struct Compiler {
    binary: PathBuf,
    /// The commands that ran, for the reader.
    shown: Vec<String>,
}

impl Compiler {
    /// Builds it, unless it is up to date. It lands beside this program.
    fn build() -> Result<Self, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "policy-compiler"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.current_dir(root()).status();
        if !built.is_ok_and(|status| status.success()) {
            return Err(Failure::new("set-up", "policy-compiler does not build"));
        }
        let here =
            std::env::current_exe().map_err(|error| Failure::new("set-up", error.to_string()))?;
        Ok(Self {
            binary: here.with_file_name("policy-compiler"),
            shown: Vec::new(),
        })
    }

    fn run(&mut self, arguments: &[&str]) -> Result<String, Failure> {
        let here = format!("{}/", root().display());
        let shown = format!("policy-compiler {}", arguments.join(" ")).replace(&here, "");
        let failed = |what: String| Failure::new("set-up", format!("{shown}\n{what}"));
        let output = Command::new(&self.binary)
            .args(arguments)
            .current_dir(root())
            .output()
            .map_err(|error| failed(format!("{}: {error}", self.binary.display())))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        self.shown.push(shown);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
