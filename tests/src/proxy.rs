//! Envoy with Tracegate, in the configuration that we ship, between a client and stand-ins.
//!
//! The bootstrap is what `policy-compiler render envoy` writes, with the addresses of the stand-ins.
//! A test that needs something else (a filter before ours, no filter at all) changes that bootstrap
//! with [`Deployment::change`], so that everything it does not name is what a user runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_compiler::render::{self, Credential, Endpoint, Options, Part, Sink, Trust, Upstream};
use serde_json::{Value, json};

use crate::drivers::{Setup, metric_name};
use crate::envoy::{DEFAULT_VERSION, Envoy, Home};
use crate::http::{Request, Response};
use crate::standins::engine::Engine;
use crate::tls::Authority;
use crate::{client, module, quic};

/// The file of the audit records, in Envoy's home.
const RECORDS: &str = "records.jsonl";
/// The file of the filter's configuration, when it is read from one.
const ECDS: &str = "tracegate.yaml";

type Change<'a> = Box<dyn FnOnce(&mut Value) + 'a>;

/// What is to be started.
pub struct Deployment<'a> {
    setup: &'a Setup,
    version: String,
    workers: u32,
    module: PathBuf,
    api_key: Option<String>,
    http2: bool,
    ecds: bool,
    mutual_tls: Option<(&'a Authority, bool)>,
    changes: Vec<Change<'a>>,
}

impl<'a> Deployment<'a> {
    /// The policy of that set-up on the default version of Envoy, with one worker.
    #[must_use]
    pub fn of(setup: &'a Setup) -> Self {
        Self {
            setup,
            version: DEFAULT_VERSION.to_owned(),
            workers: 1,
            module: module::filter().to_owned(),
            api_key: None,
            http2: false,
            ecds: false,
            mutual_tls: None,
            changes: Vec::new(),
        }
    }

    /// On that version of Envoy.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// With that many workers.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// With another module in place of the filter.
    #[must_use]
    pub fn module(mut self, path: impl Into<PathBuf>) -> Self {
        self.module = path.into();
        self
    }

    /// With an engine that wants this key, which Envoy adds to requests.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.api_key = Some(key.to_owned());
        self
    }

    /// With HTTP/2 to the back end.
    #[must_use]
    pub fn http2_back_end(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// With HTTP/3 between the clients and the filter.
    #[must_use]
    pub fn http3(self) -> Self {
        self.change(quic::over_http3)
    }

    /// With the filter's configuration in a file, for [`Proxy::update`].
    #[must_use]
    pub fn from_file(mut self) -> Self {
        self.ecds = true;
        self
    }

    /// With a listener that speaks TLS and asks callers for a certificate of that authority. `required`:
    /// who has none does not come through the handshake.
    #[must_use]
    pub fn mutual_tls(mut self, authority: &'a Authority, required: bool) -> Self {
        self.mutual_tls = Some((authority, required));
        self
    }

    /// With a changed bootstrap.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut Value) + 'a) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(mut self) -> Proxy {
        let engine = Engine::start(self.api_key.as_deref());
        let home = Home::new().expect("a temporary folder");
        if let Some((authority, required)) = self.mutual_tls.take() {
            let socket = authority.listener(&home, required);
            self = self.change(|bootstrap| filter_chain(bootstrap)["transport_socket"] = socket);
        }
        let options = self.options(&home, engine.address());
        if self.ecds {
            let filter = rendered(self.setup, Part::Ecds, &options);
            home.write(ECDS, filter).expect("a file");
        }
        let mut bootstrap = rendered(self.setup, Part::Bootstrap, &options);
        if !self.changes.is_empty() {
            let mut tree: Value = serde_saphyr::from_str(&bootstrap).expect("a bootstrap is YAML");
            for change in self.changes {
                change(&mut tree);
            }
            bootstrap = tree.to_string();
        }
        let envoy = Envoy::builder(bootstrap)
            .version(&self.version)
            .concurrency(self.workers)
            .home(&home)
            .mount(&self.module)
            .env("TRACEGATE_TRUST_KEYS", &self.setup.trust_keys)
            .env("TRACEGATE_HASH_KEY", &STANDARD.encode(&self.setup.hash_key))
            .start()
            .unwrap_or_else(|error| panic!("{error}"));
        let address = envoy
            .listener("ingress")
            .expect("the listener of the bootstrap");
        let taken = Mutex::default();
        Proxy {
            envoy,
            engine,
            address,
            options,
            taken,
        }
    }

    fn options(&self, home: &Home, engine: SocketAddr) -> Options {
        let path = |file: &str| home.path(file).to_string_lossy().into_owned();
        let bundle = &self.setup.bundle;
        let protocol = if self.http2 { "h2c" } else { "http" };
        let upstream: Upstream = format!("{protocol}://{engine}")
            .parse()
            .expect("an address");
        let names = || {
            bundle
                .connections
                .iter()
                .map(|connection| connection.name.clone())
        };
        let mut options = Options {
            listen: Endpoint::loopback(0),
            admin: Endpoint::loopback(0),
            upstreams: names().map(|name| (name, upstream.clone())).collect(),
            clusters: self
                .setup
                .idps
                .iter()
                .filter(|(name, _)| self.setup.fetches_from(name))
                .map(|(name, idp)| {
                    (
                        name.clone(),
                        idp.address().to_string().parse().expect("an address"),
                    )
                })
                .collect(),
            trust: Trust::Environment,
            hash_key: true,
            access_log: Sink::File(path(RECORDS)),
            ecds: self.ecds.then(|| path(ECDS)),
            http1_trailers: true,
            ..Options::new(self.module.to_string_lossy())
        };
        if let Some(key) = &self.api_key {
            for name in names() {
                let file = format!("{name}.secret.yaml");
                home.write(&file, secret(&name, key)).expect("a file");
                let credential = Credential {
                    file: path(&file),
                    header: "Authorization".to_owned(),
                    prefix: "Bearer ".to_owned(),
                };
                options.credentials.push((name, credential));
            }
        }
        options
    }
}

fn secret(name: &str, key: &str) -> String {
    json!({"resources": [{
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": key}},
    }]})
    .to_string()
}

fn rendered(setup: &Setup, part: Part, options: &Options) -> String {
    let options = Options {
        part,
        ..options.clone()
    };
    render::envoy(&setup.envelope, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// A running Envoy with an engine behind it.
pub struct Proxy {
    /// The Envoy.
    pub envoy: Envoy,
    /// The engine.
    pub engine: Engine,
    address: SocketAddr,
    options: Options,
    /// The places of the records that were asked for already.
    taken: Mutex<BTreeSet<usize>>,
}

impl Proxy {
    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request over HTTP/1.1.
    ///
    /// # Panics
    /// When there is no end of an answer.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        client::send(self.address, request).expect("an answer")
    }

    /// The next record of the access log that was not asked for yet.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn next_record(&self) -> String {
        self.take_record(|_| true)
    }

    /// The record of the exchange that ended with this response. Exchanges of several connections
    /// may end, and be logged, in another order than they began; the request id tells them apart.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn record_of(&self, response: &Response) -> String {
        match response.headers.get("x-request-id") {
            Some(id) => self.take_record(|line| line.contains(&id)),
            // A connection that broke off before there was a head.
            None => self.next_record(),
        }
    }

    /// The records so far that nobody asked for.
    ///
    /// # Panics
    /// When there is no access log.
    #[must_use]
    pub fn untaken_records(&self) -> Vec<String> {
        let taken = self
            .taken
            .lock()
            .expect("no test panics while it holds this");
        let lines = self.envoy.lines(RECORDS, 0).expect("an access log");
        let untaken = lines.into_iter().enumerate();
        untaken
            .filter(|(at, _)| !taken.contains(at))
            .map(|(_, line)| line)
            .collect()
    }

    fn take_record(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut taken = self
            .taken
            .lock()
            .expect("no test panics while it holds this");
        let mut lines = Vec::new();
        loop {
            lines = self
                .envoy
                .lines(RECORDS, lines.len() + 1)
                .unwrap_or_else(|error| panic!("{error}"));
            let found = (0..lines.len()).find(|at| !taken.contains(at) && wanted(&lines[*at]));
            if let Some(at) = found {
                taken.insert(at);
                return lines.swap_remove(at);
            }
        }
    }

    /// The next record, as JSON; `null` where the filter left none.
    #[must_use]
    pub fn next_record_json(&self) -> Value {
        serde_json::from_str(&self.next_record()).unwrap_or_default()
    }

    /// All records so far.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn records(&self) -> Vec<String> {
        self.envoy
            .lines(RECORDS, 0)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The metrics of the filter, by name and labels.
    ///
    /// # Panics
    /// When Envoy does not tell them.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        let stats = self.envoy.stats("wasmcustom.").expect("the stats of Envoy");
        stats
            .iter()
            .map(|(name, value)| (metric_name(name), *value))
            .collect()
    }

    /// Puts another policy into the file that the filter's configuration is read from.
    ///
    /// # Panics
    /// When the deployment reads it from no file.
    pub fn update(&self, setup: &Setup) {
        assert!(
            self.options.ecds.is_some(),
            "the deployment is not `from_file`"
        );
        let filter = rendered(setup, Part::Ecds, &self.options);
        self.envoy.home().write(ECDS, filter).expect("a file");
    }
}

// === Changes of the bootstrap ===

/// The filter chain of the listener of a bootstrap.
///
/// # Panics
/// When it is none of ours.
pub fn filter_chain(bootstrap: &mut Value) -> &mut Value {
    bootstrap
        .pointer_mut("/static_resources/listeners/0/filter_chains/0")
        .expect("a listener")
}

/// The HTTP filters of a bootstrap.
///
/// # Panics
/// When it is none of ours.
pub fn http_filters(bootstrap: &mut Value) -> &mut Vec<Value> {
    filter_chain(bootstrap)
        .pointer_mut("/filters/0/typed_config/http_filters")
        .and_then(Value::as_array_mut)
        .expect("HTTP filters")
}

/// Removes the filter of that name.
pub fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |bootstrap| {
        let filters = http_filters(bootstrap);
        let before = filters.len();
        filters.retain(|filter| filter["name"] != name);
        assert_eq!(filters.len() + 1, before, "there is one filter {name}");
    }
}

/// Puts a filter before ours.
pub fn preceded_by(filter: Value) -> impl FnOnce(&mut Value) {
    move |bootstrap| http_filters(bootstrap).insert(0, filter)
}
