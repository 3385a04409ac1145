//! Where systemd looks for units and drop-ins, and which of the drop-ins it finds count (systemd.unit(5),
//! held against a live systemd).

use super::unit_name::UnitName;

/// Where a host's own units live.
pub const OWN_DIRECTORY: &str = "/etc/systemd/system";

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

/// Where systemd looks for generators, the strongest first (systemd.generator(7)).
pub const GENERATOR_DIRECTORIES: &[&str] = &[
    "/run/systemd/system-generators",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// A drop-in that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIn {
    /// Its path.
    pub path: String,
    /// Its file name.
    pub file: String,
    /// The group of its directory's name, from [`drop_in_directories`].
    pub group: usize,
    /// Position of its unit directory in the order of precedence.
    pub directory_rank: usize,
    /// It is a link to `/dev/null`, which hides every drop-in of that name.
    pub masked: bool,
}

/// The names of the directories that hold drop-ins for a unit with these names, its own first, in groups:
/// one for each name, and one for the type. A group precedes the next one whatever unit directory its
/// drop-ins lie in; within a group the unit directories are gone through in order, and within each of them
/// the names of the group.
pub fn drop_in_directories(names: &[UnitName]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = names.iter().map(directories_of).collect();
    if let Some(name) = names.first() {
        groups.push(vec![format!("{}.d", name.kind())]);
    }
    groups
}

/// For `a-b@i.service`: `a-b@i.service.d`, `a-b@.service.d`, `a-.service.d`, `a-@i.service.d`,
/// `a-@.service.d`, as systemd goes from a name to its template and from there to shorter prefixes.
fn directories_of(name: &UnitName) -> Vec<String> {
    fn add(prefix: &str, instance: Option<&str>, kind: &str, found: &mut Vec<String>) {
        let directory = match instance {
            Some(instance) => format!("{prefix}@{instance}.{kind}.d"),
            None => format!("{prefix}.{kind}.d"),
        };
        if found.contains(&directory) {
            return;
        }
        found.push(directory);
        let instance = instance.filter(|instance| !instance.is_empty());
        if instance.is_some() {
            add(prefix, Some(""), kind, found);
        }
        let longer = prefix.strip_suffix('-').unwrap_or(prefix);
        if let Some(at) = longer.rfind('-').filter(|at| *at > 0) {
            add(&longer[..=at], instance, kind, found);
        }
    }
    let mut found = Vec::new();
    add(name.prefix(), name.instance(), name.kind(), &mut found);
    found
}

/// Whether a file in a drop-in directory is one: `*.conf`, not hidden.
pub fn is_drop_in(file: &str) -> bool {
    file.ends_with(".conf") && !file.starts_with('.')
}

/// The drop-ins that count, in the order in which they are applied: by file name over all directories. Of
/// several with one name one survives: by group, by unit directory, and then in the order of `found`.
pub fn surviving_drop_ins(found: Vec<DropIn>) -> Vec<String> {
    let mut ranked: Vec<(usize, DropIn)> = found.into_iter().enumerate().collect();
    ranked.sort_by(|(at, a), (bt, b)| {
        (&a.file, a.group, a.directory_rank, at).cmp(&(&b.file, b.group, b.directory_rank, bt))
    });
    ranked.dedup_by(|(_, later), (_, first)| later.file == first.file);
    ranked.into_iter().filter(|(_, drop_in)| !drop_in.masked).map(|(_, drop_in)| drop_in.path).collect()
}

/// What systemd makes of a link in a unit directory whose target lies in a unit directory too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Its target has the same name: the link is the unit.
    Same,
    /// Another name of the unit, which is read from the file of this name: `tb@i.service → ta@.service` is
    /// `ta@i.service`, read from `ta@.service`.
    Alias(UnitName, UnitName),
    /// A link between names that cannot be one unit, which systemd ignores.
    Invalid,
}

/// What a link of this name to a file of that name is. Plain names lead to plain names, templates to
/// templates, instances to the same instance or its template, all of one type.
pub fn link(name: &UnitName, target_file: &str) -> Link {
    let Ok(target) = UnitName::parse(target_file) else { return Link::Invalid };
    if target == *name || Some(&target) == name.template().as_ref() {
        return Link::Same;
    }
    if target.kind() != name.kind() {
        return Link::Invalid;
    }
    match (name.instance(), target.instance()) {
        (None, None) | (Some(""), Some("")) => Link::Alias(target.clone(), target),
        (Some(instance), Some("")) => match target.instantiate(instance) {
            Some(own) => Link::Alias(own, target),
            None => Link::Invalid,
        },
        (Some(instance), Some(other)) if instance == other => Link::Alias(target.clone(), target),
        _ => Link::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::parse(text).unwrap()
    }

    #[test]
    fn directories_in_the_order_of_a_live_systemd() {
        assert_eq!(
            drop_in_directories(&[name("foo-bar-baz.service")]),
            [vec!["foo-bar-baz.service.d", "foo-bar-.service.d", "foo-.service.d"], vec!["service.d"]]
        );
        assert_eq!(
            drop_in_directories(&[name("foo-bar@one.service")])[0],
            [
                "foo-bar@one.service.d",
                "foo-bar@.service.d",
                "foo-.service.d",
                "foo-@one.service.d",
                "foo-@.service.d"
            ]
        );
        assert_eq!(
            directories_of(&name("a--b.service")),
            ["a--b.service.d", "a--.service.d", "a-.service.d"]
        );
        assert_eq!(directories_of(&name("-x-y.service")), ["-x-y.service.d", "-x-.service.d"]);
    }

    #[test]
    fn one_drop_in_a_name_survives_and_they_apply_by_name() {
        let drop_in = |path: &str, group, rank| DropIn {
            path: path.into(),
            file: path.rsplit('/').next().unwrap().into(),
            group,
            directory_rank: rank,
            masked: false,
        };
        let found = vec![
            drop_in("/run/systemd/system/foo-bar.service.d/10-a.conf", 0, 6),
            drop_in("/etc/systemd/system/foo-.service.d/10-a.conf", 0, 4),
            drop_in("/etc/systemd/system/service.d/05-top.conf", 1, 4),
            drop_in("/etc/systemd/system/service.d/20-b.conf", 1, 4),
            drop_in("/usr/lib/systemd/system/foo-bar.service.d/20-b.conf", 0, 11),
        ];
        assert_eq!(
            surviving_drop_ins(found),
            [
                "/etc/systemd/system/service.d/05-top.conf",
                "/etc/systemd/system/foo-.service.d/10-a.conf",
                "/usr/lib/systemd/system/foo-bar.service.d/20-b.conf",
            ]
        );
        let mut masked = drop_in("/etc/systemd/system/x.service.d/10-a.conf", 0, 4);
        masked.masked = true;
        assert!(
            surviving_drop_ins(vec![masked, drop_in("/usr/lib/systemd/system/x.service.d/10-a.conf", 0, 11)])
                .is_empty()
        );
    }

    #[test]
    fn links_between_names() {
        let alias = |own, file| Link::Alias(name(own), name(file));
        for (from, to, is) in [
            ("redis.service", "redis-server.service", alias("redis-server.service", "redis-server.service")),
            ("a@x.service", "b@.service", alias("b@x.service", "b@.service")),
            ("a@x.service", "b@x.service", alias("b@x.service", "b@x.service")),
            ("a@.service", "b@.service", alias("b@.service", "b@.service")),
            ("a.service", "a.service", Link::Same),
            ("a@x.service", "a@.service", Link::Same),
            ("a.service", "b@x.service", Link::Invalid),
            ("a.service", "b@.service", Link::Invalid),
            ("a@x.service", "b@y.service", Link::Invalid),
            ("a@.service", "b.service", Link::Invalid),
            ("a.socket", "b.service", Link::Invalid),
            ("a.service", "b.conf", Link::Invalid),
        ] {
            assert_eq!(link(&name(from), to), is, "{from} -> {to}");
        }
    }
}
