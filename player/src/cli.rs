//! The command line: words in, checked arguments out.
//!
//! Exit codes: 0 done; 1 failed, the text says why; 2 the command line makes no sense; 3 the
//! settings are wrong; 4 no player answers; 5 no display; 6 no GPU.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use jiff::SignedDuration;
use vitrine_config::limits;
use vitrine_config::model::{AudioDevice, Displays, Rotation};
use vitrine_render::scene::Size;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed (the text says why), 2 wrong usage, 3 wrong settings, \
4 no player answers, 5 no display, 6 no usable GPU.";

/// A signage player: a tenant's playlists from the cloud, on the display.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run the player: sync with the cloud, show what is due (what vitrine.service does)
    Run(Settings),
    /// Play files or folders, without cloud and settings
    Play(Play),
    /// Draw what an agent wishes for (started by `vitrine run` or the kiosk unit)
    Stage(Stage),
    /// Decode one video for a stage (started by the stage)
    #[command(hide = true)]
    MediaWorker,
    /// Say how the running player is
    Status(Question),
    /// Skip to the next item
    Next(Question),
    /// Go back to the previous item
    Previous(Question),
    /// Save what the display was handed as a PNG
    Screenshot(Screenshot),
    /// Show the device's name on its screen for a while
    Identify(Question),
    /// Talk to the cloud
    #[command(subcommand)]
    Sync(Sync),
    /// Go back to the content that was live before, until the cloud has something newer
    Rollback(Question),
    /// Newer versions of the player itself
    #[command(subcommand)]
    Update(Update),
    /// Look at this device: what works, what does not, and what to do about it
    Doctor(Doctor),
    /// Check and show settings
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the version
    Version(Format),
}

/// Where settings come from.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Settings file [default: /etc/vitrine/vitrine.toml with conf.d/*.toml beside it]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Overrides one setting, such as `-o screen.output=none`; may be repeated
    #[arg(short = 'o', long = "set", value_name = "SECTION.KEY=VALUE", value_parser = over)]
    pub over: Vec<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Format {
    /// Print JSON for machines instead of text for people
    #[arg(long)]
    pub json: bool,
}

/// A question to the running player.
#[derive(Debug, Clone, Default, Args)]
pub struct Question {
    /// Where the player is found (`paths.runtime_dir`)
    #[command(flatten)]
    pub settings: Settings,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `vitrine doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Clips to play for two seconds each, as the player would; folders by name
    #[arg(value_name = "CLIPS", value_hint = ValueHint::AnyPath)]
    pub clips: Vec<PathBuf>,
    /// Where the player lives.
    #[command(flatten)]
    pub settings: Settings,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `vitrine screenshot`
#[derive(Debug, Args)]
pub struct Screenshot {
    /// Where to save the picture; `-` for standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Settings file [default: /etc/vitrine/vitrine.toml with conf.d/*.toml beside it]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Overrides one setting, such as `--set paths.runtime_dir=/tmp/x`; may be repeated
    // As in `Settings`, but here -o means the output, as everywhere else in the world.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = over)]
    pub over: Vec<String>,
}

impl Screenshot {
    /// Where the player is found.
    pub fn settings(&self) -> Settings {
        Settings { config: self.config.clone(), over: self.over.clone() }
    }
}

/// `vitrine update …`
#[derive(Debug, Subcommand)]
pub enum Update {
    /// See whether the cloud has a newer version for this device
    Check(Question),
    /// Bring the newest version and try it; it stays if it shows content
    Now(Question),
    /// Say which versions are here, on trial, and refused
    Status(Question),
    /// Send the version that runs back; the one before takes over
    Rollback(Question),
}

/// `vitrine sync …`
#[derive(Debug, Subcommand)]
pub enum Sync {
    /// Ask the cloud for news at once, also outside of the download hours. At a terminal, wait
    /// until everything is here, with a bar
    Now(SyncNow),
}

/// `vitrine sync now`
#[derive(Debug, Args)]
pub struct SyncNow {
    /// Where the player is found, how to print.
    #[command(flatten)]
    pub question: Question,
    /// Wait until everything is here, also where there is no terminal
    #[arg(long)]
    pub wait: bool,
}

/// `vitrine config …`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Check a settings file and name every problem with line and column
    Check {
        /// The file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print the settings in force, all layers merged
    Show(Settings),
}

/// Where light comes out; the whole display if neither is given.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Target {
    /// Draw in a window of this size
    #[arg(long, value_name = "WxH", value_parser = size, conflicts_with = "offscreen")]
    pub windowed: Option<Size>,
    /// Draw without any display; see --snapshot
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub offscreen: Option<Size>,
}

/// `vitrine play`
#[derive(Debug, Args)]
pub struct Play {
    /// Files and folders, played in this order; folders by name
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Where light comes out.
    #[command(flatten)]
    pub target: Target,
    /// Turn everything clockwise, for a display that hangs on its side or head: 0, 90, 180 or 270
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = rotation)]
    pub rotate: Rotation,
    /// Where there are several displays, in full screen: one (first), the same on each (mirror), or
    /// all of them as one (extend)
    #[arg(long, value_name = "WHICH", default_value = "first", value_parser = displays)]
    pub displays: Displays,
    /// Save a picture of every item when it is first shown, as NN-name.png
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub snapshot: Option<PathBuf>,
    /// How long stills are shown, such as 10s, 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = item_duration)]
    pub image_duration: Duration,
    /// End after everything was shown once
    #[arg(long)]
    pub once: bool,
    /// End after this many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_s: Option<NonZeroU32>,
    /// Where sound goes: auto, none, hdmi, jack, usb or an ALSA device name
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = audio)]
    pub audio: AudioDevice,
    /// What to log on standard error, as `log.level`
    #[arg(long, value_name = "FILTER", default_value = "error")]
    pub log_level: String,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `vitrine stage`
#[derive(Debug, Args)]
pub struct Stage {
    /// The agent's socket
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: PathBuf,
    /// Releases of the player, to be of the same one as the agent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub releases: Option<PathBuf>,
    /// Where light comes out.
    #[command(flatten)]
    pub target: Target,
    /// What to log, as `log.level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
    /// Log JSON lines
    #[arg(long)]
    pub log_json: bool,
    /// Take the place of the stage that lives on this socket: its picture stays until the first
    /// one of this stage is there
    #[arg(long)]
    pub take_over: bool,
}

/// `WxH` in the range that the settings allow.
fn size(text: &str) -> Result<Size, String> {
    let wrong = || format!("want WIDTHxHEIGHT, each 16 to 16384, such as 1280x720; found {text:?}");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let side = |text: &str| {
        text.parse::<u32>().ok().filter(|side| (16..=16_384).contains(side)).ok_or_else(wrong)
    };
    Ok(Size { width_px: side(width)?, height_px: side(height)? })
}

/// `10s`, `500ms`, `1m 30s`; a bare number means seconds.
fn item_duration(text: &str) -> Result<Duration, String> {
    let range = limits::ITEM_DURATION_MIN_MS..=limits::ITEM_DURATION_MS;
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let friendly = || text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    seconds
        .or_else(friendly)
        .filter(|d| u64::try_from(d.as_millis()).is_ok_and(|ms| range.contains(&ms)))
        .ok_or_else(|| {
            format!("want a time from 500ms to 7 days, such as 10s, 500ms or 2m; found {text:?}")
        })
}

fn rotation(text: &str) -> Result<Rotation, String> {
    match text {
        "0" => Ok(Rotation::Normal),
        "90" => Ok(Rotation::Quarter),
        "180" => Ok(Rotation::Half),
        "270" => Ok(Rotation::ThreeQuarters),
        _ => Err(format!("want 0, 90, 180 or 270; found {text:?}")),
    }
}

fn displays(text: &str) -> Result<Displays, String> {
    match text {
        "first" => Ok(Displays::First),
        "mirror" => Ok(Displays::Mirror),
        "extend" => Ok(Displays::Extend),
        _ => Err(format!("want first, mirror or extend; found {text:?}")),
    }
}

fn audio(text: &str) -> Result<AudioDevice, String> {
    match text {
        "" => {
            Err("want auto, none, hdmi, jack, usb or an ALSA device name; found nothing".to_owned())
        }
        "auto" => Ok(AudioDevice::Auto),
        "none" => Ok(AudioDevice::None),
        "hdmi" => Ok(AudioDevice::Hdmi),
        "jack" => Ok(AudioDevice::Jack),
        "usb" => Ok(AudioDevice::Usb),
        name => Ok(AudioDevice::Alsa(name.to_owned())),
    }
}

/// The shape alone; what the key means is the settings' business.
fn over(text: &str) -> Result<String, String> {
    let shaped = text
        .split_once('=')
        .and_then(|(key, _)| key.split_once('.'))
        .is_some_and(|(section, key)| !section.is_empty() && !key.is_empty());
    if shaped {
        Ok(text.to_owned())
    } else {
        Err(format!("want section.key=value, such as screen.output=none; found {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lines_that_make_sense() {
        for line in [
            "vitrine run",
            "vitrine run --config /x.toml -o screen.output=none -o log.level=debug",
            "vitrine play a.png",
            "vitrine play a b --windowed 640x360 --image-duration 2s --once --for 5 --audio none",
            "vitrine play a --offscreen 64x36 --snapshot /tmp/x --json",
            "vitrine play a --rotate 270 --displays mirror",
            "vitrine stage --socket /run/vitrine/stage.sock --offscreen 64x36",
            "vitrine stage --take-over --socket /run/vitrine/stage.sock",
            "vitrine media-worker",
            "vitrine status --json",
            "vitrine next",
            "vitrine previous -o paths.runtime_dir=/tmp/r",
            "vitrine screenshot -o shot.png --set paths.runtime_dir=/tmp/r",
            "vitrine identify",
            "vitrine sync now",
            "vitrine sync now --wait",
            "vitrine rollback",
            "vitrine update check",
            "vitrine update now --json",
            "vitrine update status",
            "vitrine update rollback",
            "vitrine doctor --json",
            "vitrine doctor clips a.mp4",
            "vitrine config check x.toml",
            "vitrine config show",
            "vitrine completions bash",
            "vitrine version",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    #[test]
    fn every_command_is_in_the_manual() {
        let manual = include_str!("../../systemd/deb/vitrine.1");
        let named = |name: &str| {
            let mut lines = manual.lines().filter(|line| line.starts_with(".It Cm "));
            lines.any(|line| line.split([' ', ',']).any(|word| word == name))
        };
        assert!(!named("dance"), "it finds what is not there");
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(named(command.get_name()), "{:?} is missing", command.get_name());
        }
    }

    #[test]
    fn lines_that_do_not() {
        for (line, kind) in [
            ("vitrine", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("vitrine dance", ErrorKind::InvalidSubcommand),
            ("vitrine play", ErrorKind::MissingRequiredArgument),
            ("vitrine play a --windowed 640", ErrorKind::ValueValidation),
            ("vitrine play a --windowed 0x0", ErrorKind::ValueValidation),
            ("vitrine play a --offscreen 99999x9", ErrorKind::ValueValidation),
            ("vitrine play a --windowed 64x36 --offscreen 64x36", ErrorKind::ArgumentConflict),
            ("vitrine play a --image-duration soon", ErrorKind::ValueValidation),
            ("vitrine play a --image-duration 1ms", ErrorKind::ValueValidation),
            ("vitrine play a --image-duration=-5s", ErrorKind::ValueValidation),
            ("vitrine play a --for 0", ErrorKind::ValueValidation),
            ("vitrine play a --rotate 45", ErrorKind::ValueValidation),
            ("vitrine play a --displays both", ErrorKind::ValueValidation),
            ("vitrine run -o screen", ErrorKind::ValueValidation),
            ("vitrine run -o =1", ErrorKind::ValueValidation),
            ("vitrine stage", ErrorKind::MissingRequiredArgument),
            ("vitrine screenshot", ErrorKind::MissingRequiredArgument),
            ("vitrine run --wrong", ErrorKind::UnknownArgument),
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.kind(), kind, "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, ms) in [
            ("10s", 10_000),
            ("10", 10_000),
            ("1.5", 1_500),
            ("500ms", 500),
            ("2m", 120_000),
            ("1m30s", 90_000),
        ] {
            assert_eq!(item_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }
}
