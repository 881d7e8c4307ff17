//! A stub worker behind the walls tries what a decoder that was taken over would try. Each try is
//! made once more without walls, where it has to work: else it would prove nothing.

#![allow(clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// The name of what the stub does, and where.
const TRY: &str = "VITRINE_TRY";
const PLACE: &str = "VITRINE_PLACE";
/// `all`: locked down. `none`: not. Else: a wall that this kernel is made not to have.
const WALLS: &str = "VITRINE_WALLS";
const SAYS_WORKED: &str = "stub: worked";
const SAYS_REFUSED: &str = "stub: refused: ";
const SAYS_WALLS: &str = "stub: behind ";

/// Where the stub is set to work: files to attack, sockets to reach, a process to disturb.
struct Place {
    dir: tempfile::TempDir,
    _tcp: TcpListener,
    _unix: UnixListener,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("directory");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("port");
        let write = |name: &str, text: &str| {
            let mut file = File::create(dir.path().join(name)).expect("file");
            file.write_all(text.as_bytes()).expect("written");
        };
        write("secret", "the key");
        write("port", &tcp.local_addr().expect("address").port().to_string());
        write("pid", &std::process::id().to_string());
        let unix = UnixListener::bind(dir.path().join("socket")).expect("socket");
        Place { dir, _tcp: tcp, _unix: unix }
    }

    fn stub(&self, what: &str, walls: &str) -> String {
        let name = "worker::sandbox::tests::stub";
        let said = Command::new(std::env::current_exe().expect("own path"))
            .args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"])
            .env(TRY, what)
            .env(PLACE, self.dir.path())
            .env(WALLS, walls)
            .output()
            .expect("run");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

/// What is tried, and how.
type Try = (&'static str, fn(&Path) -> io::Result<()>);

const TRIES: [Try; 22] = [
    ("read a file", |at| File::open(at.join("secret")).map(drop)),
    ("list a directory", |at| fs::read_dir(at).map(drop)),
    ("change a file", |at| File::options().append(true).open(at.join("secret")).map(drop)),
    ("read and change", |at| {
        File::options().read(true).write(true).open(at.join("secret")).map(drop)
    }),
    ("empty a file", |at| {
        File::options().write(true).truncate(true).open(at.join("secret")).map(drop)
    }),
    ("make a file", |at| File::create_new(at.join("new")).map(drop)),
    ("make a directory", |at| fs::create_dir(at.join("new"))),
    ("make a link", |at| symlink("secret", at.join("new"))),
    ("link a file", |at| fs::hard_link(at.join("secret"), at.join("new"))),
    ("rename a file", |at| fs::rename(at.join("secret"), at.join("new"))),
    ("remove a file", |at| fs::remove_file(at.join("secret"))),
    ("change rights", |at| {
        fs::set_permissions(at.join("secret"), fs::Permissions::from_mode(0o600))
    }),
    ("connect", |at| {
        let port = number(&at.join("port"));
        TcpStream::connect(("127.0.0.1", u16::try_from(port).expect("port"))).map(drop)
    }),
    ("connect to a neighbour", |at| UnixStream::connect(at.join("socket")).map(drop)),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("send a packet", |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("start a program", |_| Command::new("/bin/true").status().map(drop)),
    // What takes the stub's place says for it that it worked.
    ("become a program", |_| Err(Command::new("/bin/echo").arg(SAYS_WORKED).exec())),
    ("trace a process", |at| trace(number(&at.join("child")))),
    ("signal a process", |at| Ok(rustix::process::test_kill_process(other(at))?)),
    ("hold a process", |at| {
        let flags = rustix::process::PidfdFlags::empty();
        rustix::process::pidfd_open(other(at), flags)?;
        Ok(())
    }),
    ("raise its limits", |_| {
        let held = rustix::process::getrlimit(rustix::process::Resource::Core);
        Ok(rustix::process::setrlimit(rustix::process::Resource::Core, held)?)
    }),
];

/// There is no safe way to the call.
#[allow(unsafe_code)]
fn trace(pid: i32) -> io::Result<()> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_SEIZE without options reads and writes no memory of ours.
    match unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, none) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn number(file: &Path) -> i32 {
    OUTSIDE.with(|read| read.borrow_mut().remove(file)).expect("read before the walls")
}

fn other(at: &Path) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(number(&at.join("pid"))).expect("a process")
}

thread_local! {
    /// What the stub has to know of its surroundings, read before it is shut in.
    static OUTSIDE: std::cell::RefCell<std::collections::BTreeMap<PathBuf, i32>> =
        const { std::cell::RefCell::new(std::collections::BTreeMap::new()) };
}

/// Not a test: the process that makes one try.
#[test]
#[ignore = "started by the other tests as a worker that was taken over"]
fn stub() {
    let (Some(name), Some(place)) = (std::env::var_os(TRY), std::env::var_os(PLACE)) else {
        return;
    };
    let place = PathBuf::from(place);
    for name in ["port", "pid"] {
        let path = place.join(name);
        let text = fs::read_to_string(&path).expect("set up");
        OUTSIDE.with(|read| read.borrow_mut().insert(path, text.parse().expect("a number")));
    }
    // Somebody to look into; it ends when the stub does, which holds its input.
    let child = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.expect("a child");
    OUTSIDE.with(|read| read.borrow_mut().insert(place.join("child"), child.id().cast_signed()));
    match std::env::var(WALLS).as_deref() {
        Ok("none") => {}
        Ok(lacking) => println!("{SAYS_WALLS}{}", shut_in(lacking)),
        Err(_) => panic!("{WALLS} is not set"),
    }
    let (_, attempt) = TRIES.into_iter().find(|(known, _)| name == *known).expect("a known try");
    match attempt(&place) {
        Ok(()) => println!("{SAYS_WORKED}"),
        Err(error) => println!("{SAYS_REFUSED}{error}"),
    }
    drop(child.stdin.take());
    // Behind walls there is no waiting for others either.
    let _ = child.wait();
}

/// As a worker does it, on a kernel that lacks something.
fn shut_in(lacking: &str) -> Walls {
    match lacking {
        "Landlock" => lack(&[libc::SYS_landlock_create_ruleset]),
        "seccomp" => lack(&[libc::SYS_seccomp]),
        _ => {}
    }
    let network = lacking != "network namespace" && leave_network();
    gstreamer::init().expect("gstreamer");
    lock_down(Reach::Silent, network)
}

/// From now on these calls are as on a kernel that has never heard of them.
fn lack(calls: &[libc::c_long]) {
    let calls = calls.iter().map(|call| (*call, Vec::new())).collect();
    let unknown = seccompiler::SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().expect("a known machine");
    let filter =
        seccompiler::SeccompFilter::new(calls, seccompiler::SeccompAction::Allow, unknown, machine);
    let program: seccompiler::BpfProgram =
        filter.and_then(TryInto::try_into).expect("a filter of one call");
    seccompiler::apply_filter(&program).expect("seccomp");
}

#[test]
fn a_worker_that_was_taken_over_is_stopped_at_every_try() {
    for (name, _) in TRIES {
        let (free, shut) = (Place::new().stub(name, "none"), Place::new().stub(name, "all"));
        assert!(free.contains(SAYS_WORKED), "without walls, {name:?} does not work: {free}");
        assert!(shut.contains("stub: behind seccomp"), "{name:?}: {shut}");
        // A kernel without Landlock has nothing to say about which files are read.
        let open = ["read a file", "list a directory", "read and change"].contains(&name);
        let missing = shut.split_once("not here: ").map_or("", |(_, missing)| missing);
        if open && missing.contains("Landlock") {
            continue;
        }
        // Neither in the stub nor, instead of it, in a program that it became.
        assert!(shut.contains(SAYS_REFUSED), "{name:?}: {shut}");
        assert!(!shut.contains(SAYS_WORKED), "{name:?}: {shut}");
    }
}

#[test]
fn a_wall_that_the_kernel_lacks_is_missing_and_the_others_hold() {
    let walls = |said: &str| {
        let line = said.lines().find_map(|line| line.split_once(SAYS_WALLS));
        line.expect("the stub says what is around it").1.to_owned()
    };
    let here = walls(&Place::new().stub("connect", "all"));
    for (lacking, held) in
        [("Landlock", "make a file"), ("seccomp", "read a file"), ("network namespace", "connect")]
    {
        let said = Place::new().stub(held, lacking);
        let (standing, missing) = here.split_once("; not here: ").unwrap_or((&here, ""));
        let others: Vec<_> = standing.split(", ").filter(|wall| *wall != lacking).collect();
        let now = walls(&said);
        let (others_now, missing_now) = now.split_once("; not here: ").expect(lacking);
        let wanted = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        assert_eq!(others_now, wanted, "without {lacking}");
        assert!(missing_now.contains(lacking) && missing_now.contains(missing), "{missing_now}");
        // A machine without Landlock has nothing to hold files back with when seccomp is away, too.
        if lacking != "seccomp" || others.contains(&"Landlock") {
            assert!(said.contains(SAYS_REFUSED), "without {lacking}, {held:?}: {said}");
        }
    }
}
