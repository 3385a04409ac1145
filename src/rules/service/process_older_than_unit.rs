//! A process that started before what it should obey was changed.

use crate::facts::start::{base_name, simplified};
use crate::model::change::DROP_IN;
use crate::rules::prelude::*;
use crate::rules::remedy::{is_managers, is_preflight};
use crate::systemd::command_line;

rule! {
    /// A service was not restarted after its unit or an env file changed.
    ///
    /// Compares the start of the main process (`ExecMainStartTimestamp`) with the last change of the unit file,
    /// its drop-ins and its env files. A process reads them only at its start (systemd.exec(5)). golden's own
    /// drop-in does not count if it holds only settings that systemd itself uses, such as `After=` or
    /// `RestartSec=`; they need no restart.
    ///
    /// ```bad
    /// modified /etc/quantum/backend.env 1999999999
    /// ```
    /// ```bad
    /// modified /etc/systemd/system/quantum-backend.service 1999999999
    /// ```
    /// ```good
    /// modified /etc/quantum/backend.env 1000000000
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/zz-golden.conf root:root 0644
    /// | [Unit]
    /// | After=network-online.target
    /// | [Service]
    /// | RestartSec=10
    /// modified /etc/systemd/system/quantum-backend.service.d/zz-golden.conf 1999999999
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/zz-golden.conf root:root 0644
    /// | [Service]
    /// | RestartSec=10
    /// | LimitNOFILE=1024
    /// modified /etc/systemd/system/quantum-backend.service.d/zz-golden.conf 1999999999
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | After=network-online.target
    /// modified /etc/systemd/system/quantum-backend.service.d/order.conf 1999999999
    /// ```
    id: "process-older-than-unit",
    section: D,
    severity: Must,
    needs: [Units, EnvFiles, Bus],
    cause: Process,
    why: "the service still runs with the old settings",
    see: ["systemctl show -p ExecMainStartTimestamp,FragmentPath,DropInPaths {unit}"],
    mend: "golden restarts the service.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let name = &view.service.unit;
    let state = view.state(&name.value)?;
    if state.main_pid == 0 || state.started == 0 {
        return Ok(Outcome::not_applicable("no process of it runs"));
    }
    let mut findings = Vec::new();
    let mut judge = |lookup: &Lookup, at: &Location| -> Result<(), Undecided> {
        let Some(file) = lookup.node()?.filter(|file| file.meta.modified > state.started) else {
            return Ok(());
        };
        findings.push(
            Finding::new(
                "runs with what this file said before it was changed",
                lookup.location(),
                at.clone(),
            )
            .key(lookup.asked.to_string())
            .expected("a process that started after the last change")
            .observed(format!(
                "changed {} after the start of process {}",
                span(file.meta.modified - state.started),
                state.main_pid
            ))
            .mend(view.restarted()),
        );
        Ok(())
    };
    for file in unit.files().filter(|file| !only_systemd_reads(unit, file)) {
        judge(view.path(Need::Units, file)?, &name.at)?;
    }
    for setting in unit.assignments("Service", "EnvironmentFile") {
        let written = setting.value();
        let optional = written.trim_start_matches('-');
        if optional.starts_with('/') && !optional.contains(['*', '?', '[']) {
            let path = simplified(optional);
            let demand = view.service.env_files.iter().find(|file| file.path == path);
            judge(view.path(Need::EnvFiles, optional)?, demand.map_or(&name.at, |file| &file.at))?;
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// Whether a file is golden's own drop-in and holds nothing that the process starts from. Of any other file it is not
/// known what it said before; what golden takes out of its own drop-in, golden itself takes up with a restart.
fn only_systemd_reads(unit: &EffectiveUnit, file: &str) -> bool {
    if base_name(file).trim_start_matches('z') != DROP_IN.trim_start_matches('z') {
        return false;
    }
    let speaks = |setting: &&Setting| {
        *setting.at.path() == *file || setting.overrode.iter().any(|(at, _)| *at.path() == *file)
    };
    unit.settings.iter().chain(&unit.resets).filter(speaks).all(|setting| {
        let commands = || command_line::parse(setting.raw()).commands;
        is_managers(&setting.section, &setting.key)
            || (&*setting.key == "ExecStartPre" && commands().iter().all(is_preflight))
    })
}
