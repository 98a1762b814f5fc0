//! What `init` reads and writes on the disk: a draft is checked beside its place, and moved there whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use larkline_client::Secret;
use larkline_gateway::config::{Config, Flag, Sources};
use tempfile::{Builder, NamedTempFile};

use crate::commands::config;
use crate::exit::Yours;

/// Copies kept of a file that is replaced again and again.
const COPIES_MAX: u32 = 1_000;

/// Where everything goes.
pub(super) struct Place {
    /// The configuration, as an absolute path.
    pub(super) file: PathBuf,
    dir: PathBuf,
}

impl Place {
    /// Takes the place, and makes its directory.
    ///
    /// # Errors
    /// When the directory cannot be made, or the working directory is gone.
    pub(super) fn new(output: Option<PathBuf>, config: Option<PathBuf>) -> Result<Self> {
        let named = output.or(config).unwrap_or_else(|| PathBuf::from("larkline.toml"));
        let file = std::path::absolute(&named)
            .with_context(|| Yours(say!(zh: "工作目录已不存在；请 cd 到别的目录", en: "the working directory is gone; cd to another")))?;
        let dir = file.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        std::fs::create_dir_all(&dir).with_context(|| cannot_write(&dir))?;
        Ok(Self { file, dir })
    }

    /// The file for a secret that has no place yet, as the configuration beside it names it.
    pub(super) fn secret_name(&self) -> PathBuf {
        let stem = self.file.file_stem().unwrap_or_default();
        PathBuf::from(stem).with_added_extension("secret")
    }

    /// Reads a text as the real loader will, from a file beside the place.
    ///
    /// # Errors
    /// Its problems, or when no file can be written there.
    pub(super) fn check(&self, text: &str) -> Result<Config> {
        self.load(text, Vec::new())
    }

    /// The same before there is a secret.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn check_without_secret(&self, text: &str) -> Result<Config> {
        let flag = "larkline init".to_owned();
        let (key, value) = ("app.main.app_secret".to_owned(), "not known by now".to_owned());
        self.load(text, vec![Flag { flag, key, value }])
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// Its problems.
    pub(super) fn read(&self) -> Result<Config> {
        let file = Some(self.file.clone());
        Ok(Config::load(&Sources { file, ..config::sources(None)? })?)
    }

    fn load(&self, text: &str, flags: Vec<Flag>) -> Result<Config> {
        let draft = self.beside(text)?;
        let file = Some(draft.path().to_owned());
        let read = Config::load(&Sources { file, flags, ..config::sources(None)? });
        // The draft is gone when the problems are read.
        let place = self.file.display();
        let name = || say!(zh: "{place}（未写入）", en: "{place} (not written)");
        Ok(read.map_err(|errors| errors.named(name()))?)
    }

    /// Writes the secret, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write_secret(&self, secret: &Secret) -> Result<PathBuf> {
        let path = self.dir.join(self.secret_name());
        self.put(&format!("{}\n", secret.expose()), &path)?;
        Ok(path)
    }

    /// Puts the configuration in its place; the name of the copy of what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, text: &str) -> Result<Option<PathBuf>> {
        self.put(text, &self.file)
    }

    /// A new file is there as a whole, readable for its owner alone, and the old one has another name.
    fn put(&self, text: &str, path: &Path) -> Result<Option<PathBuf>> {
        let new = self.beside(text)?;
        let copy = path.exists().then(|| copy_name(path));
        if let Some(copy) = &copy {
            std::fs::rename(path, copy).with_context(|| cannot_write(copy))?;
        }
        new.persist_noclobber(path).map_err(|e| e.error).with_context(|| cannot_write(path))?;
        Ok(copy)
    }

    fn beside(&self, text: &str) -> Result<NamedTempFile> {
        let write = || -> std::io::Result<NamedTempFile> {
            let mut file =
                Builder::new().prefix(".larkline-draft-").suffix(".toml").tempfile_in(&self.dir)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().with_context(|| cannot_write(&self.dir))
    }
}

fn cannot_write(path: &Path) -> Yours {
    Yours(say!(
        zh: "无法写入 {path}；请用 --output 选别处，或改其权限",
        en: "cannot write {path}; choose another place with --output, or change its permissions",
        path = path.display()
    ))
}

/// A name beside the file that is free.
fn copy_name(path: &Path) -> PathBuf {
    let named = |n: u32| path.with_added_extension(format!("bak{n}"));
    (1..COPIES_MAX).map(named).find(|name| !name.exists()).unwrap_or_else(|| named(COPIES_MAX))
}
