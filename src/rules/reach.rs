//! Whether the user that a unit runs as can reach what the unit needs: every directory on the way, and the
//! thing itself.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;
use crate::syntax::command_line::{Command, Privileges};

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
    Outcome::not_applicable("its user or group does not exist, which is another rule's word")
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

impl ServiceView<'_> {
    /// The user that the unit runs as, with its groups; `None` when the host has no such user or group.
    pub fn runner(&self, unit: &EffectiveUnit) -> Result<Option<Runner>, Undecided> {
        let accounts = self.accounts()?;
        let dynamic = unit.scalar("Service", "DynamicUser").is_some_and(|setting| setting.value() == "yes");
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
    /// The command that takes it away, where there is one that anybody would run.
    pub mend: Option<String>,
    /// It is not there at all.
    pub missing: bool,
}

/// What keeps a runner from a file or directory with this access; `None` when nothing does.
pub fn obstacle(
    runner: &Runner,
    lookup: &Lookup,
    kind: NodeKind,
    access: &[Access],
) -> Result<Option<Obstacle>, Undecided> {
    // Who cannot pass a directory does not get to what lies behind it, whatever that is.
    if let Some(closed) = runner.credentials.stopped_at(lookup) {
        return Ok(Some(denied(runner, closed, Access::Execute)));
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
    Ok(lacking.map(|access| denied(runner, node, *access)))
}

fn denied(runner: &Runner, step: &Step, access: Access) -> Obstacle {
    let (word, letter) = match (access, step.meta.kind) {
        (Access::Read, _) => ("read", 'r'),
        (Access::Write, _) => ("written", 'w'),
        (Access::Execute, NodeKind::Directory) => ("passed", 'x'),
        (Access::Execute, _) => ("executed", 'x'),
    };
    let class = if runner.credentials.uid == step.meta.uid {
        'u'
    } else if runner.credentials.gids.contains(&step.meta.gid) {
        'g'
    } else {
        'o'
    };
    // Nobody opens a directory for everybody to write because a tool said so.
    let mend = match (access, class) {
        (Access::Write, 'o') => None,
        _ if runner.credentials.uid == 0 => Some(format!("chmod a+x {}", quoted(&step.path))),
        _ => Some(format!("chmod {class}+{letter} {}", quoted(&step.path))),
    };
    Obstacle {
        what: format!("may not be {word} by {}", runner.name),
        at: Location::file(step.path.clone()),
        observed: format!("mode {:04o}, owner {}:{}", step.meta.mode, step.meta.uid, step.meta.gid),
        mend,
        missing: false,
    }
}
