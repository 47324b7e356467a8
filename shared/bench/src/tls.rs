//! An endpoint like AWS's, without AWS: TLS 1.3 in front of the local DynamoDB, with an RSA leaf below an RSA
//! intermediate.
//!
//! The product trusts Amazon's embedded roots and nothing else, and has no setting that changes it. So a *copy* of the
//! built binary gets the bench's root written over one of Amazon's, byte for byte in the same space: the code that
//! runs is the deployed one.

use anyhow::{Context as _, Result, ensure};
use aws::config::AMAZON_ROOTS;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::TLS13,
};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The name that the certificate is for.
pub const HOST: &str = "localhost";
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// A root of our own, and what a server needs that is trusted by it.
pub struct Authority {
    root: String,
    server: ServerConfig,
}

fn rsa() -> Result<KeyPair> {
    Ok(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?)
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    /// Root, intermediate and leaf, as AWS has them.
    pub fn new() -> Result<Authority> {
        let root = CertifiedIssuer::self_signed(authority("Root"), rsa()?)?;
        let intermediate = CertifiedIssuer::signed_by(authority("Intermediate"), rsa()?, &root)?;
        let key = rsa()?;
        let leaf = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &intermediate)?;
        let chain = vec![leaf.der().clone(), intermediate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // The suite that AWS's endpoints choose.
        let suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let provider = CryptoProvider { cipher_suites: suites, ..ring::default_provider() };
        let server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Authority { root: root.pem(), server })
    }

    /// A binary with our root in the place of one of Amazon's.
    pub fn trusted_by(&self, mut binary: Vec<u8>) -> Result<Vec<u8>> {
        let roots = std::str::from_utf8(AMAZON_ROOTS)?;
        let own = self.root.replace('\r', "");
        let first = roots.find(BEGIN).context("there are no embedded roots")?;
        let next = roots
            .get(first + BEGIN.len()..)
            .and_then(|rest| rest.find(BEGIN))
            .context("there is one root")?;
        let space = BEGIN.len() + next;
        ensure!(own.len() <= space, "the bench's root is longer than Amazon's");
        let place = binary.windows(AMAZON_ROOTS.len()).position(|window| window == AMAZON_ROOTS);
        let place = place.context("the binary does not hold Amazon's roots as they are")? + first;
        let padded = format!("{own:\n<space$}");
        binary.splice(place..place + space, padded.into_bytes());
        Ok(binary)
    }

    /// Takes TLS connections and hands their bytes to this port of this machine; answers the port it listens on.
    pub async fn serve(&self, target: u16) -> Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let acceptor = TlsAcceptor::from(Arc::new(self.server.clone()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(acceptor.clone(), stream, target));
            }
        });
        Ok(port)
    }
}

async fn forward(acceptor: TlsAcceptor, stream: TcpStream, target: u16) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut inside = acceptor.accept(stream).await?;
    let mut outside = TcpStream::connect(("127.0.0.1", target)).await?;
    outside.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}
