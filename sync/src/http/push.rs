//! The push channel as a WebSocket.
//!
//! Not here: proxies. Behind one the channel stays down, and polling does its work more slowly.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};
use vitrine_wire::event::Hint;

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
/// A hint is 50 bytes.
const MESSAGE_BYTES: usize = 16 << 10;

/// An open push channel.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Opens the channel at `url`, an http or https address. Redirects are not followed.
pub(super) async fn open(
    mut url: Url,
    tls: Arc<ClientConfig>,
    pass: &Pass,
) -> Result<Socket, CloudError> {
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| lost(format!("no {scheme} address")))?;
    let mut request = url.as_str().into_client_request().map_err(failed)?;
    request.headers_mut().extend(headers::proof(pass)?);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let mut tls = ClientConfig::clone(&tls);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = Some(Connector::Rustls(Arc::new(tls)));
    let opening = connect_async_tls_with_config(request, Some(config), true, connector);
    let (socket, _) = timeout(OPEN, opening)
        .await
        .map_err(|_| lost(format!("not open after {} s", OPEN.as_secs())))?
        .map_err(failed)?;
    Ok(Socket(socket))
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
                    let ping = self.0.send(Message::Ping(Default::default()));
                    timeout(SILENCE, ping)
                        .await
                        .map_err(|_| lost("stuck".into()))?
                        .map_err(failed)?;
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
}

fn lost(text: String) -> CloudError {
    CloudError::new(CALL, Failure::Unreachable(text))
}

fn failed(error: tungstenite::Error) -> CloudError {
    let failure = match error {
        tungstenite::Error::Http(answer) => Failure::Refused {
            status: answer.status().as_u16(),
            error: String::new(),
            description: "no upgrade".into(),
        },
        other => Failure::Unreachable(chain(&other)),
    };
    CloudError::new(CALL, failure)
}
