//! What every handler has at hand.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::Error;
use crate::files::Files;
use crate::guesses::Guesses;
use crate::hub::Hub;
use crate::keys::Keys;
use crate::publish::Seal;
use crate::secret::Hash;
use crate::store::{Scope, Store};
use crate::world::World;

/// The cloud as handlers see it.
pub type App = Arc<Cloud>;

/// Parts of a running cloud.
pub struct Cloud {
    /// The database.
    pub store: Store,
    /// Bytes of assets and screenshots.
    pub files: Files,
    /// Held while a file is put in its place or removed, together with its row.
    pub placing: tokio::sync::Mutex<()>,
    /// Signing keys of tenants.
    pub keys: Keys,
    /// Devices that listen.
    pub hub: Hub,
    /// Wrong user codes.
    pub guesses: Guesses,
    /// Time and chance.
    pub world: World,
    /// Of the admin token.
    pub admin_hash: Hash,
    /// Base URL under which devices know this cloud; else what each request says.
    pub public_url: Option<String>,
    /// Wait between two asks of a device that pairs, in seconds.
    pub pairing_interval_s: u32,
    /// Closes when the server stops.
    pub stop: watch::Receiver<()>,
}

impl Cloud {
    /// The tenant's keys and the time, for something to be signed now. Reads files: for the threads
    /// that may wait.
    pub fn seal(&self, scope: &Scope) -> Result<Seal, Error> {
        let (lowest, newest) = (scope.lowest_pinned()?, scope.key_number()?);
        let read = |number| Ok((number, self.keys.read(scope.tenant(), number)?));
        let keys = (lowest.min(newest)..=newest).map(read).collect::<Result<_, Error>>()?;
        Ok(Seal { keys, now: self.world.now() })
    }
}
