//! Who is found where the cloud should be, and by which proxy.

use rcgen::{CertificateParams, DnType, date_time_ymd};

use super::secure::{Authority, BOTH, proxy, trusting, upgrade};
use super::*;
use crate::http::reach::{Distrust, Found, Look};

/// As the cloud answers somebody without a token.
fn cloud(_: &str) -> String {
    let head = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: 2\r\n\r\n{{}}")
}

async fn look(url: &str, way: &Way) -> reach::Reached {
    Look::new(url, way, "0").unwrap().take().await
}

#[tokio::test]
async fn whoever_answers_is_told_from_the_cloud() {
    let server = serve(|path| match path {
        "/cloud/api/v3/manifest" => answer(401, &[JSON], "{}"),
        "/login/api/v3/manifest" => answer(200, &[("content-type", "text/html")], "<html>"),
        "/moved/api/v3/manifest" => answer(302, &[("location", "http://login.example/")], ""),
        "/portal/api/v3/manifest" => answer(511, &[], ""),
        _ => answer(503, &[("content-type", "text/html")], "busy"),
    })
    .await;
    let stranger = |what: &str| Found::Stranger { what: what.into() };
    for (case, want) in [
        ("cloud", Found::Cloud),
        ("login", stranger("status 200, text/html")),
        ("moved", stranger("sent on to login.example")),
        ("portal", stranger("network authentication required")),
        ("busy", Found::Ailing { status: 503 }),
    ] {
        let reached = look(&format!("{}/{case}", server.url), &Way::default()).await;
        assert_eq!(reached.found, want, "case {case:?}");
        assert_eq!(reached.certificate, None);
    }
    let asked = server.asked();
    assert!(asked.iter().all(|(_, headers)| !headers.contains_key("authorization")));
}

#[tokio::test]
async fn nobody_is_told_from_no_name() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", closed.local_addr().unwrap());
    drop(closed);
    assert!(matches!(look(&url, &Way::default()).await.found, Found::Nobody { .. }));
    let found = look("https://cloud.invalid", &Way::default()).await.found;
    assert!(matches!(found, Found::NoName { .. }), "{found:?}");
}

#[tokio::test]
async fn a_certificate_is_seen_whether_or_not_it_is_believed() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let params = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let mut old = params("127.0.0.1");
    (old.not_before, old.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let mut early = params("127.0.0.1");
    early.not_before = date_time_ymd(4000, 1, 1);
    let mut named = params("127.0.0.1");
    named.distinguished_name.push(DnType::CommonName, "cloud.example");
    let untrusted = Found::Untrusted;
    for (case, authority, params, want) in [
        ("ours", &ours, named, Found::Cloud),
        ("foreign", &foreign, params("127.0.0.1"), untrusted(Distrust::UnknownIssuer)),
        ("wrong name", &ours, params("cloud.example"), untrusted(Distrust::OtherName)),
        ("expired", &ours, old, untrusted(Distrust::Expired)),
        ("not yet", &ours, early, untrusted(Distrust::NotYetValid)),
    ] {
        let url = authority.serve_with(params, BOTH, cloud);
        let mut look = Look::new(&url, &trusting(&ours.file()), "0").unwrap();
        // Nobody listens there: no login page either.
        look.clear_port = 1;
        let reached = look.take().await;
        assert_eq!(reached.found, want, "case {case:?}");
        let seen = reached.certificate.expect(case);
        match case {
            "ours" => assert_eq!(seen.subject, "cloud.example"),
            "expired" => assert_eq!(seen.until.to_string(), "2002-01-01T00:00:00Z"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_login_page_behind_broken_tls_is_found_in_the_clear() {
    let foreign = Authority::new();
    let portal = serve(|_| answer(302, &[("location", "http://login.example/?from=pi")], "")).await;
    let url = foreign.serve_as("login.example", BOTH, cloud);
    let mut look = Look::new(&url, &Way::default(), "0").unwrap();
    look.clear_port = portal.url.rsplit(':').next().unwrap().parse().unwrap();
    let want = Found::Stranger { what: "sent on to login.example".into() };
    assert_eq!(look.take().await.found, want);
    let (path, headers) = portal.asked().remove(0);
    assert_eq!((path.as_str(), headers.contains_key("authorization")), ("/", false));
}

#[tokio::test]
async fn every_way_out_takes_the_proxy_and_its_password() {
    let ours = Authority::new();
    for what in ["call", "asset", "push", "look"] {
        let answers = if what == "push" { upgrade } else { cloud };
        let server = ours.serve_as("cloud.example", BOTH, answers);
        let (address, asked) = proxy(server.strip_prefix("https://").unwrap().to_owned());
        let login = address.replace("http://", "http://pi:h%40sh@");
        let proxy = Some(vitrine_config::model::Secret::new(login));
        let way = Way { proxy, ..trusting(&ours.file()) };
        let url = "https://cloud.example";
        let http = Http::new(url, &way, "0").unwrap();
        match what {
            "call" => drop(http.manifest(pass(), None).await),
            "asset" => drop(http.asset(pass(), part(0)).await),
            "push" => drop(http.hints(pass()).await.unwrap()),
            _ => assert_eq!(look(url, &way).await.found, Found::Cloud),
        }
        let asked = asked.recv().unwrap();
        assert!(asked.starts_with("CONNECT cloud.example:443 "), "{what}: {asked}");
        // pi:h@sh
        let proof = "proxy-authorization: basic cgk6aebzaa==";
        assert!(asked.to_lowercase().contains(proof), "{what}: {asked}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_without_its_password() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut head = [0; 4096];
            let _ = client.read(&mut head).await;
            let no = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
            let _ = client.write_all(no).await;
        }
    });
    let proxy = vitrine_config::model::Secret::new(format!("http://pi:hush@{address}"));
    let way = Way { proxy: Some(proxy), ca_file: None };
    let found = look("https://cloud.example", &way).await.found;
    assert!(matches!(found, Found::Proxy { .. }), "{found:?}");
    let http = Http::new("https://cloud.example", &way, "0").unwrap();
    let told = text(http.manifest(pass(), None).await).await;
    for told in [told, format!("{found:?}"), format!("{way:?}")] {
        assert!(!told.contains("hush"), "{told}");
    }
}
