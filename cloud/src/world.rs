//! Time and chance as arguments: the one place of the cloud that reads a clock or rolls dice.
//!
//! Everything else is handed a [`World`] or a value from it; tests bring their own.

use std::sync::Arc;

use jiff::Timestamp;

/// Where time and randomness come from.
#[derive(Clone)]
pub struct World {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    random: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
}

impl World {
    /// The machine's clock and random numbers fit for keys.
    #[allow(clippy::disallowed_methods, reason = "the one module of the cloud that reads a clock")]
    pub fn real() -> Self {
        World { now: Arc::new(Timestamp::now), random: Arc::new(rand::random) }
    }

    /// The same world with another clock.
    pub fn with_clock(self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        World { now: Arc::new(now), ..self }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// 32 bytes that nobody can guess.
    pub fn random(&self) -> [u8; 32] {
        (self.random)()
    }
}
