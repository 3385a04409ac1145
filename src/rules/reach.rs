//! Whether the user that a unit runs as can reach what the unit needs: every directory on the way, and the
//! thing itself.

use crate::model::looked::End;
use crate::rules::prelude::*;
use crate::rules::remedy::{is_systemds, own_place, set_mode};
use crate::systemd::command_line::{Command, Privileges};

/// The user of a service with `DynamicUser=` has an id of this range and owns nothing yet.
const DYNAMIC: u32 = 61184;

/// Who runs a command.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The user's name, for sentences.
    pub name: String,
    /// What it may do.
    pub credentials: Credentials,
}

impl Runner {
    /// Root, as which systemd runs what has the `+` or `!` prefix.
    pub fn root() -> Runner {
        Runner { name: "root".to_owned(), credentials: Credentials { uid: 0, gids: vec![0] } }
    }

    /// Who runs this command of a unit whose user is `self`.
    pub fn of(self, command: &Command) -> Runner {
        match command.prefixes.privileges {
            Privileges::Full | Privileges::NoSetuid => Runner::root(),
            Privileges::None | Privileges::AmbientMagic => self,
        }
    }
}

/// Said where the user or group does not exist: there is a rule for that.
pub fn no_user() -> Outcome {
    Outcome::not_applicable(
        "its user or group does not exist (reported by start-user-missing or start-group-missing)",
    )
}

/// Whether a unit brings a root of its own, in which nobody has looked.
pub fn has_own_root(unit: &EffectiveUnit) -> Result<(), Undecided> {
    let own = ["RootDirectory", "RootImage"].iter().find_map(|key| unit.scalar("Service", key));
    match own {
        Some(setting) if setting.value() != "/" => Err(Undecided::new(format!(
            "the service starts in a root of its own ({} at {}), which is not looked into",
            written(setting),
            setting.at
        ))),
        _ => Ok(()),
    }
}

/// The setting of a unit that lays the files of an image over the host's, in which nobody has looked.
pub fn brings_files(unit: &EffectiveUnit) -> Option<&Setting> {
    let keys = ["ExtensionImages", "ExtensionDirectories", "MountImages"];
    keys.iter().find_map(|key| unit.words("Service", key).into_iter().next()).map(|(_, setting)| setting)
}

impl ServiceView<'_> {
    /// A user by name or number; `None` when the host certainly has no such user.
    pub fn user_or_id(&self, name: &str) -> Result<Option<&crate::syntax::accounts::User>, Undecided> {
        let by_id = name.parse().ok().and_then(|uid| self.accounts().ok()?.user_by_id(uid));
        by_id.map_or_else(|| self.user(name), |user| Ok(Some(user)))
    }

    /// A group by name or number; `None` when the host certainly has no such group.
    pub fn group_or_id(&self, name: &str) -> Result<Option<&crate::syntax::accounts::Group>, Undecided> {
        let by_id = name.parse().ok().and_then(|gid| self.accounts().ok()?.group_by_id(gid));
        by_id.map_or_else(|| self.group(name), |group| Ok(Some(group)))
    }

    /// The user that the unit runs as, with its groups; `None` when the host has no such user or group.
    pub fn runner(&self, unit: &EffectiveUnit) -> Result<Option<Runner>, Undecided> {
        let accounts = self.accounts()?;
        let dynamic = unit.is_dynamic();
        let stated = unit.scalar("Service", "User").map(Setting::value);
        let user = match stated {
            None if dynamic => None,
            None => accounts.user("root").or_else(|| accounts.user_by_id(0)),
            Some(name) => match name.parse() {
                Ok(uid) => accounts.user_by_id(uid),
                Err(_) => accounts.user(name),
            },
        };
        let (name, uid, mut gids) = match (user, stated) {
            (Some(user), _) => (user.name.clone(), user.uid, accounts.group_ids_of(user)),
            (None, _) if dynamic => ("a dynamic user".to_owned(), DYNAMIC, vec![DYNAMIC]),
            (None, None) => ("root".to_owned(), 0, vec![0]),
            (None, Some(_)) => return Ok(None),
        };
        let mut groups: Vec<String> =
            unit.scalar("Service", "Group").map(|group| group.value().to_owned()).into_iter().collect();
        groups.extend(unit.words("Service", "SupplementaryGroups").into_iter().map(|(word, _)| word));
        for group in groups {
            let found = match group.parse() {
                Ok(gid) => accounts.group_by_id(gid),
                Err(_) => accounts.group(&group),
            };
            match found {
                Some(group) => gids.push(group.gid),
                None if dynamic => {}
                None => return Ok(None),
            }
        }
        Ok(Some(Runner { name, credentials: Credentials { uid, gids } }))
    }
}

/// What keeps somebody from a path.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// A sentence without subject: `does not exist`, `may not be passed by qt`.
    pub what: String,
    /// Where it stands.
    pub at: Location,
    /// What is there.
    pub observed: String,
    /// What takes it away, where permission bits do.
    pub mend: Option<Remedy>,
    /// It is not there at all.
    pub missing: bool,
}

/// What keeps a runner from a file or directory with this access; `None` when nothing does.
pub fn obstacle(
    view: &View,
    runner: &Runner,
    lookup: &Lookup,
    kind: NodeKind,
    access: &[Access],
) -> Result<Option<Obstacle>, Undecided> {
    // Who cannot pass a directory does not get to what lies behind it, whatever that is.
    if let Some(closed) = runner.credentials.stopped_at(lookup) {
        return denied(view, runner, lookup, closed, Access::Execute).map(Some);
    }
    if let Some(link) = lookup.links().next().filter(|_| lookup.is_circle()) {
        return Ok(Some(Obstacle {
            what: "is a link that leads in a circle".to_owned(),
            at: Location::file(link.path.clone()),
            observed: format!("{} -> {}", link.path, link.target.as_deref().unwrap_or("?")),
            mend: None,
            missing: false,
        }));
    }
    let Some(node) = lookup.node()? else {
        let dangling = lookup.links().last().and_then(|link| Some((link.path.clone(), link.target.clone()?)));
        let observed =
            dangling.map_or_else(|| "nothing".to_owned(), |(path, target)| format!("{path} -> {target}"));
        return Ok(Some(Obstacle {
            what: "does not exist".to_owned(),
            at: lookup.location(),
            observed,
            mend: None,
            missing: true,
        }));
    };
    if node.meta.kind != kind {
        return Ok(Some(Obstacle {
            what: format!("is {}, not {}", node.meta.kind.word(), kind.word()),
            at: lookup.location(),
            observed: node.meta.kind.word().to_owned(),
            mend: None,
            missing: false,
        }));
    }
    let lacking = access.iter().find(|access| !runner.credentials.may(**access, &node.meta));
    lacking.map(|access| denied(view, runner, lookup, node, *access)).transpose()
}

/// What the mode of a step denies; undecided where an access control list may allow it.
fn denied(
    view: &View,
    runner: &Runner,
    lookup: &Lookup,
    step: &Step,
    access: Access,
) -> Result<Obstacle, Undecided> {
    let word = match (access, step.meta.kind) {
        (Access::Read, _) => "read",
        (Access::Write, _) => "written",
        (Access::Execute, NodeKind::Directory) => "passed",
        (Access::Execute, _) => "executed",
    };
    if view.has_access_list(&step.path) {
        let why = format!(
            "{} may not be {word} by {} by its mode, and has an access control list, which may allow it",
            step.path, runner.name
        );
        return Err(Undecided::new(why).or_run(format!("getfacl -- {}", quoted(&step.path))));
    }
    Ok(Obstacle {
        what: format!("may not be {word} by {}", runner.name),
        at: Location::file(step.path.clone()),
        observed: format!("mode {:04o}, owner {}:{}", step.meta.mode, step.meta.uid, step.meta.gid),
        mend: opened(view, runner, lookup, step, access),
        missing: false,
    })
}

/// What opens one step of a walk for a runner. golden does it for what the contract names and what lies below that: who
/// passes /root, a home or a parent of a place is for a person, and so is who reads a file, which may hold a secret.
fn opened(view: &View, runner: &Runner, lookup: &Lookup, step: &Step, access: Access) -> Option<Remedy> {
    let Credentials { uid, gids } = &runner.credentials;
    let (class, shift) = match step.meta {
        // Root needs one bit, whosever it is.
        _ if *uid == 0 => ('u', 6),
        meta if *uid == meta.uid => ('u', 6),
        meta if gids.contains(&meta.gid) => ('g', 3),
        _ => ('o', 0),
    };
    let letter = match access {
        Access::Read => 'r',
        Access::Write => 'w',
        Access::Execute => 'x',
    };
    // What everybody may write, nobody opens because a tool says so; what systemd keeps for itself, nobody opens at all.
    if (access == Access::Write && class == 'o') || is_systemds(&step.path) {
        return None;
    }
    let mode = step.meta.mode | (access as u32) << shift;
    let place = own_place(view, &step.path);
    let bound = place.filter(|place| *place.path.value == *step.path).and_then(|place| place.mode.as_ref());
    let is_within = bound.is_none_or(|bound| mode & !bound.value & 0o777 == 0);
    let is_harmless = match access {
        Access::Execute => true,
        Access::Write => class == 'u',
        Access::Read => false,
    };
    let at = lookup.steps.iter().position(|other| other.path == step.path);
    if let Some(at) = at.filter(|_| place.is_some() && is_within && is_harmless && *uid != DYNAMIC) {
        let walked = lookup.steps[..=at].to_vec();
        let walk = Lookup { asked: step.path.clone(), steps: walked, end: End::Found };
        return Some(set_mode(view, &walk, mode));
    }
    let chmod = format!("chmod {class}+{letter} {}", quoted(&step.path));
    Some(Remedy::decide(format!("decide whether {} may use {}", runner.name, step.path)).candidate("", chmod))
}
