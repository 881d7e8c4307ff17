//! `vitrine-cloud serve`.

use std::io::{IsTerminal, Write};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vitrine_cloud::{Options, Server};

use super::{Common, Serve};

/// Serves until a signal asks to stop.
pub async fn run(how: Serve, common: Common) -> Result<(), String> {
    let data = common.data.ok_or("serve: want --data DIR, a directory for everything it keeps")?;
    let filter = EnvFilter::try_from_env("VITRINE_CLOUD_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let mut options = Options::new(data);
    (options.listen, options.public_url) = (how.listen, how.public_url);
    // Before the line that says it is ready: whoever reads that may send a signal at once.
    let mut term = signal(SignalKind::terminate()).map_err(|e| format!("signals: {e}"))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| format!("signals: {e}"))?;
    let server = vitrine_cloud::serve(options).await.map_err(|e| e.to_string())?;
    announce(&server).map_err(|e| format!("standard output: {e}"))?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    server.stop().await.map_err(|e| e.to_string())
}

/// One line for scripts: where it listens, and where the admin token lies (never the token).
fn announce(server: &Server) -> std::io::Result<()> {
    let line = serde_json::json!({
        "url": server.url(),
        "admin_token_file": server.admin_file(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
