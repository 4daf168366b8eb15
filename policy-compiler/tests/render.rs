//! `render envoy` as a library: what it refuses, and that no name becomes syntax. Whether Envoy accepts
//! what it writes is shown in the end-to-end tests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use policy_compiler::keys::PrivateKey;
use policy_compiler::render::{Credential, Options, Part, RenderError, Sink, Trust, envoy};
use policy_compiler::{Options as CompileOptions, compile};
use serde_json::Value;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::Envelope;

const POLICY: &str = r#"
apiVersion: tracegate.dev/v1alpha1
kind: TracePolicy
metadata: {name: render, revision: 3}
spec:
  jwtRules:
  - issuer: https://login.corp.example
    audiences: [engine]
    jwksUri: https://login.corp.example/jwks
    cluster: idp
  connections:
  - name: engine
    hosts: [engine.corp.example, "*.engine.example"]
    rules: [{name: all, action: ALLOW}]
  - name: other
    hosts: [other.corp.example]
    rules: [{name: all, action: ALLOW}]
"#;

fn bundle() -> Bundle {
    compile(POLICY, "policy.yaml", &CompileOptions::default())
        .unwrap()
        .bundle
}

fn sealed(bundle: &Bundle) -> Envelope {
    PrivateKey::from_seed(&[7; 32]).seal(bundle).unwrap()
}

fn options() -> Options {
    Options {
        upstreams: vec![
            (
                "engine".to_owned(),
                "https://api.example:443".parse().unwrap(),
            ),
            ("other".to_owned(), "127.0.0.1:9000".parse().unwrap()),
        ],
        clusters: vec![("idp".to_owned(), "login.corp.example:443".parse().unwrap())],
        ..Options::new("/etc/tracegate/filter.wasm")
    }
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn rendered(options: &Options) -> Value {
    yaml(&envoy(&sealed(&bundle()), options).unwrap())
}

fn connection_manager(bootstrap: &Value) -> &Value {
    &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

#[test]
fn the_seal_follows_the_filter_directly() {
    let bootstrap = rendered(&options());
    let filters = connection_manager(&bootstrap)["http_filters"]
        .as_array()
        .unwrap();
    let names: Vec<_> = filters.iter().map(|filter| &filter["name"]).collect();
    assert_eq!(
        names,
        ["tracegate", "tracegate-seal", "envoy.filters.http.router"]
    );
}

#[test]
fn the_configuration_is_the_signed_bundle_unchanged() {
    let envelope = sealed(&bundle());
    let bootstrap = yaml(&envoy(&envelope, &options()).unwrap());
    let filter = &connection_manager(&bootstrap)["http_filters"][0]["typed_config"]["config"];
    let text = filter["configuration"]["value"].as_str().unwrap();
    let configuration = tracegate_bundle::PluginConfiguration::from_bytes(text.as_bytes());
    assert_eq!(configuration.unwrap().bundle, envelope);
}

#[test]
fn every_connection_is_routed_by_its_hosts_to_its_back_end() {
    let bootstrap = rendered(&options());
    let hosts = &connection_manager(&bootstrap)["route_config"]["virtual_hosts"];
    assert_eq!(hosts[0]["domains"][1], "*.engine.example");
    assert_eq!(hosts[0]["routes"][0]["route"]["cluster"], "engine");
    assert_eq!(hosts[1]["domains"][0], "other.corp.example");
    assert_eq!(hosts[1]["routes"][0]["route"]["cluster"], "other");
}

#[test]
fn keys_are_fetched_under_tls_where_the_policy_says_https() {
    let bootstrap = rendered(&options());
    let clusters = bootstrap["static_resources"]["clusters"]
        .as_array()
        .unwrap();
    let idp = clusters
        .iter()
        .find(|cluster| cluster["name"] == "idp")
        .unwrap();
    let tls = &idp["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "login.corp.example");
    let names = &tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"];
    assert_eq!(names[0]["matcher"]["exact"], "login.corp.example");
}

#[test]
fn a_credential_is_added_by_the_cluster_and_by_no_other() {
    let credential = Credential {
        file: "/run/secrets/engine.yaml".to_owned(),
        header: "x-api-key".to_owned(),
        prefix: String::new(),
    };
    let bootstrap = rendered(&Options {
        credentials: vec![("engine".to_owned(), credential)],
        ..options()
    });
    let clusters = bootstrap["static_resources"]["clusters"]
        .as_array()
        .unwrap();
    let injects = |name: &str| {
        let cluster = clusters
            .iter()
            .find(|cluster| cluster["name"] == name)
            .unwrap();
        cluster.to_string().contains("credential_injector")
    };
    assert!(injects("engine"));
    assert!(!injects("other"));
    assert!(!injects("idp"));
}

#[test]
fn trust_keys_stay_out_of_the_plugin_configuration() {
    let keys = "sha256:0011223344556677=abc".to_owned();
    let bootstrap = rendered(&Options {
        trust: Trust::Keys(keys.clone()),
        ..options()
    });
    let config = &connection_manager(&bootstrap)["http_filters"][0]["typed_config"]["config"];
    let environment = &config["vm_config"]["environment_variables"];
    assert_eq!(environment["key_values"]["TRACEGATE_TRUST_KEYS"], keys);
    assert!(!config["configuration"].to_string().contains(&keys));
}

#[test]
fn the_buffer_holds_more_than_the_longest_body_that_is_read() {
    let mut bundle = bundle();
    bundle.connections[0].max_request_body = 8 * 1024 * 1024;
    let bootstrap = yaml(&envoy(&sealed(&bundle), &options()).unwrap());
    let listener = &bootstrap["static_resources"]["listeners"][0];
    assert_eq!(
        listener["per_connection_buffer_limit_bytes"],
        16 * 1024 * 1024
    );
}

#[test]
fn names_of_the_policy_never_become_syntax() {
    let hostile = "a: b}\n- c #\"' \u{7f}\u{2028}é";
    let mut bundle = bundle();
    hostile.clone_into(&mut bundle.name);
    hostile.clone_into(&mut bundle.connections[1].name);
    bundle.providers[0].issuer = hostile.to_owned();
    let mut options = options();
    hostile.clone_into(&mut options.upstreams[1].0);
    options.access_log = Sink::File(hostile.to_owned());
    let bootstrap = yaml(&envoy(&sealed(&bundle), &options).unwrap());
    let manager = connection_manager(&bootstrap);
    assert_eq!(manager["route_config"]["virtual_hosts"][1]["name"], hostile);
    assert_eq!(manager["access_log"][0]["typed_config"]["path"], hostile);
}

#[test]
fn pieces_need_no_back_ends() {
    for part in [
        Part::HttpFilters,
        Part::AccessLog,
        Part::StatsTags,
        Part::Ecds,
    ] {
        let text = envoy(
            &sealed(&bundle()),
            &Options {
                part,
                ..Options::new("/filter.wasm")
            },
        );
        yaml(&text.unwrap());
    }
}

#[test]
fn a_connection_without_back_end_is_refused() {
    let mut options = options();
    options.upstreams.pop();
    let error = envoy(&sealed(&bundle()), &options).unwrap_err();
    assert!(matches!(error, RenderError::NoUpstream(name) if name == "other"));
}

#[test]
fn a_cluster_without_server_is_refused() {
    let error = envoy(
        &sealed(&bundle()),
        &Options {
            clusters: Vec::new(),
            ..options()
        },
    );
    assert!(matches!(error.unwrap_err(), RenderError::NoCluster(name) if name == "idp"));
}

#[test]
fn a_name_that_the_policy_does_not_have_is_refused() {
    let mut unknown = options();
    unknown.upstreams[1].0 = "engin".to_owned();
    let error = envoy(&sealed(&bundle()), &unknown).unwrap_err();
    let says = "--upstream engin: the policy has no such connection, it has engine, other";
    assert_eq!(error.to_string(), says);

    let mut unknown = options();
    unknown
        .clusters
        .push(("ipd".to_owned(), "127.0.0.1:1".parse().unwrap()));
    let error = envoy(&sealed(&bundle()), &unknown).unwrap_err();
    assert!(matches!(error, RenderError::UnknownCluster(name) if name == "ipd"));
}

#[test]
fn a_connection_and_a_cluster_of_one_name_are_refused() {
    let mut bundle = bundle();
    bundle.connections[1].name = "idp".to_owned();
    let mut options = options();
    options.upstreams[1].0 = "idp".to_owned();
    let error = envoy(&sealed(&bundle), &options).unwrap_err();
    assert!(matches!(error, RenderError::SameName(name) if name == "idp"));
}
