//! The working directory, as the user that must enter it.

use std::borrow::Cow;

use crate::facts::start::{WorkingDirectory, behind_binds, working_directory};
use crate::rules::prelude::*;
use crate::rules::reach::{has_own_root, no_user, obstacle};
use crate::rules::remedy::by_hand;
use crate::rules::sandbox;

rule! {
    /// The working directory does not exist or cannot be entered.
    ///
    /// systemd changes to `WorkingDirectory=` as the user of the service, so this user must be able to pass
    /// every directory on the way. Otherwise the start ends with status 200/CHDIR (systemd.exec(5)). With a
    /// leading `-` a missing directory is ignored. Directories that systemd makes before the start
    /// (`StateDirectory=` and similar, tmpfiles.d(5)) count as present, and so do those that its sandbox lays there
    /// (`TemporaryFileSystem=`). Up to systemd 254 `WorkingDirectory=~` fails for a user whose home is `/`,
    /// and for `nobody`. Access control lists are not looked at.
    ///
    /// ```bad
    /// move /home/qt/quantum_trader -> /home/qt/quantum_trader_old
    /// ```
    /// ```bad
    /// owner /home/qt root:root
    /// mode /home/qt 0700
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/dir.conf root:root 0644
    /// | [Service]
    /// | WorkingDirectory=/etc/passwd
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/dir.conf root:root 0644
    /// | [Service]
    /// | WorkingDirectory=-/nowhere
    /// ```
    /// ```bad
    /// mode /home/qt/quantum_trader 0600
    /// ```
    id: "start-directory-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 200/CHDIR",
    see: ["systemctl show -p WorkingDirectory {unit}", "runuser -u {user} -- ls -d {path}"],
    mend: "Create the directory, or open the closed one on the way. golden itself changes only the places \
           of the contract and paths below them.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let Some(runner) = view.runner(unit)? else { return Ok(no_user()) };
    let Some(directory) = working_directory(unit, Some(view.accounts()?)) else { return Ok(no_user()) };
    // With a `-` the service starts in / wherever it cannot enter the directory, for whatever reason (measured on 247 to 262).
    if directory.optional {
        return Ok(Outcome::Pass);
    }
    if directory.is_homeless {
        return homeless(view, unit, &directory);
    }
    let start = view.start_of(unit);
    let lookup = match sandbox::emptied_at(view, unit, &directory.path)? {
        Some((path, empty)) => Cow::Owned(start.emptied(&path, &empty)?),
        None => start.path(&behind_binds(unit, &directory.path))?,
    };
    let Some(obstacle) = obstacle(view, &runner, &lookup, NodeKind::Directory, &[Access::Execute])? else {
        return Ok(Outcome::Pass);
    };
    let demanded = demanded(view);
    let (message, location) = match obstacle.at.path() == directory.path {
        true => (format!("cannot start: its working directory {}", obstacle.what), obstacle.at.clone()),
        false => (
            format!("cannot start: {}, on the way to its working directory, {}", obstacle.at, obstacle.what),
            obstacle.at.clone(),
        ),
    };
    let remedy = obstacle.mend.unwrap_or_else(|| {
        let by_hand = by_hand(&directory.setting.map_or_else(|| unit.location(), |it| it.at.clone()));
        Remedy::decide(format!("decide what belongs at {}, or name another directory", directory.path))
            .candidate("", by_hand)
    });
    let stated = directory.setting.map_or_else(|| "/".to_owned(), written);
    Ok(Finding::new(message, location, demanded.clone())
        .expected(format!("a directory that {} can enter ({stated})", runner.name))
        .observed(obstacle.observed)
        .mend(remedy)
        .into())
}

/// `WorkingDirectory=~` for a user that has no home: it starts in / from 257 on (measured on 247 to 262).
fn homeless(view: &ServiceView, unit: &EffectiveUnit, directory: &WorkingDirectory) -> Ruling {
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let Some(setting) = directory.setting else { return Ok(Outcome::Pass) };
    match version.has(257) {
        Some(true) => return Ok(Outcome::Pass),
        None => {
            let why = format!("it was not measured where systemd {version} starts a service whose user has no home");
            return Err(Undecided::new(why));
        }
        Some(false) => {}
    }
    let user = unit.user_name().unwrap_or("its dynamic user");
    let question = format!("name a directory at {}, or give {user} a home", setting.at);
    Ok(Finding::new(
        format!("cannot start: {user} has no home that could be its working directory"),
        setting.at.clone(),
        demanded(view).clone(),
    )
    .expected(format!("a directory that {user} can enter"))
    .observed(written(setting))
    .mend(Remedy::decide(question).candidate("", by_hand(&setting.at)))
    .into())
}

/// Where the contract asks for it.
fn demanded<'v>(view: &'v ServiceView) -> &'v Location {
    view.service.working_directory.as_ref().map_or(&view.service.unit.at, |demanded| &demanded.at)
}
