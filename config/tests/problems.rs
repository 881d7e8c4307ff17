//! Everything wrong is said at once: what, where, and what is wanted.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use vitrine_config::{Config, Place, Sources, check_file, load, show, show_origins};

/// Checks a text as `vitrine.toml` and gives what it complains of, without the directory.
fn complaints(text: impl AsRef<[u8]>) -> Vec<String> {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("vitrine.toml");
    std::fs::write(&file, text).unwrap();
    match check_file(&file) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            let dir = format!("{}/", temp.path().display());
            problems.to_string().lines().map(|line| line.replace(&dir, "")).collect()
        }
    }
}

#[test]
fn everything_wrong_is_found_at_once() {
    let text = r##"
[cloud]
url = "http://signs.example"
poll_s = 2
pol_s = 60
heartbeat_s = "300"
first_contact_spread_s = 60.0

[screen]
  output = "windowed"
background = true
size_mb = 5

[clod]
url = "https://signs.example"

[weather]
colour = 1

[log]
level = 3
brightness_of_the_moon = 3
format = ["text"]
"##;
    let want = "\
vitrine.toml:3:7: cloud.url = \"http://signs.example\": want \"https://host[:port][/path]\", \
http:// only to a loopback address, or \"\" for no cloud
vitrine.toml:4:10: cloud.poll_s = 2: want a whole number, 5 to 3600 s
vitrine.toml:5:1: cloud.pol_s: want a known key; nearest: cloud.poll_s
vitrine.toml:6:15: cloud.heartbeat_s = \"300\": want a whole number, 10 to 86400 s
vitrine.toml:7:26: cloud.first_contact_spread_s = 60.0: want a whole number, 0 to 600 s
vitrine.toml:10:12: screen.output = \"windowed\": want \"fullscreen\", \"windowed WxH\", \
\"offscreen WxH\" (16 to 16384 px a side), \"external\" or \"none\"
vitrine.toml:11:14: screen.background = true: want a colour such as \"#00447f\"
vitrine.toml:12:1: screen.size_mb: want a known key; nearest: cache.size_mb
vitrine.toml:14:2: [clod]: want a known section; nearest: [cloud]
vitrine.toml:17:2: [weather]: want one of [cloud], [device], [paths], [cache], [screen], [audio], \
[playback], [update], [log], [policy]
vitrine.toml:21:9: log.level = 3: want error, warn, info, debug, trace or off, alone or as \
\"vitrine_sync=debug,info\"
vitrine.toml:22:1: log.brightness_of_the_moon: want one of level, format
vitrine.toml:23:10: log.format = [\"text\"]: want \"text\" or \"json\"";
    assert_eq!(complaints(text).join("\n"), want);
}

#[test]
fn each_mistake_has_its_place() {
    for (text, want) in [
        ("poll_s = 3", "1:1: poll_s: want a known key; nearest: cloud.poll_s"),
        ("cloud = 3", "1:1: cloud = 3: want [cloud] and its keys below it"),
        ("[[cloud]]", "1:3: cloud = [[cloud]]: want [cloud] and its keys below it"),
        ("\n\n  cloud.poll_s = 3", "3:18: cloud.poll_s = 3: want a whole number, 5 to 3600 s"),
        (
            "device = { naem = \"\u{e4}\" }",
            "1:12: device.naem: want a known key; nearest: device.name",
        ),
        ("cloud . \"poll_s\" = 0x2", "1:20: cloud.poll_s = 0x2: want a whole number, 5 to 3600 s"),
        (
            "cloud.poll_s = 99999999999999999999",
            "1:16: cloud.poll_s = 99999999999999999999: want a whole number, 5 to 3600 s",
        ),
        (
            "device.name = \"\u{e4}\"\r\nlog.format = \"\u{e4}\"\r\n",
            "2:14: log.format = \"\u{e4}\": want \"text\" or \"json\"",
        ),
        (
            "[device]\nname = \"\"\"\na\nb\"\"\"",
            "2:8: device.name = \"\"\"\\na\\nb\"\"\": want 1 to 64 printable characters, or \"\" for the host name",
        ),
        ("\u{e4}\u{e4}.x = 1", "1:1: no TOML"),
        ("[cloud]\nurl = \"a\nb = 1", "2:9: no TOML"),
        (
            "[cloud]\npoll_s = 9\npoll_s = 9",
            "3:1: no TOML (duplicate key): want key = value below [section]",
        ),
    ] {
        let got = complaints(text);
        let want = format!("vitrine.toml:{want}");
        assert!(got.first().is_some_and(|line| line.starts_with(&want)), "{text:?}: {got:#?}");
    }
    assert_eq!(
        complaints(b"[log]\n\xc3\xa4\xff"),
        ["vitrine.toml:2:2: byte 0xff: want UTF-8 text"]
    );
}

#[test]
fn syntax_and_meaning_are_told_together() {
    let got = complaints("[cloud]\npoll_s = 2\nurl = https\n[cache]\ndownloads = 0\n");
    assert_eq!(got.len(), 3, "{got:#?}");
    assert!(got.iter().any(|line| line.starts_with("vitrine.toml:2:10: cloud.poll_s = 2")));
    assert!(got.iter().any(|line| line.starts_with("vitrine.toml:3:7: no TOML")));
    assert!(got.iter().any(|line| line.starts_with("vitrine.toml:5:13: cache.downloads = 0")));
}

#[test]
fn long_and_secret_values_are_not_repeated_whole() {
    let [long] = complaints(format!("log.level = \"{}\"", "x".repeat(9_000))).try_into().unwrap();
    assert!(long.len() < 300, "{long}");
    let [secret] = complaints("cloud.url = \"https://me:hush@signs.example\"").try_into().unwrap();
    assert!(!secret.contains("hush") && secret.contains("https://\u{2026}@signs"), "{secret}");
    // Under a name that is not quite right, in the wrong place, of the wrong kind.
    for text in
        ["[cloud]\nenrolment = \"hush\"", "enrollment = \"hush\"", "[cloud]\nproxy = [\"hush\"]"]
    {
        let told = complaints(text);
        assert!(!told.is_empty() && !told.concat().contains("hush"), "{told:?}");
    }
}

#[test]
fn what_is_no_file_of_settings_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let home = temp.path();
    let refused = |path: &Path| check_file(path).unwrap_err().to_string();

    let absent = home.join("absent.toml");
    let want = format!("{}: no such file: want a file with settings", absent.display());
    assert_eq!(refused(&absent), want);

    assert!(refused(home).contains("want a regular file"));

    let pipe = home.join("pipe.toml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(refused(&pipe).contains("want a regular file"));

    let long = home.join("long.toml");
    std::fs::write(&long, " ".repeat((1 << 20) + 1)).unwrap();
    assert!(refused(&long).contains("want at most 1048576 bytes"));
    std::fs::write(&long, " ".repeat(1 << 20)).unwrap();
    assert_eq!(check_file(&long), Ok(Config::default()));
}

#[test]
fn a_flood_of_mistakes_is_cut_short() {
    let text: String = (0..5_000).map(|n| format!("a{n} = 1\n")).collect();
    let got = complaints(text);
    assert_eq!(got.len(), 65);
    assert_eq!(got[64], "\u{2026} and 4936 more");
}

fn sources(environment: &[(&str, &str)], overrides: &[&str]) -> Sources {
    Sources {
        environment: environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        overrides: overrides.iter().map(|text| (*text).into()).collect(),
        ..Sources::default()
    }
}

#[test]
fn a_variable_is_named_by_its_problem() {
    let wrong = sources(
        &[
            ("VITRINE_CLOUD_POLL_S", "2"),
            ("VITRINE_CLUOD_URL", "https://signs.example"),
            ("VITRINE_CACHE_SIZE", "1"),
            ("VITRINE_SOCKET", "/run/x"),
            ("VITRINE_CLOUD_TOKEN", "secret"),
            ("VITRINE_CLOUD_LOG", "debug"),
            ("VITRINE_LOG", "debug"),
            ("PATH", "/bin"),
        ],
        &["cloud.poll_s=x", "cloud.pol_s=1", "nonsense"],
    );
    let want = "\
environment VITRINE_CLOUD_POLL_S: cloud.poll_s = 2: want a whole number, 5 to 3600 s
environment VITRINE_CLUOD_URL: no setting: want a known setting; \
nearest: VITRINE_CLOUD_URL
environment VITRINE_CACHE_SIZE: no setting: want a known setting; \
nearest: VITRINE_CACHE_SIZE_MB
command line: cloud.poll_s = x: want a whole number, 5 to 3600 s
command line: cloud.pol_s: want a known key; nearest: cloud.poll_s
command line: nonsense: want section.key=value, such as cloud.poll_s=30";
    let got = load(&wrong).unwrap_err().to_string();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&got), sorted(want));
}

#[test]
fn later_layers_win() {
    let temp = tempfile::tempdir().unwrap();
    let home = temp.path();
    let file = home.join("vitrine.toml");
    let text = "[cloud]\npoll_s = 11\nheartbeat_s = 11\nfirst_contact_spread_s = 11\n\
                [cache]\nsize_mb = 100\nreserve_mb = 100\n[device]\nname = \"file\"\n";
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir(home.join("conf.d")).unwrap();
    let drop_in = |name: &str, text: &str| {
        std::fs::write(home.join("conf.d").join(name), text).unwrap();
    };
    drop_in("20-b.toml", "cloud.heartbeat_s = 13\ncloud.first_contact_spread_s = 13");
    drop_in(
        "10-a.toml",
        "cloud.heartbeat_s = 12\ncloud.first_contact_spread_s = 12\ncache.size_mb = 112",
    );
    drop_in(".20-b.toml", "no = \"settings\"");
    drop_in("30-c.toml~", "no = \"settings\"");

    let mut sources = sources(
        &[("VITRINE_CLOUD_FIRST_CONTACT_SPREAD_S", "14"), ("VITRINE_DEVICE_NAME", "")],
        &["cache.reserve_mb=115", "cache.reserve_mb = 116"],
    );
    sources.file = Some(file);
    let config = load(&sources).unwrap();
    let cloud = &config.cloud;
    assert_eq!((cloud.poll.as_secs(), cloud.heartbeat.as_secs()), (11, 13));
    assert_eq!(cloud.first_contact_spread.as_secs(), 14);
    assert_eq!((config.cache.size_bytes, config.cache.reserve_bytes), (112_000_000, 116_000_000));
    assert_eq!(config.device.name, None, "an empty variable takes the name away");

    let shown = show_origins(&sources).unwrap();
    for (line, place) in [
        ("poll_s = 11", "vitrine.toml:2:10"),
        ("heartbeat_s = 13", "conf.d/20-b.toml:1:21"),
        ("size_mb = 112", "conf.d/10-a.toml:3:17"),
        ("first_contact_spread_s = 14", "environment VITRINE_CLOUD_FIRST_CONTACT_SPREAD_S"),
        ("reserve_mb = 116", "command line"),
        ("patience_s = 3600", "default"),
    ] {
        let shows = |text: &str| text.starts_with(&format!("{line}  # ")) && text.ends_with(place);
        assert!(shown.lines().any(shows), "{line} from {place} is not in\n{shown}");
    }
}

#[test]
fn problems_of_all_layers_come_together_and_name_their_file() {
    let temp = tempfile::tempdir().unwrap();
    let home = temp.path();
    std::fs::create_dir_all(home.join("conf.d/dir.toml")).unwrap();
    std::fs::write(home.join("conf.d/1.toml"), "cloud.poll_s = 1").unwrap();
    std::fs::write(home.join("conf.d/2.toml"), "cloud.poll_s = 10").unwrap();
    let mut sources = sources(&[("VITRINE_LOG_FORMAT", "xml")], &[]);
    sources.file = Some(home.join("vitrine.toml"));
    let places = |sources: &Sources| -> Vec<String> {
        let problems = load(sources).unwrap_err();
        let dir = format!("{}/", home.display());
        problems.list.iter().map(|problem| problem.place.to_string().replace(&dir, "")).collect()
    };
    let want = ["conf.d/1.toml:1:16", "conf.d/dir.toml", "environment VITRINE_LOG_FORMAT"];
    assert_eq!(places(&sources), want);
    sources.file_required = true;
    assert_eq!(places(&sources)[0], "vitrine.toml");
    let problems = load(&sources).unwrap_err();
    assert_eq!(problems.list[0].place, Place::File(home.join("vitrine.toml")));
}

#[test]
fn a_directory_full_of_drop_ins_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("vitrine.toml");
    std::fs::create_dir(temp.path().join("conf.d")).unwrap();
    for n in 0..65 {
        std::fs::write(temp.path().join(format!("conf.d/{n}.toml")), "").unwrap();
    }
    let sources = Sources { file: Some(file), ..Sources::default() };
    assert!(load(&sources).unwrap_err().to_string().ends_with("65 files *.toml: want at most 64"));
    std::fs::remove_file(temp.path().join("conf.d/0.toml")).unwrap();
    assert_eq!(load(&sources), Ok(Config::default()));
}

/// Anything that holds, as a text of settings.
fn settings() -> impl Strategy<Value = String> {
    let cloud = (5..=3_600u32, 10..=86_400u32, 0..=600u32, "(https://[a-z]{1,9}(/[a-z~]{1,5})?)?");
    let texts = ("[a-z\"'\\\\#=\\[ \u{e4}]{0,20}[a-z]", "#[0-9a-f]{6}", "(/[a-z ]{1,9}){1,4}");
    let screen = prop_oneof![
        Just("fullscreen".to_string()),
        (16..=16_384u32, 16..=16_384u32).prop_map(|(w, h)| format!("offscreen {w}x{h}")),
    ];
    (cloud, texts, screen, 0..=100u32).prop_map(|(cloud, texts, screen, volume)| {
        let (poll, heartbeat, spread, url) = cloud;
        let (name, background, state) = texts;
        let name = toml::Value::from(name);
        format!(
            "[cloud]\npoll_s = {poll}\nheartbeat_s = {heartbeat}\nurl = \"{url}\"\n\
             first_contact_spread_s = {spread}\n[device]\nname = {name}\n[screen]\n\
             background = \"{background}\"\noutput = \"{screen}\"\n[paths]\n\
             state_dir = \"{state}\"\n[audio]\nvolume_percent = {volume}\n"
        )
    })
}

fn read(text: &[u8]) -> Result<Config, vitrine_config::Problems> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text).unwrap();
    check_file(file.path())
}

/// Pieces of TOML that meet by chance.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("[cloud]"),
        Just("[[cloud]]"),
        Just("\n"),
        Just("url"),
        Just(" = "),
        Just("\""),
        Just("\"\"\""),
        Just("'"),
        Just("poll_s"),
        Just("60"),
        Just("."),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just("#"),
        Just("\\u00e"),
        Just("1979-05-27"),
        Just("\u{e4}"),
        Just("\r"),
        Just("-inf"),
        Just("0x"),
        Just("cloud"),
        Just("\u{feff}"),
        Just("\u{0}"),
    ];
    prop::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn random_toml_never_panics_and_every_problem_has_a_place(text in scraps()) {
        if let Err(problems) = read(text.as_bytes()) {
            prop_assert!(!problems.list.is_empty());
            for problem in &problems.list {
                let Place::At { line, column, .. } = &problem.place else {
                    return Err(TestCaseError::fail(format!("no place: {problem}")));
                };
                let lines: Vec<&str> = text.split('\n').collect();
                prop_assert!((1..=lines.len()).contains(line), "{}", problem);
                prop_assert!((1..=lines[line - 1].chars().count() + 1).contains(column), "{}", problem);
                prop_assert_eq!(problem.to_string().lines().count(), 1);
            }
        }
    }

    #[test]
    fn what_is_shown_reads_back_the_same(text in settings()) {
        let config = read(text.as_bytes()).map_err(|problems| {
            TestCaseError::fail(problems.to_string())
        })?;
        prop_assert_eq!(read(show(&config).as_bytes()), Ok(config));
    }
}
