//! The host as it will be: changes of files are made on a draft first, so that all of them are shown as one difference,
//! two that touch one file become one edit, and what cannot be done is known before anything is touched.
//!
//! A draft refuses what no rule may ask for: files of packages, units that serve others, modes of directories that every
//! host has. It is the one place that says so; rules are not trusted with it.
//!
//! Two changes that contradict each other end the plan before anything is touched.

mod assignments;
mod guard;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;

use crate::model::change::{Change, How, WorkTree, drop_in_name};
use crate::syntax::accounts::Accounts;
use crate::system::System;
use crate::system::hand::{Attributes, Hand, Node, Refused, Rights};

use assignments::DropIn;

/// What becomes of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The path, root's links on the way resolved.
    pub path: String,
    /// What is there.
    pub was: Node,
    /// What will be.
    pub now: Node,
    /// Owner and group by name, where an account has yet to be made.
    pub names: Option<(String, String)>,
    /// Who changes it, where it is not root.
    pub user: Option<u32>,
    /// A file is written as a whole, whatever was in it.
    pub whole: bool,
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// A person must: why.
    Person(String),
    /// Two changes contradict each other; nothing at all may be begun.
    Contradiction(String),
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        No::Person(refused.to_string())
    }
}

/// A number that no account has: the name is looked up when the account is there.
const YET_TO_BE_MADE: u32 = u32::MAX - 1;

/// The host as it will be.
pub(crate) struct Draft<'a> {
    hand: &'a dyn Hand,
    system: &'a dyn System,
    accounts: Accounts,
    edits: BTreeMap<String, Edit>,
    /// Paths in the order in which they were first touched.
    order: Vec<String>,
    /// Directories that were made on the way to something else: one that a change names itself is as that change says.
    on_the_way: std::collections::BTreeSet<String>,
    /// What was set by which change: unit, section and setting to the values.
    settings: BTreeMap<(String, String, String), Vec<String>>,
    /// Variables likewise: file and name to the value.
    variables: BTreeMap<(String, String), Option<String>>,
    /// Env files that golden wrote, and who of the contract reads which.
    pub env_files: EnvFiles,
    /// Mount points at which nothing is mounted: what is changed there is not what is meant.
    unmounted: guard::Unmounted,
}

/// What a draft must know of env files.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnvFiles {
    /// Files that golden wrote.
    pub ours: std::collections::BTreeSet<String>,
    /// Units of the contract that read a file.
    pub readers: BTreeMap<String, std::collections::BTreeSet<String>>,
}

impl<'a> Draft<'a> {
    /// A draft of the host as it is.
    pub(crate) fn new(
        hand: &'a dyn Hand,
        system: &'a dyn System,
        accounts: Accounts,
        env_files: EnvFiles,
    ) -> Self {
        Self {
            hand,
            system,
            accounts,
            edits: BTreeMap::new(),
            order: Vec::new(),
            on_the_way: std::collections::BTreeSet::new(),
            settings: BTreeMap::new(),
            variables: BTreeMap::new(),
            env_files,
            unmounted: guard::Unmounted::default(),
        }
    }

    /// The same, with the mount points that the contract demands beside those of the host.
    pub(crate) fn with_mount_points(mut self, demanded: impl Iterator<Item = &'a str>) -> Self {
        self.unmounted = guard::unmounted(self.system, demanded);
        self
    }

    /// Every edit that differs from what is there, in the order of the changes.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        let all = self.order.iter().filter_map(|path| self.edits.get(path));
        all.filter(|edit| !edit.was.same(&edit.now) || edit.names.is_some()).cloned().collect()
    }

    /// Makes a change on the draft; false for a change that is not one of files.
    pub(crate) fn make(&mut self, change: &Change) -> Result<bool, No> {
        let before = (self.edits.clone(), self.order.clone());
        let made = self.change(change);
        if made.is_err() {
            (self.edits, self.order) = before;
        }
        made
    }

    fn change(&mut self, change: &Change) -> Result<bool, No> {
        match change {
            Change::Setting { unit, section, key, values, how, over } => {
                self.setting(unit, section, key, values, *how, over.as_deref())?;
            }
            Change::UnitLine { unit, path, line, text } => {
                guard::unit_line(self.system, self.hand, unit, path)?;
                self.rewrite(path, |old| texts::replaced(old, *line, None, text.as_slice()))?;
            }
            Change::Variable { path, line, name, value } => {
                self.variable(path, *line, name, value.as_deref())?
            }
            Change::Assignment { path, name, was, now } => {
                guard::in_etc(path)?;
                guard::env_file(self.system, path, &self.env_files)?;
                self.rewrite(path, |old| texts::assignment(old, name, was.as_deref(), now.as_deref()))?;
            }
            Change::Directive { path, name, value } => {
                guard::in_etc(path)?;
                self.rewrite(path, |old| texts::directive(old, name, value))?;
            }
            Change::Lines { at, line: Some(line), was, lines } => {
                self.rewrite(&at.path, |old| texts::replaced(old, *line, Some(was), lines))?;
            }
            Change::Lines { at, line: None, lines, .. } => {
                self.rewrite(&at.path, |old| Ok(texts::appended(old, lines)))?;
            }
            Change::Mode { at, mode } => {
                guard::ordinary(&at.path)?;
                self.rights(&at.path, None, None, Some(*mode))?;
            }
            Change::Owner { at, owner, group } => {
                guard::ordinary(&at.path)?;
                if self.hand.way(&at.path)?.user.is_some() {
                    return Err(No::Person(format!(
                        "{} lies in a user's directory, who can replace it",
                        at.path
                    )));
                }
                self.rights(&at.path, owner.as_deref(), group.as_deref(), None)?;
            }
            Change::Directory { at, owner, group, mode } => self.directory(&at.path, owner, group, *mode)?,
            Change::File { at, content, owner, group, mode } => {
                self.file(&at.path, content.as_bytes(), owner, group, *mode)?;
            }
            Change::Restore { at, tree } => self.restore(&at.path, tree)?,
            Change::Database { at, owner } => self.database(&at.path, owner)?,
            Change::Link { at, target } => {
                self.parents(&at.path)?;
                self.replace(&at.path, |was, user| match was {
                    Node::Absent | Node::Link { .. } => {
                        let uid = user.unwrap_or(0);
                        Ok((Node::Link { target: target.clone(), uid, gid: uid }, None))
                    }
                    other => {
                        Err(No::Person(format!("{} is {}, where a link belongs", at.path, other.word())))
                    }
                })?;
            }
            Change::Remove { at } => {
                guard::ordinary(&at.path)?;
                if matches!(self.node(&at.path)?, Node::Directory { .. })
                    && !self.hand.list(&at.path)?.is_empty()
                {
                    return Err(No::Person(format!("{} is a directory with something in it", at.path)));
                }
                self.replace(&at.path, |_, _| Ok((Node::Absent, None)))?;
            }
            Change::Move { at, to } => {
                guard::ordinary(&at.path)?;
                guard::ordinary(to)?;
                self.moved(&at.path, to)?;
            }
            Change::Server { .. }
            | Change::Artefact { .. }
            | Change::Account { .. }
            | Change::LeaveGroup { .. }
            | Change::Packages { .. }
            | Change::Clone { .. }
            | Change::Checkout { .. }
            | Change::Venv { .. }
            | Change::Reload
            | Change::Unit { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// What is at a path, as far as the draft has come.
    fn node(&mut self, path: &str) -> Result<Node, No> {
        let real = self.hand.way(path).map(|way| way.path);
        let real = real.unwrap_or_else(|_| path.to_owned());
        match self.edits.get(&real) {
            Some(edit) => Ok(edit.now.clone()),
            None => match self.hand.node(path) {
                Err(Refused::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
                    Ok(Node::Absent)
                }
                other => Ok(other?),
            },
        }
    }

    /// Puts what a function makes of a path in its place.
    fn replace(
        &mut self,
        path: &str,
        make: impl FnOnce(&Node, Option<u32>) -> Result<(Node, Option<(String, String)>), No>,
    ) -> Result<(), No> {
        self.replaced(path, make).map(drop)
    }

    /// The same; the edit that it became.
    fn replaced(
        &mut self,
        path: &str,
        make: impl FnOnce(&Node, Option<u32>) -> Result<(Node, Option<(String, String)>), No>,
    ) -> Result<&mut Edit, No> {
        let was = self.node(path)?;
        // Where the directory is yet to be made, the draft made it, and root's it is.
        let (real, user) = match self.hand.way(path) {
            Ok(way) => (way.path, way.user),
            Err(Refused::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
                (path.to_owned(), None)
            }
            Err(refused) => return Err(refused.into()),
        };
        guard::below_packages(&real)?;
        guard::mounted(&real, &self.unmounted)?;
        let (now, names) = make(&was, user)?;
        if !self.edits.contains_key(&real) {
            self.order.push(real.clone());
        }
        let new = Edit { path: real.clone(), was, now: now.clone(), names: None, user, whole: false };
        let edit = self.edits.entry(real).or_insert(new);
        edit.now = now;
        edit.names = names.or(edit.names.take());
        Ok(edit)
    }

    /// Rewrites a file that is there; owner, mode and attributes stay.
    fn rewrite(&mut self, path: &str, edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, No>) -> Result<(), No> {
        self.replace(path, |was, _| match was {
            Node::File { bytes, rights, attributes, .. } => {
                let bytes = edit(bytes)?;
                let (rights, attributes) = (*rights, attributes.clone());
                Ok((Node::File { bytes, rights, attributes, modified: None }, None))
            }
            other => Err(No::Person(format!("{path} is {}, where a file belongs", other.word()))),
        })
    }

    /// Ids of names; a name that an account of this plan will have counts later.
    fn ids(&self, owner: &str, group: &str) -> (u32, u32, Option<(String, String)>) {
        let uid = self.accounts.user(owner).map(|user| user.uid);
        let gid = self.accounts.group(group).map(|of| of.gid);
        match (uid, gid) {
            (Some(uid), Some(gid)) => (uid, gid, None),
            (uid, gid) => (
                uid.unwrap_or(YET_TO_BE_MADE),
                gid.unwrap_or(YET_TO_BE_MADE),
                Some((owner.to_owned(), group.to_owned())),
            ),
        }
    }

    fn rights(
        &mut self,
        path: &str,
        owner: Option<&str>,
        group: Option<&str>,
        mode: Option<u32>,
    ) -> Result<(), No> {
        let uid = owner.map(|name| self.accounts.user(name).map(|user| user.uid).ok_or(name)).transpose();
        let gid = group.map(|name| self.accounts.group(name).map(|of| of.gid).ok_or(name)).transpose();
        let (uid, gid) = match (uid, gid) {
            (Ok(uid), Ok(gid)) => (uid, gid),
            (Err(name), _) | (_, Err(name)) => {
                return Err(No::Person(format!("there is no {name} on this host")));
            }
        };
        let changed = |rights: &Rights| Rights {
            uid: uid.unwrap_or(rights.uid),
            gid: gid.unwrap_or(rights.gid),
            mode: mode.unwrap_or(rights.mode),
        };
        self.replace(path, |was, user| {
            if was.rights().is_some_and(|now| user.is_some_and(|user| now.uid != user)) {
                return Err(No::Person(format!("{path} is not of the user in whose directory it lies")));
            }
            match was.clone() {
                Node::File { bytes, rights, attributes, modified } => {
                    Ok((Node::File { bytes, rights: changed(&rights), attributes, modified }, None))
                }
                Node::Directory { rights, attributes } => {
                    Ok((Node::Directory { rights: changed(&rights), attributes }, None))
                }
                other => Err(No::Person(format!("{path} is {}", other.word()))),
            }
        })
    }

    /// Directories on the way that are missing are root's and open to all; those that are there stay what they are.
    fn parents(&mut self, path: &str) -> Result<(), No> {
        let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) else {
            return Ok(());
        };
        match self.node(parent)? {
            Node::Directory { .. } => Ok(()),
            Node::Absent => {
                self.parents(parent)?;
                let way = self.hand.way(parent);
                if let Ok(user) = way.map(|way| way.user)
                    && user.is_some()
                {
                    return Err(No::Person(format!("{parent} is missing in a user's directory")));
                }
                let rights = Rights { uid: 0, gid: 0, mode: 0o755 };
                self.on_the_way.insert(parent.to_owned());
                self.replace(parent, |_, _| {
                    Ok((Node::Directory { rights, attributes: Attributes::new() }, None))
                })
            }
            // A link of root's on the way is followed by the hand.
            Node::Link { .. } => Ok(()),
            other => Err(No::Person(format!("{parent} is {}, where a directory belongs", other.word()))),
        }
    }

    fn directory(&mut self, path: &str, owner: &str, group: &str, mode: u32) -> Result<(), No> {
        guard::ordinary(path)?;
        self.parents(path)?;
        let (uid, gid, names) = self.ids(owner, group);
        let on_the_way = self.on_the_way.remove(path);
        self.replace(path, |was, user| {
            match was {
                Node::Absent => {}
                Node::Directory { .. } if on_the_way => {}
                // Two findings about one missing directory.
                Node::Directory { rights, .. } if *rights == (Rights { uid, gid, mode }) => {
                    return Ok((was.clone(), names));
                }
                other => {
                    return Err(No::Person(format!(
                        "{path} is {}, where a directory is to be made",
                        other.word()
                    )));
                }
            }
            if user.is_some_and(|user| user != uid) {
                return Err(No::Person(format!("{path} lies in a directory of another user than {owner}")));
            }
            let rights = Rights { uid, gid, mode };
            Ok((Node::Directory { rights, attributes: Attributes::new() }, names))
        })
    }

    fn file(&mut self, path: &str, bytes: &[u8], owner: &str, group: &str, mode: u32) -> Result<(), No> {
        guard::ordinary(path)?;
        self.parents(path)?;
        let (uid, gid, names) = self.ids(owner, group);
        let bytes = bytes.to_vec();
        let edit = self.replaced(path, |was, user| {
            if user.is_some_and(|user| user != uid) {
                return Err(No::Person(format!("{path} lies in a directory of another user than {owner}")));
            }
            let rights = Rights { uid, gid, mode };
            match was {
                Node::Absent => Ok((Node::file(bytes, rights), names)),
                Node::File { attributes, .. } => {
                    Ok((Node::File { bytes, rights, attributes: attributes.clone(), modified: None }, names))
                }
                other => Err(No::Person(format!("{path} is {}, where a file belongs", other.word()))),
            }
        })?;
        edit.whole = true;
        Ok(())
    }

    fn database(&mut self, path: &str, owner: &str) -> Result<(), No> {
        let bytes =
            crate::system::os::empty_database().map_err(|error| No::Person(format!("SQLite: {error}")))?;
        let group = self.accounts.user(owner).and_then(|user| self.accounts.group_by_id(user.gid));
        let group = group.map_or_else(|| owner.to_owned(), |group| group.name.clone());
        match self.node(path)? {
            Node::Absent => self.file(path, &bytes, owner, &group, 0o640),
            other => Err(No::Person(format!("{path} is {} already", other.word()))),
        }
    }

    /// A file that is missing, as the last commit has it.
    fn restore(&mut self, path: &str, tree: &str) -> Result<(), No> {
        if self.node(path)? != Node::Absent {
            return Err(No::Person(format!("{path} is there already")));
        }
        let way = self.hand.way(path)?;
        let user = way.user.and_then(|uid| self.accounts.user_by_id(uid));
        let Some(user) = user.cloned() else {
            return Err(No::Person(format!(
                "{path} lies in no user's directory, and root runs no git there"
            )));
        };
        let file = path.strip_prefix(tree).and_then(|file| file.strip_prefix('/'));
        let file = file.ok_or_else(|| No::Person(format!("{path} does not lie in {tree}")))?;
        let tree = WorkTree { path: tree.to_owned(), uid: user.uid, gid: user.gid, home: user.home.clone() };
        let committed = tree.committed(self.hand, file).map_err(|failed| No::Person(failed.why))?;
        let rights = Rights { uid: user.uid, gid: user.gid, mode: committed.mode };
        self.replace(path, |_, _| Ok((Node::file(committed.text, rights), None)))
    }

    fn moved(&mut self, from: &str, to: &str) -> Result<(), No> {
        let node = self.node(from)?;
        if !matches!(node, Node::File { .. } | Node::Link { .. }) {
            return Err(No::Person(format!("{from} is {}, which is not moved", node.word())));
        }
        if self.node(to)? != Node::Absent {
            return Err(No::Person(format!("{to} is there already")));
        }
        self.parents(to)?;
        self.replace(to, |_, _| Ok((node, None)))?;
        self.replace(from, |_, _| Ok((Node::Absent, None)))
    }

    fn setting(
        &mut self,
        unit: &str,
        section: &str,
        key: &str,
        values: &[String],
        how: How,
        over: Option<&str>,
    ) -> Result<(), No> {
        guard::unit_name(unit)?;
        if let Some(line) =
            values.iter().find(|value| value.contains(['\n', '\r', '\0']) || value.ends_with('\\'))
        {
            return Err(No::Person(format!("{key}={line:?} cannot be written in one line")));
        }
        self.agree_on_setting(unit, section, key, values, how)?;
        let directory = format!("/etc/systemd/system/{unit}.d");
        let names = self.hand.list(&directory).unwrap_or_default();
        let own = names.iter().filter(|name| assignments::is_golden(name)).max().cloned();
        let wanted = drop_in_name(over);
        let name = own.as_ref().filter(|own| **own >= wanted).cloned().unwrap_or(wanted);
        let path = format!("{directory}/{name}");
        let mut drop_in = DropIn::default();
        // One drop-in a unit: an older one under an earlier name is taken in.
        for old in own.iter().map(|own| format!("{directory}/{own}")).chain([path.clone()]) {
            if let Node::File { bytes, .. } = self.node(&old)? {
                drop_in.take_in(&bytes).map_err(|why| No::Person(format!("{old} {why}")))?;
            }
            if old != path && self.node(&old)? != Node::Absent {
                self.replace(&old, |_, _| Ok((Node::Absent, None)))?;
            }
        }
        drop_in.set(section, key, values, how);
        self.file(&path, drop_in.text().as_bytes(), "root", "root", 0o644)
    }

    /// Two changes that give one setting different values contradict each other.
    fn agree_on_setting(
        &mut self,
        unit: &str,
        section: &str,
        key: &str,
        values: &[String],
        how: How,
    ) -> Result<(), No> {
        if how == How::Add {
            return Ok(());
        }
        let name = (unit.to_owned(), section.to_owned(), key.to_owned());
        match self.settings.get(&name) {
            Some(others) if others != values => Err(No::Contradiction(format!(
                "{key}= of {unit} would be both {} and {}",
                others.join(" "),
                values.join(" ")
            ))),
            _ => {
                self.settings.insert(name, values.to_vec());
                Ok(())
            }
        }
    }

    fn variable(&mut self, path: &str, line: Option<u32>, name: &str, value: Option<&str>) -> Result<(), No> {
        guard::in_etc(path)?;
        guard::env_file(self.system, path, &self.env_files)?;
        let key = (path.to_owned(), name.to_owned());
        match self.variables.get(&key) {
            Some(other) if other.as_deref() != value => {
                return Err(No::Contradiction(format!("{name} in {path} would be given two values")));
            }
            // It is made already.
            Some(_) => return Ok(()),
            None => {}
        }
        self.rewrite(path, |old| texts::variable(old, line, name, value))?;
        self.variables.insert(key, value.map(str::to_owned));
        Ok(())
    }
}
