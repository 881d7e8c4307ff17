//! Whom TLS believes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread::Builder;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::*;

/// An authority of our own, as a PEM file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(dir.path().join("ca.pem")).unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Authority { issuer, dir }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Answers one request with 304 at the address returned, with a certificate for `name`.
    fn serve(&self, name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> String {
        let answer = |_: &str| "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned();
        self.serve_as(name, versions, answer)
    }

    pub(super) fn serve_as(
        &self,
        name: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
        answer: impl Fn(&str) -> String + Send + 'static,
    ) -> String {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        self.serve_with(params, versions, answer)
    }

    pub(super) fn serve_with(
        &self,
        params: CertificateParams,
        versions: &[&'static rustls::SupportedProtocolVersion],
        answer: impl Fn(&str) -> String + Send + 'static,
    ) -> String {
        let key = KeyPair::generate().unwrap();
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
        let serve = move || -> std::io::Result<()> {
            let (socket, _) = listener.accept()?;
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut request = [0; 4096];
            let length = stream.read(&mut request)?;
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            stream.write_all(answer(&request).as_bytes())?;
            stream.conn.send_close_notify();
            stream.flush()
        };
        Builder::new().name("tls".into()).spawn(serve).unwrap();
        url
    }
}

/// With the authorities of that file besides the system's.
pub(super) fn trusting(file: &Path) -> Way {
    Way { ca_file: Some(file.to_owned()), proxy: None }
}

pub(super) const BOTH: &[&rustls::SupportedProtocolVersion] = rustls::ALL_VERSIONS;
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
        let http = Http::new(&url, &trusting(&ours.file()), "0").unwrap();
        let got = http.manifest(pass(), None).await.map(|answer| answer.value);
        match want {
            None => assert_eq!(got.map(|told| told.news), Ok(News::Unchanged), "case {case:?}"),
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
        let error = Http::new("https://cloud.example", &trusting(&path), "0").err().unwrap();
        assert!(error.to_string().contains("want a PEM file"), "{error}");
    }
}

const CHILD: &str = "VITRINE_PROXY_TEST_CA";

/// Not a test of its own: does nothing unless the test below starts it behind a proxy.
#[tokio::test]
async fn child_behind_a_proxy() {
    let Some(ca) = std::env::var_os(CHILD) else { return };
    // A name that nobody but the proxy can resolve.
    let http = Http::new("https://cloud.example", &trusting(Path::new(&ca)), "0").unwrap();
    let opened = http.hints(pass()).await;
    println!("!{}", opened.map_or_else(|error| error.to_string(), |_| "open".into()));
}

/// Passes one tunnel on to `upstream`; the address, and what was asked for first.
pub(super) fn proxy(upstream: String) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (post, asked) = std::sync::mpsc::sync_channel(1);
    let serve = move || -> std::io::Result<()> {
        let (mut client, _) = listener.accept()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.extend(byte);
        }
        post.try_send(String::from_utf8_lossy(&head).into_owned()).ok();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let mut server = std::net::TcpStream::connect(upstream)?;
        let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
        let upwards = move || drop(std::io::copy(&mut up, &mut server));
        Builder::new().name("proxy-up".into()).spawn(upwards)?;
        std::io::copy(&mut down, &mut client).map(drop)
    };
    Builder::new().name("proxy".into()).spawn(serve).unwrap();
    (url, asked)
}

/// Runs the child with these variables; what it says.
fn behind(ca: &Path, variables: &[(&str, &str)]) -> String {
    let said = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "http::tests::secure::child_behind_a_proxy", "--nocapture"])
        .env(CHILD, ca)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once('!').map(|(_, said)| said.to_owned()));
    line.unwrap_or(text)
}

pub(super) fn upgrade(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

#[test]
fn the_push_channel_takes_the_proxy_that_every_call_takes() {
    let ours = Authority::new();
    let server = ours.serve_as("cloud.example", BOTH, upgrade);
    let (proxy, asked) = proxy(server.strip_prefix("https://").unwrap().to_owned());
    let told = behind(&ours.file(), &[("HTTPS_PROXY", &proxy)]);
    assert_eq!(told, "open");
    assert!(asked.recv().unwrap().starts_with("CONNECT cloud.example:443 "));
    let around = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", "cloud.example")];
    let told = behind(&ours.file(), &around);
    assert!(told.contains("no answer"), "the control found another way: {told}");
}

/// A server that insists on TLS 1.1, or on TLS 1.0.
#[tokio::test]
async fn nothing_below_tls_1_2_is_spoken() {
    for minor in [1u8, 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let serve = move || -> std::io::Result<Vec<u8>> {
            let (mut socket, _) = listener.accept()?;
            let mut hello = [0; 4096];
            let length = socket.read(&mut hello)?;
            let mut answer = vec![0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
            answer.extend([7; 32]);
            answer.extend([0, 0, 0x2f, 0]);
            socket.write_all(&answer)?;
            let mut alert = Vec::new();
            socket.read_to_end(&mut alert)?;
            Ok(if length > 0 { alert } else { Vec::new() })
        };
        let served = Builder::new().name("old".into()).spawn(serve).unwrap();
        let http = Http::new(&url, &Way::default(), "0").unwrap();
        let error = http.manifest(pass(), None).await.unwrap_err();
        assert!(matches!(error.failure, Failure::Unreachable(_)), "{error}");
        // A fatal alert (21), whose level is 2: it was refused, not cut off.
        let alert = served.join().unwrap().unwrap();
        assert_eq!((alert.first(), alert.get(5)), (Some(&21), Some(&2)), "1.{}", minor - 1);
    }
}
