//! `GET /api/v3/events`: hints over a WebSocket, so that news arrive within a moment.
//!
//! A device is told at once which versions it has waiting, then each newer one. The channel
//! lives as long as the token it was opened with, and ends at once when the device is removed. Records
//! may come the other way.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::{interval_at, sleep, timeout};
use vitrine_wire::event::Hint;
use vitrine_wire::record::Acknowledged;

use super::records;
use crate::auth::Device;
use crate::cloud::App;
use crate::error::Error;
use crate::hub::News;
use crate::limits;
use crate::store::Scope;

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
    let most = limits::RECORDS_BODY_BYTES;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
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
        let now = app.world.now();
        let id = device.clone();
        let there = move |scope: &Scope| {
            let orders = scope.order_envelope(&id, now)?.map_or(0, |(version, _)| version);
            Ok(scope.manifest_state(&id)?.map(|(manifest, _)| News { manifest, orders }))
        };
        let mut told = News::default();
        self.hint(&Hint::Records).await?;
        self.tell(&mut told, app.store.scoped(&tenant, there).await.ok()??).await?;
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
                changed = news.changed() => {
                    if changed.is_err() {
                        return Some("the device was removed");
                    }
                    let there = *news.borrow_and_update();
                    self.tell(&mut told, there).await?;
                }
                _ = ping.tick() => self.ping().await?,
                message = self.socket.recv() => {
                    self.heard = true;
                    if let Message::Text(text) = message?.ok()? {
                        let kept = records::keep(&app, &tenant, device.clone(), text.as_bytes());
                        self.hint(&answer(kept.await)).await?;
                    }
                }
            }
        }
    }

    /// Hints at what is newer than what was told.
    async fn tell(&mut self, told: &mut News, there: News) -> Option<()> {
        if there.manifest > told.manifest {
            self.hint(&Hint::Manifest { version: there.manifest }).await?;
            told.manifest = there.manifest;
        }
        if there.orders > told.orders {
            self.hint(&Hint::Order { version: there.orders }).await?;
            told.orders = there.orders;
        }
        Some(())
    }

    async fn hint(&mut self, hint: &Hint) -> Option<()> {
        let text = serde_json::to_string(hint).ok()?;
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

/// What the device is told of its batch.
fn answer(kept: Result<Acknowledged, Error>) -> Hint {
    match kept {
        Ok(Acknowledged { ids }) => Hint::Acknowledged { ids },
        Err(error) => {
            let (error, description) = error.named();
            Hint::Refused { error, description }
        }
    }
}
