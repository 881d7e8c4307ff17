//! A disk whose plug can be pulled: ext4 in a file, mounted by a loop device.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room on it.
const SIZE_BYTES: u64 = 96 << 20;

/// `EXT4_IOC_SHUTDOWN` without a last flush of the journal: from then on nothing reaches the medium,
/// as if the power had gone. Perl, because every Debian has it and it needs no unsafe code.
const SHUTDOWN: &str = "open(my $dir, '<', $ARGV[0]) or die \"open: $!\"; my $how = pack('L', 2); \
                        ioctl($dir, 0x8004587d, $how) or die \"shutdown: $!\"";

/// A mounted disk. Unmounted on drop.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Makes and mounts a new one below `dir`.
    ///
    /// # Errors
    ///
    /// Why it cannot be had here: it takes root and a loop device.
    pub fn new(dir: &Path) -> Result<Disk, String> {
        let disk = Disk { image: dir.join("disk.img"), place: dir.join("disk") };
        let make = || File::create(&disk.image)?.set_len(SIZE_BYTES);
        make().and_then(|()| fs::create_dir(&disk.place)).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image))?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Brings everything to the medium, as time would.
    pub fn flush(&self) -> Result<(), String> {
        run(Command::new("sync").arg("--file-system").arg(&self.place))
    }

    /// Pulls the plug: what has not reached the medium by now never does.
    pub fn cut(&self) -> Result<(), String> {
        run(Command::new("perl").args(["-e", SHUTDOWN]).arg(&self.place))
    }

    /// Power again. Whoever had files open there must be dead.
    pub fn restore(&self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.place))?;
        self.mount()
    }

    /// [`Disk::restore`] as a kernel does that does not trust the disk: nothing can be written.
    pub fn restore_read_only(&self) -> Result<(), String> {
        // Its journal takes writing to be read.
        self.restore()?;
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.place))
    }

    /// Tells the kernel of an error on the disk; it lets nobody write from now on, as with a worn
    /// card.
    pub fn wear_out(&self) -> Result<(), String> {
        let find = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&self.place).output();
        let found = find.map_err(|error| format!("findmnt: {error}"))?.stdout;
        let device = String::from_utf8_lossy(&found).trim().replace("/dev/", "");
        let lever = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        let opened = File::options().write(true).open(&lever);
        let pulled = opened.and_then(|mut lever| lever.write_all(b"worn out"));
        pulled.map_err(|error| format!("{lever}: {error}"))
    }

    fn mount(&self) -> Result<(), String> {
        let options = "loop,errors=remount-ro";
        run(Command::new("mount").args(["-o", options]).arg(&self.image).arg(&self.place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.place));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = command.output().map_err(|error| format!("{name}: {error}"))?;
    match said.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&said.stderr).trim())),
    }
}
