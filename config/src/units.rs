//! The grammar of texts: each reads one form and writes it back the same.
//!
//! Pure, but for [`time_zone`], which asks the system's list of zones. `None`: not as wanted; what
//! would be is said once, in `keys`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

use jiff::civil::Time;

use crate::limits::STRING_BYTES;
use crate::model::{
    AudioDevice, Canvas, Displays, Hours, LogFormat, Mode, Output, Rotation, Secret, UpdatePolicy,
};

/// A window smaller than this is lost on screen; a larger one than [`SIDE_MAX_PX`] no GPU draws.
const SIDE_MIN_PX: u32 = 16;
const SIDE_MAX_PX: u32 = 16_384;
/// From one picture a second to more than any display shows.
const RATES_MILLIHERTZ: RangeInclusive<u32> = 1_000..=1_000_000;
/// Characters of a device's name: it must fit on a card.
const NAME_CHARS: usize = 64;
/// Bytes of a token: 256 bits take 43.
const TOKEN_BYTES: usize = 512;
/// Bytes of an ALSA name; real ones stay below 60.
const ALSA_BYTES: usize = 128;
/// Bytes of a directory for sockets: Linux takes 107 for the whole name.
const SOCKET_DIR_BYTES: usize = 90;

/// `https://host[:port][/path]`, or `http://` if the host is this machine. Trailing slashes go.
/// User names and passwords are refused: they would end up in logs.
pub fn cloud_url(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host_of(authority)?;
    let scheme_fits = match scheme {
        "https" => true,
        "http" => is_loopback(host),
        _ => false,
    };
    let path_fits = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b));
    (scheme_fits && path_fits && text.len() <= STRING_BYTES).then(|| text.into())
}

/// `http://[name:password@]host[:port]`, also `https://`; letters that an address cannot hold come
/// as `%40`.
pub fn proxy(text: &str) -> Option<Secret> {
    let text = text.trim_end_matches('/');
    let (scheme, rest) = text.split_once("://")?;
    let (login, authority) = rest.rsplit_once('@').map_or((None, rest), |(l, a)| (Some(l), a));
    host_of(authority)?;
    let login_fits = login.is_none_or(|login| {
        login.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@\\\"<>[]".contains(&b))
    });
    let fits = matches!(scheme, "http" | "https") && login_fits && text.len() <= STRING_BYTES;
    fits.then(|| Secret::new(text.into()))
}

/// A token as clouds make them: letters that travel in any text.
pub fn token(text: &str) -> Option<Secret> {
    let fits = (16..=TOKEN_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~+/=".contains(&b));
    fits.then(|| Secret::new(text.into()))
}

/// The host of `host[:port]`, brackets of an IPv6 address included.
fn host_of(authority: &str) -> Option<&str> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| at + bracket),
        None => authority.find(':'),
    };
    let (host, port) = authority.split_at(colon.unwrap_or(authority.len()));
    let port_fits = port.is_empty()
        || port[1..].bytes().all(|b| b.is_ascii_digit())
            && port[1..].parse::<u16>().is_ok_and(|port| port > 0);
    let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.len() <= 253 && host.split('.').all(is_label),
    };
    (port_fits && host_fits).then_some(host)
}

/// One part of a host name between dots.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host == "[::1]"
}

/// An absolute path below the root, without `..`.
pub fn absolute(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let fits = path.is_absolute()
        && path.components().all(plain)
        && path.file_name().is_some()
        && is_printable(text)
        && text.len() <= STRING_BYTES;
    fits.then(|| path.components().collect())
}

/// An absolute path that leaves room for the name of a socket.
pub fn socket_dir(text: &str) -> Option<PathBuf> {
    absolute(text).filter(|path| path.as_os_str().len() <= SOCKET_DIR_BYTES)
}

/// A label for people, blanks around it cut off.
pub fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=NAME_CHARS).contains(&text.chars().count()) && is_printable(text);
    fits.then(|| text.into())
}

/// A zone that the system knows; without a list of zones, anything that looks like one.
pub fn time_zone(text: &str) -> Option<String> {
    let looks_right = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-/".contains(&b));
    let zones = jiff::tz::db();
    let known = || zones.is_definitively_empty() || zones.get(text).is_ok();
    (looks_right && known()).then(|| text.into())
}

/// Reads `screen.output`.
pub fn output(text: &str) -> Option<Output> {
    match text {
        "fullscreen" => return Some(Output::Fullscreen),
        "external" => return Some(Output::External),
        "none" => return Some(Output::None),
        _ => {}
    }
    let (form, size) = text.split_once(' ')?;
    let Canvas { width_px, height_px } = canvas(size)?;
    match form {
        "windowed" => Some(Output::Windowed { width_px, height_px }),
        "offscreen" => Some(Output::Offscreen { width_px, height_px }),
        _ => None,
    }
}

/// Writes `screen.output`.
pub fn output_text(output: Output) -> String {
    match output {
        Output::Fullscreen => "fullscreen".into(),
        Output::Windowed { width_px, height_px } => format!("windowed {width_px}x{height_px}"),
        Output::Offscreen { width_px, height_px } => format!("offscreen {width_px}x{height_px}"),
        Output::External => "external".into(),
        Output::None => "none".into(),
    }
}

/// Reads `WxH`.
pub fn canvas(text: &str) -> Option<Canvas> {
    let (width, height) = text.split_once('x')?;
    Some(Canvas { width_px: side(width)?, height_px: side(height)? })
}

/// Writes `WxH`.
pub fn canvas_text(Canvas { width_px, height_px }: Canvas) -> String {
    format!("{width_px}x{height_px}")
}

/// Reads `WxH` or `WxH@Hz`.
pub fn mode(text: &str) -> Option<Mode> {
    let (size, rate) = text.split_once('@').map_or((text, None), |(size, rate)| (size, Some(rate)));
    let Canvas { width_px, height_px } = canvas(size)?;
    let refresh_millihertz = match rate {
        Some(rate) => Some(millihertz(rate)?),
        None => None,
    };
    Some(Mode { width_px, height_px, refresh_millihertz })
}

/// Writes `WxH` or `WxH@Hz`.
pub fn mode_text(Mode { width_px, height_px, refresh_millihertz }: Mode) -> String {
    let size = canvas_text(Canvas { width_px, height_px });
    match refresh_millihertz {
        None => size,
        Some(rate) => format!("{size}@{}", f64::from(rate) / 1_000.0),
    }
}

/// Hertz with up to three decimals.
fn millihertz(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').map_or((text, ""), |(whole, part)| (whole, part));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let fits = digits(whole) && digits(part) && part.len() <= 3 && !text.ends_with('.');
    let rate = format!("{whole}{part:0<3}").parse().ok().filter(|_| fits)?;
    RATES_MILLIHERTZ.contains(&rate).then_some(rate)
}

fn side(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|px| digits && (SIDE_MIN_PX..=SIDE_MAX_PX).contains(px))
}

/// Reads `HH:MM-HH:MM`.
pub fn hours(text: &str) -> Option<Hours> {
    let (from, until) = text.split_once('-')?;
    Some(Hours { from: minute(from)?, until: minute(until)? })
}

/// Writes `HH:MM-HH:MM`.
pub fn hours_text(hours: Hours) -> String {
    format!("{}-{}", hours.from.strftime("%H:%M"), hours.until.strftime("%H:%M"))
}

/// `HH:MM`, both of two digits.
fn minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// Reads `update.policy`.
pub fn policy(text: &str) -> Option<UpdatePolicy> {
    match text {
        "off" => Some(UpdatePolicy::Off),
        "order" => Some(UpdatePolicy::Order),
        "window" => Some(UpdatePolicy::Window),
        _ => None,
    }
}

/// Writes `update.policy`.
pub fn policy_text(policy: UpdatePolicy) -> &'static str {
    match policy {
        UpdatePolicy::Off => "off",
        UpdatePolicy::Order => "order",
        UpdatePolicy::Window => "window",
    }
}

/// Takes 32 bytes in standard base64: 43 of its letters and the padding.
pub fn key(text: &str) -> Option<String> {
    let letters = text.strip_suffix('=')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    (letters.len() == 43 && letters.bytes().all(fits)).then(|| text.to_owned())
}

/// Reads `yes` or `no`.
pub fn yes(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Writes `yes` or `no`.
pub fn yes_text(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Reads `#rrggbb`.
pub fn colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let fits = digits.bytes().all(|b| b.is_ascii_hexdigit());
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    fits.then_some([red, green, blue])
}

/// Writes `#rrggbb`.
pub fn colour_text([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Reads `screen.rotation`.
pub fn rotation(text: &str) -> Option<Rotation> {
    match text {
        "normal" => Some(Rotation::Normal),
        "90" => Some(Rotation::Quarter),
        "180" => Some(Rotation::Half),
        "270" => Some(Rotation::ThreeQuarters),
        _ => None,
    }
}

/// Writes `screen.rotation`.
pub fn rotation_text(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Normal => "normal",
        Rotation::Quarter => "90",
        Rotation::Half => "180",
        Rotation::ThreeQuarters => "270",
    }
}

/// Reads `screen.displays`.
pub fn displays(text: &str) -> Option<Displays> {
    match text {
        "first" => Some(Displays::First),
        "mirror" => Some(Displays::Mirror),
        "extend" => Some(Displays::Extend),
        "each" => Some(Displays::Each),
        _ => None,
    }
}

/// Writes `screen.displays`.
pub fn displays_text(displays: Displays) -> &'static str {
    match displays {
        Displays::First => "first",
        Displays::Mirror => "mirror",
        Displays::Extend => "extend",
        Displays::Each => "each",
    }
}

/// The words that `audio.device` knows.
const AUDIO_WORDS: [(&str, AudioDevice); 5] = [
    ("auto", AudioDevice::Auto),
    ("none", AudioDevice::None),
    ("hdmi", AudioDevice::Hdmi),
    ("jack", AudioDevice::Jack),
    ("usb", AudioDevice::Usb),
];

/// Reads `audio.device`. Other spellings of its words are refused: they name no device.
pub fn audio_device(text: &str) -> Option<AudioDevice> {
    let alike = |(word, _): &&(&str, AudioDevice)| word.eq_ignore_ascii_case(text);
    if let Some((word, device)) = AUDIO_WORDS.iter().find(alike) {
        return (*word == text).then(|| device.clone());
    }
    let fits = (1..=ALSA_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| AudioDevice::Alsa(text.into()))
}

/// Writes `audio.device`.
pub fn audio_device_text(device: &AudioDevice) -> String {
    if let AudioDevice::Alsa(name) = device {
        return name.clone();
    }
    let word = AUDIO_WORDS.iter().find(|(_, known)| known == device);
    word.map_or("auto", |(word, _)| word).into()
}

/// A level, or `target=level` parts and at most one bare level. A target alone, which `tracing`
/// would take, is refused: it is nearly always a level with a slip in it. So are spans.
pub fn log_filter(text: &str) -> Option<String> {
    let mut bare_levels = 0;
    let mut part_fits = |part: &str| match part.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => {
            bare_levels += 1;
            is_level(part)
        }
    };
    let fits = text.len() <= STRING_BYTES && text.split(',').all(|part| part_fits(part.trim()));
    (fits && bare_levels <= 1).then(|| text.into())
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:.".contains(&b))
}

fn is_level(text: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"]
        .iter()
        .any(|level| level.eq_ignore_ascii_case(text))
}

/// Reads `log.format`.
pub fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

/// Writes `log.format`.
pub fn log_format_text(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
