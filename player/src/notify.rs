//! What the service manager is told. Without one (`NOTIFY_SOCKET` unset) nothing happens.
//!
//! READY comes with the first frame on the display. There may be no display, and the agent must
//! sync all the same, so [`READY_AT_LATEST`] after the start READY comes anyway; where no screen of
//! our own is asked for (`screen.output` is `none` or `external`) it comes with the first word of
//! sync: the kiosk unit may wait for us. The director decides on WATCHDOG (`director::health`).

use std::time::Duration;

use sd_notify::NotifyState;

/// READY without a frame: below systemd's `TimeoutStartSec` of 90 s, far above any start to a
/// first frame.
pub const READY_AT_LATEST: Duration = Duration::from_secs(45);

/// The line to the service manager; remembers what has been said.
#[derive(Debug, Default)]
pub struct Notifier {
    ready: bool,
    status: String,
}

impl Notifier {
    /// The service is up. Said once.
    pub fn ready(&mut self, why: &str) {
        if !std::mem::replace(&mut self.ready, true) {
            tracing::info!(why, "ready");
            tell(&[NotifyState::Ready]);
        }
    }

    /// Whether READY has been said.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Proof of life.
    pub fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// One line for `systemctl status`; the same line is not said twice.
    pub fn status(&mut self, line: String) {
        if line != self.status {
            tell(&[NotifyState::Status(&line)]);
            self.status = line;
        }
    }

    /// A clean stop has begun.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

/// Whether there is a service manager that listens.
pub fn is_wanted() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}
