//! `GET /api/v3/events`: hints over a WebSocket, so that news arrive within a moment.
//!
//! A device is told the version that it has waiting at once, then each newer one. The channel
//! lives as long as the token it was opened with, and ends at once when the device is removed.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::{interval_at, sleep, timeout};
use vitrine_wire::event::Hint;

use crate::auth::Device;
use crate::cloud::App;
use crate::error::Error;
use crate::limits;

/// `GET /api/v3/events`
pub async fn listen(
    State(app): State<App>,
    device: Device,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|refused| {
        let text = format!("want a WebSocket handshake: {}", refused.body_text());
        Error::refused(refused.status(), "bad_request", text)
    })?;
    let upgrade = upgrade.max_message_size(limits::EVENT_BYTES).max_frame_size(limits::EVENT_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut channel = Channel { socket, heard: true };
        let why = channel.serve(app, device).await.unwrap_or("cannot be reached");
        tracing::debug!(why, "event channel ends");
        let reason = why.into();
        let close = CloseFrame { code: close_code::AWAY, reason };
        // A device that is gone cannot be told goodbye.
        let _ = channel.send(Message::Close(Some(close))).await;
    }))
}

struct Channel {
    socket: WebSocket,
    /// Whether anything came since the last ping.
    heard: bool,
}

impl Channel {
    /// Sends hints until there is a reason to stop, which it returns; None if sending failed.
    async fn serve(&mut self, app: App, device: Device) -> Option<&'static str> {
        let Device { tenant, device, until } = device;
        // Listening before asking: a version that is published in between is told twice, not lost.
        let mut news = app.hub.listen(&tenant, &device);
        let state = app.store.scoped(&tenant, move |scope| scope.manifest_state(&device)).await;
        let (version, _) = state.ok()??;
        self.hint(version).await?;
        let mut stop = app.stop.clone();
        let life = until.duration_since(app.world.now());
        let life = sleep(Duration::try_from(life).unwrap_or_default());
        tokio::pin!(life);
        let every = Duration::from_secs(limits::PING_EVERY_S);
        let mut ping = interval_at(tokio::time::Instant::now() + every, every);
        loop {
            tokio::select! { biased;
                _ = stop.changed() => return Some("the cloud stops"),
                () = &mut life => return Some("the token has lapsed"),
                told = news.changed() => {
                    if told.is_err() {
                        return Some("the device was removed");
                    }
                    let version = *news.borrow_and_update();
                    self.hint(version).await?;
                }
                _ = ping.tick() => self.ping().await?,
                message = self.socket.recv() => {
                    message?.ok()?;
                    self.heard = true;
                }
            }
        }
    }

    async fn hint(&mut self, version: u64) -> Option<()> {
        let text = serde_json::to_string(&Hint::Manifest { version }).ok()?;
        self.send(Message::Text(text.into())).await
    }

    /// Pings; gives up if nothing came since the last time.
    async fn ping(&mut self) -> Option<()> {
        if !std::mem::take(&mut self.heard) {
            return None;
        }
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        let patience = Duration::from_secs(limits::PUSH_WITHIN_S);
        timeout(patience, self.socket.send(message)).await.ok()?.ok()
    }
}
