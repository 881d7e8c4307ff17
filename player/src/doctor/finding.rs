//! One thing looked at, and how it is said.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// It works, not as well as it could; or it could not be looked at.
    Fair,
    /// Something will not work.
    Bad,
}

/// What was looked at, what was found, what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word or two.
    pub what: String,
    /// How it is.
    pub state: State,
    /// What was found, with units.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn good(what: &str, found: impl Into<String>) -> Finding {
        Finding { what: what.into(), state: State::Good, found: found.into(), advice: None }
    }

    /// It works, but.
    pub fn fair(what: &str, found: impl Into<String>, advice: &str) -> Finding {
        let advice = Some(advice.to_owned());
        Finding { what: what.into(), state: State::Fair, found: found.into(), advice }
    }

    /// It does not work.
    pub fn bad(what: &str, found: impl Into<String>, advice: &str) -> Finding {
        Finding { state: State::Bad, ..Finding::fair(what, found, advice) }
    }
}

/// All of them for people, one below the other.
pub fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { what, state, found, advice } in findings {
        let mark = match state {
            State::Good => "good",
            State::Fair => "fair",
            State::Bad => "BAD ",
        };
        text.push_str(&format!("{mark}  {what:<width$}  {found}\n"));
        if let Some(advice) = advice {
            text.push_str(&format!("      {:<width$}  -> {advice}\n", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_what_was_found() {
        let all = [Finding::good("clock", "synced"), Finding::bad("GPU", "none", "buy one")];
        let wanted = "good  clock  synced\nBAD   GPU    none\n             -> buy one\n";
        assert_eq!(text(&all), wanted);
    }
}
