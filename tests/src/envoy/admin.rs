//! Envoy's admin interface.

use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{EnvoyError, PATIENCE};
use crate::runtime;

pub(super) struct Admin(SocketAddr);

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self(address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }

    /// Whether all listeners and clusters are up.
    pub(super) fn is_ready(&self) -> bool {
        self.get("/ready").is_ok()
    }

    pub(super) fn get(&self, path: &str) -> Result<String, EnvoyError> {
        let (status, body) = runtime()
            .block_on(async {
                tokio::time::timeout(PATIENCE, get(self.0, path))
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            })
            .map_err(|source| EnvoyError::io(format!("ask admin for {path}"), source))?;
        if status == 200 {
            Ok(body)
        } else {
            Err(EnvoyError::Admin {
                path: path.to_owned(),
                status,
                body,
            })
        }
    }

    pub(super) fn json(&self, path: &str) -> Result<Value, EnvoyError> {
        serde_json::from_str(&self.get(path)?)
            .map_err(|source| EnvoyError::io(format!("read the JSON of {path}"), source))
    }

    pub(super) fn stats(&self, prefix: &str) -> Result<Vec<(String, u64)>, EnvoyError> {
        let text = self.get("/stats?type=All")?;
        let stats = text.lines().filter(|line| line.starts_with(prefix));
        // Histograms and text readouts are no numbers.
        Ok(stats
            .filter_map(|line| line.rsplit_once(": "))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }

    pub(super) fn listener(&self, name: &str) -> Result<SocketAddr, EnvoyError> {
        let listeners = self.json("/listeners?format=json")?;
        let found = listeners["listener_statuses"]
            .as_array()
            .and_then(|all| all.iter().find(|listener| listener["name"] == name))
            .map(|listener| &listener["local_address"]["socket_address"]);
        found
            .and_then(|socket| {
                let address = socket["address"].as_str()?.parse().ok()?;
                let port = u16::try_from(socket["port_value"].as_u64()?).ok()?;
                Some(SocketAddr::new(address, port))
            })
            .ok_or_else(|| EnvoyError::NoListener(name.to_owned()))
    }
}

async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header("host", "admin")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    connection.abort();
    Ok((
        status,
        String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    ))
}
