//! Starting and stopping the server.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api;
use crate::cloud::Cloud;
use crate::error::Error;
use crate::files::{Files, private_dir};
use crate::guesses::Guesses;
use crate::hub::Hub;
use crate::keys::{ADMIN_FILE, Keys, admin_token};
use crate::limits;
use crate::secret;
use crate::store::Store;
use crate::world::World;

/// Wait between two asks of a device that pairs, in seconds, unless [`Options`] says otherwise.
const PAIRING_INTERVAL_S: u32 = 2;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// Everything that is kept lies in here.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Base URL under which devices and people know this cloud. None: what each request says,
    /// which is good enough for loopback only.
    pub public_url: Option<String>,
    /// Wait between two asks of a device that pairs, in seconds.
    pub pairing_interval_s: u32,
    /// Time and chance.
    pub world: World,
}

impl Options {
    /// The usual, with data in `data`, on a free port of the loopback address.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Options {
            data: data.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            pairing_interval_s: PAIRING_INTERVAL_S,
            world: World::real(),
        }
    }
}

/// A running server; stops when dropped, but only [`Server::stop`] waits for it.
pub struct Server {
    addr: SocketAddr,
    admin_token: String,
    admin_file: PathBuf,
    stop: watch::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
    _lock: File,
}

/// Opens the data directory and serves it on the current tokio runtime.
///
/// Cleartext stays on this machine: another address than loopback wants a public URL with
/// `https://`, that is a TLS proxy in front.
pub async fn serve(options: Options) -> Result<Server, Error> {
    let public_url = checked_url(&options)?;
    let Options { data, listen, pairing_interval_s, world, .. } = options;
    let (stop, stopped) = watch::channel(());
    let opening = data.clone();
    let open = move || open(opening, public_url, pairing_interval_s, (world, stopped));
    let opened = tokio::task::spawn_blocking(open).await;
    let (cloud, lock, admin_token) = opened.map_err(|e| Error::Broken(format!("start: {e}")))??;
    let failed = || Error::io(format!("listen on {listen}"));
    let listener = TcpListener::bind(listen).await.map_err(failed())?;
    let addr = listener.local_addr().map_err(failed())?;
    let mut stopped = cloud.stop.clone();
    let router = api::router(Arc::new(cloud));
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = stopped.changed().await;
    });
    let task = tokio::spawn(served.into_future());
    tracing::info!(%addr, data = %data.display(), "serving");
    Ok(Server { addr, admin_token, admin_file: data.join(ADMIN_FILE), stop, task, _lock: lock })
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Base URL on this machine.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The admin token.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// File with the admin token.
    pub fn admin_file(&self) -> &std::path::Path {
        &self.admin_file
    }

    /// Stops: no new exchange begins, running ones get a moment to end, then all is closed.
    pub async fn stop(self) -> Result<(), Error> {
        let Server { stop, mut task, .. } = self;
        drop(stop);
        let patience = Duration::from_millis(limits::STOP_WITHIN_MS);
        match tokio::time::timeout(patience, &mut task).await {
            Ok(Ok(served)) => served.map_err(Error::io("serve")),
            Ok(Err(error)) => Err(Error::Broken(format!("server task: {error}"))),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
    }
}

/// Opens everything in the data directory; the lock keeps a second server out.
fn open(
    data: PathBuf,
    public_url: Option<String>,
    pairing_interval_s: u32,
    (world, stop): (World, watch::Receiver<()>),
) -> Result<(Cloud, File, String), Error> {
    private_dir(&data)?;
    let lock = lock(&data)?;
    let keys = data.join("keys");
    private_dir(&keys)?;
    let admin_token = admin_token(&data, &world)?;
    let cloud = Cloud {
        store: Store::open(&data.join("cloud.db"))?,
        files: Files::open(&data)?,
        placing: Default::default(),
        keys: Keys::new(keys),
        hub: Hub::default(),
        guesses: Guesses::default(),
        world,
        admin_hash: secret::hash(&admin_token),
        public_url,
        pairing_interval_s,
        stop,
    };
    Ok((cloud, lock, admin_token))
}

fn lock(data: &std::path::Path) -> Result<File, Error> {
    let path = data.join("lock");
    let file = File::create(&path).map_err(Error::io(format!("open {}", path.display())))?;
    file.try_lock().map_err(|_| {
        Error::Broken(format!("{}: another vitrine-cloud serves this directory", data.display()))
    })?;
    Ok(file)
}

fn checked_url(options: &Options) -> Result<Option<String>, Error> {
    let url = options.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    let secure = url.as_deref().is_some_and(|url| url.starts_with("https://"));
    if !secure && !options.listen.ip().is_loopback() {
        return Err(Error::Broken(format!(
            "listen address {} is not loopback: put a TLS proxy in front and name it with \
             --public-url https://…",
            options.listen
        )));
    }
    match &url {
        Some(url) if !secure && !url.starts_with("http://") => {
            Err(Error::Broken(format!("public URL is {url:?}, want https://… or http://…")))
        }
        _ => Ok(url),
    }
}
