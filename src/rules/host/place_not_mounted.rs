//! Places that must be mount points.

use crate::rules::prelude::*;

rule! {
    /// A place that must be a mount point is not mounted.
    ///
    /// Asks the kernel whether a file system is mounted at the path (statx(2), `STATX_ATTR_MOUNT_ROOT`). If a
    /// disk or a network share is not mounted, its directory still exists, and services write to the disk below
    /// it.
    ///
    /// ```bad
    /// contract [layout.data]
    /// contract mounted = true
    /// ```
    /// ```good
    /// contract [layout.data]
    /// contract mounted = true
    /// file-system /opt/quantum/data ext4
    /// ```
    id: "place-not-mounted",
    section: A,
    severity: Must,
    needs: [Mounts],
    cause: Host,
    why: "services write to the disk below, and the mount later hides those files",
    see: ["findmnt {path}"],
    mend: "Mount it yourself. golden never mounts or unmounts.",
    man: ["findmnt(8)", "fstab(5)"],
    since: "unreleased",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let Some(at) = &place.mounted else {
        return Ok(Outcome::not_applicable("the contract demands no mount"));
    };
    let path = &place.path.value;
    match view.is_mount_point(path)? {
        None => Ok(Outcome::not_applicable("it does not exist (reported by place-missing)")),
        Some(true) => Ok(Outcome::Pass),
        Some(false) => Ok(Finding::new(
            format!("nothing is mounted at {path}"),
            Location::file(path.as_str()),
            at.clone(),
        )
        .expected("a mount point")
        .observed("a directory of the file system above")
        .mend(
            Remedy::decide("mount it")
                .candidate("see what /etc/fstab says", format!("findmnt --fstab {}", quoted(path)))
                .candidate("see its mount unit", "systemctl list-units --type=mount"),
        )
        .into()),
    }
}
