//! Texts in a manifest that mean something: what is wrong with them, the same for both sides.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What is wrong with the format of a clock, in words; None: nothing.
pub fn clock_fault(format: &str) -> Option<String> {
    let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let fault = jiff::fmt::strtime::format(format, &sample).err()?;
    Some(format!("is {format:?}: {fault}"))
}

/// What is wrong with the name of a locale, in words; None: nothing.
pub fn locale_fault(name: &str) -> Option<String> {
    let known = pure_rust_locales::Locale::try_from(name).is_ok();
    (!known).then(|| format!("is {name:?}, want a locale such as de_DE, pt_BR or sr_RS@latin"))
}

/// What is wrong with the address of a news feed, in words; None: nothing.
pub fn feed_url_fault(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if host.is_none_or(str::is_empty) || url.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        let quoted: String = url.chars().take(100).collect();
        return Some(format!("is {quoted:?}, want https://… or http://…"));
    }
    host.is_some_and(|host| host.contains('@')).then(|| "holds a name or password".to_owned())
}

/// What is wrong with the format of a countdown, in words; None: nothing.
pub fn countdown_fault(format: &str) -> Option<String> {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' && !matches!(letters.next(), Some('D' | 'H' | 'M' | 'S' | '%')) {
            return Some(format!("is {format:?}, want %D, %H, %M, %S or %% after each %"));
        }
    }
    None
}
