//! `./dev demo`: the whole way from an empty cloud to a playing screen, as a person would walk it.
//!
//! Starts the reference cloud on loopback, makes a sample tenant, starts a player, approves the
//! code on its screen, and watches it play. Prints each command, so that it can be repeated by hand.

// What is measured for people is read from the real clock.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use vitrine_tests::cloud::{Cloud, Tenant};
use vitrine_tests::display::Display;
use vitrine_tests::notify::Notify;
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};

/// Virtual display, when there is no real one.
const SCREEN: (u32, u32) = (1280, 720);

#[derive(Parser)]
#[command(about = "Cloud, tenant, pairing, sync and playing, on this machine")]
struct Args {
    /// Folder with the sample media.
    #[arg(long)]
    media: PathBuf,
    /// Folder for the cloud's and the player's data, logs and screenshots; emptied first.
    #[arg(long)]
    work: PathBuf,
    /// End after this many seconds of playing; without it, on Ctrl-C.
    #[arg(long = "for", value_name = "SECONDS")]
    for_s: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let asked_to_stop = Arc::new(AtomicBool::new(false));
    let outcome = watch_for_ctrl_c(asked_to_stop.clone())
        .map_err(Into::into)
        .and_then(|()| demo(&args, &asked_to_stop));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &Args, stop: &AtomicBool) -> Result<(), Box<dyn Error>> {
    let work = std::path::absolute(&args.work)?;
    let _ = fs::remove_dir_all(&work);
    let screenshots = work.join("screenshots");
    fs::create_dir_all(&screenshots)?;

    step("a cloud on loopback, with a sample tenant");
    let cloud = Cloud::start(&work, "127.0.0.1:0")?;
    show(&format!("vitrine-cloud serve --data {} --listen {}", "DIR", cloud.address()));
    show("vitrine-cloud tenant create demo");
    let tenant = cloud.tenant("demo")?;
    publish(&tenant, &args.media)?;

    let screen = Screen::find()?;
    step(&format!("a player on {}", screen.describe()));
    Player::configure(&work, cloud.url(), &screen.output(), "")?;
    let notify = Notify::listen(&work)?;
    let started = Instant::now();
    let player = start(&work, &screen, &notify)?;
    show(&format!("vitrine run --config {}", work.join("vitrine.toml").display()));
    let first_frame = wait_for(Duration::from_secs(60), || {
        let ready = notify.heard().iter().any(|said| said.contains("READY=1"));
        (ready || stop.load(Ordering::SeqCst)).then(|| started.elapsed())
    });
    let first_frame = first_frame.ok_or("no frame within 60 s: see player.log")?;

    step("pairing: the code on the screen, approved on the operator's side");
    if stop.load(Ordering::SeqCst) {
        return Ok(());
    }
    let code = player.user_code();
    // The second frame has the code, unless it came in time for the first.
    let coded = |status: &serde_json::Value| status["frames_presented"].as_u64() > Some(1);
    wait_for(Duration::from_secs(3), || player.status().filter(coded));
    save(&player, &screenshots, "00-pairing");
    show(&format!("vitrine-cloud pairing approve {code} --name \"Demo screen\""));
    tenant.operator(&["pairing", "approve", &code, "--name", "Demo screen"])?;

    step("playing; Ctrl-C ends it");
    let end = args.for_s.map(|s| Instant::now() + Duration::from_secs(s));
    let shown = watch(&player, &screenshots, || {
        notify.heard();
        stop.load(Ordering::SeqCst) || end.is_some_and(|end| Instant::now() >= end)
    });
    summary(&tenant, &shown, first_frame, &screenshots);
    if shown.is_empty() && !stop.load(Ordering::SeqCst) {
        return Err(format!("nothing was played: see {}", work.join("player.log").display()).into());
    }
    Ok(())
}

/// Where the player draws.
enum Screen {
    Real(String),
    Virtual(Display),
}

impl Screen {
    fn find() -> Result<Screen, String> {
        let real = ["WAYLAND_DISPLAY", "DISPLAY"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        match real {
            Some(name) => Ok(Screen::Real(name)),
            None => Display::start(SCREEN.0, SCREEN.1).map(Screen::Virtual),
        }
    }

    fn describe(&self) -> String {
        match self {
            Screen::Real(name) => format!("the display {name}, in a window"),
            Screen::Virtual(display) => format!(
                "a virtual display ({}), because there is no real one: look at the screenshots",
                display.name()
            ),
        }
    }

    fn output(&self) -> String {
        match self {
            Screen::Real(_) => format!("windowed {}x{}", SCREEN.0, SCREEN.1),
            Screen::Virtual(_) => "fullscreen".into(),
        }
    }
}

fn start(work: &Path, screen: &Screen, notify: &Notify) -> std::io::Result<Player> {
    let mut command = Player::command(work);
    command.env("NOTIFY_SOCKET", notify.path());
    if let Screen::Virtual(display) = screen {
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
    }
    Player::start_with(command, work)
}

fn publish(tenant: &Tenant, media: &Path) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(media)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    show(&format!("vitrine-cloud asset add {}/*", media.display()));
    show("vitrine-cloud playlist set main --item 1-welcome.svg,duration=5s …");
    show("vitrine-cloud schedule set --entry main");
    show("vitrine-cloud publish");
    tenant.play(&files, "5s")?;
    Ok(())
}

/// Notes every item that comes on the screen, with a screenshot of its first showing.
fn watch(player: &Player, screenshots: &Path, ended: impl Fn() -> bool) -> Vec<String> {
    let (mut shown, mut seen, mut turn) = (Vec::new(), BTreeSet::new(), None);
    while !ended() {
        let now = player.status().and_then(|status| status["showing"].get(0).cloned());
        let Some(now) = now.filter(|now| now["since"].is_string() && now["turn"].as_u64() != turn)
        else {
            std::thread::park_timeout(Duration::from_millis(100));
            continue;
        };
        turn = now["turn"].as_u64();
        let label = now["label"].as_str().unwrap_or("?").to_owned();
        tell(&format!("    on screen: {label}"));
        if seen.insert(label.clone()) {
            save(player, screenshots, &format!("{:02}-{label}", seen.len()));
        }
        shown.push(label);
    }
    shown
}

fn save(player: &Player, folder: &Path, name: &str) {
    let saved = player.screenshot().and_then(|picture| {
        picture.save(folder.join(format!("{name}.png"))).map_err(|error| error.to_string())
    });
    if let Err(error) = saved {
        tell(&format!("    no screenshot of {name}: {error}"));
    }
}

fn summary(tenant: &Tenant, shown: &[String], first_frame: Duration, screenshots: &Path) {
    step("summary");
    tell(&format!("    items shown, in order:  {}", shown.join(", ")));
    tell(&format!("    time to first frame:    {} ms (pairing card)", first_frame.as_millis()));
    match frames(tenant) {
        Ok((presented, dropped)) => tell(&format!(
            "    frames, by the cloud's proof of play: {presented} presented, {dropped} dropped"
        )),
        Err(error) => tell(&format!("    frames: not known: {error}")),
    }
    tell(&format!("    screenshots:            {}", screenshots.display()));
}

fn frames(tenant: &Tenant) -> Result<(u64, u64), String> {
    let devices = tenant.operator_json(&["device", "list"])?;
    let device = devices[0]["device"].as_str().ok_or("no device")?;
    let records = tenant.records(device, "proof_of_play")?;
    let sum = |field: &str| records.iter().filter_map(|record| record[field].as_u64()).sum();
    Ok((sum("frames_presented"), sum("frames_dropped")))
}

fn watch_for_ctrl_c(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        let ended = runtime.block_on(tokio::signal::ctrl_c());
        stop.store(ended.is_ok(), Ordering::SeqCst);
    };
    std::thread::Builder::new().name("ctrl-c".into()).spawn(wait).map(drop)
}

fn step(text: &str) {
    tell(&format!("==> {text}"));
}

fn show(command: &str) {
    tell(&format!("    $ {command}"));
}
