//! Remedies that several rules share, as data: the smallest change that makes the unit right.
//!
//! A setting is given its value in golden's own drop-in of that one unit, so a hand-written or packaged unit stays what
//! it is. A line is only edited where no drop-in can do it, and only in a file of /etc that serves this unit alone.
//! What lies in another user's directory is changed as that user, or by a person.

mod units;

use crate::facts::start::{base_name, lies_under};
use crate::model::change::{Change, Spot, Verb};
use crate::rules::prelude::*;
use crate::systemd::command_line::{self, Command};

fn is_drop_in(path: &str) -> bool {
    path.rsplit('/').nth(1).is_some_and(|directory| directory.ends_with(".d"))
}

/// Settings of `[Service]` that systemd itself reads, when it stops, restarts or judges the service: the process knows
/// nothing of them, so a reload is enough.
const MANAGERS: &[&str] = &[
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
    "FinalKillSignal",
    "KillMode",
    "KillSignal",
    "RemainAfterExit",
    "ReloadSignal",
    "Restart",
    "RestartForceExitStatus",
    "RestartKillSignal",
    "RestartMaxDelaySec",
    "RestartMode",
    "RestartPreventExitStatus",
    "RestartSec",
    "RestartSteps",
    "SendSIGHUP",
    "SendSIGKILL",
    "SuccessExitStatus",
    "TimeoutAbortSec",
    "TimeoutSec",
    "TimeoutStartFailureMode",
    "TimeoutStartSec",
    "TimeoutStopFailureMode",
    "TimeoutStopSec",
    "WatchdogSignal",
];

/// Whether only systemd reads a setting, so that a process that runs need not be restarted for it.
pub fn is_managers(section: &str, key: &str) -> bool {
    matches!(section, "Unit" | "Install") || MANAGERS.contains(&key)
}

/// Whether a command is golden's own check before a start, which leaves nothing behind in the process.
pub fn is_preflight(command: &Command) -> bool {
    base_name(&command.program) == "golden" && command.words.iter().any(|word| word == "--preflight-only")
}

/// Whether a process that runs has nothing of a change of this setting.
fn needs_only_a_reload(change: &Change) -> bool {
    let Change::Setting { section, key, values, .. } = change else { return false };
    let all_preflights = || {
        let commands = |value: &String| command_line::parse(value).commands;
        values.iter().all(|value| commands(value).iter().all(is_preflight))
    };
    is_managers(section, key) || (key == "ExecStartPre" && all_preflights())
}

/// A word as a line of a unit has it; `$` and `%` stay systemd's.
fn unit_word(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\\\";".contains(c));
    match plain {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
    }
}

/// The command with which a person lets golden bring about what the contract in force says.
pub fn golden(view: &View, verb: &str) -> String {
    let source = &view.contract.source;
    match source.built_in || *source.path == *INSTALLED {
        true => format!("golden {verb}"),
        false => format!("golden --contract {} {verb}", quoted(&source.path)),
    }
}

/// The command that opens the file of a location where it stands.
pub fn by_hand(at: &Location) -> String {
    match at.line_number() {
        Some(line) => format!("vi +{line} {}", quoted(at.path())),
        None => format!("vi {}", quoted(at.path())),
    }
}

/// The remedy of one of many findings. Of more than are shown none is made: each may look through a whole file.
pub fn of_many(earlier: usize, remedy: impl FnOnce() -> Remedy) -> Remedy {
    match earlier < crate::model::MOST_FINDINGS {
        true => remedy(),
        false => Remedy::decide("mend the others first"),
    }
}

/// Whether a file belongs to the distribution.
pub fn is_packaged(path: &str) -> bool {
    ["/usr/lib/", "/lib/", "/usr/share/"].iter().any(|place| path.starts_with(place))
}

/// Whether a directory of this owner and mode lets nobody but root put names into it.
fn is_roots_alone(meta: &Meta) -> bool {
    meta.uid == 0 && meta.mode & 0o002 == 0 && (meta.mode & 0o020 == 0 || meta.gid == 0)
}

/// Who may change what lies at the end of a walk: root where nobody else can replace a name on the way, else the one
/// user in whose directory it lies. Everything else is a person's, and the remedy says why.
pub fn spot(view: &View, lookup: &Lookup) -> Result<Spot, Remedy> {
    let path = lookup.real().unwrap_or(&lookup.asked).to_owned();
    let by_hand = |why: String| Remedy::decide(format!("correct {path} by hand: {why}"));
    let mut owner: Option<u32> = None;
    let end = lookup.steps.len().saturating_sub(usize::from(lookup.real().is_some()));
    for step in &lookup.steps[..end] {
        let Meta { kind, uid, gid, mode, .. } = step.meta;
        match (kind, owner) {
            (NodeKind::Link, None) if uid == 0 => {}
            (NodeKind::Link, _) => {
                return Err(by_hand(format!("{} is a link that its owner can change", step.path)));
            }
            (_, None) if is_roots_alone(&step.meta) => {}
            (_, None) if uid != 0 && mode & 0o002 == 0 => owner = Some(uid),
            (_, Some(user)) if uid == user && mode & 0o002 == 0 => {}
            (_, Some(_)) => {
                return Err(by_hand(format!("{} and its directory belong to different users", step.path)));
            }
            (_, None) => {
                return Err(by_hand(format!("others can write {} (gid {gid}, mode {mode:04o})", step.path)));
            }
        }
    }
    let Some(uid) = owner else { return Ok(Spot::of_root(path)) };
    let name =
        view.accounts().ok().and_then(|accounts| accounts.user_by_id(uid)).map(|user| user.name.clone());
    match name {
        Some(name) => Ok(Spot::of_user(path, name)),
        None => Err(by_hand(format!("it lies in a directory of uid {uid}, which has no account"))),
    }
}

/// The remedy that gives what lies at the end of a walk its permission bits.
pub fn set_mode(view: &View, lookup: &Lookup, mode: u32) -> Remedy {
    match spot(view, lookup) {
        Ok(at) => Change::Mode { at, mode }.into(),
        Err(remedy) => remedy,
    }
}

/// The remedy that gives what lies at the end of a walk to an owner. In a user's directory only a person can: chown
/// hands over whatever was renamed there.
pub fn set_owner(view: &View, lookup: &Lookup, owner: Option<&str>, group: Option<&str>) -> Remedy {
    let change =
        |at: Spot| Change::Owner { at, owner: owner.map(str::to_owned), group: group.map(str::to_owned) };
    match spot(view, lookup) {
        Ok(at @ Spot { user: None, .. }) => change(at).into(),
        Ok(Spot { path, user: Some(user) }) => {
            let shell = change(Spot::of_root(path.clone())).shell();
            Remedy::decide(format!(
                "give {path} its owner: {user} can replace it at any moment, so golden does not"
            ))
            .candidate("once you have looked at it", shell)
        }
        Err(remedy) => remedy,
    }
}

/// The python of a venv that stands for another one: of the same name, but for a version that the venv need not have.
pub fn python_in(bin: &str, name: &str) -> String {
    match name {
        "python3" => format!("{bin}/python3"),
        _ => format!("{bin}/python"),
    }
}

/// The place of the contract that a path is or lies below.
pub fn own_place<'v>(view: &View<'v>, path: &str) -> Option<&'v Place> {
    let places = view.contract.layout.values().filter(|place| lies_under(path, &place.path.value));
    places.max_by_key(|place| place.path.value.len())
}

/// Whether systemd keeps a directory itself: below the private directories of `DynamicUser=`.
pub fn is_systemds(path: &str) -> bool {
    ["/var/lib/private", "/var/cache/private", "/var/log/private", "/run/private"]
        .iter()
        .any(|place| lies_under(path, place))
}

impl ServiceView<'_> {
    /// The remedy that makes a directory which the service is to write.
    pub fn make_directory(&self, unit: &EffectiveUnit, lookup: &Lookup) -> Remedy {
        let path = &*lookup.asked;
        let stated = own_place(self, path);
        let itself = stated.filter(|place| place.path.value == path);
        let name = |stated: Option<&Option<Stated<String>>>, usual: &str| {
            stated.and_then(Option::as_ref).map_or(usual, |name| &name.value).to_owned()
        };
        let owner = name(itself.map(|place| &place.owner), &self.service.user.value);
        let group = name(itself.map(|place| &place.group), &self.service.group.value);
        let mode = itself.and_then(|place| place.mode.as_ref()).map_or(0o755, |mode| mode.value);
        let is_written = self.service.writes.iter().any(|written| lies_under(path, &written.value));
        if unit.is_dynamic() || is_systemds(path) {
            return Remedy::decide(format!(
                "let systemd make {path}: StateDirectory= and similar settings make the directories of a dynamic user"
            ));
        }
        let change = |at: Spot| {
            let (owner, group) = (owner.clone(), group.clone());
            Change::Directory { at, owner, group, mode }
        };
        match spot(self, lookup) {
            Ok(at)
                if (stated.is_some() || is_written) && at.user.as_ref().is_none_or(|user| *user == owner) =>
            {
                change(at).into()
            }
            _ => Remedy::decide(format!("make the directory {path}, or name another one"))
                .candidate("", change(Spot::of_root(path)).shell()),
        }
    }
}

impl ServiceView<'_> {
    /// The remedy that makes something else start the unit. A unit of the distribution does not get an `[Install]` of
    /// ours: a person adds the link.
    pub fn install(&self, unit: &EffectiveUnit, key: &str, by: &str) -> Remedy {
        if is_packaged(unit.location().path()) {
            let add = match key {
                "RequiredBy" => "add-requires",
                _ => "add-wants",
            };
            let unit = quoted(&self.service.unit.value);
            let links: Vec<String> =
                by.split_whitespace().map(|by| format!("systemctl {add} {} {unit}", quoted(by))).collect();
            return Remedy::decide(format!("decide whether {by} starts {unit}, a unit of the distribution"))
                .candidate("", links.join(" && "));
        }
        let stated = self.add(unit, "Install", key, &[by.to_owned()]);
        let enable = self.verb(Verb::Enable);
        Remedy::changes(stated.list().iter().cloned().chain([enable]))
    }
}

/// The remedy that takes the links away which start a unit, after other changes. A link of a package is a person's.
pub fn unlinked(links: &[std::sync::Arc<str>], first: Vec<Change>) -> Remedy {
    if let Some(link) = links.iter().find(|link| is_packaged(link)) {
        return Remedy::decide(format!("decide about {link}, which belongs to the distribution"))
            .candidate("", format!("rm {} && systemctl daemon-reload", quoted(link)));
    }
    let remove = links.iter().map(|link| Change::Remove { at: Spot::of_root(&**link) });
    Remedy::changes(first.into_iter().chain(remove).chain([Change::Reload]))
}

/// Where a path ends that leads nowhere.
#[derive(Debug)]
pub struct Gap<'a> {
    /// The path that does not exist, links on the way resolved.
    pub path: String,
    /// The link whose target does not exist, where it is a link that leads there.
    pub link: Option<&'a Step>,
}

/// What is missing at the end of a walk: the path that would have to be made, and whether a link on the way leads
/// nowhere. `None` where the walk found something, could not go on, or cannot be followed by its steps alone.
pub fn gap(lookup: &Lookup) -> Option<Gap<'_>> {
    let crate::model::End::Absent(missing) = &lookup.end else { return None };
    let parts = |path: &str, link: Option<usize>| -> Vec<(String, Option<usize>)> {
        let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        parts.rev().map(|part| (part.to_owned(), link)).collect()
    };
    let mut rest = parts(&lookup.asked, None);
    // The first step is the root.
    let mut at = 1;
    while let Some((name, link)) = rest.pop() {
        if name == ".." {
            continue;
        }
        let Some(step) = lookup.steps.get(at) else {
            let below: Vec<String> = rest.into_iter().rev().map(|(part, _)| part).collect();
            if below.iter().any(|part| part == "..") {
                return None;
            }
            let path = std::iter::once(missing.to_string()).chain(below).collect::<Vec<String>>().join("/");
            return Some(Gap { path, link: link.and_then(|at| lookup.steps.get(at)).map(AsRef::as_ref) });
        };
        if let Some(target) = &step.target {
            rest.extend(parts(target, Some(at)));
        }
        at += 1;
    }
    None
}

/// Who may change what is already there at the end of a walk: as [`spot`] has it, and in a user's directory only what
/// that user owns, because a user can change nothing else. A file with a second name is a person's: the other name may
/// lie anywhere.
pub fn spot_of_own(view: &View, lookup: &Lookup) -> Result<Spot, Remedy> {
    let at = spot(view, lookup)?;
    let by_hand = |why: String| Err(Remedy::decide(format!("correct {} by hand: {why}", at.path)));
    let Ok(Some(node)) = lookup.node() else { return Ok(at) };
    if node.meta.kind == NodeKind::File && node.meta.links > 1 {
        return by_hand(format!("it has {} names (hard links)", node.meta.links));
    }
    let Some(user) = &at.user else { return Ok(at) };
    let owns = view
        .accounts()
        .ok()
        .and_then(|accounts| accounts.user(user))
        .is_some_and(|user| user.uid == node.meta.uid);
    match owns {
        true => Ok(at),
        false => by_hand(format!("it lies in a directory of {user} and belongs to another user")),
    }
}

/// As [`set_mode`], for a file or directory whose owner matters: what golden leaves to a person names the command.
pub fn set_own_mode(view: &View, lookup: &Lookup, mode: u32) -> Remedy {
    match spot_of_own(view, lookup) {
        Ok(at) => Change::Mode { at, mode }.into(),
        Err(remedy) => {
            let path = lookup.real().unwrap_or(&lookup.asked);
            let shell = Change::Mode { at: Spot::of_root(path), mode }.shell();
            remedy.candidate("once you have looked at it", shell)
        }
    }
}

#[cfg(test)]
mod walks {
    use std::sync::Arc;

    use super::*;
    use crate::model::End;

    fn walk(asked: &str, steps: &[(&str, Option<&str>)], missing: &str) -> Lookup {
        let step = |(path, target): &(&str, Option<&str>)| {
            let kind = if target.is_some() { NodeKind::Link } else { NodeKind::Directory };
            let meta = Meta { kind, uid: 0, gid: 0, mode: 0o755, size: 0, modified: 0, links: 1 };
            Arc::new(Step { path: (*path).into(), meta, target: target.map(Into::into) })
        };
        Lookup {
            asked: asked.into(),
            steps: steps.iter().map(step).collect(),
            end: End::Absent(missing.into()),
        }
    }

    fn found(lookup: &Lookup) -> (String, Option<String>) {
        let gap = gap(lookup).unwrap();
        (gap.path, gap.link.map(|link| link.path.to_string()))
    }

    #[test]
    fn a_healthy_link_on_the_way_is_not_the_one_that_leads_nowhere() {
        let plain = [("/", None), ("/opt", None)];
        assert_eq!(found(&walk("/opt/a/b", &plain, "/opt/a")), ("/opt/a/b".into(), None));
        let release = [("/", None), ("/opt", None), ("/opt/app", Some("app-2")), ("/opt/app-2", None)];
        assert_eq!(
            found(&walk("/opt/app/media", &release, "/opt/app-2/media")),
            ("/opt/app-2/media".into(), None)
        );
        let dangling = [("/", None), ("/opt", None), ("/opt/app", Some("/mnt/gone"))];
        assert_eq!(
            found(&walk("/opt/app/media", &dangling, "/mnt")),
            ("/mnt/gone/media".into(), Some("/opt/app".into()))
        );
        let up = [("/", None), ("/a", None), ("/a/l", Some("../b")), ("/b", None)];
        assert_eq!(found(&walk("/a/l/c", &up, "/b/c")), ("/b/c".into(), None));
    }
}
