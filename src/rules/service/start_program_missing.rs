//! The programs that a start executes, as the user that executes them.

use crate::facts::start::{START_SETTINGS, Started, behind_binds, commands, program_paths};
use crate::rules::earlier;
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::{Obstacle, Runner, has_own_root, no_user, obstacle};
use crate::rules::remedy::by_hand;

rule! {
    /// A program that the start needs is missing or cannot be executed.
    ///
    /// Looks at the program of every `ExecCondition=`, `ExecStartPre=`, `ExecStart=` and `ExecStartPost=` as
    /// the user that runs it (`+` and `!` run as root). It must be a regular file with an execute bit for that
    /// user, every directory on the way must be passable, and a script must be readable. Otherwise the start
    /// ends with status 203/EXEC (systemd.exec(5)). A line with the prefix `-` may fail, except `ExecStart=`
    /// of a service that is to stay: a `Type=oneshot` is started all the same.
    /// A program that is not there is undecided if a line before copies, builds or installs it.
    ///
    /// ```bad
    /// remove /opt/quantum/venvs/backend
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/check.sh
    /// file /opt/quantum/check.sh root:root 0644
    /// | #!/bin/sh
    /// ```
    /// ```bad
    /// owner /opt/quantum/venvs/backend root:root
    /// mode /opt/quantum/venvs/backend 0700
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=-/opt/quantum/check.sh
    /// ```
    id: "start-program-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 203/EXEC",
    see: ["systemctl show -p ExecStart,ExecStartPre {unit}", "runuser -u {user} -- test -x {program}"],
    mend: "Install the program, or give it its execute bit.",
    man: ["systemd.exec(5)", "systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let Some(user) = view.runner(unit)? else { return Ok(no_user()) };
    let mut looks = Looks::default();
    let all = commands(unit, START_SETTINGS);
    for (at, started) in all.iter().enumerate() {
        if started.may_fail(unit) {
            continue;
        }
        let runner = if started.is_free(unit) { Runner::root() } else { user.clone().of(&started.command) };
        let obstacle = program_obstacle(view, unit, started, &runner);
        let obstacle = obstacle.and_then(|found| earlier::unless_made(view, unit, (&all[..at], &started.command.program), found));
        looks.add(obstacle.map(|obstacle| obstacle.map(|found| finding(view, started, &runner, found))));
    }
    looks.ruling()
}

/// What keeps every one of the paths that a program may have from being executed.
fn program_obstacle(
    view: &ServiceView,
    unit: &EffectiveUnit,
    started: &Started,
    runner: &Runner,
) -> Result<Option<Obstacle>, Undecided> {
    let (start, mut first) = (view.start_of(unit), None);
    for path in program_paths(unit, &started.command.program) {
        let path = behind_binds(unit, &path);
        let lookup = start.path(&path)?;
        let mut found = obstacle(view, runner, &lookup, NodeKind::File, &[Access::Execute])?;
        // Whether it is a script only matters where the user cannot read it.
        if found.is_none()
            && let Some(unread) = obstacle(view, runner, &lookup, NodeKind::File, &[Access::Read])?
            && matches!(view.program(&path)?, Some(ProgramFacts::Script(_)))
        {
            found = Some(unread);
        }
        let Some(found) = found else { return Ok(None) };
        // Of a bare name, the file that is there and cannot be executed says more than those that are not.
        if first.as_ref().is_none_or(|first: &Obstacle| first.missing) {
            first = Some(found);
        }
    }
    Ok(first)
}

fn finding(view: &ServiceView, started: &Started, runner: &Runner, obstacle: Obstacle) -> Finding {
    let program = &started.command.program;
    let demanded = view.service.command.as_ref().filter(|_| started.key == "ExecStart");
    let at = demanded.map_or(&view.service.unit.at, |command| &command.at);
    let remedy = obstacle.mend.unwrap_or_else(|| {
        Remedy::decide(format!("put {program} there, or correct {}", started.setting.at))
            .candidate("", by_hand(&started.setting.at))
    });
    let message = match obstacle.at.path() == program {
        true => format!("cannot start: {program} {}", obstacle.what),
        false if obstacle.missing => format!("cannot start: there is no {program}"),
        false => format!("cannot start: {}, on the way to {program}, {}", obstacle.at, obstacle.what),
    };
    Finding::new(message, started.setting.at.clone(), at.clone())
        .key(format!("{}={program}", started.key))
        .expected(format!("a program that {} can execute", runner.name))
        .observed(format!("{}: {}", obstacle.at, obstacle.observed))
        .mend(remedy)
}
