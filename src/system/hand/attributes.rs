//! Extended attributes of what a descriptor holds, by its name below /proc/self/fd: a descriptor that was opened
//! without rights has no other way to them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::Attributes;

/// More than any file of a host has.
const MOST: usize = 64 << 10;

/// Attributes that the kernel keeps for itself.
const KERNELS: [&str; 2] = ["security.evm", "security.ima"];

fn name_of(node: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", node.as_raw_fd())
}

/// All of them; none where the file system knows none.
pub(super) fn read(node: &OwnedFd) -> io::Result<Attributes> {
    let path = name_of(node);
    let mut names = vec![0_u8; MOST];
    let length = match rustix::fs::listxattr(&path, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP | Errno::NOENT | Errno::ACCESS) => return Ok(Attributes::new()),
        Err(error) => return Err(error.into()),
    };
    let mut all = Attributes::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if KERNELS.contains(&name) {
            continue;
        }
        let mut value = vec![0_u8; MOST];
        match rustix::fs::getxattr(&path, name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                all.insert(name.to_owned(), value);
            }
            Err(Errno::NODATA | Errno::NOTSUP | Errno::ACCESS | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Makes them so.
pub(super) fn write(node: &OwnedFd, wanted: &Attributes) -> io::Result<()> {
    let path = name_of(node);
    let now = read(node)?;
    for name in now.keys().filter(|name| !wanted.contains_key(*name)) {
        rustix::fs::removexattr(&path, name.as_str())?;
    }
    for (name, value) in wanted.iter().filter(|(name, value)| now.get(*name) != Some(value)) {
        match rustix::fs::setxattr(&path, name.as_str(), value, XattrFlags::empty()) {
            // A label that this file system cannot bear, such as below another root.
            Err(Errno::NOTSUP) => {}
            other => other?,
        }
    }
    Ok(())
}
