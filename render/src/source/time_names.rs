//! Names of days and months, in every language that the GNU C Library knows.
//!
//! In:  a format, a moment. Out: the format with names in place of what stands for one.
//!
//! Pure. Not here: numbers (`source::time_text`).

use jiff::Zoned;
use pure_rust_locales::{Locale, locale_match};

/// The names of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// As they stand beside the day of the month.
    months: &'static [&'static str],
    short_months: &'static [&'static str],
    /// From Sunday on.
    days: &'static [&'static str],
    short_days: &'static [&'static str],
    /// Of the day; empty where nobody counts in halves.
    halves: &'static [&'static str],
}

impl Names {
    /// Those of a locale such as `de_DE`; None: there is none of this name.
    pub(super) fn of(locale: &str) -> Option<Names> {
        let locale = Locale::try_from(locale).ok()?;
        Some(Names {
            months: locale_match!(locale => LC_TIME::MON),
            short_months: locale_match!(locale => LC_TIME::ABMON),
            days: locale_match!(locale => LC_TIME::DAY),
            short_days: locale_match!(locale => LC_TIME::ABDAY),
            halves: locale_match!(locale => LC_TIME::AM_PM),
        })
    }

    /// `format` with the names that are right at `at`; everything else stays to be filled in.
    pub(super) fn fill(&self, format: &str, at: &Zoned) -> String {
        let mut filled = String::with_capacity(format.len() + 16);
        let mut rest = format;
        while let Some((before, behind)) = rest.split_once('%') {
            filled.push_str(before);
            let flags = behind.find(|letter: char| !"-_0123456789^#".contains(letter));
            let (flags, behind) = behind.split_at(flags.unwrap_or(behind.len()));
            let letter = behind.chars().next();
            match letter.and_then(|letter| self.name(letter, at)) {
                Some(name) if flags.contains('^') => {
                    filled.push_str(&escaped(&name.to_uppercase()))
                }
                Some(name) => filled.push_str(&escaped(name)),
                None => filled.extend(
                    ["%", flags].into_iter().map(str::to_owned).chain(letter.map(String::from)),
                ),
            }
            rest = behind.get(letter.map_or(0, char::len_utf8)..).unwrap_or_default();
        }
        filled.push_str(rest);
        filled
    }

    fn name(&self, letter: char, at: &Zoned) -> Option<&'static str> {
        let (names, place) = match letter {
            'A' => (self.days, at.weekday().to_sunday_zero_offset()),
            'a' => (self.short_days, at.weekday().to_sunday_zero_offset()),
            'B' => (self.months, at.month() - 1),
            'b' | 'h' => (self.short_months, at.month() - 1),
            'p' | 'P' => (self.halves, at.hour() / 12),
            _ => return None,
        };
        names.get(usize::try_from(place).ok()?).copied().filter(|name| !name.is_empty())
    }
}

/// As text in a format.
fn escaped(name: &str) -> String {
    name.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_the_format_wants_them() {
        let at: Zoned = "2026-03-02T15:04:05[UTC]".parse().expect("a time");
        for (locale, format, wanted) in [
            ("de_DE", "%A, %-d. %B %Y", "Montag, %-d. März %Y"),
            ("de_AT", "%a %b", "Mo Mär"),
            ("fr_FR", "%A %d %B", "lundi %d mars"),
            ("ru_RU", "%-d %B", "%-d марта"),
            ("ja_JP", "%B%-d日 %A", "3月%-d日 月曜日"),
            ("ar_EG", "%A", "الاثنين"),
            ("sr_RS@latin", "%B", "mart"),
            ("en_US", "%-I:%M %p", "%-I:%M PM"),
            ("de_DE", "%-I:%M %p", "%-I:%M %p"),
            ("de_DE", "%^B 100 %% %:z %", "MÄRZ 100 %% %:z %"),
        ] {
            let names = Names::of(locale).expect(locale);
            assert_eq!(names.fill(format, &at), wanted, "{locale} {format:?}");
        }
        assert!(Names::of("de").is_none() && Names::of("").is_none());
    }
}
