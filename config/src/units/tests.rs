//! Texts and what they mean.

use super::*;

#[test]
fn hours_of_the_day() {
    for text in ["22:00-06:00", "00:00-00:00", "09:05-17:59", "23:59-00:01"] {
        assert_eq!(hours(text).map(hours_text).as_deref(), Some(text));
    }
    for text in ["", "22-6", "22:00", "22:00-24:00", "9:00-10:00", "+9:00-10:00", "22:60-06:00"] {
        assert_eq!(hours(text), None, "{text:?}");
    }
}

#[test]
fn cloud_urls() {
    for (text, want) in [
        ("https://signs.example", Some("https://signs.example")),
        ("https://signs.example/", Some("https://signs.example")),
        ("https://signs.example:8443/a/b/", Some("https://signs.example:8443/a/b")),
        ("https://192.0.2.7", Some("https://192.0.2.7")),
        ("https://[2001:db8::1]:8443", Some("https://[2001:db8::1]:8443")),
        ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
        ("http://127.9.9.9", Some("http://127.9.9.9")),
        ("http://localhost:1", Some("http://localhost:1")),
        ("http://[::1]:65535", Some("http://[::1]:65535")),
        ("http://signs.example", None),
        ("http://192.0.2.7", None),
        ("http://127.0.0.1.evil.example", None),
        ("http://localhost.evil.example", None),
        ("http://[::2]", None),
        ("http://127.1", None),
        ("http://localhost@evil.example", None),
        ("https://user:secret@signs.example", None),
        ("https://signs.example:0", None),
        ("https://signs.example:65536", None),
        ("https://signs.example:+1", None),
        ("https://signs.example:", None),
        ("https://", None),
        ("https:///path", None),
        ("https://-signs.example", None),
        ("https://signs..example", None),
        ("https://[::1", None),
        ("https://[::1]x", None),
        ("https://signs.example/a b", None),
        ("https://signs.example/?tenant=1", None),
        ("https://signs.example/#top", None),
        ("https://sig\u{e4}ns.example", None),
        ("ftp://signs.example", None),
        ("HTTPS//signs.example", None),
        ("signs.example", None),
        ("/", None),
    ] {
        assert_eq!(cloud_url(text).as_deref(), want, "{text:?}");
    }
    assert_eq!(cloud_url(&format!("https://a/{}", "b".repeat(STRING_BYTES))), None);
}

#[test]
fn outputs() {
    for (text, want) in [
        ("fullscreen", Some(Output::Fullscreen)),
        ("windowed 1280x720", Some(Output::Windowed { width_px: 1280, height_px: 720 })),
        ("windowed 16x16384", Some(Output::Windowed { width_px: 16, height_px: 16_384 })),
        ("offscreen 640x360", Some(Output::Offscreen { width_px: 640, height_px: 360 })),
        ("external", Some(Output::External)),
        ("none", Some(Output::None)),
        ("windowed 15x720", None),
        ("windowed 1280x16385", None),
        ("windowed +16x+16", None),
        ("windowed 1280 x 720", None),
        ("windowed  1280x720", None),
        ("windowed", None),
        ("fullscreen 1280x720", None),
        ("Fullscreen", None),
        ("", None),
    ] {
        assert_eq!(output(text), want, "{text:?}");
        if let Some(output) = want {
            assert_eq!(output_text(output), text);
        }
    }
}

#[test]
fn rotations() {
    for text in ["normal", "90", "180", "270"] {
        assert_eq!(rotation(text).map(rotation_text), Some(text));
    }
    for text in ["", "0", "45", "-90", "90deg", "Normal"] {
        assert_eq!(rotation(text), None, "{text:?}");
    }
    for text in ["first", "mirror", "extend", "each"] {
        assert_eq!(displays(text).map(displays_text), Some(text));
    }
    assert_eq!(displays("both"), None);
    assert_eq!(canvas("1920x1080").map(canvas_text).as_deref(), Some("1920x1080"));
    assert_eq!(canvas("1920"), None);
}

#[test]
fn modes() {
    for (text, rate) in [
        ("1920x1080", None),
        ("1920x1080@60", Some(60_000)),
        ("3840x2160@59.94", Some(59_940)),
        ("1280x720@23.976", Some(23_976)),
    ] {
        assert_eq!(mode(text).map(|mode| mode.refresh_millihertz), Some(rate), "{text:?}");
        assert_eq!(mode(text).map(mode_text).as_deref(), Some(text));
    }
    for text in [
        "",
        "1080p",
        "1920x1080@",
        "1920x1080@0",
        "1920x1080@60Hz",
        "1920x1080@-60",
        "1920x1080@+60",
        "1920x1080@60.",
        "1920x1080@.5",
        "1920x1080@59.9401",
        "8x8@60",
        "1920x1080@60@50",
        "1920x1080@99999999999",
    ] {
        assert_eq!(mode(text), None, "{text:?}");
    }
}

#[test]
fn colours() {
    for (text, want) in [
        ("#00447f", Some([0, 0x44, 0x7f])),
        ("#FFFFFF", Some([255; 3])),
        ("00447f", None),
        ("#0047f", None),
        ("#00447ff", None),
        ("#+0447f", None),
        ("#00447g", None),
        ("#\u{e9}\u{e9}\u{e9}", None),
        ("black", None),
    ] {
        assert_eq!(colour(text), want, "{text:?}");
    }
    assert_eq!(colour_text([255, 0, 9]), "#ff0009");
}

#[test]
fn paths() {
    for (text, fits) in [
        ("/var/lib/vitrine", true),
        ("/a", true),
        ("/mit blank/\u{e4}", true),
        ("/", false),
        ("", false),
        ("var/lib", false),
        ("/var/../etc", false),
        ("/a\0b", false),
        ("/a\nb", false),
    ] {
        assert_eq!(absolute(text).is_some(), fits, "{text:?}");
    }
    assert_eq!(absolute("/var//lib/./x/"), Some("/var/lib/x".into()));
    assert!(socket_dir(&format!("/{}", "a".repeat(89))).is_some());
    assert!(socket_dir(&format!("/{}", "a".repeat(90))).is_none());
}

#[test]
fn names_zones_devices_and_filters() {
    let check = |what: &str, takes: fn(&str) -> bool, right: &[&str], wrong: &[&str]| {
        for text in right {
            assert!(takes(text), "{what} refused {text:?}");
        }
        for text in wrong {
            assert!(!takes(text), "{what} took {text:?}");
        }
    };
    check("name", |text| name(text).is_some(), &["a", " Foyer \u{2190} "], &["", " ", "a\u{7}b"]);
    check(
        "time zone",
        |text| time_zone(text).is_some(),
        &["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"],
        &["", "../../etc/passwd", "+1", "/etc/localtime", "Europe Berlin"],
    );
    check(
        "audio device",
        |text| audio_device(text).is_some(),
        &["auto", "none", "hdmi", "jack", "usb", "hw:0,0", "sysdefault:CARD=vc4hdmi0"],
        &["Auto", "NONE", "HDMI", "", "a b", "a\n"],
    );
    check(
        "log filter",
        |text| log_filter(text).is_some(),
        &["info", "OFF", "vitrine_sync=debug,info", "a::b=trace, warn"],
        &["", "inof", "a=b=info", "=info", "a=", "info,debug", "info,", "a b=info"],
    );
    // A machine without a list of zones cannot tell.
    let zones = !jiff::tz::db().is_definitively_empty();
    assert_eq!(time_zone("Europe/Brelin").is_none(), zones);
    assert_eq!(name(&"\u{e4}".repeat(64)).map(|name| name.chars().count()), Some(64));
    assert_eq!(name(&"\u{e4}".repeat(65)), None);
}
