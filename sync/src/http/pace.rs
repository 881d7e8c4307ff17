//! Whether a body comes fast enough to be waited for.
//!
//! Silence is noticed elsewhere; this is for a server that drips: one byte in time, every time, would
//! hold a download's place for ever.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use tokio::select;
use tokio::time::{Sleep, sleep};

/// A body is judged over this: one lost radio cell is forgiven.
pub(super) const WINDOW: Duration = Duration::from_secs(30);
/// Least that comes in it, 1 kB/s: a quarter of what GPRS carries. What came stays, so a link that is
/// slower than this still gets there, try by try.
const LEAST_BYTES: u64 = 30_000;

/// What came in one window.
#[derive(Debug, Default)]
struct Came {
    bytes: u64,
}

impl Came {
    /// A window has ended.
    fn turn(&mut self) -> Result<(), TooSlow> {
        let came_bytes = std::mem::take(&mut self.bytes);
        if came_bytes < LEAST_BYTES { Err(TooSlow { came_bytes }) } else { Ok(()) }
    }
}

/// Measures one body.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    ends: Pin<Box<Sleep>>,
    came: Came,
}

/// Too little came.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{came_bytes} bytes in a window of time that wants {LEAST_BYTES}")]
pub(super) struct TooSlow {
    came_bytes: u64,
}

impl Pace {
    /// From now on.
    pub(super) fn over(window: Duration) -> Pace {
        Pace { window, ends: Box::pin(sleep(window)), came: Came::default() }
    }

    /// Waits for the next bytes as long as enough of them come. Time that the taker lets pass
    /// between two calls does no harm: what has come meanwhile is looked at first.
    pub(super) async fn watch<E>(
        &mut self,
        next: impl Future<Output = Result<Option<Bytes>, E>>,
    ) -> Result<Result<Option<Bytes>, E>, TooSlow> {
        let mut next = pin!(next);
        loop {
            select! {
                biased;
                came = &mut next => {
                    if let Ok(Some(bytes)) = &came {
                        self.came.bytes += bytes.len() as u64;
                    }
                    return Ok(came);
                }
                () = &mut self.ends => {
                    self.came.turn()?;
                    self.ends = Box::pin(sleep(self.window));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends `bytes` every `ms`, looked at for two minutes of its own time.
    fn serve(bytes: u64, ms: u64) -> Result<(), TooSlow> {
        let mut pace = Came::default();
        let (mut at_ms, mut turn_ms) = (ms, 30_000);
        while at_ms < 120_000 {
            while turn_ms <= at_ms {
                pace.turn()?;
                turn_ms += 30_000;
            }
            pace.bytes += bytes;
            at_ms += ms;
        }
        Ok(())
    }

    #[test]
    fn a_drip_is_given_up_and_a_slow_line_is_not() {
        for (case, bytes, ms, good) in [
            ("one byte every 29 s", 1, 29_000, false),
            ("one byte every 10 ms", 1, 10, false),
            ("900 bytes a second", 900, 1_000, false),
            ("1 100 bytes a second", 1_100, 1_000, true),
            ("a packet every 20 s", 64 << 10, 20_000, true),
        ] {
            assert_eq!(serve(bytes, ms).is_ok(), good, "case {case:?}");
        }
    }

    #[tokio::test]
    async fn who_sends_nothing_is_not_waited_for_and_who_sends_enough_is() {
        let short = Duration::from_millis(5);
        let silent = std::future::pending::<Result<Option<Bytes>, ()>>();
        assert_eq!(Pace::over(short).watch(silent).await, Err(TooSlow { came_bytes: 0 }));
        let mut pace = Pace::over(short);
        let enough = Bytes::from(vec![0; LEAST_BYTES as usize]);
        for _ in 0..5 {
            // However late the taker comes back: what is here already is taken first.
            sleep(short * 3).await;
            let here = std::future::ready(Ok::<_, ()>(Some(enough.clone())));
            assert!(pace.watch(here).await.is_ok());
        }
    }
}
