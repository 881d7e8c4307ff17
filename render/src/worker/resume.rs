//! Where in its file a worker goes on that takes the place of another one.
//!
//! In:  how much has been shown, how long a round of a loop is, whether the file can be sought in.
//! Out: where to seek to, and which moment after the start that is.

use gstreamer::prelude::*;
use gstreamer::{ClockTime, Format, Pipeline, query};

/// A place in a file and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// There in the file; None: at the beginning, from where what has been shown is passed over.
    pub to: Option<ClockTime>,
    /// What is there is due so much after the start.
    pub due: ClockTime,
}

impl Place {
    /// Where `from` after the start is; `round`: how long one is of a file that starts over. A round
    /// that is known by the file alone may be a little off: the picture then skips, and goes on.
    pub fn find(from: ClockTime, round: Option<ClockTime>, seekable: bool) -> Place {
        let within = match round.map(ClockTime::nseconds) {
            Some(round_ns) if round_ns > 0 => from.nseconds() % round_ns,
            _ => from.nseconds(),
        };
        let within = ClockTime::from_nseconds(within);
        match seekable {
            true => Place { to: Some(within), due: from },
            false => Place { to: None, due: from - within },
        }
    }
}

/// Whether a file can be sought in, once its first frame is there.
pub fn is_seekable(pipeline: &Pipeline) -> bool {
    let mut seeking = query::Seeking::new(Format::Time);
    pipeline.query(&mut seeking) && seeking.result().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_within_its_round_and_due_when_it_would_have_been() {
        let ms = ClockTime::from_mseconds;
        for (case, from, round, seekable, to, due) in [
            ("in a film", 1_500, None, true, Some(1_500), 1_500),
            ("in the first round", 1_500, Some(2_000), true, Some(1_500), 1_500),
            ("in the third round", 4_100, Some(2_000), true, Some(100), 4_100),
            ("between two rounds", 4_000, Some(2_000), true, Some(0), 4_000),
            ("a round of no length", 4_000, Some(0), true, Some(4_000), 4_000),
            ("no seeking in a film", 1_500, None, false, None, 0),
            ("no seeking in a loop", 4_100, Some(2_000), false, None, 4_000),
        ] {
            let found = Place::find(ms(from), round.map(ms), seekable);
            assert_eq!(found, Place { to: to.map(ms), due: ms(due) }, "case {case:?}");
        }
    }
}
