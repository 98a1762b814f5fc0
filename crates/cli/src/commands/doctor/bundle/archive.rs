//! A tar archive in gzip, as plain as they come: files in one folder, readable by their owner alone.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Blocks of tar.
const BLOCK: usize = 512;
/// The folder that the files unpack into.
const FOLDER: &str = "larkline-bundle";
/// Owner reads and writes.
const MODE: u32 = 0o600;

/// A file of the archive.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// Writes a new file; one that is there stays as it is.
pub(super) fn write(path: &Path, entries: &[Entry], at_s: u64) -> io::Result<()> {
    let file = File::options().write(true).create_new(true).mode(MODE).open(path)?;
    let mut out = GzEncoder::new(file, Compression::default());
    for Entry { name, text } in entries {
        out.write_all(&header(name, text.len(), at_s))?;
        out.write_all(text.as_bytes())?;
        out.write_all(&[0; BLOCK][..text.len().next_multiple_of(BLOCK) - text.len()])?;
    }
    // Two empty blocks end an archive.
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()?.sync_all()
}

/// The header of a plain file, by POSIX (ustar).
fn header(name: &str, size: usize, at_s: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, &format!("{FOLDER}/{name}"));
    put(100, &format!("{MODE:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, &format!("{at_s:011o}"));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
