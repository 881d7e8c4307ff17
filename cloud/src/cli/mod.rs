//! The command line: what can be asked, and who does it.

mod entry;
mod item;
mod operate;
mod release;
mod serve;
mod show;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use semver::Version;

/// Where `serve` listens and the other commands look unless told otherwise.
const PORT: u16 = 8780;

/// The reference cloud of Vitrine: serves screens, and is operated by the other commands.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What every command takes.
#[derive(Args)]
struct Common {
    /// The cloud to talk to.
    #[arg(long, global = true, env = "VITRINE_CLOUD_URL", default_value_t = format!("http://127.0.0.1:{PORT}"))]
    url: String,
    /// Operator token; for `tenant` and `release`, the admin token.
    #[arg(long, global = true, env = "VITRINE_CLOUD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Data directory of the server; `tenant` and `release` find the admin token there.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C; prints its URL as one line of JSON.
    Serve(Serve),
    /// Tenants (admin token).
    #[command(subcommand)]
    Tenant(Tenant),
    /// Versions of the player that screens update themselves to (admin token).
    #[command(subcommand)]
    Release(Release),
    /// Answer a screen that waits to be paired.
    #[command(subcommand)]
    Pairing(Pairing),
    /// Say yes to screens that are still to come.
    #[command(subcommand)]
    Enrollment(Enrollment),
    /// Pictures and videos.
    #[command(subcommand)]
    Asset(Asset),
    /// Ordered lists of items.
    #[command(subcommand)]
    Playlist(Playlist),
    /// Pages of zones.
    #[command(subcommand)]
    Layout(Layout),
    /// When what plays.
    #[command(subcommand)]
    Schedule(Schedule),
    /// Show playlists, layouts and schedule as they would be published.
    Content,
    /// Give every screen what is there.
    Publish,
    /// Screens.
    #[command(subcommand)]
    Device(Device),
    /// How screens are set, as far as their own policy lets the cloud say so.
    #[command(subcommand)]
    Setting(Setting),
    /// Ask a screen to do something once.
    Order {
        /// Device id or name.
        device: String,
        /// What to do.
        action: Action,
        /// Give up after this many seconds.
        #[arg(long, default_value_t = 600, value_name = "S")]
        expires_in_s: u64,
    },
    /// Fetch the last screenshot of a screen.
    Screenshot {
        /// Device id or name.
        device: String,
        /// File to write; `-` is standard output.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// What a screen told: heartbeats, proof of play, order results, faults, changed settings.
    Records {
        /// Device id or name.
        device: String,
        /// Only this kind: heartbeat, proof_of_play, order_result, fault, setting_changed.
        #[arg(long)]
        kind: Option<String>,
        /// Only those that arrived after this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
}

#[derive(Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], PORT)), value_name = "ADDR")]
    listen: SocketAddr,
    /// Base URL under which screens and people reach this cloud, through a TLS proxy.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

#[derive(Subcommand)]
enum Tenant {
    /// Make a tenant; prints its operator token, this once.
    Create {
        /// 1 to 63 of a-z 0-9 -.
        name: String,
    },
    /// Replace a lost operator token; the old one is worthless then.
    Token {
        /// The tenant.
        name: String,
    },
    /// Give a tenant so much room for assets.
    Quota {
        /// The tenant.
        name: String,
        /// Megabytes (of 10^6 bytes); `none`: as the disk has.
        mb: String,
    },
    /// Sign with another key from now on; screens follow by themselves, also those that are off line.
    RotateKey {
        /// The tenant.
        name: String,
    },
}

#[derive(Subcommand)]
enum Release {
    /// Make the key that releases are signed with; prints what devices pin as `update.key`.
    Key {
        /// File to keep it in; not on the server, and not lost.
        file: PathBuf,
    },
    /// Upload a built `vitrine` and put it into the index.
    Add {
        /// Its version, as `vitrine version` says it.
        version: Version,
        /// The program.
        file: PathBuf,
        /// Kind of machine, `aarch64` or `x86_64`; as the file itself says if not given.
        #[arg(long)]
        arch: Option<String>,
        /// Share of all screens that may take it, in percent.
        #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        rollout: u8,
        /// Version that the installed package must have at least.
        #[arg(long, value_name = "VERSION")]
        min_package: Option<Version>,
        #[command(flatten)]
        signing: Signing,
    },
    /// Widen or narrow who may take a release.
    Rollout {
        /// Which.
        version: Version,
        /// Share of all screens, in percent; those that have it keep it.
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
        #[command(flatten)]
        signing: Signing,
    },
    /// Take a release out of the index; screens that run it keep it.
    Remove {
        /// Which.
        version: Version,
        #[command(flatten)]
        signing: Signing,
    },
    /// Show the index.
    List,
}

/// How an index is signed.
#[derive(Args)]
struct Signing {
    /// The file of `release key`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Screens report an index that was not signed anew for so long.
    #[arg(long, default_value_t = 90, value_name = "DAYS")]
    valid_days: u16,
}

#[derive(Subcommand)]
enum Pairing {
    /// Take the screen that shows this code.
    Approve {
        /// As shown, with or without the dash.
        code: String,
        /// What the screen will be called.
        #[arg(long)]
        name: String,
    },
    /// Refuse the screen that shows this code.
    Deny {
        /// As shown, with or without the dash.
        code: String,
    },
}

#[derive(Subcommand)]
enum Enrollment {
    /// Make a token; prints a vitrine.toml for the boot partition of the screens' cards.
    Create {
        /// How many screens may come by it.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// Worthless after this many days.
        #[arg(long, default_value_t = 30, value_name = "DAYS")]
        expires_in_days: u32,
    },
    /// List tokens, without their secrets.
    List,
    /// End a token; screens that came by it stay.
    End {
        /// Its id, from the list.
        enrollment: String,
    },
}

#[derive(Subcommand)]
enum Asset {
    /// Upload files; prints the digest of each.
    Add {
        /// Pictures and videos.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List what is uploaded.
    List,
    /// Remove what no playlist names.
    Remove {
        /// Digests.
        #[arg(required = true)]
        digests: Vec<String>,
    },
    /// Say how much room there is, and how much of it is taken.
    Quota,
}

#[derive(Subcommand)]
enum Playlist {
    /// Make a playlist from files, digests, colours and words; uploads what is not there yet.
    Set {
        /// Its id.
        id: String,
        /// FILE, DIGEST, #rrggbb, text:WORDS, ticker:WORDS, ticker:feed=URL, clock:%H:%M or
        /// countdown:2030-01-01T00:00:00Z, then any of ,duration=10s ,background=#rrggbb
        /// ,fit=contain|cover|stretch|none ,focus=0.5:0.2 ,transition=fade:800ms ,volume=0.5; for
        /// words also ,size=48 ,weight=700 ,colour=#rrggbb ,family=NAME ,font=FILE
        /// ,align=start|centre|end ,place=top|middle|bottom ,padding=20 ,wrap=false; for tickers
        /// ,speed=120, with a feed ,items=10 ,refresh=15m ,separator=TEXT; for clocks
        /// ,zone=Europe/Berlin ,locale=de_DE; for countdowns ,format=%D:%H:%M:%S ,over=WORDS
        #[arg(long = "item", required = true, value_name = "ITEM")]
        items: Vec<String>,
        /// What people call it; its id if not given.
        #[arg(long)]
        name: Option<String>,
        /// How its items come in unless they say so themselves: cut, fade, zoom, or slide_ or wipe_
        /// with left, right, up or down; with a time if wanted: fade:800ms
        #[arg(long)]
        transition: Option<String>,
    },
    /// Put a playlist from a JSON file; `-` is standard input.
    Put {
        /// A playlist as in the OpenAPI file, with its id.
        file: PathBuf,
    },
    /// Drop a playlist.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Subcommand)]
enum Layout {
    /// Put a layout from a JSON file; `-` is standard input.
    Put {
        /// A layout as in the OpenAPI file, with its id.
        file: PathBuf,
        /// Picture behind the zones: a file, uploaded unless it is there, or a digest.
        #[arg(long, value_name = "FILE")]
        background_image: Option<String>,
        /// Picture around the page on a screen of another shape.
        #[arg(long, value_name = "FILE")]
        letterbox_image: Option<String>,
    },
    /// Drop a layout.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Subcommand)]
enum Schedule {
    /// Make the schedule from single entries, in place of the old one.
    Set {
        /// PLAYLIST or layout:LAYOUT, then any of ,from=08:00 ,until=18:00 ,days=mon-fri
        /// ,days=sat+sun ,kind=normal|interrupt|fallback|overlay ,priority=N
        /// ,display=N
        #[arg(long = "entry", required = true, value_name = "ENTRY")]
        entries: Vec<String>,
    },
    /// Put the schedule from a JSON file; `-` is standard input.
    Put {
        /// A list of entries as in the OpenAPI file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum Device {
    /// List screens and how they are.
    List,
    /// Remove a screen: it shows a pairing code again.
    Remove {
        /// Device id or name.
        device: String,
    },
}

#[derive(Subcommand)]
enum Setting {
    /// Say what settings are to be; sent at once.
    Set {
        /// KEY=VALUE as in the player's settings file, such as cloud.poll_s=30.
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Have no say in settings any more.
    Unset {
        /// Such as cloud.poll_s.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// List what is said.
    List {
        /// For this screen alone, by id or name; without: for all.
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
}

#[derive(Args)]
struct Whose {
    /// For this screen alone, by id or name; without: for all that have no word of their own.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Who wants it so; stands in the record of the change.
    #[arg(long, env = "USER", default_value = "operator", value_name = "NAME")]
    by: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Send a picture of what it shows.
    Screenshot,
    /// Show its name for a while.
    Identify,
    /// Go back to what was in force before, until something else is published.
    Rollback,
    /// Update the player itself to the newest release that it may have.
    Update,
}

/// Does what was asked. The text of an error is for the person who asked.
pub fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments { command, common } = arguments;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("start: {e}"))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(how) => serve::run(how, common).await,
            other => operate::run(other, common).await,
        }
    });
    // A database or file task that hangs must not hold up the end.
    runtime.shutdown_background();
    done
}

/// Says on standard error why a command failed.
pub fn complain(text: &str) {
    // Where nobody listens, the exit code still says it.
    let _ = writeln!(std::io::stderr(), "vitrine-cloud: {text}");
}
