//! A place that its owner has closed to the user of this process: nothing is known of what is behind
//! it, which is another matter than that nothing is there.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::both::{Both, both};

/// The users by number; those of a directory service are left as numbers.
const USERS: &str = "/etc/passwd";

/// The first such place on the way to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    place: PathBuf,
    /// As `sudo -u` takes it; none when this process is the owner itself.
    owner: Option<String>,
}

impl Closed {
    /// After "permission denied" for this path.
    pub fn on_the_way_to(path: &Path) -> Self {
        let shut = |folder: &&Path| access(*folder, Access::EXEC_OK).is_err();
        let folders: Vec<&Path> = path.ancestors().skip(1).collect();
        let place = folders.into_iter().rev().find(shut).unwrap_or(path);
        let uid = std::fs::metadata(place).map_or(0, |found| found.uid());
        let own = uid == rustix::process::geteuid().as_raw();
        Self { place: place.to_owned(), owner: (!own).then(|| name_of(uid)) }
    }

    /// Whether another user can open it, or open what is behind it.
    pub fn is_anothers(&self) -> bool {
        self.owner.is_some()
    }

    /// Whose it is, and whose command this has to be.
    pub fn told(&self) -> Both {
        let place = self.place.display();
        match self.owner.as_deref() {
            Some("root") => both!(
                zh: "{place} 属于 root，当前用户不能访问；请以 root 运行此命令（sudo）",
                en: "{place} belongs to root and is closed to this user; run this command as root (sudo)"
            ),
            Some(owner) => both!(
                zh: "{place} 属于用户 {owner}，当前用户不能访问；请以该用户运行此命令（sudo -u '{owner}'）",
                en: "{place} belongs to {owner} and is closed to this user; run this command as that user (sudo -u '{owner}')"
            ),
            None => both!(
                zh: "{place} 属于当前用户，却不允许访问；请用 chmod u+rwx 修复",
                en: "{place} is this user's own and lets nobody in; mend it with chmod u+rwx"
            ),
        }
    }
}

/// Whose the folder of a path is, when this process is root and the folder is an ordinary user's.
pub(crate) fn owner_beside_root(path: &Path) -> Option<String> {
    let uid = std::fs::metadata(path.parent()?).ok()?.uid();
    (rustix::process::geteuid().is_root() && uid != 0).then(|| name_of(uid))
}

fn name_of(uid: u32) -> String {
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    users.lines().find_map(of_line).unwrap_or_else(|| format!("#{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Lang;

    #[test]
    fn an_owner_has_a_name_where_there_is_one() {
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(4_000_000_000), "#4000000000");
    }

    #[test]
    fn what_is_this_users_own_asks_for_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let closed = Closed::on_the_way_to(&dir.path().join("socket"));
        // Open all the way, and nothing there whose owner could be told.
        assert_eq!(closed.place, dir.path().join("socket"));
        let closed = Closed::on_the_way_to(dir.path());
        let told = closed.told();
        assert!(told.text(Lang::En).contains("is this user's own"), "{told:?}");
    }
}
