//! Whatever the network and those at its other end do: the old picture stays, and once they behave
//! the new one comes, whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::park_timeout;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use vitrine_tests::gateway::{Ask, Gateway, Manners, To};
use vitrine_tests::patience::{until, wait_for};
use vitrine_tests::picture::{at, near};
use vitrine_tests::player::{Player, tell};
use vitrine_wire::Digest;

use crate::acts::{World, live};

/// Small, because the software rasteriser draws every pixel.
const SCREEN: &str = "offscreen 320x180";
/// Several downloads at a time, so that those who wait hold up no other.
const SETTINGS: &str = "[cache]\ndownloads = 8\n";
/// Off by one code value in each step from file to screen.
const TOLERANCE: u8 = 4;
/// Nobody who is silent is waited for so long.
const FOR_EVER: Duration = Duration::from_secs(600);

fn head(to: &mut TcpStream, status: &str, headers: &str) -> io::Result<()> {
    to.write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n").as_bytes())
}

/// The head of a good answer to `ask`, of whatever length.
fn good_head(to: &mut TcpStream, ask: &Ask, length: usize) -> io::Result<()> {
    let (from, size) = (ask.from, ask.body.len());
    match from {
        0 => head(to, "200 OK", &format!("content-length: {length}\r\netag: \"v1\"\r\n")),
        _ => {
            let range = format!("content-range: bytes {from}-{}/{size}\r\n", size - 1);
            let etag = "etag: \"v1\"\r\n";
            head(to, "206 Partial Content", &format!("content-length: {length}\r\n{range}{etag}"))
        }
    }
}

fn rest(ask: &Ask) -> &[u8] {
    &ask.body[ask.from.min(ask.body.len())..]
}

/// The first part of a good answer: `share` hundredths of it.
fn cut(to: &mut TcpStream, ask: &Ask, share: usize) -> io::Result<()> {
    good_head(to, ask, rest(ask).len())?;
    to.write_all(&rest(ask)[..rest(ask).len() * share / 100])
}

fn answer(to: &mut TcpStream, ask: &Ask, body: &[u8]) -> io::Result<()> {
    good_head(to, ask, body.len())?;
    to.write_all(body)
}

fn login_page(to: &mut TcpStream) -> io::Result<()> {
    head(to, "200 OK", "content-type: text/html\r\ncontent-length: 6\r\n")?;
    to.write_all(b"<html>")
}

const EMPTY: &str = "content-length: 0\r\n";

/// What ends at once.
const QUICK: &[(&str, To, Manners)] = &[
    ("closed before a word", To::Files, |_, _| Ok(())),
    ("cut in the head", To::Files, |to, _| to.write_all(b"HTTP/1.1 200 OK\r\ncontent-le")),
    ("cut before the first byte", To::Files, |to, ask| cut(to, ask, 0)),
    ("cut at 1 %", To::Files, |to, ask| cut(to, ask, 1)),
    ("cut at 50 %", To::Files, |to, ask| cut(to, ask, 50)),
    ("cut at 99 %", To::Files, |to, ask| cut(to, ask, 99)),
    ("reset", To::Files, |to, ask| {
        cut(to, ask, 40)?;
        Ok(set_socket_linger(&*to, Some(Duration::ZERO))?)
    }),
    ("says less than it is", To::Files, |to, ask| answer(to, ask, &rest(ask)[1..])),
    ("says more than it is", To::Files, |to, ask| answer(to, ask, &[rest(ask), b"more"].concat())),
    ("other bytes", To::Files, |to, ask| answer(to, ask, &vec![b'x'; rest(ask).len()])),
    ("no length and more bytes", To::Files, |to, ask| {
        head(to, "200 OK", "connection: close\r\n")?;
        to.write_all(&[&ask.body[..], b"more"].concat())
    }),
    ("a range that nobody asked for", To::Files, |to, ask| {
        let size = ask.body.len();
        let range = format!("content-range: bytes 5-{}/{size}\r\n", size - 1);
        head(to, "206 Partial Content", &format!("content-length: {}\r\n{range}", size - 5))?;
        to.write_all(&ask.body[5..])
    }),
    ("no such range", To::Files, |to, _| head(to, "416 Range Not Satisfiable", EMPTY)),
    ("a login page for a file", To::Files, |to, _| login_page(to)),
    ("a redirect to itself", To::Files, |to, _| {
        head(to, "302 Found", "location: /api/v3/assets/again\r\ncontent-length: 0\r\n")
    }),
    ("a redirect into the clear", To::Files, |to, _| {
        head(to, "302 Found", "location: http://192.0.2.1/x\r\ncontent-length: 0\r\n")
    }),
    ("too many, come back at once", To::Files, |to, _| {
        head(to, "429 Too Many Requests", "retry-after: 0\r\ncontent-length: 0\r\n")
    }),
    ("busy for a hundred years", To::Files, |to, _| {
        head(to, "503 Busy", "retry-after: 3155760000\r\ncontent-length: 0\r\n")
    }),
    ("gone", To::Files, |to, _| head(to, "404 Not Found", EMPTY)),
    ("a login page for everything", To::All, |to, _| login_page(to)),
    ("busy for everything", To::All, |to, _| {
        head(to, "503 Busy", "retry-after: 3155760000\r\ncontent-length: 0\r\n")
    }),
    ("half a manifest", To::Manifest, |to, ask| {
        let length = ask.body.len();
        let kind = "content-type: application/json\r\netag: \"x\"\r\n";
        head(to, "200 OK", &format!("{kind}content-length: {length}\r\n"))?;
        to.write_all(&ask.body[..length / 2])
    }),
    ("another manifest", To::Manifest, |to, ask| {
        let body: Vec<u8> = ask.body.iter().rev().copied().collect();
        let kind = "content-type: application/json\r\netag: \"x\"\r\n";
        head(to, "200 OK", &format!("{kind}content-length: {}\r\n", body.len()))?;
        to.write_all(&body)
    }),
];

/// What does not end until the player has had enough.
const SLOW: &[(&str, Manners)] = &[
    ("silent from the start", |_, _| {
        park_timeout(FOR_EVER);
        Ok(())
    }),
    ("silent after half: its machine is gone", |to, ask| {
        cut(to, ask, 50)?;
        park_timeout(FOR_EVER);
        Ok(())
    }),
    ("one byte a second", |to, ask| {
        good_head(to, ask, rest(ask).len())?;
        rest(ask).iter().try_for_each(|byte| {
            park_timeout(Duration::from_secs(1));
            to.write_all(&[*byte])
        })
    }),
];

/// A picture of one colour, too large to come in one piece.
fn still(world: &World, name: &str, colour: [u8; 3]) -> PathBuf {
    let path = world.dir.path().join(format!("{name}.bmp"));
    image::RgbImage::from_pixel(240, 135, image::Rgb(colour)).save(&path).unwrap();
    let digest = Digest::of(name.as_bytes()).to_string();
    // A trailer makes each file one that is not in the cache.
    File::options().append(true).open(&path).unwrap().write_all(digest.as_bytes()).unwrap();
    path
}

fn colour(n: usize) -> [u8; 3] {
    [40 + (n * 67 % 200) as u8, 40 + (n * 131 % 200) as u8, 40 + (n * 29 % 200) as u8]
}

fn shows(player: &Player, colour: [u8; 3]) -> Option<()> {
    let shot = player.screenshot().ok()?;
    near(at(&shot, 0.5, 0.5), colour, TOLERANCE).then_some(())
}

fn is_whole(player: &Player, file: &Path) -> bool {
    let bytes = fs::read(file).unwrap();
    let digest = Digest::of(&bytes).to_string();
    let cached = player.dir().join("state/assets").join(&digest[..2]).join(&digest);
    fs::read(cached).is_ok_and(|cached| cached == bytes)
}

/// A player that shows the first colour, behind a gateway.
fn behind(world: &World, host: &str, url: impl Fn(&Gateway) -> String) -> (Gateway, Player) {
    let gateway = Gateway::start(world.cloud.address(), host).unwrap();
    let dir = world.dir.path().join("player");
    Player::configure(&dir, &url(&gateway), SCREEN, SETTINGS).unwrap();
    let player = Player::start(&dir, None).unwrap();
    world.approve(&player);
    world.tenant.play(&[still(world, "first", colour(0))], "60s").unwrap();
    until("the first picture is on the screen", || shows(&player, colour(0)));
    (gateway, player)
}

#[test]
fn the_old_picture_stays_until_the_new_one_is_whole() {
    let world = World::new();
    let (gateway, player) = behind(&world, "127.0.0.1", |g| format!("http://{}", g.address()));
    for (n, (case, to, manners)) in QUICK.iter().enumerate() {
        let (before, next) = (colour(n), colour(n + 1));
        let version = live(&player.glance().unwrap());
        gateway.behave(Some((*to, *manners)));
        let file = still(&world, &format!("still-{n}"), next);
        world.tenant.play(std::slice::from_ref(&file), "60s").unwrap();
        player.ask(&["sync", "now"]).unwrap();
        until(&format!("{case}: it strikes"), || (!gateway.struck().is_empty()).then_some(()));
        assert!(shows(&player, before).is_some(), "{case}: the old picture is gone");
        assert_eq!(live(&player.glance().unwrap()), version, "{case}: live too early");
        gateway.behave(None);
        let shown = wait_for(Duration::from_secs(30), || {
            player.ask(&["sync", "now"]).unwrap();
            shows(&player, next)
        });
        assert!(shown.is_some(), "{case}: the new picture does not come: {:?}", player.glance());
        assert!(is_whole(&player, &file), "{case}");
    }
}

/// Who is silent or drips is given up, asked again, and then the file comes; the picture stays.
fn outlives(case: &str, manners: Manners) {
    let world = World::new();
    let (gateway, player) = behind(&world, "127.0.0.1", |g| format!("http://{}", g.address()));
    gateway.behave(Some((To::Files, manners)));
    let file = still(&world, "slow", colour(1));
    world.tenant.play(std::slice::from_ref(&file), "60s").unwrap();
    until(&format!("{case}: it strikes"), || (!gateway.struck().is_empty()).then_some(()));
    assert!(shows(&player, colour(0)).is_some(), "{case}: the old picture is gone");
    gateway.behave(None);
    let shown = wait_for(Duration::from_secs(120), || shows(&player, colour(1)));
    assert!(shown.is_some(), "{case}: never given up: {:?}", player.glance());
    assert!(is_whole(&player, &file), "{case}");
}

/// All at once: each takes the half minute that a player waits.
#[test]
fn who_is_silent_or_drips_is_given_up() {
    std::thread::scope(|scope| {
        for (case, manners) in SLOW {
            let work = || outlives(case, *manners);
            std::thread::Builder::new().name((*case).into()).spawn_scoped(scope, work).unwrap();
        }
    });
}

/// Somebody else's server at another address of this machine: it knows only its own page.
fn stranger(host: &str, port: &str) {
    let listener = TcpListener::bind(format!("{host}:{port}")).unwrap();
    let serve = move || {
        for mut guest in listener.incoming().flatten() {
            let _ = guest.read(&mut [0; 4_096]).and_then(|_| login_page(&mut guest));
        }
    };
    std::thread::Builder::new().name("stranger".into()).spawn(serve).unwrap();
}

/// The name of the cloud leads elsewhere for a while, or nowhere. The player has a mount namespace
/// of its own with a table of hosts that changes under it.
#[test]
fn a_name_that_leads_elsewhere_for_a_while() {
    let may = Command::new("unshare").args(["--mount", "true"]).output();
    if !may.is_ok_and(|said| said.status.success()) {
        return tell("SKIPPED, no name leads elsewhere here: it takes root and mount namespaces");
    }
    let world = World::new();
    let gateway = Gateway::start(world.cloud.address(), "127.0.0.1").unwrap();
    let port = gateway.address().rsplit(':').next().unwrap().to_owned();
    stranger("127.0.0.3", &port);
    let hosts = world.dir.path().join("hosts");
    // In place: the mount is of this very file.
    let leads_to = |line: &str| File::create(&hosts).unwrap().write_all(line.as_bytes()).unwrap();
    leads_to("127.0.0.1 localhost\n");
    let dir = world.dir.path().join("player");
    let url = format!("http://localhost:{port}");
    Player::configure(&dir, &url, "none", SETTINGS).unwrap();
    let run = Player::command(&dir);
    let mut command = Command::new("unshare");
    let enter = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", enter, "sh"]).arg(&hosts);
    command.arg(run.get_program()).args(run.get_args());
    let player = Player::start_with(command, &dir).unwrap();
    world.approve(&player);
    for (n, (case, line)) in [
        ("to somebody else", "127.0.0.3 localhost\n"),
        ("to where nobody listens", "127.0.0.4 localhost\n"),
        ("out of the house", "192.0.2.1 localhost\n"),
        ("nowhere", "127.0.0.1 elsewhere\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let version = player.glance().map_or(0, |status| live(&status));
        leads_to(line);
        let file = still(&world, &format!("name-{n}"), colour(n));
        world.tenant.play(std::slice::from_ref(&file), "60s").unwrap();
        player.ask(&["sync", "now"]).unwrap();
        player.until_status(&format!("{case}: it is offline"), |status| {
            status["connection"].as_str().is_some_and(|text| text.starts_with("offline"))
        });
        assert_eq!(live(&player.glance().unwrap()), version, "{case}: reached the cloud");
        leads_to("127.0.0.1 localhost\n");
        let back = wait_for(Duration::from_secs(60), || {
            player.ask(&["sync", "now"]).unwrap();
            player.glance().filter(|status| live(status) > version)
        });
        assert!(back.is_some(), "{case}: does not find back: {:?}", player.glance());
        assert!(is_whole(&player, &file), "{case}");
    }
}
