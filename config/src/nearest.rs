//! What somebody probably meant.

/// Longest text that is compared: no name is longer, and the work grows with the square.
const LONGEST: usize = 64;

/// The candidate that `text` is at most `slips` letters away from, and not a wholly different
/// word; on a tie the earlier one.
pub fn nearest<'a>(
    text: &str,
    slips: usize,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if text.chars().nth(LONGEST).is_some() {
        return None;
    }
    candidates
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|&(apart, candidate)| apart <= slips && apart < candidate.chars().count())
        .min_by_key(|&(apart, _)| apart)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop or replace to get from one to the other, case apart.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (column, other) in to.iter().enumerate() {
            let differs = usize::from(!letter.eq_ignore_ascii_case(other));
            let best = (diagonal + differs).min(row[column] + 1).min(row[column + 1] + 1);
            diagonal = std::mem::replace(&mut row[column + 1], best);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["cloud.url", "cloud.poll_s", "cache.size_mb", "log.level"];
        for (text, want) in [
            ("cloud.ur", Some("cloud.url")),
            ("cloud.pol_s", Some("cloud.poll_s")),
            ("Cloud.Poll_S", Some("cloud.poll_s")),
            ("cache.sise_mb", Some("cache.size_mb")),
            ("weather.colour", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(text, 3, known.into_iter()), want, "{text:?}");
        }
        assert_eq!(nearest(&"a".repeat(1 << 20), 3, known.into_iter()), None);
    }
}
