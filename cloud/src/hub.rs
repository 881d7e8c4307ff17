//! Who listens for news: one slot per device that holds the newest versions. Nothing is queued, so
//! a slow listener misses steps, never the last word.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Versions that there are; 0 of what nothing was said yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// Of the manifest.
    pub manifest: u64,
    /// Of the orders.
    pub orders: u64,
}

type Slots = HashMap<(String, String), watch::Sender<News>>;

/// Slots of all devices that listen.
#[derive(Debug, Default)]
pub struct Hub {
    slots: Mutex<Slots>,
}

impl Hub {
    /// Listens for what is new for a device. The channel closes when the device is removed.
    pub fn listen(&self, tenant: &str, device: &str) -> watch::Receiver<News> {
        let mut slots = self.slots();
        slots.retain(|_, slot| !slot.is_closed());
        let slot = slots.entry((tenant.into(), device.into()));
        slot.or_insert_with(|| watch::Sender::new(News::default())).subscribe()
    }

    /// Tells a device, if it listens, that there is a manifest of this version.
    pub fn tell(&self, tenant: &str, device: &str, version: u64) {
        self.change(tenant, device, |news| news.manifest = version);
    }

    /// Tells a device, if it listens, that there are orders of this version.
    pub fn tell_orders(&self, tenant: &str, device: &str, version: u64) {
        self.change(tenant, device, |news| news.orders = version);
    }

    /// Tells a device, if it listens, of all that there is.
    pub fn tell_all(&self, tenant: &str, device: &str, there: News) {
        self.change(tenant, device, |news| *news = there);
    }

    fn change(&self, tenant: &str, device: &str, change: impl FnOnce(&mut News)) {
        if let Some(slot) = self.slots().get(&(tenant.to_owned(), device.to_owned())) {
            slot.send_modify(change);
        }
    }

    /// Hangs up on a device.
    pub fn hang_up(&self, tenant: &str, device: &str) {
        self.slots().remove(&(tenant.to_owned(), device.to_owned()));
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_device_meant_hears_and_hears_the_last_word() {
        let hub = Hub::default();
        let mut mine = hub.listen("a", "d");
        let (same_id, other) = (hub.listen("b", "d"), hub.listen("a", "e"));
        hub.tell("a", "d", 1);
        hub.tell("a", "d", 2);
        hub.tell_orders("a", "d", 3);
        assert_eq!(*mine.borrow_and_update(), News { manifest: 2, orders: 3 });
        assert!(!same_id.has_changed().unwrap() && !other.has_changed().unwrap());
    }

    #[test]
    fn a_removed_device_is_hung_up_on_and_a_gone_one_forgotten() {
        let hub = Hub::default();
        let (mine, gone) = (hub.listen("a", "d"), hub.listen("a", "gone"));
        drop(gone);
        hub.hang_up("a", "d");
        assert!(mine.has_changed().is_err());
        let _new = hub.listen("a", "new");
        assert_eq!(hub.slots().len(), 1);
    }
}
