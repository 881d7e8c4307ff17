//! The real binary as a process, for the tests beside this folder.
#![allow(dead_code, reason = "each test file uses its own share")]
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// What should take a second or two takes this long at most on a loaded machine without a GPU.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A colour as red, green, blue.
pub type Rgb = [u8; 3];

/// The binary, without anything of this session's display or service manager.
pub fn vitrine() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "NOTIFY_SOCKET", "JOURNAL_STREAM"]
    {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn finish(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

/// Writes a PNG of one colour.
pub fn still(path: &Path, [red, green, blue]: Rgb) {
    let (width, height) = (64u32, 36u32);
    let mut encoder = png::Encoder::new(File::create(path).expect("a file"), width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels = [red, green, blue].repeat((width * height) as usize);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels");
}

/// Writes a text.
pub fn write(path: &Path, text: &str) {
    write_bytes(path, text.as_bytes());
}

/// Writes a file.
pub fn write_bytes(path: &Path, bytes: &[u8]) {
    File::create(path).and_then(|mut file| file.write_all(bytes)).expect("a file");
}

/// The colour in the middle of a PNG.
pub fn middle(png: impl Read) -> Rgb {
    let mut bytes = Vec::new();
    let mut png = png;
    png.read_to_end(&mut bytes).expect("a file");
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    let samples = info.color_type.samples();
    let at = (info.height as usize / 2 * info.width as usize + info.width as usize / 2) * samples;
    [pixels[at], pixels[at + 1], pixels[at + 2]]
}

/// Whether two colours look the same: GPUs round, decoders too.
pub fn alike(a: Rgb, b: Rgb) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 6)
}

/// A process whose lines can be waited for, and whose children can be found again.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    mark: String,
}

/// Which output is read.
pub enum Reads {
    Stdout,
    Stderr,
}

impl Running {
    /// Starts `command`; what it writes is read line by line.
    pub fn start(command: &mut Command, reads: Reads, mark: &str) -> Running {
        let mark = format!("{mark}-{}", std::process::id());
        command.env("VITRINE_TEST_MARK", &mark);
        match reads {
            Reads::Stdout => command.stdout(Stdio::piped()),
            Reads::Stderr => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn().expect("the binary runs");
        let out: Box<dyn Read + Send> = match reads {
            Reads::Stdout => Box::new(child.stdout.take().expect("piped")),
            Reads::Stderr => Box::new(child.stderr.take().expect("piped")),
        };
        let (sender, lines) = sync_channel(10_000);
        Builder::new()
            .name("lines".into())
            .spawn(move || {
                let lines = BufReader::new(out).lines();
                lines.map_while(Result::ok).for_each(|line| drop(sender.try_send(line)));
            })
            .expect("a thread");
        Running { child, lines, seen: Vec::new(), mark }
    }

    /// Waits for a line with `text` in it.
    pub fn line(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no line with {text:?} ({error}) after {:#?}", self.seen),
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(pid(self.child.id()), signal).expect("it lives");
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("an end")
    }

    /// Processes of this one's making, and itself, that are still there.
    pub fn left(&self) -> Vec<u32> {
        let want = format!("VITRINE_TEST_MARK={}", self.mark);
        let all = std::fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
        all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let environment = std::fs::read(format!("/proc/{pid}/environ"));
                environment.is_ok_and(|text| text.split(|b| *b == 0).any(|v| v == want.as_bytes()))
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Also what outlives it on purpose.
        for left in self.left() {
            let _ = rustix::process::kill_process(pid(left), Signal::KILL);
        }
    }
}

pub fn pid(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id")
}

/// The service manager's end of `sd_notify`.
pub struct Manager {
    socket: UnixDatagram,
    pub path: PathBuf,
}

impl Manager {
    pub fn listen(dir: &Path) -> Manager {
        let path = dir.join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Manager { socket, path }
    }

    /// Waits until it is told `word`.
    pub fn hear(&self, word: &str) {
        let mut message = [0; 4_096];
        loop {
            let length = self.socket.recv(&mut message).expect(word);
            if String::from_utf8_lossy(&message[..length]).lines().any(|line| line == word) {
                return;
            }
        }
    }
}
