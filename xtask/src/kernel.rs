//! The kernel's side of the limits of children: memory, processes and processor time in control
//! groups that are delegated, as systemd does it, which few machines of developers and no container do.
//!
//! So a machine is made: Debian's kernel in qemu, with the binary, busybox and nothing else in its
//! memory. `tests/kernel/laws.sh` judges in there; the console brings its verdicts. The processor is
//! emulated, because a machine that is virtual itself often has none to lend.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::test::Tally;
use crate::workspace::{self, Workspace};
use crate::{installed, sdk};

/// What the machine runs: its first process, the laws, and what they use.
const FOLDER: &str = "tests/kernel";
/// The laws among it.
const LAWS: &str = "tests/kernel/laws.sh";
/// What the laws are called in front of their names.
const NAME: &str = "kernel";
/// Debian's name of the kernel for virtual machines of its newest version.
const KERNEL: &str = "linux-image-cloud-amd64";
/// The emulator's program, and Debian's package of it.
const QEMU: [&str; 2] = ["qemu-system-x86_64", "qemu-system-x86"];
/// The machine ends itself after so many seconds, whatever hangs in it, and whoever was to end it.
const PATIENCE_S: u64 = 150;
/// Longest time for the emulator, which has to start the machine first.
const DEADLINE: Duration = Duration::from_secs(PATIENCE_S + 30);
/// Its memory: the files are in it once packed and once unpacked.
const MEMORY_MIB: &str = "768";

/// All laws in one machine.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let text = fs::read_to_string(workspace.root.join(LAWS))?;
    let chosen: Vec<&str> =
        laws(&text).filter(|law| sdk::chosen([*law].into_iter(), NAME, filter)).collect();
    if chosen.is_empty() {
        return Ok(Tally::default());
    }
    let machine = match machine(workspace) {
        Ok(machine) => machine,
        Err(why) => {
            println!("kernel: skipped, there is no virtual machine here: {why:#}");
            return Ok(Tally::default());
        }
    };
    let larkline = sdk::built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?;
    let home = workspace.cache().join("run/kernel");
    installed::clear(&home)?;
    let image = home.join("image");
    fs::write(&image, image_of(workspace, &machine, &larkline, &chosen)?)?;
    let mut qemu = Command::new(QEMU[0]);
    qemu.args(["-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp", "2"]);
    qemu.args(["-m", MEMORY_MIB, "-no-reboot", "-nodefaults", "-display", "none"]);
    qemu.args(["-serial", "stdio", "-append", "console=ttyS0 quiet loglevel=1 panic=-1"]);
    qemu.arg("-kernel").arg(&machine.kernel).arg("-initrd").arg(&image);
    let tally = sdk::verdicts_within(&mut qemu, DEADLINE)?;
    let silent = chosen.len().saturating_sub((tally.passed + tally.failed) as usize);
    if silent > 0 {
        println!("kernel: the machine said nothing about {silent} laws, which counts as failed");
    }
    Ok(tally.and(Tally { passed: 0, failed: u32::try_from(silent)? }))
}

/// What a machine is made of.
struct Machine {
    kernel: PathBuf,
    busybox: PathBuf,
}

/// Installs it, where that is allowed.
fn machine(workspace: &Workspace) -> Result<Machine> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("this machine is no x86_64, and the one to make could not run what was built for it");
    }
    let busybox = installed::unpacked(workspace, "busybox-static")?.join("bin/busybox");
    let depends = workspace::output(Command::new("apt-cache").args(["depends", KERNEL]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image"));
    let package = package.with_context(|| format!("no Debian: nobody knows {KERNEL}"))?;
    let boot = installed::unpacked(workspace, &format!("linux-image{package}"))?.join("boot");
    let entries = fs::read_dir(&boot)?.filter_map(Result::ok).map(|entry| entry.path());
    let is_kernel = |path: &PathBuf| path.to_string_lossy().contains("/vmlinuz-");
    let kernel = entries.into_iter().find(is_kernel).context("the package holds no kernel")?;
    installed::on_the_path(QEMU[0], QEMU[1])?;
    Ok(Machine { kernel, busybox })
}

/// The names of the laws in the text of a shell.
fn laws(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_suffix("() { # law"))
}

/// The files of the machine, as the kernel unpacks them.
fn image_of(
    workspace: &Workspace,
    machine: &Machine,
    larkline: &Path,
    chosen: &[&str],
) -> Result<Vec<u8>> {
    let mut image = Image::default();
    for folder in ["proc", "sys", "dev", "tmp", "root", "usr/bin"] {
        image.folder(folder);
    }
    image.file("bin/busybox", &fs::read(&machine.busybox)?);
    let applets = workspace::output(Command::new(&machine.busybox).arg("--list"))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        image.link(&format!("bin/{applet}"), "busybox");
    }
    image.file("bin/larkline", &stripped(workspace, larkline)?);
    for library in libraries(larkline)? {
        image.file(library.trim_start_matches('/'), &fs::read(&library)?);
    }
    image.file("etc/passwd", b"root:x:0:0::/tmp:/bin/sh\nlarkline:x:1000:1000::/tmp:/bin/sh\n");
    for entry in fs::read_dir(workspace.root.join(FOLDER))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        image.file(&format!("guest/{name}"), &fs::read(entry.path())?);
    }
    image.file("guest/laws", chosen.join("\n").as_bytes());
    image.file("guest/patience", PATIENCE_S.to_string().as_bytes());
    image.link("init", "guest/init.sh");
    Ok(image.whole())
}

/// The binary without what only a debugger reads: two thirds of it, twice in the machine's memory.
fn stripped(workspace: &Workspace, larkline: &Path) -> Result<Vec<u8>> {
    let slim = workspace.cache().join("run/kernel/larkline");
    let mut strip = Command::new("strip");
    workspace::output(strip.arg("-o").arg(&slim).arg(larkline))
        .context("`strip` is missing; it comes with every C linker (Debian's binutils)")?;
    Ok(fs::read(slim)?)
}

/// The libraries that the loader would load, and the loader.
fn libraries(program: &Path) -> Result<BTreeSet<String>> {
    let said = workspace::output(Command::new("ldd").arg(program))?;
    Ok(paths(&said).map(str::to_owned).collect())
}

/// The absolute paths in what `ldd` says.
fn paths(said: &str) -> impl Iterator<Item = &str> {
    said.split_ascii_whitespace().filter(|word| word.starts_with('/'))
}

/// An archive in the format of `cpio -H newc`, which the kernel unpacks into its memory.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    files: u32,
}

/// File types and rights of an archive's members.
const FOLDER_MODE: u32 = 0o040_755;
const FILE_MODE: u32 = 0o100_755;
const LINK_MODE: u32 = 0o120_777;
/// Members begin at multiples of this.
const ALIGN: usize = 4;

impl Image {
    fn folder(&mut self, path: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        if self.folders.insert(path.to_owned()) {
            self.member(path, FOLDER_MODE, b"");
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8]) {
        self.below(path, FILE_MODE, bytes);
    }

    fn link(&mut self, path: &str, target: &str) {
        self.below(path, LINK_MODE, target.as_bytes());
    }

    fn below(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
        self.member(path, mode, bytes);
    }

    fn member(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.files += 1;
        let (size, name) = (bytes.len(), path.len() + 1);
        // Number, mode, owner, group, links, time, size, four numbers of devices, name, checksum.
        let number = self.files;
        let head = format!(
            "070701{number:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{size:08x}\
             {0:08x}{0:08x}{0:08x}{0:08x}{name:08x}{0:08x}{path}\0",
            0, 1
        );
        for part in [head.as_bytes(), bytes] {
            self.bytes.extend_from_slice(part);
            self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        }
    }

    fn whole(mut self) -> Vec<u8> {
        self.member("TRAILER!!!", 0, b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_the_functions_that_are_marked() {
        let text = "helper() {\n}\nit_holds() { # law\n    helper\n}\n";
        assert_eq!(laws(text).collect::<Vec<_>>(), ["it_holds"]);
    }

    #[test]
    fn libraries_and_loader_are_found_and_nothing_else() {
        let said = "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\t/lib64/ld.so (0x7f)\n";
        assert_eq!(paths(said).collect::<Vec<_>>(), ["/lib/libc.so.6", "/lib64/ld.so"]);
    }

    #[test]
    fn members_are_aligned_and_folders_come_once_and_first() {
        let mut image = Image::default();
        image.file("a/b/c", b"12345");
        image.link("a/b/d", "c");
        let bytes = image.whole();
        assert_eq!(bytes.len() % ALIGN, 0);
        let text = String::from_utf8(bytes).unwrap();
        let heads: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert!(heads.iter().all(|at| at % ALIGN == 0), "{heads:?}");
        let name = |at: &usize| text[at + 110..].split('\0').next().unwrap().to_owned();
        let names: Vec<String> = heads.iter().map(name).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/b/d", "TRAILER!!!"]);
        assert!(text.contains("12345\0"));
    }
}
