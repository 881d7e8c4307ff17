//! Whom TLS believes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread::Builder;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// An authority of our own, as a PEM file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(dir.path().join("ca.pem")).unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Authority { issuer, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Answers one request at the address returned, with a certificate for `name`.
    fn serve(&self, name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let answer = move || -> std::io::Result<()> {
            let (socket, _) = listener.accept()?;
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request)?;
            let answer = "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes())?;
            stream.conn.send_close_notify();
            stream.flush()
        };
        Builder::new().name("tls".into()).spawn(answer).unwrap();
        url
    }
}

const BOTH: &[&rustls::SupportedProtocolVersion] = rustls::ALL_VERSIONS;
const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[tokio::test]
async fn only_a_known_authority_speaks_for_the_right_name() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    for (case, authority, name, versions, want) in [
        ("ours", &ours, "127.0.0.1", BOTH, None),
        ("ours, TLS 1.2", &ours, "127.0.0.1", TLS12, None),
        ("foreign", &foreign, "127.0.0.1", BOTH, Some("invalid peer certificate")),
        ("wrong name", &ours, "cloud.example", BOTH, Some("invalid peer certificate")),
    ] {
        let url = authority.serve(name, versions);
        let http = Http::new(&url, Some(&ours.file()), "0").unwrap();
        let got = http.manifest(pass(), None).await.map(|answer| answer.value);
        match want {
            None => assert_eq!(got, Ok(News::Unchanged), "case {case:?}"),
            Some(want) => {
                let error = got.unwrap_err().to_string();
                assert!(error.contains(want), "case {case:?}: {error}");
            }
        }
    }
}

#[test]
fn a_file_without_authorities_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::File::create(&path).unwrap().write_all(b"nothing here").unwrap();
    for path in [path, dir.path().join("gone.pem")] {
        let error = Http::new("https://cloud.example", Some(&path), "0").err().unwrap();
        assert!(error.to_string().contains("want a PEM file"), "{error}");
    }
}
