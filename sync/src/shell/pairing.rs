//! The session in the loop: its questions asked, its answers carried out.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use vitrine_config::time::Now;
use vitrine_wire::Digest;
use vitrine_wire::auth::{
    Assertion, PairingAnswer, PairingRequest, TokenRequest, fingerprint, problem,
};

use super::hand_over::{hand_over, same_owner};
use super::{Done, Shell, random_id};
use crate::cloud::{Cloud, Told};
use crate::error::{CloudError, Failure, chain};
use crate::identity::Account;
use crate::model::Manifest;
use crate::session::{Ask, Effect, Grant, Reply};
use crate::{Connection, ENROLLMENT_REFUSED, Event, Paired, Pairing};

/// Characters of a code that are read in one breath.
const CODE_GROUP: usize = 4;
/// Life of an assertion: as short as two clocks allow.
const ASSERTION_LIFE_S: i64 = 120;

impl<C: Cloud> Shell<C> {
    pub(super) fn ask(&mut self, cloud: &Arc<C>, now: Now) {
        let Some(key) = &self.key else { return };
        let Some(ask) = self.session.due(now) else { return };
        let cloud = Arc::clone(cloud);
        match ask {
            Ask::Pairing => {
                let request = PairingRequest {
                    public_key: STANDARD.encode(key.verifying_key().as_bytes()),
                    name: self.options.name.clone(),
                    model: self.options.model.clone(),
                    release: self.options.release.clone(),
                    enrollment: self.options.enrollment.as_ref().map(|s| s.reveal().to_owned()),
                };
                self.tasks.spawn(async move {
                    let (told, at) = taken(cloud.pairing(request).await);
                    Done::Reply(Reply::Pairing(told), at)
                });
            }
            Ask::Token(grant) => {
                let aud = self.options.cloud_url.clone().unwrap_or_default();
                let request = token_request(grant, key, aud);
                self.tasks.spawn(async move {
                    let (told, at) = match request {
                        Ok(request) => taken(cloud.token(request).await),
                        Err(error) => (Err(error), None),
                    };
                    Done::Reply(Reply::Token(told), at)
                });
            }
        }
    }

    pub(super) async fn replied(&mut self, reply: Reply, at: Option<Timestamp>, now: Now) {
        self.session.heard(at, now);
        match &reply {
            Reply::Pairing(Ok(_)) => self.connected(Connection::Online { push: false }),
            // "Nobody approved yet" is an exchange that succeeded; the manifest's tells of the rest.
            Reply::Pairing(Err(error)) | Reply::Token(Err(error)) if error.problem().is_empty() => {
                self.connected(Connection::Offline { why: error.to_string() });
            }
            Reply::Pairing(Err(_)) | Reply::Token(_) => {}
        }
        let enrolling = matches!(reply, Reply::Pairing(_)) && self.options.enrollment.is_some();
        let refusal = match &reply {
            Reply::Pairing(Err(error)) if error.problem() == problem::INVALID_ENROLLMENT => {
                Some(error.to_string())
            }
            _ => None,
        };
        for effect in self.session.answered(reply, now, rand::random()) {
            match effect {
                // Nobody has to type it.
                Effect::Show(_) if enrolling => self.session.expect_yes(now),
                Effect::Show(answer) => self.show(answer),
                Effect::Paired(account) => self.paired(*account, now).await,
                Effect::Unpaired => {
                    // Nothing that an old token started goes on.
                    self.drop_calls().await;
                    self.say(Event::Unpaired);
                }
                Effect::Trouble { .. } if refusal.is_some() => {}
                Effect::Trouble { code, detail } => self.trouble(code, detail).await,
            }
        }
        if let Some(why) = refusal {
            self.not_enrolled(&why, now).await;
        }
    }

    /// The token is worth nothing: a person has to approve this device after all.
    async fn not_enrolled(&mut self, why: &str, now: Now) {
        self.options.enrollment = None;
        self.session.expect_yes(now);
        let detail = format!("the enrollment token is not taken, pairing by code: {why}");
        self.trouble(ENROLLMENT_REFUSED, detail).await;
    }

    fn show(&self, answer: PairingAnswer) {
        let Some(key) = &self.key else { return };
        self.say(Event::Pairing(Pairing {
            user_code: grouped(&answer.user_code),
            verification_uri: answer.verification_uri,
            verification_uri_complete: answer.verification_uri_complete,
            fingerprint: fingerprint(&key.verifying_key().to_bytes()),
        }));
    }

    /// Makes the account the device's own. Whatever was another's goes first, so that no crash
    /// leaves one tenant's bytes under another's name.
    async fn paired(&mut self, account: Account, now: Now) {
        let before = Account::load(&self.options.state_dir).ok().flatten();
        match before.clone().filter(|before| !same_owner(before, &account)) {
            Some(other) => {
                if let Err(detail) = self.make_way(&other, &account, now).await {
                    self.session.undo(before, now, rand::random());
                    return self.trouble("tenant_not_forgotten", detail).await;
                }
            }
            None => {
                if let Err(error) = account.save(&self.options.state_dir) {
                    // Plays until the next start, which then pairs anew.
                    self.trouble("account_not_kept", chain(&error)).await;
                }
            }
        }
        tracing::info!(tenant = account.tenant, device = account.device, "sync: paired");
        self.say(Event::Paired(Paired { tenant: account.tenant, device: account.device }));
        self.content.poll.hurry(now);
    }

    async fn make_way(
        &mut self,
        before: &Account,
        account: &Account,
        now: Now,
    ) -> Result<(), String> {
        self.drop_calls().await;
        let live = self.content.live.take();
        self.content.forget(now.mono);
        self.orders = Default::default();
        self.outbox.passing.clear();
        // Downloads that were given up may still be at work on the disk.
        let alone = self.disk.clone().write_owned().await;
        let (dir, cache) = (&self.options.state_dir, self.ways.cache.clone());
        hand_over(dir, before, account, &self.ways.store, move || cache.wipe()).await?;
        drop(alone);
        if before.tenant == account.tenant {
            // The same people's content: it stays on the screen until the new device has its own.
            self.content.live = live;
            return Ok(());
        }
        self.forget_settings();
        self.say_live(nothing(account), Default::default(), now);
        self.content.live = None;
        Ok(())
    }
}

/// A code as people read it out: `XXXX-XXXX`.
fn grouped(code: &str) -> String {
    match code.split_at_checked(CODE_GROUP) {
        Some((first, second)) if second.len() == CODE_GROUP && !code.contains('-') => {
            format!("{first}-{second}")
        }
        _ => code.to_owned(),
    }
}

/// What a new tenant's device plays before anything has come.
fn nothing(account: &Account) -> Manifest {
    Manifest {
        version: 0,
        tenant: account.tenant.clone(),
        device: account.device.clone(),
        content: Digest::of(b""),
        not_after: None,
        assets: Default::default(),
        playlists: Default::default(),
        layouts: Default::default(),
        schedule: Vec::new(),
        settings: Default::default(),
    }
}

fn token_request(grant: Grant, key: &SigningKey, aud: String) -> Result<TokenRequest, CloudError> {
    Ok(match grant {
        Grant::DeviceCode(device_code) => TokenRequest::DeviceCode { device_code },
        Grant::Refresh(refresh_token) => TokenRequest::Refresh { refresh_token },
        Grant::Assertion { device, at } => {
            let iat = at.as_second();
            let (iss, exp) = (device.clone(), iat + ASSERTION_LIFE_S);
            let claims = Assertion { iss, sub: device, aud, iat, exp, jti: random_id() };
            let assertion = claims.sign(key).map_err(|error| {
                CloudError::new("sign assertion", Failure::Strange(error.to_string()))
            })?;
            TokenRequest::Assertion { assertion }
        }
    })
}

fn taken<T>(told: Told<T>) -> (Result<T, CloudError>, Option<Timestamp>) {
    match told {
        Ok(answer) => (Ok(answer.value), answer.server_time),
        Err(error) => {
            let at = error.server_time;
            (Err(error), at)
        }
    }
}
