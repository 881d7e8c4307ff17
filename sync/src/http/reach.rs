//! One look at the way to the cloud, for a person: not a call of the protocol, and nobody's secret.
//!
//! In:  where the cloud is and whom to trust.
//! Out: who answered, or how far it went; the certificate that was seen, also one not trusted.
//!
//! A network that wants a login first (a hotel, a fair) lets cleartext out as far as its own page
//! and breaks TLS: where TLS fails, one request in the clear tells the two apart. It says nothing
//! but the cloud's name.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use super::Way;
use super::{headers, quote, tls};
use crate::error::chain;

/// The whole look: somebody waits for it.
const WITHIN: Duration = Duration::from_secs(8);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Who answered, or how far it went.
    pub found: Found,
    /// The certificate that was shown.
    pub certificate: Option<Certificate>,
    /// What the other side's clock says.
    pub server_time: Option<Timestamp>,
}

/// Who answered, or how far it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The cloud.
    Cloud,
    /// The cloud or what stands before it, with an error of its own.
    Ailing {
        /// HTTP status, 500 or more.
        status: u16,
    },
    /// Somebody else: a login page.
    Stranger {
        /// What it said.
        what: String,
    },
    /// Whom TLS does not believe.
    Untrusted(Distrust),
    /// The cloud's name has no address, as far as is known here.
    NoName {
        /// In the resolver's words.
        why: String,
    },
    /// A proxy that does not let us through.
    Proxy {
        /// In its words.
        why: String,
    },
    /// Nobody.
    Nobody {
        /// In the system's words.
        why: String,
    },
    /// The settings do not allow a look.
    Settings {
        /// What is wrong with them.
        why: String,
    },
}

/// Why a certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It will be valid: or the clock here is slow.
    NotYetValid,
    /// It was valid: or the clock here is fast.
    Expired,
    /// It is somebody else's.
    OtherName,
    /// Nobody known here has signed it.
    UnknownIssuer,
    /// In the TLS library's words.
    Other(String),
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when it counts.
    pub from: Timestamp,
    /// Until when it counts.
    pub until: Timestamp,
}

/// Looks, at once and once. Blocks for eight seconds at most.
pub fn reach(url: &str, way: &Way, release: &str) -> Reached {
    let settings = |why: String| Reached {
        found: Found::Settings { why },
        certificate: None,
        server_time: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match (runtime, Look::new(url, way, release)) {
        (Ok(runtime), Ok(look)) => runtime.block_on(look.take()),
        (Err(error), _) => settings(chain(&error)),
        (_, Err(error)) => settings(error.to_string()),
    }
}

pub(super) struct Look {
    base: Url,
    client: Client,
    /// Follows nobody and goes by no proxy.
    clear: Client,
    witness: Arc<Witness>,
    /// Where login pages catch cleartext.
    pub(super) clear_port: u16,
}

impl Look {
    pub(super) fn new(url: &str, way: &Way, release: &str) -> Result<Look, super::SettingsError> {
        let base = super::base(url)?;
        let (config, witness) = tls::watched(way.ca_file.as_deref(), Witness::new)?;
        let client = super::common(&base, way.proxy.as_ref(), &config, release)?;
        let client = super::build(client.timeout(WITHIN))?;
        let clear = Client::builder().tls_backend_preconfigured(config).no_proxy();
        let clear = super::build(clear.redirect(redirect::Policy::none()).timeout(WITHIN))?;
        Ok(Look { base, client, clear, witness, clear_port: 80 })
    }

    pub(super) async fn take(self) -> Reached {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v3/manifest", url.path().trim_end_matches('/')));
        let answer = self.client.get(url).send().await;
        let server_time = answer.as_ref().ok().and_then(|a| headers::server_time(a.headers()));
        let mut found = match answer {
            Ok(response) => who(&response),
            Err(error) => self.failed(&error),
        };
        if matches!(found, Found::Untrusted(_) | Found::Nobody { .. })
            && self.base.scheme() == "https"
            && let Some(what) = self.login_page().await
        {
            found = Found::Stranger { what };
        }
        Reached { found, certificate: self.witness.certificate(), server_time }
    }

    fn failed(&self, error: &reqwest::Error) -> Found {
        if let Some(distrust) = self.witness.distrust() {
            return Found::Untrusted(distrust);
        }
        let why = causes(error);
        if why.contains("lookup address") || why.contains("dns error") {
            return Found::NoName { why };
        }
        if why.contains("proxy") || why.contains("tunnel") {
            return Found::Proxy { why };
        }
        Found::Nobody { why }
    }

    /// Where the network sends somebody who asks in the clear.
    async fn login_page(&self) -> Option<String> {
        let mut url = self.base.clone();
        url.set_scheme("http").ok()?;
        url.set_path("/");
        url.set_port(Some(self.clear_port)).ok()?;
        let response = self.clear.get(url).send().await.ok()?;
        let elsewhere = leads_elsewhere(&response, self.base.host_str()?);
        let wanted = response.status() == StatusCode::NETWORK_AUTHENTICATION_REQUIRED;
        elsewhere.or_else(|| wanted.then(|| "network authentication required".to_owned()))
    }
}

/// What answered, by the look of it.
fn who(response: &Response) -> Found {
    let status = response.status();
    let kind = headers::text(response.headers(), &CONTENT_TYPE).unwrap_or_default();
    if status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED {
        return Found::Stranger { what: "network authentication required".to_owned() };
    }
    if status.is_server_error() {
        return Found::Ailing { status: status.as_u16() };
    }
    if kind.starts_with("application/json") || kind.starts_with("application/problem+json") {
        return Found::Cloud;
    }
    let own = response.url().host_str().unwrap_or_default();
    let what = leads_elsewhere(response, own)
        .unwrap_or_else(|| format!("status {}, {}", status.as_u16(), quote(&kind)));
    Found::Stranger { what }
}

/// The host that a redirect leads to, if that is another one.
fn leads_elsewhere(response: &Response, own: &str) -> Option<String> {
    let location = headers::text(response.headers(), &LOCATION)?;
    let target = response.url().join(&location).ok()?;
    let host = target.host_str().filter(|host| *host != own)?;
    response.status().is_redirection().then(|| format!("sent on to {}", quote(host)))
}

/// The causes alone: the call and the address are known to whoever asks.
fn causes(error: &reqwest::Error) -> String {
    let cause = error.source().map_or_else(|| error.to_string(), chain);
    quote(&cause)
}

/// Lets the verifier decide, and remembers what it saw.
#[derive(Debug)]
struct Witness {
    judge: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    certificate: Option<Certificate>,
    distrust: Option<Distrust>,
}

impl Witness {
    fn new(judge: Arc<dyn ServerCertVerifier>) -> Arc<Witness> {
        Arc::new(Witness { judge, seen: Mutex::default() })
    }

    fn certificate(&self) -> Option<Certificate> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).certificate.clone()
    }

    fn distrust(&self) -> Option<Distrust> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).distrust.clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.judge.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let distrust = verdict.as_ref().err().map(distrust);
        let seen = Seen { certificate: certificate(end_entity), distrust };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

fn distrust(error: &rustls::Error) -> Distrust {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Distrust::Other(error.to_string());
    };
    match error {
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Distrust::NotYetValid
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::OtherName
        }
        // Somebody of a known name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownIssuer,
        other => Distrust::Other(other.to_string()),
    }
}

fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let time = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).ok();
    let name = |name: &x509_parser::x509::X509Name<'_>| {
        let common = name.iter_common_name().find_map(|part| part.as_str().ok());
        let of = name.iter_organization().find_map(|part| part.as_str().ok());
        quote(of.or(common).unwrap_or("nobody named"))
    };
    Some(Certificate {
        subject: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        from: time(certificate.validity().not_before)?,
        until: time(certificate.validity().not_after)?,
    })
}
