//! What the runs against foreign programs need, installed into `.cache/` of the checkout.
//!
//! Versions are pinned by the files in `tests/`. The machine is left as it is, except that root gets
//! an interpreter by apt-get where there is none: proxies from Debian are unpacked, not installed, so
//! that none of them becomes a service. Which programs are run, and why, is in `sdk` and `proxy`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{self, Workspace};

/// A Python with the packages of `tests/sdk/requirements.txt`.
pub(crate) fn python(workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.cache().join("python");
    let python = home.join("bin/python");
    let pinned = workspace.root.join("tests/sdk/requirements.txt");
    let wanted = fs::read_to_string(&pinned)?;
    if is_installed(&home, &wanted) {
        return Ok(python);
    }
    println!("installing the packages of tests/sdk/requirements.txt into .cache/python");
    clear(&home)?;
    let venv = || succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home));
    if !venv() {
        apt_install(&["python3", "python3-venv"])?;
        if !venv() {
            bail!("`python3 -m venv` still fails; run it by hand to see why");
        }
    }
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "-r",
    ]);
    workspace::output(pip.arg(&pinned)).context("pip cannot install; it needs PyPI or a mirror")?;
    mark_installed(&home, &wanted)?;
    Ok(python)
}

/// The folder of the packages of `tests/<folder>/package-lock.json`; `node` itself is on the path.
pub(crate) fn node_modules(workspace: &Workspace, folder: &str) -> Result<PathBuf> {
    let home = workspace.cache().join("node").join(folder);
    let modules = home.join("node_modules");
    let pins = workspace.root.join("tests").join(folder);
    let wanted = fs::read_to_string(pins.join("package-lock.json"))?;
    if is_installed(&home, &wanted) {
        return Ok(modules);
    }
    println!(
        "installing the packages of tests/{folder}/package-lock.json into .cache/node/{folder}"
    );
    clear(&home)?;
    let missing = |program: &str| !succeeds(Command::new(program).arg("--version"));
    if missing("node") || missing("npm") {
        apt_install(&["nodejs", "npm"])?;
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pins.join(file), home.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home);
    workspace::output(&mut npm).context("npm cannot install; it needs npmjs.com or a mirror")?;
    mark_installed(&home, &wanted)?;
    Ok(modules)
}

/// A Chromium, and fonts in which a page can be judged; the laws of the page are written for one.
pub(crate) fn chromium() -> Result<PathBuf> {
    let found = || {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        names.into_iter().find_map(|name| {
            let path = workspace::output(Command::new("which").arg(name)).ok()?;
            Some(PathBuf::from(path.trim()))
        })
    };
    if let Some(path) = found() {
        return Ok(path);
    }
    apt_install(&["chromium", "fonts-inter", "fonts-noto-cjk", "fonts-noto-color-emoji"])?;
    found().context("chromium was installed and is not on the path; put it there")
}

/// A program on the path, or its Debian package installed. For one that finds its own parts by where
/// it was installed, so that it cannot be unpacked elsewhere.
pub(crate) fn on_the_path(program: &str, package: &str) -> Result<()> {
    let found = || succeeds(Command::new(program).arg("--version"));
    if !found() {
        apt_install(&[package])?;
    }
    if !found() {
        bail!("{package} was installed and does not run; `{program} --version` says why");
    }
    Ok(())
}

/// A program of a Debian package, from the path or unpacked into `.cache/`.
pub(crate) fn debian(workspace: &Workspace, package: &str, program: &str) -> Result<PathBuf> {
    if succeeds(Command::new("which").arg(program)) {
        return Ok(PathBuf::from(program));
    }
    let unpacked = unpacked(workspace, package)?.join("usr/bin").join(program);
    if !unpacked.exists() {
        bail!("Debian's {package} has no usr/bin/{program}; install it yourself, on the path");
    }
    Ok(unpacked)
}

/// A folder with `bwrap` and `socat`, if they can do their work on this machine; nothing, in words,
/// if not: a container may forbid it.
pub(crate) fn sandbox(workspace: &Workspace) -> Option<PathBuf> {
    let made = || -> Result<PathBuf> {
        let home = workspace.cache().join("debian/sandbox");
        fs::create_dir_all(&home)?;
        // A path through a link does not lead anywhere inside of a sandbox.
        let home = home.canonicalize()?;
        let libraries = unpacked(workspace, "libwrap0")?.canonicalize()?;
        let libraries = libraries.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        for (package, program) in [("bubblewrap", "bwrap"), ("socat", "socat")] {
            let found = debian(workspace, package, program)?;
            let found = workspace::output(
                Command::new("which").arg(found.canonicalize().unwrap_or(found)),
            )?;
            // What is unpacked and not installed does not find its libraries by itself.
            let (libraries, found) = (libraries.display(), found.trim());
            let text = format!("#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {found} \"$@\"\n");
            let path = home.join(program);
            fs::write(&path, text)?;
            workspace::output(Command::new("chmod").arg("755").arg(&path))?;
        }
        let apart = ["--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"];
        workspace::output(Command::new(home.join("bwrap")).args(apart))?;
        workspace::output(Command::new(home.join("socat")).arg("-V"))?;
        Ok(home)
    };
    made().inspect_err(|error| println!("there is no sandbox on this machine: {error:#}")).ok()
}

/// The files of a Debian package, in `.cache/`.
pub(crate) fn unpacked(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let home = workspace.cache().join("debian").join(package);
    if home.join("usr").exists() {
        return Ok(home);
    }
    println!("unpacking Debian's {package} into .cache/debian");
    clear(&home)?;
    let download = || {
        succeeds(Command::new("apt-get").args(["download", "--quiet", package]).current_dir(&home))
    };
    if !download() {
        // A fresh container has no package lists yet.
        drop(workspace::output(Command::new("apt-get").args(["update", "--quiet"])));
        if !download() {
            bail!("`apt-get download {package}` fails; install it yourself");
        }
    }
    for entry in fs::read_dir(&home)? {
        let archive = entry?.path();
        workspace::output(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&home))?;
    }
    Ok(home)
}

/// Installs system packages, where that is allowed.
fn apt_install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let root = workspace::output(Command::new("id").arg("-u"))?.trim() == "0";
    if !root || !succeeds(Command::new("apt-get").arg("--version")) {
        bail!("install {names} (Debian's names) and run this again");
    }
    println!("installing {names} by apt-get");
    drop(workspace::output(Command::new("apt-get").args(["update", "--quiet"])));
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    workspace::output(&mut apt).context("apt-get cannot install; it needs Debian or a mirror")?;
    Ok(())
}

/// Whether the folder holds what `wanted` pins, whole.
fn is_installed(home: &Path, wanted: &str) -> bool {
    fs::read_to_string(home.join("installed")).is_ok_and(|installed| installed == wanted)
}

/// Written last: an interrupted installation starts again.
fn mark_installed(home: &Path, wanted: &str) -> Result<()> {
    Ok(fs::write(home.join("installed"), wanted)?)
}

/// An empty folder.
pub(crate) fn clear(home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    Ok(fs::create_dir_all(home)?)
}

/// Whether a quiet command exits with 0; one that cannot start does not.
fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
