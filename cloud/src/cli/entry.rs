//! `--entry TARGET[,key=value…]`: one line of the schedule as a person types it.

use jiff::civil::Time;
use serde::de::DeserializeOwned;
use vitrine_wire::manifest::{Day, Entry, EntryKind, Target, Window};

const WEEK: [(&str, Day); 7] = [
    ("mon", Day::Mon),
    ("tue", Day::Tue),
    ("wed", Day::Wed),
    ("thu", Day::Thu),
    ("fri", Day::Fri),
    ("sat", Day::Sat),
    ("sun", Day::Sun),
];

/// Reads the `n`-th `--entry`; the number becomes part of its id.
pub fn read(text: &str, n: usize) -> Result<Entry, String> {
    let mut parts = text.split(',').map(str::trim);
    let target = target(parts.next().unwrap_or_default());
    let (kind, windows) = (EntryKind::default(), Vec::new());
    let (valid_from, valid_until) = (None, None);
    let id = format!("entry-{n}");
    let (priority, display) = (0, 1);
    let mut entry = Entry { id, kind, priority, display, target, windows, valid_from, valid_until };
    let (mut days, mut from, mut until) = (Vec::new(), None, None);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let wrong = |wanted| format!("entry {text:?}: {key} is {value:?}, want {wanted}");
        match key {
            "days" => days = read_days(value).ok_or_else(|| wrong("mon-fri or sat+sun"))?,
            "from" => from = Some(time(value).ok_or_else(|| wrong("HH:MM"))?),
            "until" => until = Some(time(value).ok_or_else(|| wrong("HH:MM"))?),
            "priority" => entry.priority = value.parse().map_err(|_| wrong("a number"))?,
            "display" => entry.display = value.parse().map_err(|_| wrong("1, 2, …"))?,
            "kind" => {
                let kinds = "normal, interrupt, fallback or overlay";
                entry.kind = word(value).ok_or_else(|| wrong(kinds))?;
            }
            _ => {
                let keys = "days, from, until, kind, priority or display";
                return Err(format!("entry {text:?}: {key:?} is not known, want {keys}"));
            }
        }
    }
    if !days.is_empty() || from.is_some() || until.is_some() {
        let (from, until) = (from.unwrap_or(Time::MIN), until.unwrap_or(Time::MIN));
        entry.windows.push(Window { days, from, until });
    }
    Ok(entry)
}

fn target(text: &str) -> Target {
    match text.split_once(':') {
        Some(("layout", id)) => Target::Layout(id.into()),
        Some(("playlist", id)) => Target::Playlist(id.into()),
        _ => Target::Playlist(text.into()),
    }
}

/// `mon`, `mon-fri` (also over the weekend), and several with `+`.
fn read_days(text: &str) -> Option<Vec<Day>> {
    let place = |name: &str| WEEK.iter().position(|(short, _)| *short == name);
    let mut days = Vec::new();
    for part in text.split('+') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        let count = (last + WEEK.len() - first) % WEEK.len() + 1;
        days.extend((first..first + count).map(|n| WEEK[n % WEEK.len()].1));
    }
    Some(days)
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(text.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::time;

    #[test]
    fn what_a_person_types() {
        let always = read("menu", 1).unwrap();
        assert_eq!(
            (always.id.as_str(), always.target),
            ("entry-1", Target::Playlist("menu".into()))
        );
        assert!(always.windows.is_empty());
        let text =
            "layout:hall,days=fri-mon,from=22:00,until=06:00,kind=interrupt,priority=3,display=2";
        let night = read(text, 2).unwrap();
        let days = vec![Day::Fri, Day::Sat, Day::Sun, Day::Mon];
        let window = Window { days, from: time(22, 0, 0, 0), until: time(6, 0, 0, 0) };
        assert_eq!(
            (night.target, night.kind),
            (Target::Layout("hall".into()), EntryKind::Interrupt)
        );
        assert_eq!((always.display, night.display), (1, 2));
        assert_eq!((night.priority, night.windows), (3, vec![window]));
    }

    #[test]
    fn every_kind_can_be_typed() {
        for (kind, want) in [
            ("normal", EntryKind::Normal),
            ("interrupt", EntryKind::Interrupt),
            ("fallback", EntryKind::Fallback),
            ("overlay", EntryKind::Overlay),
        ] {
            assert_eq!(read(&format!("menu,kind={kind}"), 1).unwrap().kind, want);
        }
    }

    #[test]
    fn anything_else_says_what_is_wanted() {
        for text in [
            "m,days=monday",
            "m,from=8",
            "m,until=25:00",
            "m,kind=x",
            "m,priority=a",
            "m,display=two",
            "m,x",
        ] {
            let error = read(text, 1).unwrap_err();
            assert!(error.contains("want"), "{error}");
        }
    }
}
