//! The operator's side of the API as functions: what the command line and other tools call.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vitrine_wire::auth::Problem;
use vitrine_wire::manifest::{Asset, Entry, Layout, Playlist, Setting};
use vitrine_wire::operator::{
    Approval, DeviceState, EnrollmentMade, EnrollmentState, KeyReplaced, NewEnrollment, NewOrder,
    NewSettings, NewTenant, OrderMade, Published, Quota, ReleaseFile, Room, TenantMade,
};

use crate::compose::Draft;
use crate::records::Page;

/// A cloud that does not take the connection by now is down.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A call that is not answered by now, body and all, has failed; a screenshot is the longest.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// An upload may take a day: 8 GiB over a line of 1 Mbit/s do. A cloud that vanishes meanwhile is
/// noticed by the library's own limit for unacknowledged data.
const UPLOAD_WITHIN: Duration = Duration::from_secs(24 * 3_600);
/// Everything of the operator lies below this.
const OPERATOR: [&str; 3] = ["api", "v3", "operator"];

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The cloud said no.
    #[error("{text}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// `Problem::error`.
        code: String,
        /// `Problem::error_description`.
        text: String,
    },
    /// The cloud was not reached, or did not answer in its own words.
    #[error("{url}: {why}")]
    Network {
        /// Base URL.
        url: String,
        /// The chain of causes.
        why: String,
    },
    /// A base URL that is none.
    #[error("URL {url:?}: want http://HOST:PORT or https://HOST")]
    Url {
        /// What was given.
        url: String,
    },
    /// A local file.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// How it failed.
        source: std::io::Error,
    },
}

/// A connection to one cloud with one token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

impl Client {
    /// Talks to the cloud at `url` with an operator or admin token.
    pub fn new(url: &str, token: impl Into<String>) -> Result<Self, ClientError> {
        // Fails only if one is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wrong = || ClientError::Url { url: url.into() };
        let base = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(wrong());
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            // A proxy that the environment names would look for the cloud on its own machine.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| network(&base, &e))?;
        Ok(Client { http, base, token: token.into() })
    }

    /// Makes a tenant (admin token).
    pub async fn create_tenant(&self, tenant: &str) -> Result<TenantMade, ClientError> {
        let new = NewTenant { tenant: tenant.into() };
        self.json(self.ask(Method::POST, &["tenants"]).json(&new)).await
    }

    /// Replaces a tenant's operator token (admin token).
    pub async fn renew_token(&self, tenant: &str) -> Result<TenantMade, ClientError> {
        self.json(self.ask(Method::POST, &["tenants", tenant, "token"])).await
    }

    /// Gives a tenant so much room for assets; None: as the disk has (admin token).
    pub async fn set_quota(
        &self,
        tenant: &str,
        quota_bytes: Option<u64>,
    ) -> Result<Room, ClientError> {
        let ask = self.ask(Method::PUT, &["tenants", tenant, "quota"]);
        self.json(ask.json(&Quota { quota_bytes })).await
    }

    /// Room for assets, and what of it is taken.
    pub async fn room(&self) -> Result<Room, ClientError> {
        self.json(self.ask(Method::GET, &["quota"])).await
    }

    /// Removes an asset that nothing shows.
    pub async fn remove_asset(&self, digest: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["assets", digest])).await.map(drop)
    }

    /// Has a tenant sign with another key (admin token).
    pub async fn replace_key(&self, tenant: &str) -> Result<KeyReplaced, ClientError> {
        self.json(self.ask(Method::POST, &["tenants", tenant, "key"])).await
    }

    /// The release index as it was put, signed (admin token).
    pub async fn releases(&self) -> Result<Vec<u8>, ClientError> {
        let response = self.send(self.ask(Method::GET, &["releases"])).await?;
        Ok(response.bytes().await.map_err(|e| network(&self.base, &e))?.into())
    }

    /// Puts a signed release index in place of the old one (admin token).
    pub async fn put_releases(&self, signed: Vec<u8>) -> Result<(), ClientError> {
        let request = self.ask(Method::PUT, &["releases"]);
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        self.send(request.body(signed)).await.map(drop)
    }

    /// Uploads the file of a release (admin token).
    pub async fn upload_release(&self, path: &Path) -> Result<ReleaseFile, ClientError> {
        self.stream(self.ask(Method::POST, &["releases", "files"]), path).await
    }

    /// Says yes to the code that a screen shows.
    pub async fn approve(&self, code: &str, name: &str) -> Result<DeviceState, ClientError> {
        let yes = Approval { name: name.into() };
        self.json(self.ask(Method::POST, &["pairings", code]).json(&yes)).await
    }

    /// Says no to it.
    pub async fn deny(&self, code: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["pairings", code])).await.map(drop)
    }

    /// Says yes in advance.
    pub async fn enroll(&self, new: &NewEnrollment) -> Result<EnrollmentMade, ClientError> {
        self.json(self.ask(Method::POST, &["enrollments"]).json(new)).await
    }

    /// All enrollment tokens, without their secrets.
    pub async fn enrollments(&self) -> Result<Vec<EnrollmentState>, ClientError> {
        self.json(self.ask(Method::GET, &["enrollments"])).await
    }

    /// Ends one.
    pub async fn end_enrollment(&self, enrollment: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["enrollments", enrollment])).await.map(drop)
    }

    /// Uploads a file under a name.
    pub async fn upload(&self, path: &Path, name: &str) -> Result<Asset, ClientError> {
        self.stream(self.ask(Method::POST, &["assets"]).query(&[("name", name)]), path).await
    }

    /// All assets.
    pub async fn assets(&self) -> Result<Vec<Asset>, ClientError> {
        self.json(self.ask(Method::GET, &["assets"])).await
    }

    /// Playlists, layouts and schedule as they would be published.
    pub async fn content(&self) -> Result<Draft, ClientError> {
        self.json(self.ask(Method::GET, &["content"])).await
    }

    /// Puts a playlist in place of the one with its id.
    pub async fn put_playlist(&self, playlist: &Playlist) -> Result<(), ClientError> {
        self.put(&["playlists", &playlist.id], playlist).await
    }

    /// Drops a playlist.
    pub async fn remove_playlist(&self, id: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["playlists", id])).await.map(drop)
    }

    /// Puts a layout in place of the one with its id.
    pub async fn put_layout(&self, layout: &Layout) -> Result<(), ClientError> {
        self.put(&["layouts", &layout.id], layout).await
    }

    /// Drops a layout.
    pub async fn remove_layout(&self, id: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["layouts", id])).await.map(drop)
    }

    /// Puts the schedule in place of the old one.
    pub async fn put_schedule(&self, schedule: &[Entry]) -> Result<(), ClientError> {
        self.put(&["schedule"], schedule).await
    }

    /// Puts a document at a path below the operator's, as it is: the cloud says what is wrong.
    pub async fn put<T: Serialize + ?Sized>(
        &self,
        path: &[&str],
        document: &T,
    ) -> Result<(), ClientError> {
        self.send(self.ask(Method::PUT, path).json(document)).await.map(drop)
    }

    /// Gives every device what is there.
    pub async fn publish(&self) -> Result<Published, ClientError> {
        self.json(self.ask(Method::POST, &["publish"])).await
    }

    /// All devices with their state.
    pub async fn devices(&self) -> Result<Vec<DeviceState>, ClientError> {
        self.json(self.ask(Method::GET, &["devices"])).await
    }

    /// Removes a device.
    pub async fn remove_device(&self, device: &str) -> Result<(), ClientError> {
        self.send(self.ask(Method::DELETE, &["devices", device])).await.map(drop)
    }

    /// Sends an order.
    pub async fn order(&self, device: &str, new: &NewOrder) -> Result<OrderMade, ClientError> {
        self.json(self.ask(Method::POST, &["devices", device, "orders"]).json(new)).await
    }

    /// The last screenshot of a device: PNG or JPEG.
    pub async fn screenshot(&self, device: &str) -> Result<Vec<u8>, ClientError> {
        let response = self.send(self.ask(Method::GET, &["devices", device, "screenshot"])).await?;
        Ok(response.bytes().await.map_err(|e| network(&self.base, &e))?.into())
    }

    /// What is said of settings, for one device alone or for all.
    pub async fn settings(&self, device: Option<&str>) -> Result<Vec<Setting>, ClientError> {
        let request = self.ask(Method::GET, &["settings"]);
        self.json(request.query(&device.map(|device| ("device", device)).as_slice())).await
    }

    /// Says what settings are to be.
    pub async fn set(&self, new: &NewSettings) -> Result<(), ClientError> {
        self.send(self.ask(Method::POST, &["settings"]).json(new)).await.map(drop)
    }

    /// Records of a device that arrived after number `after`, all kinds or one.
    pub async fn records(
        &self,
        device: &str,
        kind: Option<&str>,
        after: u64,
    ) -> Result<Page, ClientError> {
        let mut request = self.ask(Method::GET, &["devices", device, "records"]);
        request = request.query(&[("after", after)]);
        if let Some(kind) = kind {
            request = request.query(&[("kind", kind)]);
        }
        self.json(request).await
    }

    fn ask(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(OPERATOR).extend(path);
        }
        self.http.request(method, url).bearer_auth(&self.token)
    }

    async fn stream<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        path: &Path,
    ) -> Result<T, ClientError> {
        let failed = |source| ClientError::File { path: path.display().to_string(), source };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let size_bytes = file.metadata().await.map_err(failed)?.len();
        let request = request.timeout(UPLOAD_WITHIN);
        self.json(request.header(reqwest::header::CONTENT_LENGTH, size_bytes).body(file)).await
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let answer = self.send(request).await?.json().await;
        answer.map_err(|e| network(&self.base, &e))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|e| network(&self.base, &e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.json::<Problem>().await {
            Ok(Problem { error: code, error_description: text }) => {
                Err(ClientError::Refused { status, code, text })
            }
            Err(_) => {
                let why = format!("answered {status}, but not as a vitrine-cloud does");
                Err(ClientError::Network { url: self.base.to_string(), why })
            }
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str().unwrap_or_default() {
        "localhost" => true,
        host => {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            address.is_ok_and(|address| address.is_loopback())
        }
    }
}

/// The whole chain of causes in one line: reqwest's own text hides why.
fn network(base: &Url, error: &reqwest::Error) -> ClientError {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    ClientError::Network { url: base.to_string(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_on_this_machine_is_asked_without_a_proxy() {
        for (url, want) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("https://cloud.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), want, "case {url:?}");
        }
    }
}
