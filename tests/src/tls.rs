//! TLS and mutual TLS: a certificate authority, and clients with and without certificates of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::envoy::Home;

/// The name in the certificate of every server.
pub(crate) const SERVER: &str = "localhost";

/// Issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// When the system has no random numbers.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // A certificate whose issuer is also its subject would pass for one that signed itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("random numbers");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: SanType) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().expect("random numbers");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate, key)
    }

    /// The certificate of a server and its key, in PEM.
    pub(crate) fn server(&self) -> (String, String) {
        let name = SanType::DnsName(SERVER.try_into().expect("an ASCII text"));
        let (certificate, key) = self.issue(name);
        (certificate.pem(), key.serialize_pem())
    }

    /// A client that trusts this authority and shows no certificate.
    ///
    /// # Panics
    /// When the certificate of the authority is none.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self, None)
    }

    /// A client that shows a certificate of `issuer` with that URI in it, and trusts this authority.
    ///
    /// # Panics
    /// When the text is no URI.
    #[must_use]
    pub fn client_as(&self, issuer: &Self, uri: &str) -> Client {
        let uri = SanType::URI(uri.try_into().expect("an ASCII text"));
        Client::new(self, Some(issuer.issue(uri)))
    }

    /// The transport socket of a listener that has a certificate of this authority and asks callers for
    /// theirs. `required`: who has none is let in no further than the handshake.
    ///
    /// # Panics
    /// When the certificates cannot be written to the folder.
    #[must_use]
    pub fn listener(&self, home: &Home, required: bool) -> Value {
        let (certificate, key) = self.server();
        let write = |name: &str, pem: String| home.write(name, pem).expect("a file");
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": required,
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": {"filename": write("server.pem", certificate)},
                        "private_key": {"filename": write("server.key", key)},
                    }],
                    "validation_context": {"trusted_ca": {"filename": write("ca.pem", self.pem())}},
                },
            },
        })
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens TLS connections.
#[derive(Clone)]
pub struct Client(TlsConnector);

impl Client {
    fn new(trusted: &Authority, identity: Option<(rcgen::Certificate, KeyPair)>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.0.der().clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
                let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                config
                    .with_client_auth_cert(chain, key)
                    .expect("a certificate and its key")
            }
        };
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody listens, or the handshake fails.
    pub(crate) async fn connect(&self, to: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(SERVER).expect("a name");
        let stream = TcpStream::connect(to).await?;
        self.0.connect(name, stream).await
    }
}
