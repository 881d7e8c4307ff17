//! A newspaper: a feed on a loopback port, with faults on demand.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

/// Longest wait for anything; reached by a failing test only.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is answered, and what was asked.
#[derive(Default)]
pub struct Desk {
    pub body: Vec<u8>,
    pub etag: Option<String>,
    pub status: Option<StatusCode>,
    /// `/feed` leads here.
    pub location: Option<String>,
    pub hits: Vec<(String, HeaderMap)>,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    asked: Condvar,
}

pub struct Paper {
    pub url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Paper {
    pub fn start() -> Paper {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/feed", listener.local_addr().unwrap());
        let shared: Arc<Shared> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            tokio::select! {
                served = axum::serve(listener, app).into_future() => served.unwrap(),
                _ = stopped => {}
            }
        };
        let thread = Builder::new().name("test-paper".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve);
        });
        Paper { url, shared, stop: Some(stop), thread: Some(thread.unwrap()) }
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap()
    }

    pub fn print(&self, lines: &[&str], etag: &str) {
        let items: String =
            lines.iter().map(|line| format!("<item><title>{line}</title></item>")).collect();
        let body = format!("<rss version=\"2.0\"><channel>{items}</channel></rss>").into_bytes();
        *self.desk() = Desk { body, etag: Some(etag.into()), ..Desk::default() };
    }

    /// Waits until it was asked more than `before` times.
    pub fn until_asked(&self, before: usize) {
        let wait = |desk: &mut Desk| desk.hits.len() <= before;
        let waited = self.shared.asked.wait_timeout_while(self.desk(), DEADLINE, wait);
        assert!(!waited.unwrap().1.timed_out(), "not asked within {DEADLINE:?}");
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut desk = shared.desk.lock().unwrap();
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let unchanged = desk.etag.is_some()
        && headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == desk.etag.as_deref();
    desk.hits.push((path.clone(), headers));
    shared.asked.notify_all();
    if let Some(location) = desk.location.clone().filter(|to| !to.ends_with(&path)) {
        return (StatusCode::FOUND, [(LOCATION, location)]).into_response();
    }
    if let Some(status) = desk.status {
        return status.into_response();
    }
    if unchanged {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let etag = desk.etag.clone().unwrap_or_default();
    let fields = [(ETAG, etag), (CONTENT_TYPE, "application/rss+xml".into())];
    (fields, desk.body.clone()).into_response()
}
