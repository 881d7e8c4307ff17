//! What the kiosk's compositor is told to draw with, on machines made of files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Connected, with a mode.
const DISPLAY: [(&str, &str); 2] = [
    ("class/drm/card0-HDMI-A-1/status", "connected\n"),
    ("class/drm/card0-HDMI-A-1/modes", "1920x1080\n"),
];
const V3D: (&str, &str) = ("class/drm/renderD128/device/uevent", "DRIVER=v3d\n");
const V3D_WITHOUT_DRIVER: (&str, &str) =
    ("bus/platform/devices/fec00000.gpu/modalias", "of:NgpuT(null)Cbrcm,2711-v3d\n");
const OTHER_DEVICE: (&str, &str) =
    ("bus/platform/devices/fe804000.i2c/modalias", "of:Ni2cT(null)Cbrcm,bcm2835-i2c\n");
const VIRTIO_2D: (&str, &str) = ("class/drm/renderD128/device/virtio3/features", "0100000000\n");
const VIRTIO_3D: (&str, &str) = ("class/drm/renderD128/device/virtio3/features", "1100000000\n");
const SECOND: (&str, &str) = ("class/drm/renderD129/device/uevent", "DRIVER=i915\n");

const GPU: &str = "-";
const PROCESSOR: &str = "pixman";

fn put(root: &Path, (name, text): (&str, &str)) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in DISPLAY.iter().chain(files) {
        put(root.path(), *file);
    }
    root
}

/// The script on that machine, with a compositor that says what it was told.
fn compositor(sys: &Path) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/compositor");
    let mut command = Command::new(script);
    command.args(["sh", "-c", "echo ${WLR_RENDERER:--} ${LP_NUM_THREADS:--} ${XCURSOR_PATH##*/}"]);
    command.env("SYSFS", sys).env_remove("WLR_RENDERER").env_remove("LP_NUM_THREADS");
    command
}

fn told(command: &mut Command) -> String {
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().lines().last().unwrap().to_owned()
}

#[test]
fn a_compositor_draws_by_processor_only_where_no_gpu_does() {
    for (case, files, wanted) in [
        ("Raspberry Pi", vec![V3D, V3D_WITHOUT_DRIVER], GPU),
        ("PC", vec![SECOND], GPU),
        ("no GPU", vec![OTHER_DEVICE], PROCESSOR),
        ("virtual machine", vec![VIRTIO_2D], PROCESSOR),
        ("virtual machine with 3D", vec![VIRTIO_3D], GPU),
        ("virtual machine with a real GPU", vec![VIRTIO_2D, SECOND], GPU),
    ] {
        let sys = machine(&files);
        assert_eq!(told(&mut compositor(sys.path())), format!("{wanted} 0 cursors"), "{case}");
    }
}

#[test]
fn the_operators_word_on_what_the_compositor_draws_with_holds() {
    let sys = machine(&[VIRTIO_2D]);
    let mut command = compositor(sys.path());
    assert_eq!(told(command.env("WLR_RENDERER", "gles2")), "gles2 0 cursors");
}

#[test]
fn a_gpu_whose_driver_comes_after_the_display_s_is_waited_for() {
    let sys = machine(&[V3D_WITHOUT_DRIVER]);
    let mut waiting = compositor(sys.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines();
    let said = lines.next().unwrap().unwrap();
    assert_eq!(said, "the GPU has no driver yet: waiting for it");
    put(sys.path(), V3D);
    assert_eq!(lines.next().unwrap().unwrap(), "- 0 cursors");
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn a_gpu_whose_driver_never_comes_is_not_waited_for_for_ever() {
    let sys = machine(&[V3D_WITHOUT_DRIVER]);
    // Time that passes at once.
    let sleep = sys.path().join("bin/sleep");
    put(sys.path(), ("bin/sleep", "#!/bin/sh\n"));
    fs::set_permissions(&sleep, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", sys.path().join("bin").display(), std::env::var("PATH").unwrap());
    assert_eq!(told(compositor(sys.path()).env("PATH", path)), "pixman 0 cursors");
}

/// The stage draws with as many threads as there are; the compositor alone was told not to.
#[test]
fn the_screen_takes_back_what_was_for_the_compositor() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/screen");
    let dir = tempfile::tempdir().unwrap();
    let script = fs::read_to_string(script).unwrap();
    assert!(script.contains("/usr/bin/vitrine stage"));
    let stage = "sh -c 'echo threads ${LP_NUM_THREADS:--}; kill $PPID'";
    let script = script.replace("/usr/bin/vitrine stage", stage);
    let mut screen = Command::new("sh");
    screen.args(["-c", &script, "screen", "socket"]);
    screen.env("LP_NUM_THREADS", "0").env("XDG_RUNTIME_DIR", dir.path());
    assert_eq!(told(&mut screen), "threads -");
}
