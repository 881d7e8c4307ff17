//! How fast all downloads together may be.
//!
//! Whoever has taken bytes waits until they are paid for before taking more; the other side then waits
//! too, because nobody empties the connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

/// Shorter waits are put together: a timer is coarser than a packet.
const STEP: Duration = Duration::from_millis(10);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// 0: no limit.
    bytes_s: AtomicU64,
    /// Time that is owed for bytes taken. Fair: who came first waits first.
    owed: Mutex<Duration>,
}

impl Throttle {
    /// Sets the limit, 0 for none; in force for the next bytes.
    pub(super) fn set(&self, bytes_s: u64) {
        self.bytes_s.store(bytes_s, Ordering::Relaxed);
    }

    /// Waits as long as `bytes` take. Dropped in the midst, the next one pays.
    pub(super) async fn pay(&self, bytes: usize) {
        let bytes_s = self.bytes_s.load(Ordering::Relaxed);
        if bytes_s == 0 {
            return;
        }
        let mut owed = self.owed.lock().await;
        *owed += cost(bytes, bytes_s);
        if *owed >= STEP {
            sleep(*owed).await;
            *owed = Duration::ZERO;
        }
    }
}

fn cost(bytes: usize, bytes_s: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_s as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_bites_are_paid_together_and_no_limit_is_free() {
        let throttle = Throttle::default();
        throttle.pay(usize::MAX >> 20).await;
        assert_eq!(*throttle.owed.lock().await, Duration::ZERO);
        throttle.set(1_000_000);
        for _ in 0..9 {
            throttle.pay(1_000).await;
        }
        assert_eq!(throttle.owed.lock().await.as_millis(), 9);
        throttle.pay(1_500).await;
        assert_eq!(*throttle.owed.lock().await, Duration::ZERO, "paid");
    }

    #[test]
    fn cost_is_exact_enough() {
        assert_eq!(cost(16 << 10, 64_000), Duration::from_millis(256));
        assert_eq!(cost(1, 1_000_000_000), Duration::from_nanos(1));
    }
}
