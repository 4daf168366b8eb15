//! What `policy-compiler render envoy` writes, on real Envoys.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use policy_compiler::keys::PrivateKey;
use policy_compiler::render::{self, Credential, Options, Part, Sink, Trust};
use policy_compiler::{Options as CompileOptions, compile};
use serde_json::{Value, json};
use tracegate_bundle::dsse::Envelope;
use tracegate_tests::client;
use tracegate_tests::envoy::{Builder, Envoy, Home, versions, wait_for};
use tracegate_tests::http::Request;
use tracegate_tests::standins::server::{Answer, Message, Server};

const ALLOW: &str = "[{name: all, action: ALLOW}]";
const DENY: &str = "[{name: closed, action: DENY}]";

const SECRET: &str = r#"
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: engine
  generic_secret: {secret: {inline_string: the-key-of-the-engine}}
"#;

fn signing_key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

fn bundle(revision: u64, rules: &str) -> Envelope {
    let policy = format!(
        "{{apiVersion: tracegate.dev/v1alpha1, kind: TracePolicy, metadata: {{name: render, \
         revision: {revision}}}, spec: {{connections: [{{name: engine, \
         hosts: [engine.corp.example], allowMissing: true, rules: {rules}}}]}}}}"
    );
    let compiled = compile(&policy, "policy.yaml", &CompileOptions::default()).unwrap();
    signing_key().seal(&compiled.bundle).unwrap()
}

/// Everything that can be written into a bootstrap, for a back end at that address.
fn options(home: &Home, engine: &Server) -> Options {
    let file = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let credential = Credential {
        file: file("secret.yaml"),
        header: "x-api-key".to_owned(),
        prefix: String::new(),
    };
    home.write("secret.yaml", SECRET).unwrap();
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "127.0.0.1:0".parse().unwrap(),
        upstreams: vec![(
            "engine".to_owned(),
            engine.address().to_string().parse().unwrap(),
        )],
        credentials: vec![("engine".to_owned(), credential)],
        trust: Trust::Keys(signing_key().trust_entry()),
        access_log: Sink::File(file("audit.log")),
        request_log: Some(Sink::File(file("requests.log"))),
        ..Options::new(
            tracegate_tests::module::filter()
                .canonicalize()
                .unwrap()
                .to_str()
                .unwrap(),
        )
    }
}

fn envoy(home: &Home, bootstrap: String) -> Builder {
    let module = tracegate_tests::module::filter();
    Envoy::builder(bootstrap).home(home).mount(module)
}

fn engine() -> Server {
    Server::start(|_| Answer::Message(Message::json(200, &json!({"answer": 42}))))
}

fn ask(envoy: &Envoy) -> tracegate_tests::http::Response {
    let address = envoy.listener("ingress").unwrap();
    client::send(
        address,
        &Request::new("GET", "engine.corp.example", "/v1/models?a=b"),
    )
    .unwrap()
}

#[test]
fn every_supported_version_accepts_the_bootstrap() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let bootstrap = render::envoy(&bundle(1, ALLOW), &options(&home, &engine)).unwrap();
    for version in versions() {
        let valid = envoy(&home, bootstrap.clone()).version(&version).validate();
        assert!(valid.is_ok(), "{version}: {}", valid.unwrap_err());
    }
}

#[test]
fn an_allowed_request_takes_the_credential_along_and_leaves_its_lines() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let bootstrap = render::envoy(&bundle(1, ALLOW), &options(&home, &engine)).unwrap();
    let envoy = envoy(&home, bootstrap).start().unwrap();

    let response = ask(&envoy);

    assert_eq!(response.status, 200);
    let received = engine.received();
    assert_eq!(
        received[0].headers.get("x-api-key").unwrap(),
        "the-key-of-the-engine"
    );
    let record: Value = serde_json::from_str(&envoy.lines("audit.log", 1).unwrap()[0]).unwrap();
    let line: Value = serde_json::from_str(&envoy.lines("requests.log", 1).unwrap()[0]).unwrap();
    assert_eq!(record["action"], "Allowed");
    assert_eq!(record["http_request"]["uid"], line["request_id"]);
    assert_eq!(line["path"], "/v1/models");
}

#[test]
fn a_filter_that_is_never_called_meets_the_seal() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let bootstrap = render::envoy(&bundle(1, ALLOW), &options(&home, &engine)).unwrap();
    // What is not among its capabilities Envoy never calls, and says nothing.
    let bootstrap = bootstrap.replace("proxy_on_request_headers: {}", "proxy_on_nothing: {}");
    let envoy = envoy(&home, bootstrap).start().unwrap();

    assert_eq!(ask(&envoy).status, 403);

    assert!(engine.received().is_empty());
    envoy
        .wait_for_stat("http.ingress.rbac.tracegate_seal.denied", 1)
        .unwrap();
}

#[test]
fn a_filter_that_cannot_call_the_proxy_meets_the_seal() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let bootstrap = render::envoy(&bundle(1, ALLOW), &options(&home, &engine)).unwrap();
    let bootstrap = bootstrap.replace("proxy_set_property: {}", "proxy_set_nothing: {}");
    let envoy = envoy(&home, bootstrap).start().unwrap();

    assert!(ask(&envoy).status >= 400);

    assert!(engine.received().is_empty());
    assert_eq!(envoy.lines("audit.log", 1).unwrap(), ["-"]);
}

#[test]
fn a_new_policy_comes_through_the_file_while_envoy_runs() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let file = home.path("tracegate.yaml").to_str().unwrap().to_owned();
    let options = Options {
        ecds: Some(file),
        ..options(&home, &engine)
    };
    let ecds = Options {
        part: Part::Ecds,
        ..options.clone()
    };
    let publish = |revision, rules| {
        let text = render::envoy(&bundle(revision, rules), &ecds).unwrap();
        home.write("tracegate.yaml", text).unwrap();
    };
    publish(1, ALLOW);
    let bootstrap = render::envoy(&bundle(1, ALLOW), &options).unwrap();
    let envoy = envoy(&home, bootstrap).start().unwrap();
    assert_eq!(ask(&envoy).status, 200);

    publish(2, DENY);
    wait_for("the second policy", || {
        Ok(Some(()).filter(|()| ask(&envoy).status == 403))
    })
    .unwrap();

    // A policy never goes back.
    publish(1, ALLOW);
    let refused = "wasmcustom.code=.=bundle.rollback;.;tracegate_bundles_refused_total";
    envoy.wait_for_stat(refused, 1).unwrap();
    assert_eq!(ask(&envoy).status, 403);
    assert_eq!(
        envoy.stat("wasmcustom.tracegate_bundle_revision").unwrap(),
        2
    );
}

/// A bootstrap of somebody's own, with a filter, a log and a cluster that are none of ours, and our
/// pieces where docs/envoy.md says that they go.
fn own_bootstrap(piece: impl Fn(Part) -> Vec<Value>, home: &Home) -> Value {
    let theirs = json!({
        "name": "their-filter",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"response_mutations": [{
                "append": {"header": {"key": "x-theirs", "value": "here"}},
            }]},
        },
    });
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let their_log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": home.path("theirs.log"),
            "log_format": {"text_format_source": {"inline_string": "%RESPONSE_CODE%\n"}},
        },
    });
    let access_log = [vec![their_log], piece(Part::AccessLog)].concat();
    let http_filters = [vec![theirs], piece(Part::HttpFilters), vec![router]].concat();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "theirs",
        "access_log": access_log,
        "http_filters": http_filters,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engine"}}],
        }]},
    });
    json!({
        "node": {"id": "theirs", "cluster": "theirs"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "stats_config": {"stats_tags": piece(Part::StatsTags)},
        "static_resources": {
            "listeners": [{
                "name": "ingress",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": piece(Part::Clusters),
        },
    })
}

#[test]
fn the_pieces_work_in_a_bootstrap_of_ones_own() {
    let (home, engine) = (Home::new().unwrap(), engine());
    let options = options(&home, &engine);
    let bundle = bundle(
        1,
        "[{name: reading, action: ALLOW, to: [{operation: {methods: [GET]}}]}]",
    );
    let piece = |part| {
        let options = Options {
            part,
            ..options.clone()
        };
        let text = render::envoy(&bundle, &options).unwrap();
        serde_saphyr::from_str::<Vec<Value>>(&text).unwrap()
    };
    let bootstrap = own_bootstrap(piece, &home).to_string();
    for version in versions() {
        let envoy = envoy(&home, bootstrap.clone())
            .version(&version)
            .start()
            .unwrap();

        let response = ask(&envoy);
        assert_eq!(response.status, 200, "Envoy {version}: {}", response.text());
        assert_eq!(response.headers.get("x-theirs").as_deref(), Some("here"));
        let received = engine.take_received().pop().unwrap();
        let key = received.headers.get("x-api-key");
        assert_eq!(key.as_deref(), Some("the-key-of-the-engine"));

        let address = envoy.listener("ingress").unwrap();
        let denied = Request::new("DELETE", "engine.corp.example", "/v1/models/x");
        let denied = client::send(address, &denied).unwrap();
        assert_eq!(denied.json()["code"], "policy.no_rule");
        assert!(engine.received().is_empty());

        envoy.lines("theirs.log", 2).unwrap();
        let records = envoy.lines("audit.log", 2).unwrap();
        let actions = records.iter().map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["action"].clone()
        });
        assert_eq!(actions.collect::<Vec<_>>(), ["Allowed", "Denied"]);
        let metrics = envoy.get("/stats/prometheus").unwrap();
        let label = r#"tracegate_requests_total{decision="deny",code="policy.no_rule"} 1"#;
        assert!(metrics.contains(label), "{metrics}");
        for log in ["theirs.log", "audit.log"] {
            std::fs::remove_file(home.path(log)).unwrap();
        }
    }
}
