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
    /// Whether mount(8) forbids to execute anything with its options, of which the last word counts.
    pub fn is_noexec(&self) -> bool {
        self.options.split(',').fold(false, |noexec, option| match option {
            "noexec" | "user" | "users" => true,
            "exec" | "defaults" => false,
            _ => noexec,
        })
    }
}

/// Reads it; what is no line of it is passed over, and so is what is mounted nowhere (swap) or at the root.
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
    }
}
