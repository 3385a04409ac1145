//! The table of file systems, fstab(5).

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted, without a slash at the end; not a path for swap.
    pub place: String,
    /// `ext4`, `none`, `swap` …
    pub kind: String,
    /// Options, separated by commas.
    pub options: String,
    /// The line, from 1.
    pub line: u32,
}

impl Mount {
    /// Whether a boot mounts it: `noauto` leaves it to somebody who asks for it, and an automount unit asks at the first look
    /// (systemd.mount(5), "FSTAB").
    pub fn is_at_boot(&self) -> bool {
        let automount = ["x-systemd.automount", "comment=systemd.automount"];
        let mut options = self.options.split(',');
        options.clone().any(|option| automount.contains(&option))
            || options.rfind(|option| matches!(*option, "auto" | "noauto")) != Some("noauto")
    }

    /// Whether it is made anew at each boot, of memory or by the kernel.
    pub fn is_of_memory(&self) -> bool {
        OF_MEMORY.contains(&self.kind.as_str())
    }

    /// Whether mount(8) forbids to execute anything with its options, of which the last word counts.
    pub fn is_noexec(&self) -> bool {
        self.options.split(',').fold(false, |noexec, option| match option {
            "noexec" | "user" | "users" => true,
            "exec" | "defaults" => false,
            _ => noexec,
        })
    }
}

/// Types of file systems of which nothing lies on a disk.
const OF_MEMORY: &[&str] = &[
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "proc",
    "pstore",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// Reads it; what is no line of it is ignored, and so is what is mounted nowhere (swap) or at the root.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().zip(1..).filter_map(|(line, number)| mount(line, number)).collect()
}

fn mount(line: &str, number: u32) -> Option<Mount> {
    let mut fields = line.split_ascii_whitespace();
    let what = fields.next().filter(|what| !what.starts_with('#'))?;
    let place = decoded(fields.next()?);
    let kind = fields.next().unwrap_or_default().to_owned();
    let options = fields.next().unwrap_or_default().to_owned();
    let is_place = place.starts_with('/') && place != "/" && kind != "swap" && !what.is_empty();
    let place = place.trim_end_matches('/').to_owned();
    is_place.then_some(Mount { place, kind, options, line: number })
}

/// getmntent(3) writes blank, tab, newline and backslash as three octal digits behind a backslash.
fn decoded(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (written, meant)| text.replace(written, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_decoded_and_the_last_option_counts() {
        let text = "# /dev/sda1 /no ext4\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1 none swap sw 0 0\n\
                    LABEL=d /srv/my\\040data/ ext4 noexec,exec,users 0 2\ntmpfs /tmp tmpfs\n";
        let read = parse(text);
        let places: Vec<(&str, u32, bool)> =
            read.iter().map(|mount| (mount.place.as_str(), mount.line, mount.is_noexec())).collect();
        assert_eq!(places, [("/srv/my data", 4, true), ("/tmp", 5, false)]);
        assert_eq!(read.iter().map(Mount::is_of_memory).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn noauto_waits_for_somebody_who_asks() {
        for (options, is_at_boot) in [
            ("defaults", true),
            ("nofail,_netdev", true),
            ("noauto", false),
            ("user,noauto", false),
            ("noauto,auto", true),
            ("auto,noauto", false),
            ("noauto,x-systemd.automount", true),
            ("", true),
        ] {
            let read = parse(&format!("LABEL=d /data ext4 {options}"));
            assert_eq!(read[0].is_at_boot(), is_at_boot, "{options}");
        }
    }
}
