//! One thing looked at, and how it is said.

use serde::Serialize;

use crate::error::Error;

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

/// Room for the longest name of our own.
const WIDTH: usize = "H.264 1080p30".len();
/// A file's name that is longer makes its own line longer.
const WIDEST: usize = 32;

/// Takes findings as they come: people see each at once, machines get one document at the end.
pub struct Report<P> {
    json: bool,
    width: usize,
    print: P,
    /// What was found.
    pub findings: Vec<Finding>,
    printed: Result<(), Error>,
}

impl<P: FnMut(&str) -> Result<(), Error>> Report<P> {
    /// One with room for these names.
    pub fn new<'a>(json: bool, names: impl Iterator<Item = &'a str>, print: P) -> Report<P> {
        let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
        let width = longest.clamp(WIDTH, WIDEST);
        Report { json, width, print, findings: Vec::new(), printed: Ok(()) }
    }

    /// The next one. What cannot be printed is told at the end.
    pub fn take(&mut self, finding: Finding) {
        if !self.json && self.printed.is_ok() {
            self.printed = (self.print)(&line(&finding, self.width));
        }
        self.findings.push(finding);
    }

    /// There are no more.
    ///
    /// # Errors
    /// One of them could not be printed.
    pub fn finish(mut self) -> Result<Vec<Finding>, Error> {
        if self.json {
            let text = serde_json::to_string_pretty(&self.findings);
            self.printed = (self.print)(&text.map_err(|error| Error::Output(error.into()))?);
        }
        self.printed.map(|()| self.findings)
    }
}

/// Takes them while they are being made.
impl<P: FnMut(&str) -> Result<(), Error>> Extend<Finding> for Report<P> {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.take(finding));
    }
}

/// One for people, with what helps below it.
fn line(Finding { what, state, found, advice }: &Finding, width: usize) -> String {
    let mark = match state {
        State::Good => "good",
        State::Fair => "fair",
        State::Bad => "BAD ",
    };
    let advice = advice.as_ref().map(|advice| format!("      {:<width$}  -> {advice}\n", ""));
    format!("{mark}  {what:<width$}  {found}\n{}", advice.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What is printed after each of two findings, and at the end.
    fn printed(json: bool, names: &[&str]) -> [String; 3] {
        let out = RefCell::new(String::new());
        let print = |text: &str| {
            out.borrow_mut().push_str(text);
            Ok(())
        };
        let mut report = Report::new(json, names.iter().copied(), print);
        let mut one = |finding| {
            report.take(finding);
            out.borrow().clone()
        };
        let (first, second) =
            (one(Finding::good("clock", "synced")), one(Finding::bad("GPU", "none", "buy one")));
        assert_eq!(report.finish().map(|all| all.len()).ok(), Some(2));
        [first, second, out.into_inner()]
    }

    #[test]
    fn people_see_each_at_once_with_its_advice_below() {
        let clock = "good  clock          synced\n";
        let gpu = "BAD   GPU            none\n                     -> buy one\n";
        let both = [clock, gpu].concat();
        assert_eq!(printed(false, &[]), [clock, both.as_str(), both.as_str()]);
        let [first, ..] = printed(false, &["a-clip-of-ours.mp4"]);
        assert_eq!(first, "good  clock               synced\n");
    }

    #[test]
    fn machines_get_one_document_at_the_end() {
        let [first, second, end] = printed(true, &[]);
        assert_eq!((first.as_str(), second.as_str()), ("", ""));
        let all: serde_json::Value = serde_json::from_str(&end).expect("JSON");
        assert_eq!((&all[0]["what"], &all[1]["state"]), (&"clock".into(), &"bad".into()));
    }

    #[test]
    fn what_cannot_be_printed_is_told_and_not_tried_again() {
        let mut tries = 0;
        let print = |_: &str| {
            tries += 1;
            Err(Error::Output(std::io::Error::other("full")))
        };
        let mut report = Report::new(false, std::iter::empty(), print);
        report.extend(["a", "b"].map(|what| Finding::good(what, "is there")));
        assert!(matches!(report.finish(), Err(Error::Output(_))));
        assert_eq!(tries, 1);
    }
}
