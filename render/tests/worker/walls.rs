//! Everything that plays, plays behind walls; and where walls are missing.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use vitrine_render::scene::AudioOut;
use vitrine_render::source::Source;
use vitrine_render::source::worker::WorkerPool;

use super::rig::{Rig, as_worker, media, pool, spec};

/// Not a test: a worker on a kernel that has neither list of calls, nor Landlock, nor namespaces.
#[test]
#[ignore = "started by a test below as its media worker"]
fn without_walls_entry() {
    let Ok(socket) = vitrine_render::worker::inherited_socket() else { return };
    let unknown = [libc::SYS_seccomp, libc::SYS_landlock_create_ruleset, libc::SYS_unshare];
    let rules = unknown.into_iter().map(|call| (call, Vec::new())).collect();
    let (allow, errno) = (seccompiler::SeccompAction::Allow, libc::ENOSYS.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().expect("a known machine");
    let no_such_call = seccompiler::SeccompAction::Errno(errno);
    let filter = seccompiler::SeccompFilter::new(rules, allow, no_such_call, machine);
    let program: seccompiler::BpfProgram =
        filter.and_then(TryInto::try_into).expect("a filter of three calls");
    seccompiler::apply_filter(&program).expect("seccomp");
    vitrine_render::worker::run(socket).expect("worker");
}

/// Plays `path` to its end; the number of pictures.
fn played(path: &Path, audio: AudioOut, pool: &WorkerPool) -> (usize, Rig) {
    let mut rig =
        Rig::started(vitrine_render::source::worker::VideoSpec { audio, ..spec(path) }, pool);
    let mut pictures = 0;
    while rig.next(|_| ()).is_some() {
        pictures += 1;
    }
    (pictures, rig)
}

#[test]
fn every_codec_plays_behind_a_list_of_calls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../player/src/doctor/clips");
    let clips = ["h264.mp4", "hevc.mp4", "vp8.webm", "vp9.webm", "av1.mp4"];
    let clips = clips.map(|name| (root.join(name), 30, AudioOut::None));
    let null = || AudioOut::Alsa("null".to_owned());
    let heard = [(media("h264.mp4"), 60, null()), (media("vp9.webm"), 25, null())];
    let pool = pool();
    for (path, pictures, audio) in clips.into_iter().chain(heard) {
        let (seen, rig) = played(&path, audio, &pool);
        assert_eq!(seen, pictures, "{}", path.display());
        let walls = rig.source.walls().expect("the worker says what is around it");
        assert!(walls.calls, "{}: {walls}", path.display());
    }
}

#[test]
fn where_no_wall_can_be_built_it_plays_and_says_so() {
    let pool = WorkerPool::new(as_worker("walls::without_walls_entry"));
    let (seen, rig) = played(&media("silent.mp4"), AudioOut::None, &pool);
    assert_eq!(seen, 60);
    let walls = rig.source.walls().expect("the worker says what is around it");
    assert_eq!(walls.names(true), [""; 0]);
}

/// As root the stage opens what is somebody else's; its worker has given up the right to.
#[test]
fn what_only_its_owner_may_read_plays_for_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED, every file here is the worker's own: it takes root");
        return;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::copy(media("silent.mp4"), file.path()).expect("copied");
    chown(file.path(), Some(1), Some(1)).expect("given away");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file.path(), mode).expect("its owner's alone");
    let (seen, _) = played(file.path(), AudioOut::None, &pool());
    assert_eq!(seen, 60);
}
