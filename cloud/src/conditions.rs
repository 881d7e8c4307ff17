//! Conditional and partial requests (RFC 9110, sections 13 and 14), decided without I/O.

use std::ops::Range;

/// What to send of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it, 200.
    Whole,
    /// These bytes, 206.
    Some(Range<u64>),
    /// Nothing, 416: no byte of the file was asked for.
    Nothing,
}

/// Whether an `If-None-Match` names `tag` (quotes included). Compared weakly, as the standard says.
pub fn names_tag(if_none_match: &str, tag: &str) -> bool {
    if_none_match.split(',').map(str::trim).any(|one| {
        let strong = one.strip_prefix("W/").unwrap_or(one);
        one == "*" || strong == tag
    })
}

/// What a `Range` header asks of a file of `size_bytes`, if `If-Range` lets it. A range that
/// cannot be read and several ranges at once are passed over, which the standard allows.
pub fn part(range: Option<&str>, if_range: Option<&str>, tag: &str, size_bytes: u64) -> Part {
    let unchanged = if_range.is_none_or(|wanted| wanted.trim() == tag);
    match range.filter(|_| unchanged).and_then(read_range) {
        None => Part::Whole,
        Some((Some(first), _)) if first >= size_bytes => Part::Nothing,
        Some((Some(first), None)) => Part::Some(first..size_bytes),
        Some((Some(first), Some(last))) => Part::Some(first..size_bytes.min(last + 1)),
        Some((None, Some(0))) => Part::Nothing,
        Some((None, _)) if size_bytes == 0 => Part::Nothing,
        Some((None, count)) => {
            Part::Some(size_bytes.saturating_sub(count.unwrap_or(size_bytes))..size_bytes)
        }
    }
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`, with digits only.
fn read_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX - 1).min(u64::MAX - 1))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Some((Some(first), Some(last))),
        (Some(first), None) if last.is_empty() => Some((Some(first), None)),
        (None, Some(count)) if first.is_empty() => Some((None, Some(count))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn range_table() {
        for (case, range, if_range, want) in [
            ("none", None, None, Part::Whole),
            ("first bytes", Some("bytes=0-3"), None, Part::Some(0..4)),
            ("one byte", Some("bytes=4-4"), None, Part::Some(4..5)),
            ("from there on", Some("bytes=7-"), None, Part::Some(7..10)),
            ("last bytes", Some("bytes=-3"), None, Part::Some(7..10)),
            ("more than there is", Some("bytes=8-99"), None, Part::Some(8..10)),
            ("last bytes, more than there is", Some("bytes=-99"), None, Part::Some(0..10)),
            ("starts at the end", Some("bytes=10-"), None, Part::Nothing),
            ("last zero bytes", Some("bytes=-0"), None, Part::Nothing),
            ("backwards", Some("bytes=5-2"), None, Part::Whole),
            ("several", Some("bytes=0-1,4-5"), None, Part::Whole),
            ("other unit", Some("lines=0-1"), None, Part::Whole),
            ("signs", Some("bytes=+1-2"), None, Part::Whole),
            ("nonsense", Some("bytes="), None, Part::Whole),
            ("huge", Some("bytes=0-99999999999999999999999"), None, Part::Some(0..10)),
            ("if-range fits", Some("bytes=2-"), Some("\"x\""), Part::Some(2..10)),
            ("if-range is weak", Some("bytes=2-"), Some("W/\"x\""), Part::Whole),
            ("if-range is old", Some("bytes=2-"), Some("\"y\""), Part::Whole),
        ] {
            assert_eq!(part(range, if_range, "\"x\"", 10), want, "case {case:?}");
        }
        assert_eq!(part(Some("bytes=0-"), None, "\"x\"", 0), Part::Nothing, "empty file");
        assert_eq!(part(Some("bytes=-5"), None, "\"x\"", 0), Part::Nothing, "empty file, tail");
    }

    #[test]
    fn tag_table() {
        for (case, header, want) in [
            ("same", "\"a\"", true),
            ("weak", "W/\"a\"", true),
            ("in a list", "\"b\", \"a\"", true),
            ("any", "*", true),
            ("other", "\"b\"", false),
            ("without quotes", "a", false),
            ("empty", "", false),
        ] {
            assert_eq!(names_tag(header, "\"a\""), want, "case {case:?}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_file_and_is_not_empty(header in ".{0,24}", size in 0u64..50) {
            for range in [header.clone(), format!("bytes={header}")] {
                if let Part::Some(part) = part(Some(&range), None, "\"x\"", size) {
                    prop_assert!(part.start < part.end && part.end <= size);
                }
            }
        }
    }
}
