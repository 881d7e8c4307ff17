//! How TLS is done, the same for every connection.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::SettingsError;
use crate::error::chain;

/// TLS 1.2 and 1.3, the system's authorities and the ones in `ca_file`, HTTP/2 offered first.
pub(super) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, SettingsError> {
    let roots = roots(ca_file)?;
    Ok(offer(versions()?.with_root_certificates(roots).with_no_client_auth()))
}

/// The same with a witness of what the verifier decides.
pub(super) fn watched<W: ServerCertVerifier + 'static>(
    ca_file: Option<&Path>,
    witness: impl FnOnce(Arc<dyn ServerCertVerifier>) -> Arc<W>,
) -> Result<(ClientConfig, Arc<W>), SettingsError> {
    let roots = Arc::new(roots(ca_file)?);
    let judge = WebPkiServerVerifier::builder_with_provider(roots, provider());
    let judge = judge.build().map_err(|error| SettingsError::Tls(chain(&error)))?;
    let witness = witness(judge);
    let judged =
        versions()?.dangerous().with_custom_certificate_verifier(Arc::clone(&witness) as _);
    Ok((offer(judged.with_no_client_auth()), witness))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, SettingsError> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| SettingsError::Tls(chain(&error)))
}

fn offer(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "tls: a system authority is passed over");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        add(&mut roots, path).map_err(|why| {
            let path = path.display().to_string();
            SettingsError::Authority { path, why }
        })?;
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| chain(&e))?;
    let mut found = 0;
    for certificate in certificates {
        roots.add(certificate.map_err(|e| chain(&e))?).map_err(|e| chain(&e))?;
        found += 1;
    }
    if found == 0 { Err("no certificate in it".into()) } else { Ok(()) }
}
