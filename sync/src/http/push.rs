//! The push channel as a WebSocket, opened by the HTTP client itself: the same way out of the house,
//! with the same proxy and the same authorities, as every other call.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Client, Response, StatusCode, Upgraded, Url};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use vitrine_wire::event::Hint;
use vitrine_wire::record::Batch;

use super::headers;
use crate::cloud::Hints;
use crate::error::{CloudError, Failure, chain};
use crate::session::Pass;

const CALL: &str = "GET events";

/// Connection, TLS and upgrade together.
const OPEN: Duration = Duration::from_secs(20);
/// Silence after which we ask whether anybody is there; as much again and nobody is. Below the 60 s
/// after which home routers forget a connection.
const SILENCE: Duration = Duration::from_secs(25);
/// A hint is 50 bytes, 200 record ids are 8 kB.
const MESSAGE_BYTES: usize = 16 << 10;

/// An open push channel.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<Upgraded>);

/// Opens the channel at `url`, an http or https address. Redirects are not followed. `client` must
/// offer HTTP/1.1 alone: there is no upgrade in HTTP/2.
pub(super) async fn open(client: &Client, url: Url, pass: &Pass) -> Result<Socket, CloudError> {
    let upgraded = timeout(OPEN, upgrade(client, url, pass))
        .await
        .map_err(|_| lost(format!("not open after {} s", OPEN.as_secs())))??;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    Ok(Socket(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await))
}

async fn upgrade(client: &Client, url: Url, pass: &Pass) -> Result<Upgraded, CloudError> {
    let key = generate_key();
    let request = client
        .get(url)
        .headers(headers::proof(pass)?)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let response = request.send().await.map_err(|error| super::unreachable(CALL, error))?;
    let response = agreed(response, &key).await?;
    response.upgrade().await.map_err(|error| super::unreachable(CALL, error))
}

/// Lets an answer pass that switches to a WebSocket, and to the one that was asked for.
async fn agreed(response: Response, key: &str) -> Result<Response, CloudError> {
    let strange = |text: String| CloudError::new(CALL, Failure::Strange(text));
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {}
        status if status.is_success() => {
            return Err(strange(format!("status {status}, want 101")));
        }
        _ => return Err(super::refusal(CALL, response).await),
    }
    let found = headers::text(response.headers(), &SEC_WEBSOCKET_ACCEPT);
    if found.as_deref() != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(strange("switched to something, but not to a WebSocket".into()));
    }
    Ok(response)
}

impl Hints for Socket {
    async fn hint(&mut self) -> Result<Hint, CloudError> {
        let mut asked = false;
        loop {
            let message = match timeout(SILENCE, self.0.next()).await {
                Ok(message) => message.ok_or_else(|| lost("closed".into()))?.map_err(failed)?,
                Err(_) if asked => return Err(lost("silent".into())),
                Err(_) => {
                    asked = true;
                    self.send(Message::Ping(Default::default())).await?;
                    continue;
                }
            };
            asked = false;
            match message {
                // Kinds that this release does not know are passed over.
                Message::Text(text) => {
                    if let Ok(hint) = serde_json::from_str(&text) {
                        return Ok(hint);
                    }
                }
                Message::Close(_) => return Err(lost("closed".into())),
                // Pings are answered by the library when it is polled next.
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn tell(&mut self, batch: &Batch) -> Result<(), CloudError> {
        let text = serde_json::to_string(batch)
            .map_err(|error| CloudError::new(CALL, Failure::Strange(error.to_string())))?;
        self.send(Message::Text(text.into())).await
    }
}

impl Socket {
    async fn send(&mut self, message: Message) -> Result<(), CloudError> {
        let sent = timeout(SILENCE, self.0.send(message)).await;
        sent.map_err(|_| lost("stuck".into()))?.map_err(failed)
    }
}

fn lost(text: String) -> CloudError {
    CloudError::new(CALL, Failure::Unreachable(text))
}

fn failed(error: tungstenite::Error) -> CloudError {
    lost(chain(&error))
}
