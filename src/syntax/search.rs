//! Where systemd looks for units and drop-ins, and which of the drop-ins it finds count (systemd.unit(5),
//! held against a live systemd).

use super::unit_name::UnitName;

/// The unit directories of the system manager in order of precedence.
pub const UNIT_DIRECTORIES: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// A drop-in that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIn {
    /// Its path.
    pub path: String,
    /// Its file name.
    pub file: String,
    /// Position of its unit directory in the order of precedence.
    pub directory_rank: usize,
    /// It is a link to `/dev/null`, which hides every drop-in of that name.
    pub masked: bool,
}

/// The names of the directories that hold drop-ins for a unit with these names, most specific first:
/// `a-b@i.service.d`, `a-b@.service.d`, `a-.service.d`, `service.d`.
pub fn drop_in_directories(names: &[UnitName]) -> Vec<String> {
    let mut directories: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !directories.contains(&name) {
            directories.push(name);
        }
    };
    for name in names {
        add(format!("{name}.d"));
        if let Some(template) = name.template() {
            add(format!("{template}.d"));
        }
    }
    for name in names {
        // Every dash ends a prefix; the shorter the prefix, the less specific.
        let prefix = name.prefix();
        for (at, _) in prefix.rmatch_indices('-') {
            if at + 1 < prefix.len() && at > 0 {
                add(format!("{}.{}.d", &prefix[..=at], name.kind()));
            }
        }
    }
    if let Some(name) = names.first() {
        add(format!("{}.d", name.kind()));
    }
    directories
}

/// The drop-ins that count, in the order in which they are applied: by file name over all directories. Of
/// several with one name one survives, by directory first and then by specificity, which is the order in
/// which `found` lists them within one directory.
pub fn surviving_drop_ins(found: Vec<DropIn>) -> Vec<String> {
    let mut ranked: Vec<(usize, DropIn)> = found.into_iter().enumerate().collect();
    ranked.sort_by(|(at, a), (bt, b)| (&a.file, a.directory_rank, at).cmp(&(&b.file, b.directory_rank, bt)));
    ranked.dedup_by(|(_, later), (_, first)| later.file == first.file);
    ranked.into_iter().filter(|(_, drop_in)| !drop_in.masked).map(|(_, drop_in)| drop_in.path).collect()
}

/// The unit that a link in a unit directory is an alias of: a link whose target has another file name. An
/// instance may point at a template, which then stands for its own instance.
pub fn alias_target(name: &UnitName, target: &str) -> Option<UnitName> {
    let file = target.rsplit('/').next()?;
    let other = UnitName::parse(file).ok()?;
    if other == *name || Some(&other) == name.template().as_ref() || other.kind() != name.kind() {
        return None;
    }
    match name.instance() {
        Some(instance) if !instance.is_empty() => other.instantiate(instance).or(Some(other)),
        _ => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::parse(text).unwrap()
    }

    #[test]
    fn directories_from_specific_to_general() {
        assert_eq!(
            drop_in_directories(&[name("foo-bar-baz.service")]),
            ["foo-bar-baz.service.d", "foo-bar-.service.d", "foo-.service.d", "service.d"]
        );
        assert_eq!(
            drop_in_directories(&[name("sp@one.service")]),
            ["sp@one.service.d", "sp@.service.d", "service.d"]
        );
    }

    #[test]
    fn one_drop_in_a_name_survives_and_they_apply_by_name() {
        let drop_in = |path: &str, rank| DropIn {
            path: path.into(),
            file: path.rsplit('/').next().unwrap().into(),
            directory_rank: rank,
            masked: false,
        };
        let found = vec![
            drop_in("/run/systemd/system/foo-bar.service.d/10-a.conf", 6),
            drop_in("/etc/systemd/system/foo-.service.d/10-a.conf", 4),
            drop_in("/etc/systemd/system/service.d/05-top.conf", 4),
        ];
        assert_eq!(
            surviving_drop_ins(found),
            ["/etc/systemd/system/service.d/05-top.conf", "/etc/systemd/system/foo-.service.d/10-a.conf"]
        );
        let mut masked = drop_in("/etc/systemd/system/x.service.d/10-a.conf", 4);
        masked.masked = true;
        assert!(
            surviving_drop_ins(vec![masked, drop_in("/usr/lib/systemd/system/x.service.d/10-a.conf", 11)])
                .is_empty()
        );
    }

    #[test]
    fn aliases_are_links_to_another_name() {
        assert_eq!(
            alias_target(&name("redis.service"), "/lib/systemd/system/redis-server.service"),
            Some(name("redis-server.service"))
        );
        assert_eq!(alias_target(&name("a@x.service"), "b@.service"), Some(name("b@x.service")));
        assert_eq!(alias_target(&name("a.service"), "/opt/a.service"), None);
        assert_eq!(alias_target(&name("a@x.service"), "/opt/a@.service"), None);
        assert_eq!(alias_target(&name("a.service"), "/dev/null"), None);
    }
}
