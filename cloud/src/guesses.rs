//! How often a tenant's operators may mistype a user code: codes are short, so guessing is slow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::limits;

/// Wrong codes of the last while, by tenant; at most [`limits::GUESSES`] each.
#[derive(Debug, Default)]
pub struct Guesses {
    wrong: Mutex<BTreeMap<String, VecDeque<i64>>>,
}

impl Guesses {
    /// Counts an attempt before it is made, so that attempts side by side count too. `Err` holds
    /// the seconds to wait.
    pub fn attempt(&self, tenant: &str, now: Timestamp) -> Result<(), i64> {
        let now_s = now.as_second();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let list = wrong.entry(tenant.to_owned()).or_default();
        list.retain(|at| (now_s - limits::GUESS_WINDOW_S..=now_s).contains(at));
        match list.front() {
            Some(first) if list.len() >= limits::GUESSES => {
                Err((first + limits::GUESS_WINDOW_S - now_s).max(1))
            }
            _ => {
                list.push_back(now_s);
                Ok(())
            }
        }
    }

    /// Takes back the last attempt: the code was right.
    pub fn right(&self, tenant: &str) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = wrong.get_mut(tenant) {
            list.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn wrong_codes_run_out_and_come_back() {
        let guesses = Guesses::default();
        for n in 0..limits::GUESSES {
            assert_eq!(guesses.attempt("a", at(0)), Ok(()), "attempt {n}");
        }
        assert_eq!(guesses.attempt("a", at(10)), Err(50));
        assert_eq!(guesses.attempt("b", at(10)), Ok(()), "another tenant");
        assert_eq!(guesses.attempt("a", at(61)), Ok(()), "a minute later");
    }

    #[test]
    fn right_codes_cost_nothing() {
        let guesses = Guesses::default();
        for n in 0..3 * limits::GUESSES {
            assert_eq!(guesses.attempt("a", at(0)), Ok(()), "attempt {n}");
            guesses.right("a");
        }
    }
}
