//! Against a real server on loopback that says whatever a test wants.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use vitrine_wire::Digest;

use super::*;
use crate::cloud::Body as _;
use crate::model::Asset;

mod newspaper;
mod reached;
mod secure;

/// What the server says, and what it was asked.
#[derive(Clone)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

/// Serves `answer` to every request until the test's runtime ends.
async fn serve(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Server {
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::clone(&asked);
    let app = Router::new().fallback(move |request: Request| async move {
        let path = request.uri().path().to_owned();
        log.lock().unwrap().push((path.clone(), request.headers().clone()));
        answer(&path)
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { url, asked }
}

impl Server {
    fn http(&self) -> Http {
        Http::new(&self.url, &Way::default(), "0").unwrap()
    }

    fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }
}

fn pass() -> Pass {
    Pass { token: "hush".into(), tenant: "acme".into() }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn asset(bytes: &[u8]) -> Asset {
    let (sha256, size_bytes) = (Digest::of(bytes), bytes.len() as u64);
    Asset { sha256, size_bytes, media_type: "video/mp4".into(), name: "a".into() }
}

fn part(from: u64) -> Part {
    let (asset, etag) = (asset(b"0123456789"), Some("\"v\"".into()));
    Part { asset, from, etag, avoid: Arc::default() }
}

async fn text(result: Result<impl Sized, CloudError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// A body of unknown length.
fn streamed(bytes: usize) -> Body {
    const STEP: usize = 64 << 10;
    let steps = (0..bytes.div_ceil(STEP)).map(|_| Ok::<_, std::io::Error>(vec![b' '; STEP]));
    Body::from_stream(futures_util::stream::iter(steps))
}

/// A Zstandard frame (RFC 8878) of blocks that repeat one byte: 4 bytes on the wire, 128 KiB here.
fn bomb(bytes: usize) -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let blocks = bytes.div_ceil(BLOCK);
    for n in 0..blocks {
        let header = u32::from(n + 1 == blocks) | 1 << 1 | (BLOCK as u32) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[tokio::test]
async fn a_manifest_is_measured_while_it_comes() {
    let fits = limits::MANIFEST_DECODED_BYTES;
    let server = serve(move |path| match path {
        "/fits/api/v3/manifest" => answer(200, &[JSON], streamed(fits)),
        "/long/api/v3/manifest" => answer(200, &[JSON], streamed(fits + 1)),
        "/plain/api/v3/manifest" => {
            answer(200, &[JSON], vec![b' '; limits::MANIFEST_WIRE_BYTES + 1])
        }
        "/packed/api/v3/manifest" => answer(200, &[JSON, ("content-encoding", "zstd")], bomb(fits)),
        _ => answer(200, &[JSON, ("content-encoding", "zstd")], bomb(fits + 1)),
    })
    .await;
    for (case, good) in
        [("fits", true), ("long", false), ("plain", false), ("packed", true), ("bomb", false)]
    {
        let http = Http::new(&format!("{}/{case}", server.url), &Way::default(), "0").unwrap();
        let got = http.manifest(pass(), None).await;
        assert_eq!(got.is_ok(), good, "case {case:?}: {}", text(got).await);
    }
}

#[tokio::test]
async fn what_is_no_answer_of_this_protocol_is_told_apart_from_a_refusal() {
    let server = serve(|path| match path {
        "/page/api/v3/manifest" => answer(200, &[("content-type", "text/html")], "<html>"),
        "/moved/api/v3/manifest" => answer(302, &[("location", "/other")], ""),
        "/busy/api/v3/manifest" => answer(503, &[("retry-after", "7")], "<html>"),
        _ => {
            let body = r#"{"error":"invalid_token","error_description":"a\u0007b"}"#;
            answer(401, &[JSON], body)
        }
    })
    .await;
    for (case, want, wants_token, retry_s) in [
        ("page", "content type is \"text/html\"", false, None),
        ("moved", "refused with status 302", false, None),
        ("busy", "refused with status 503", false, Some(7)),
        ("no", "refused with status 401: invalid_token ab", true, None),
    ] {
        let http = Http::new(&format!("{}/{case}", server.url), &Way::default(), "0").unwrap();
        let error = http.manifest(pass(), None).await.unwrap_err();
        assert!(error.to_string().contains(want), "case {case:?}: {error}");
        assert_eq!(error.wants_token(), wants_token, "case {case:?}");
        assert_eq!(error.retry_after, retry_s.map(Duration::from_secs), "case {case:?}");
        // The clock of whoever serves a login page is none of ours.
        assert_eq!(error.server_time.is_some(), case != "page", "case {case:?}");
    }
    assert!(!server.asked().iter().any(|(path, _)| path == "/other"), "followed");
}

#[tokio::test]
async fn a_part_is_taken_only_if_it_is_the_part_asked_for() {
    let ten = [("content-range", "bytes 4-9/10")];
    let cases: [(&str, u64, Response, Result<u64, &str>); 11] = [
        ("rest", 4, answer(206, &ten, "456789"), Ok(4)),
        ("whole instead", 4, answer(200, &[], "0123456789"), Ok(0)),
        ("whole", 0, answer(200, &[], "0123456789"), Ok(0)),
        ("shifted", 4, answer(206, &[("content-range", "bytes 3-9/10")], "3456789"), Err("range")),
        (
            "other file",
            4,
            answer(206, &[("content-range", "bytes 4-9/11")], "456789"),
            Err("range"),
        ),
        ("half", 4, answer(206, &[("content-range", "bytes 4-7/10")], "4567"), Err("range")),
        ("no range told", 4, answer(206, &[], "456789"), Err("range")),
        ("part unasked", 0, answer(206, &ten, "456789"), Err("want 200")),
        ("too short", 0, answer(200, &[], "01234"), Err("want 10")),
        (
            "login page",
            0,
            answer(200, &[("content-type", "text/html")], "0123456789"),
            Err("login"),
        ),
        ("packed", 0, answer(200, &[("content-encoding", "gzip")], "0123456789"), Err("coded")),
    ];
    for (case, from, response, want) in cases {
        let response = Arc::new(Mutex::new(Some(response)));
        let server = serve(move |_| response.lock().unwrap().take().unwrap()).await;
        let got = server.http().asset(pass(), part(from)).await;
        match (want, got) {
            (Ok(first), Ok(body)) => assert_eq!(body.from(), first, "case {case:?}"),
            (Err(text), Err(error)) => {
                assert!(error.to_string().contains(text), "case {case:?}: {error}");
            }
            (want, got) => panic!("case {case:?}: want {want:?}, got {:?}", got.map(|b| b.from())),
        }
        let asked = &server.asked()[0].1;
        let range = (from > 0).then(|| format!("bytes={from}-"));
        assert_eq!(asked.get("range").map(|v| v.to_str().unwrap()), range.as_deref(), "{case:?}");
        assert_eq!(asked.contains_key("if-range"), from > 0, "case {case:?}");
    }
}

/// Two of ten bytes, and then nothing for ever.
fn drip() -> Body {
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>("01")]);
    let stuck = futures_util::stream::pending();
    Body::from_stream(futures_util::StreamExt::chain(first, stuck))
}

#[tokio::test]
async fn a_host_that_drips_is_given_up_and_named() {
    let slow = serve(|_| answer(200, &[], drip())).await;
    let to = slow.url.clone();
    let home = serve(move |_| answer(302, &[("location", &to)], "")).await;
    let mut http = home.http();
    http.assets.window = Duration::from_millis(20);
    let mut body = http.asset(pass(), part(0)).await.unwrap();
    assert_eq!(body.chunk().await, Ok(Some(Bytes::from_static(b"01"))));
    let error = body.chunk().await.unwrap_err();
    let host = slow.url.strip_prefix("http://").unwrap();
    assert_eq!(body.host(), host);
    assert!(matches!(&error.failure, Failure::Stalled { host: h, .. } if h == host), "{error}");

    let avoid = Arc::new([host.to_owned()].into());
    let error = http.asset(pass(), Part { avoid, ..part(0) }).await.unwrap_err();
    assert_eq!(error.failure, Failure::PutOff { host: host.to_owned() });
    assert_eq!((home.asked().len(), slow.asked().len()), (2, 1), "spared");
}

#[tokio::test]
async fn redirects_end() {
    let server = serve(|_| answer(302, &[("location", "/api/v3/assets/again")], "")).await;
    let error = server.http().asset(pass(), part(0)).await.unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn credentials_do_not_come_back_from_elsewhere() {
    // Home, away to another port, and home again.
    let home_again = Arc::new(Mutex::new(String::new()));
    let back = Arc::clone(&home_again);
    let away = serve(move |_| answer(302, &[("location", &back.lock().unwrap())], "")).await;
    let to = away.url.clone();
    let home = serve(move |path| match path {
        "/back" => answer(200, &[], "0123456789"),
        _ => answer(302, &[("location", &to)], ""),
    })
    .await;
    *home_again.lock().unwrap() = format!("{}/back", home.url);
    assert!(home.http().asset(pass(), part(0)).await.is_ok());
    let with = |asked: &[(String, HeaderMap)]| -> Vec<bool> {
        asked.iter().map(|(_, headers)| headers.contains_key("authorization")).collect()
    };
    assert_eq!((with(&home.asked()), with(&away.asked())), (vec![true, false], vec![false]));
}

#[tokio::test]
async fn redirects_lead_to_no_other_machine_in_cleartext() {
    for to in ["http://cloud.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://["] {
        let server = serve(move |_| answer(307, &[("location", to)], "")).await;
        let error = server.http().asset(pass(), part(0)).await.unwrap_err();
        assert!(error.to_string().contains("redirected"), "{to}: {error}");
    }
}

#[tokio::test]
async fn an_order_id_is_no_path() {
    let server = serve(|_| answer(204, &[], "")).await;
    let png = Arc::new(vec![1, 2, 3]);
    server.http().screenshot(pass(), "../../x?y".into(), png).await.unwrap();
    assert_eq!(server.asked()[0].0, "/api/v3/screenshots/..%2F..%2Fx%3Fy");
}

#[tokio::test]
async fn no_token_gets_into_a_text() {
    let server = serve(|_| answer(302, &[("location", "http://127.0.0.1:1/?sig=hush")], "")).await;
    let error = server.http().asset(pass(), part(0)).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    assert!(!format!("{:?}", pass()).contains("hush"));
}
