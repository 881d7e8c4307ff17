//! Why no GPU draws: what the kernel offers, who may use it, which drivers are installed.

use std::fs;
use std::path::Path;

use super::machine::read;

/// Debian's drivers of Mesa: Vulkan, and OpenGL ES behind EGL.
const DRIVERS: [&str; 2] = ["mesa-vulkan-drivers", "libgl1-mesa-dri"];

/// What was found, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// Render nodes and drivers.
    pub found: String,
    /// What helps.
    pub advice: String,
}

/// Why no GPU draws, seen by a user who may use what `may_use` says.
pub fn reason(root: &Path, may_use: impl Fn(&Path) -> bool) -> Reason {
    let nodes = render_nodes(root);
    let (there, missing): (Vec<_>, Vec<_>) =
        DRIVERS.into_iter().partition(|package| is_installed(root, package));
    let drivers = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    let named: Vec<_> = nodes.iter().map(|node| described(root, node)).collect();
    let found = match named.is_empty() {
        true => format!("no render node in /dev/dri; drivers installed: {drivers}"),
        false => format!("{}; drivers installed: {drivers}", named.join(", ")),
    };
    let closed: Vec<_> =
        nodes.iter().filter(|node| !may_use(&root.join("dev/dri").join(node))).collect();
    let advice = if nodes.is_empty() {
        "the kernel offers no GPU: on a Raspberry Pi see that /boot/firmware/config.txt has \
         dtoverlay=vc4-kms-v3d, in a virtual machine switch on 3D; else keep to stills and small videos"
            .to_owned()
    } else if closed.len() == nodes.len() {
        format!("this user may not use /dev/dri/{}: add it to the group render", closed[0])
    } else if !missing.is_empty() {
        format!("apt install {}", missing.join(" "))
    } else {
        "the drivers are there and do not know this GPU: a newer Mesa may (backports); a virtual \
         machine needs 3D switched on; else keep to stills and small videos"
            .to_owned()
    };
    Reason { found, advice }
}

fn render_nodes(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("dev/dri")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut nodes: Vec<_> = names.filter(|name| name.starts_with("renderD")).collect();
    nodes.sort();
    nodes
}

/// A node with the driver that the kernel has for it.
fn described(root: &Path, node: &str) -> String {
    let event = read(root, &format!("sys/class/drm/{node}/device/uevent")).unwrap_or_default();
    let driver = event.lines().find_map(|line| line.strip_prefix("DRIVER="));
    format!("render node {node} ({})", driver.unwrap_or("unnamed"))
}

/// Whether dpkg lists files of the package, of whichever architecture.
fn is_installed(root: &Path, package: &str) -> bool {
    let entries = fs::read_dir(root.join("var/lib/dpkg/info")).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.any(|name| {
        let rest = name.strip_prefix(package).and_then(|rest| rest.strip_suffix(".list"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_machine::machine;

    const NODE: (&str, &str) = ("dev/dri/renderD128", "");
    const VULKAN: (&str, &str) = ("var/lib/dpkg/info/mesa-vulkan-drivers:arm64.list", "");
    const GL: (&str, &str) = ("var/lib/dpkg/info/libgl1-mesa-dri.list", "");

    #[test]
    fn nobody_is_told_to_install_what_is_there() {
        let card = ("dev/dri/card0", "");
        for (case, files, may_use, advice) in [
            ("no GPU", vec![card, VULKAN, GL], true, "the kernel offers no GPU"),
            ("no GPU and nothing installed", vec![card], true, "the kernel offers no GPU"),
            ("a closed door", vec![NODE, VULKAN, GL], false, "add it to the group render"),
            ("nothing installed", vec![NODE], true, "install mesa-vulkan-drivers libgl1-mesa-dri"),
            ("no OpenGL", vec![NODE, VULKAN], true, "apt install libgl1-mesa-dri"),
            ("all there", vec![NODE, VULKAN, GL], true, "do not know this GPU"),
        ] {
            let root = machine(&files);
            let told = reason(root.path(), |_| may_use);
            assert!(told.advice.contains(advice), "case {case:?}: {told:?}");
            let installs = told.advice.contains("apt install");
            assert_eq!(
                installs,
                case.contains("OpenGL") || case.starts_with("nothing"),
                "{case:?}"
            );
        }
    }

    #[test]
    fn what_is_there_is_named() {
        let event = ("sys/class/drm/renderD128/device/uevent", "DRIVER=v3d\nOF_NAME=v3d\n");
        let root = machine(&[NODE, event, VULKAN]);
        let wanted = "render node renderD128 (v3d); drivers installed: mesa-vulkan-drivers";
        assert_eq!(reason(root.path(), |_| true).found, wanted);
        let none = "no render node in /dev/dri; drivers installed: none";
        assert_eq!(reason(machine(&[]).path(), |_| true).found, none);
    }
}
