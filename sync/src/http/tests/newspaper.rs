//! Where a news feed leads, and how much of it is read.

use std::io::Write;
use std::process::{Command, Stdio};

use super::feeds::Feeds;
use super::secure::{Authority, BOTH, proxy, trusting};
use super::*;

const RSS: &str = "<rss/>";

fn feeds(authority: &Authority) -> Feeds {
    Feeds::new(&trusting(&authority.file()), "0").unwrap()
}

/// The whole answer of a server that leads elsewhere.
fn elsewhere(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn rss(_: &str) -> String {
    let length = RSS.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{RSS}")
}

#[tokio::test]
async fn no_redirect_leads_from_tls_into_the_clear() {
    let ours = Authority::new();
    let sealed = |answer: fn(&str) -> String| ours.serve_as("127.0.0.1", BOTH, answer);
    let sealed_to = |to: String| ours.serve_as("127.0.0.1", BOTH, move |_| elsewhere(&to));
    let clear = serve(|_| answer(200, &[], RSS)).await;
    let to = sealed_to(clear.url.clone());
    let by_tls = serve(move |_| answer(302, &[("location", &to)], "")).await;
    let plain = clear.url.clone();
    let by_clear = serve(move |_| answer(302, &[("location", &plain)], "")).await;
    for (case, url, allowed) in [
        ("TLS, clear", sealed_to(clear.url.clone()), false),
        ("TLS, TLS, clear", sealed_to(sealed_to(clear.url.clone())), false),
        ("clear, TLS, clear", by_tls.url, false),
        ("TLS, TLS", sealed_to(sealed(rss)), true),
        ("clear, clear", by_clear.url, true),
    ] {
        let before = clear.asked().len();
        match feeds(&ours).fetch(&url, None).await {
            Ok(fetched) => {
                assert!(allowed, "case {case:?}");
                assert_eq!(fetched.unwrap().bytes, RSS, "case {case:?}");
            }
            Err(error) => {
                assert!(!allowed, "case {case:?}: {error}");
                assert!(error.to_string().contains("from https to cleartext"), "{case}: {error}");
                assert_eq!(clear.asked().len(), before, "case {case:?}: it was asked all the same");
            }
        }
    }
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    let server = serve(|_| answer(302, &[("location", "/again")], "")).await;
    let error = feeds(&Authority::new()).fetch(&server.url, None).await.unwrap_err();
    assert!(error.to_string().contains("too many redirects"), "{error}");
    assert_eq!(server.asked().len(), 5);
}

/// `bytes` as `gzip` packs them: a thousand times smaller, if they are all alike.
fn packed(bytes: Vec<u8>) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut into = gzip.stdin.take().unwrap();
    let feed = move || into.write_all(&bytes);
    let feeding = std::thread::Builder::new().name("feed".into()).spawn(feed).unwrap();
    let packed = gzip.wait_with_output().unwrap().stdout;
    feeding.join().unwrap().unwrap();
    packed
}

#[tokio::test]
async fn what_is_read_is_bounded_as_it_is_and_unpacked() {
    let most = limits::FEED_BYTES;
    for (case, length, pack, allowed) in [
        ("as long as may be", most, false, true),
        ("one byte more", most + 1, false, false),
        ("as long, packed", most, true, true),
        ("one byte more, packed", most + 1, true, false),
        ("a bomb", 100 * most, true, false),
    ] {
        let body = vec![b' '; length];
        let (body, headers) = match pack {
            true => (packed(body), &[("content-encoding", "gzip")][..]),
            false => (body, &[][..]),
        };
        let server = serve(move |_| answer(200, headers, body.clone())).await;
        let fetched = feeds(&Authority::new()).fetch(&server.url, None).await;
        match fetched {
            Ok(fetched) => assert_eq!((fetched.unwrap().bytes.len(), allowed), (length, true)),
            Err(error) => {
                assert!(!allowed && error.to_string().contains("longer than"), "{case}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_feed_takes_the_proxy_that_the_cloud_takes() {
    let ours = Authority::new();
    let server = ours.serve_as("paper.example", BOTH, rss);
    let (proxy, asked) = proxy(server.strip_prefix("https://").unwrap().to_owned());
    let way = Way { proxy: Some(Secret::new(proxy)), ..trusting(&ours.file()) };
    let fetched = Feeds::new(&way, "0").unwrap().fetch("https://paper.example/feed", None).await;
    assert_eq!(fetched.unwrap().unwrap().bytes, RSS);
    assert!(asked.recv().unwrap().starts_with("CONNECT paper.example:443 "));
}
