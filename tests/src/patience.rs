//! Waiting for another process, with an end.

use std::time::{Duration, Instant};

/// Between two looks: short beside anything a viewer notices, long beside what a look costs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks `look` again and again until it has an answer; None after `within`.
///
/// Other processes cannot post to a test, so this looks; no test relies on how long it took.
#[allow(clippy::disallowed_methods)]
pub fn wait_for<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let give_up = Instant::now() + within;
    loop {
        if let Some(answer) = look() {
            return Some(answer);
        }
        if Instant::now() >= give_up {
            return None;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Like [`wait_for`]; panics with `what` when it takes longer than half a minute, which is ten
/// times what a loaded two-core machine needs.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match wait_for(Duration::from_secs(30), look) {
        Some(answer) => answer,
        None => panic!("waited 30 s in vain until {what}"),
    }
}
