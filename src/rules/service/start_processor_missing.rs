//! Processors and memory nodes that a unit is bound to.

use crate::facts::processors::{Processors, Range, overlap, ranges, written as list};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// A unit is bound to processors or memory nodes that the host does not have.
    ///
    /// At least one processor of `CPUAffinity=` must be there, else the start ends with 215/CPUAFFINITY; of
    /// several, those that are not there are passed over. `CPUAffinity=numa` takes the processors of the nodes in
    /// `NUMAMask=`, which must be stated. Of `NUMAMask=` one memory node must be there, else it ends with
    /// 242/NUMA_POLICY, unless `NUMAPolicy=` is `default` or `local` (measured on 247 to 262). This happens when a
    /// virtual machine is given fewer processors, or a unit comes from a larger host. A disk does not show in what
    /// machine it boots: there only processor 0 and node 0 are certain.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/cpu.conf root:root 0644
    /// | [Service]
    /// | CPUAffinity=numa
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/cpu.conf root:root 0644
    /// | [Service]
    /// | CPUAffinity=0-3
    /// ```
    id: "start-processor-missing",
    section: D,
    severity: Must,
    needs: [Units, Start],
    cause: Unit,
    why: "the next start fails with 215/CPUAFFINITY or 242/NUMA_POLICY",
    see: ["systemctl show -p CPUAffinity,NUMAPolicy,NUMAMask {unit}", "cat /sys/devices/system/cpu/online"],
    mend: "Name processors that the host has, or remove the line.",
    man: ["systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut looks = Looks::default();
    looks.add(without_processor(view, unit));
    looks.add(without_node(view, unit));
    looks.ruling()
}

/// What a unit states of a list, and the last line that does.
fn stated<'u>(unit: &'u EffectiveUnit, key: &str) -> Option<(String, &'u Setting)> {
    let lines: Vec<&Setting> = unit.assignments("Service", key).collect();
    let last = *lines.last()?;
    Some((lines.iter().map(|line| line.value()).collect::<Vec<_>>().join(" "), last))
}

fn without_processor(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<Finding>, Undecided> {
    let Some((text, setting)) = stated(unit, "CPUAffinity") else { return Ok(None) };
    if text.split_ascii_whitespace().any(|word| word == "numa") {
        let what = "CPUAffinity=numa takes the processors of NUMAMask=, which is not stated".to_owned();
        let is_stated = stated(unit, "NUMAMask").is_some();
        return Ok((!is_stated).then(|| finding(view, setting, ("215/CPUAFFINITY", what), "NUMAMask= with memory nodes")));
    }
    let found = lacking(view, &text, setting, |processors| processors.cpus.clone())?;
    Ok(found.map(|there| {
        let what = format!("the host has no processor of {} (it has {there})", written(setting));
        finding(view, setting, ("215/CPUAFFINITY", what), "a processor that the host has")
    }))
}

fn without_node(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<Finding>, Undecided> {
    let Some((text, setting)) = stated(unit, "NUMAMask") else { return Ok(None) };
    let policy = unit.scalar("Service", "NUMAPolicy").map(Setting::value);
    if text == "all" || matches!(policy, Some("default" | "local")) {
        return Ok(None);
    }
    let found = lacking(view, &text, setting, |processors| processors.nodes.clone())?;
    Ok(found.map(|there| {
        let what = format!("the host has no memory node of {} (it has {there})", written(setting));
        finding(view, setting, ("242/NUMA_POLICY", what), "a memory node that the host has")
    }))
}

/// What the host has, where none of it is in a list.
fn lacking(
    view: &ServiceView,
    text: &str,
    setting: &Setting,
    has: impl Fn(&Processors) -> Vec<Range>,
) -> Result<Option<String>, Undecided> {
    let Some(wanted) = ranges(text) else {
        return Err(Undecided::new(format!("{} ({}) is not read as a list", written(setting), setting.at)));
    };
    if wanted.is_empty() || overlap(&wanted, &[(0, 0)]) {
        return Ok(None);
    }
    if view.is_disk() {
        let why = format!("which of {} a machine has that boots from this disk is not on it", written(setting));
        return Err(Undecided::new(why));
    }
    let Some(there) = view.processors()?.map(has).filter(|there| !there.is_empty()) else {
        let why = format!("which of {} the host has is not shown in /sys/devices/system", written(setting));
        return Err(Undecided::new(why));
    };
    Ok((!overlap(&wanted, &there)).then(|| list(&there)))
}

fn finding(view: &ServiceView, setting: &Setting, (status, what): (&str, String), wants: &str) -> Finding {
    let question = format!("name {wants} at {}, or remove the line", setting.at);
    Finding::new(format!("cannot start ({status}): {what}"), setting.at.clone(), view.service.unit.at.clone())
        .key(&*setting.key)
        .expected(wants)
        .observed(written(setting))
        .overrode(overridden(setting))
        .mend(Remedy::decide(question).candidate("", by_hand(&setting.at)))
}
