//! Where this process' own control group is, and beside which one those of children are made.

use std::path::{Path, PathBuf};

use crate::both::{Both, both};

/// The group into which the gateway moves itself: one that holds processes may not limit the
/// groups within.
pub(super) const ASIDE: &str = "main";

/// The folder of this process' own group.
pub(super) fn own(cgroup: &str, mountinfo: &str) -> Result<PathBuf, Both> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::")).ok_or(Both::of(
        "此内核没有第 2 版的控制组",
        "this kernel has no control groups of version 2",
    ))?;
    // Its name in here may lie outside of what is mounted in here.
    let below = |(root, at): (PathBuf, PathBuf)| {
        let rest = Path::new(path).strip_prefix(root).ok()?;
        let inside = !rest.components().any(|part| part.as_os_str() == "..");
        inside.then(|| at.join(rest))
    };
    let mut mounts = mountinfo.lines().filter_map(mount).filter_map(below);
    mounts.next().ok_or_else(|| {
        both!(
            zh: "{path} 不在任何已挂载的 cgroup2 文件系统中",
            en: "{path} is in no cgroup2 file system that is mounted"
        )
    })
}

/// Root and mount point, when this line of `mountinfo` is a hierarchy of version 2.
fn mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, at) = (fields.next()?, fields.next()?);
    // Blanks and the like are written in octal: nobody mounts control groups there.
    let plain = kind.starts_with("cgroup2 ") && !mount.contains('\\');
    plain.then(|| (root.into(), at.into()))
}

/// Where to try: a gateway that was moved aside, by an earlier `enable` or by systemd's
/// `DelegateSubgroup=`, has its children beside it.
pub(super) fn places(own: &Path) -> Vec<PathBuf> {
    let aside = own.file_name().is_some_and(|name| name == ASIDE);
    let beside = own.parent().filter(|_| aside).map(Path::to_owned);
    beside.into_iter().chain([own.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_own_group_is_found_below_the_mount_of_version_2() {
        let own = |cgroup: &str, mounts: &str| own(cgroup, mounts);
        let versions_1_and_2 = "4:memory:/process\n1:cpu:/\n0::/system.slice/larkline.service\n";
        assert_eq!(
            own(versions_1_and_2, HYBRID),
            Ok("/sys/fs/cgroup/unified/system.slice/larkline.service".into())
        );
        assert_eq!(own("0::/\n", HYBRID), Ok("/sys/fs/cgroup/unified/".into()));
        let inside = "9 8 0:38 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(own("0::/docker/ab/x\n", inside), Ok("/sys/fs/cgroup/x".into()));
    }

    #[test]
    fn without_a_place_the_reason_is_said() {
        for (cgroup, mounts) in [
            ("1:cpu:/\n", HYBRID),
            ("", ""),
            ("0::/x\n", ""),
            ("0::/x\n", "9 8 0:38 /docker /sys/fs/cgroup ro - cgroup2 cgroup rw\n"),
            ("0::/../x\n", HYBRID),
            ("0::/x\n", "9 8 0:38 / /sys/fs\\040x rw - cgroup2 cgroup rw\n"),
            ("0::/x\n", "9 - cgroup2 cgroup rw\n"),
        ] {
            assert!(own(cgroup, mounts).is_err(), "{cgroup:?} {mounts:?}");
        }
    }

    #[test]
    fn a_gateway_that_was_moved_aside_keeps_its_place() {
        assert_eq!(places(Path::new("/a/b")), [Path::new("/a/b")]);
        assert_eq!(places(Path::new("/a/main")), [Path::new("/a"), Path::new("/a/main")]);
    }
}
