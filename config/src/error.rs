//! What is wrong with the settings, and where.

use std::fmt;
use std::path::PathBuf;

use crate::limits::CONFIG_PROBLEMS;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file as a whole: it cannot be read.
    File(PathBuf),
    /// A place in a file.
    At {
        /// As it was named, not resolved.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// A variable of the environment, by its name.
    Environment(String),
    /// A `section.key=value` on the command line.
    CommandLine,
    /// Set from afar, by whom and when.
    Cloud(String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(out, "{}", path.display()),
            Place::At { path, line, column } => {
                write!(out, "{}:{line}:{column}", path.display())
            }
            Place::Environment(name) => write!(out, "environment {name}"),
            Place::CommandLine => out.write_str("command line"),
            Place::Cloud(by) => write!(out, "cloud, by {by}"),
        }
    }
}

/// One thing to mend. Displays as `vitrine.toml:3:10: cloud.poll_s = 2: want 5 to 3600 s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where to mend it.
    pub place: Place,
    /// `section.key`, or what stands in its place; `None` where it is about a whole file.
    pub key: Option<String>,
    /// What stands there: shortened, and without secrets.
    pub found: String,
    /// What would be right.
    pub want: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(out, "{key} = ")?;
        }
        write!(out, "{}: want {}", self.found, self.want)
    }
}

/// Everything that is wrong, layer by layer and in the order of the text; one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// The first [`CONFIG_PROBLEMS`] of them; at least one.
    pub list: Vec<Problem>,
    /// How many more there are.
    pub left_out: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.list.len() < CONFIG_PROBLEMS {
            self.list.push(problem);
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.list.iter().enumerate() {
            if nth > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{problem}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(out, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_not_kept() {
        let one = Problem {
            place: Place::CommandLine,
            key: None,
            found: "x".into(),
            want: "section.key=value".into(),
        };
        let mut problems = Problems::default();
        problems.extend(std::iter::repeat_n(one, CONFIG_PROBLEMS + 3));
        assert_eq!((problems.list.len(), problems.left_out), (CONFIG_PROBLEMS, 3));
        let text = problems.to_string();
        assert_eq!(text.lines().count(), CONFIG_PROBLEMS + 1);
        assert!(text.ends_with("… and 3 more"), "{text}");
    }
}
