//! The runner of Envoy itself, with a bootstrap that answers by itself.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it is skipped"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tracegate_tests::envoy::{Builder, Envoy, EnvoyError, Home, Runner, engine_answers};

const BOOTSTRAP: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: ingress
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: ACCESS_LOG
              log_format: {text_format_source: {inline_string: "%REQ(:PATH)% %ENVIRONMENT(GREETING)%\n"}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 204}}]}
"#;

fn envoy(runner: Runner) -> Builder {
    let home = Home::new().unwrap();
    let access_log = home.path("access.log");
    Envoy::builder(BOOTSTRAP.replace("ACCESS_LOG", access_log.to_str().unwrap()))
        .home(&home)
        .env("GREETING", "hello")
        .runner(runner)
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn serves_and_is_observable(runner: Runner) {
    let envoy = envoy(runner).start().unwrap();
    let address = envoy.listener("ingress").unwrap();

    assert!(get(address, "/one").starts_with("HTTP/1.1 204"));
    assert!(get(address, "/two").starts_with("HTTP/1.1 204"));

    assert_eq!(
        envoy.lines("access.log", 2).unwrap(),
        ["/one hello", "/two hello"]
    );
    assert_eq!(
        envoy
            .wait_for_stat("http.ingress.downstream_rq_2xx", 2)
            .unwrap(),
        2
    );
    assert!(envoy.config_dump().unwrap()["configs"].is_array());
    assert!(envoy.usage().unwrap().cpu > Duration::from_millis(1));
    assert!(envoy.log().contains("starting main dispatch loop"));
}

fn leaves_nothing_behind(runner: Runner) {
    let envoy = envoy(runner).start().unwrap();
    let (pid, address) = (envoy.pid(), envoy.listener("ingress").unwrap());
    let folder = envoy.home().path("");

    drop(envoy);

    assert!(TcpStream::connect(address).is_err());
    assert!(!is_alive(pid));
    assert!(!folder.exists());
}

fn a_wrong_bootstrap_is_told(runner: Runner) {
    let started = Envoy::builder("admin: {nonsense: true}")
        .runner(runner)
        .start();
    match started.map(|_| ()) {
        Err(EnvoyError::Ended { log }) => assert!(log.contains("nonsense"), "{log}"),
        other => panic!("it started with nonsense: {other:?}"),
    }
}

#[test]
fn a_process_serves_and_is_observable() {
    serves_and_is_observable(Runner::Process);
}

#[test]
fn a_process_leaves_nothing_behind() {
    leaves_nothing_behind(Runner::Process);
}

#[test]
fn a_process_with_a_wrong_bootstrap_is_told() {
    a_wrong_bootstrap_is_told(Runner::Process);
}

#[test]
fn a_killed_process_hands_back_its_files() {
    let envoy = envoy(Runner::Process).start().unwrap();
    let pid = envoy.pid();
    let home = envoy.kill();
    assert!(home.path("bootstrap.yaml").exists());
    assert!(!is_alive(pid));
}

#[test]
fn validation_tells_good_from_bad() {
    envoy(Runner::Process).validate().unwrap();
    let error = Envoy::builder("admin: {nonsense: true}")
        .validate()
        .unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
}

#[test]
fn two_envoys_run_side_by_side() {
    let first = envoy(Runner::Process).start().unwrap();
    let second = envoy(Runner::Process).concurrency(2).start().unwrap();
    assert!(get(first.listener("ingress").unwrap(), "/").starts_with("HTTP/1.1 204"));
    assert!(get(second.listener("ingress").unwrap(), "/").starts_with("HTTP/1.1 204"));
    assert_eq!(second.stat("server.concurrency").unwrap(), 2);
}

/// Whether container tests can run; says why when they cannot.
fn containers_run() -> bool {
    let answers = engine_answers();
    if !answers {
        println!("skipped: no container engine answers on this machine");
    }
    answers
}

#[test]
fn a_container_serves_and_is_observable() {
    if containers_run() {
        serves_and_is_observable(Runner::Container);
    }
}

#[test]
fn a_container_leaves_nothing_behind() {
    if containers_run() {
        leaves_nothing_behind(Runner::Container);
    }
}

#[test]
fn a_container_with_a_wrong_bootstrap_is_told() {
    if containers_run() {
        a_wrong_bootstrap_is_told(Runner::Container);
    }
}
