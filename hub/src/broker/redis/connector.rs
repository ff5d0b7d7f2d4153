//! Opens connections to Redis: TCP, TLS over it, and sockets in the file system. The simulation
//! hands in its own.

use crate::broker::redis_url::{Address, Tls};
use async_trait::async_trait;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connection's bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug + 'static {
    /// Opens one; the caller limits how long that may take.
    ///
    /// # Errors
    /// What the system says.
    async fn connect(&self, address: &Address) -> io::Result<Box<dyn Stream>>;
}

/// Opens connections over the network.
#[derive(Clone)]
pub struct NetConnector {
    tls: Option<TlsConnector>,
}

impl fmt::Debug for NetConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetConnector").field("tls", &self.tls.is_some()).finish()
    }
}

impl NetConnector {
    /// One that speaks TLS, or not. Trusts the file of authorities that is named, or those of the
    /// system.
    ///
    /// # Errors
    /// When the authorities cannot be read or there are none.
    pub fn new(tls: Option<&Tls>) -> io::Result<Self> {
        Ok(Self { tls: tls.map(tls_connector).transpose()? })
    }
}

fn tls_connector(tls: &Tls) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &tls.ca {
        let said = |error: String| io::Error::other(format!("cannot read {}: {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| said(error.to_string()))? {
            let certificate = certificate.map_err(|error| said(error.to_string()))?;
            roots.add(certificate).map_err(|error| said(error.to_string()))?;
        }
    } else {
        // A single malformed certificate of the system's is no reason to trust none.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(io::Error::other(
            "there is no authority to trust: install ca-certificates, or name a PEM file as ?ca=PATH",
        ));
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[async_trait]
impl Connector for NetConnector {
    async fn connect(&self, address: &Address) -> io::Result<Box<dyn Stream>> {
        let (host, port) = match address {
            Address::Tcp(host, port) => (host.as_ref(), *port),
            Address::Unix(path) => return Ok(Box::new(UnixStream::connect(path.as_ref()).await?)),
        };
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}
