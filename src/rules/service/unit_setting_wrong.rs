//! Settings whose effective value is not the contract's.

use crate::rules::compare::{missing_words, same, same_text, too_old, written_demand};
use crate::rules::prelude::*;

rule! {
    /// A setting of the unit differs from the contract.
    ///
    /// Compares the effective value, after drop-ins, resets and specifiers, with the contract's, as systemd
    /// reads both: `10`, `10s` and `10000ms` are the same time span (systemd.time(7)), `yes` and `true` the
    /// same boolean. A list (`After=`, `WantedBy=`) must hold the demanded words and may hold more.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// + Restart=on-failure
    /// ```
    /// ```bad
    /// file /etc/systemd/system/service.d/50-restart.conf root:root 0644
    /// | [Service]
    /// | RestartSec=10min
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - WorkingDirectory=/home/qt/quantum_trader
    /// + WorkingDirectory=/home/qt/quantum_trader_old
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - RestartSec=10
    /// + RestartSec=10000ms
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - WorkingDirectory=/home/qt/quantum_trader
    /// + WorkingDirectory=/home/qt//quantum_trader/
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/log.conf root:root 0644
    /// | [Service]
    /// | StandardOutput=syslog
    /// | StandardError=journal
    /// | Restart = always
    /// | SyslogIdentifier=%p
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/log.conf root:root 0644
    /// | [Service]
    /// | StandardOutput=append:/home/qt/quantum_trader/backend.log
    /// ```
    id: "unit-setting-wrong",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service behaves differently from what the contract promises",
    see: ["systemctl show {unit}", "systemctl cat {unit}"],
    mend: "Correct the line that wins. golden writes the contract's value into its own drop-in of the unit. \
           If the contract states no single value, choose one.",
    man: ["systemd.unit(5)", "systemd.time(7)"],
    since: "0.1.0",
    check: Setting(check),
}

fn check(view: &ServiceView, demand: &SettingDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if let Some(outcome) = too_old(view, demand)? {
        return Ok(outcome);
    }
    if let Form::Contains(words) = &demand.form {
        return Ok(list(view, unit, demand, words));
    }
    if let Some(outcome) = forced(view, unit, demand)? {
        return Ok(outcome);
    }
    let setting = unit.scalar(&demand.section, &demand.key).filter(|setting| !setting.value().is_empty());
    let Some(setting) = setting else {
        return Ok(match demand.form {
            Form::Absent => Outcome::Pass,
            _ => Outcome::not_applicable("it is not set (reported by unit-setting-missing)"),
        });
    };
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let met = match &demand.form {
        Form::Equals(demanded) => same(version, unit, setting, demanded),
        Form::OneOf(demanded) => demanded.iter().any(|demanded| same(version, unit, setting, demanded)),
        Form::Present | Form::Contains(_) => true,
        Form::Absent => false,
    };
    if met {
        return Ok(Outcome::Pass);
    }
    let remedy = match (view.stated_value(demand), &demand.form) {
        (Some(demanded), _) => view.set_in(unit, Some(setting), &demand.section, &demand.key, &demanded),
        (None, Form::Absent) => view.unset(unit, setting),
        (None, _) => view.decide_value(demand),
    };
    Ok(Finding::new(
        format!("{} does not match the contract", written(setting)),
        setting.at.clone(),
        demand.at.clone(),
    )
    .expected(written_demand(demand))
    .observed(written(setting))
    .overrode(overridden(setting))
    .mend(remedy)
    .into())
}

/// What is said of a setting that `DynamicUser=` forces, whatever the unit states.
fn forced(view: &ServiceView, unit: &EffectiveUnit, demand: &SettingDemand) -> Result<Option<Outcome>, Undecided> {
    let implied = unit.implied(&demand.key).filter(|_| *demand.section == *"Service");
    let Some((value, by)) = implied else { return Ok(None) };
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let is = |demanded: &String| same_text(version, unit, ("Service", &demand.key), value, demanded);
    let met = match &demand.form {
        Form::Equals(demanded) => is(demanded),
        Form::OneOf(demanded) => demanded.iter().any(is),
        Form::Present | Form::Contains(_) => true,
        Form::Absent => unit.scalar("Service", &demand.key).is_none(),
    };
    if met {
        return Ok(Some(Outcome::Pass));
    }
    let message = format!("{}={value} does not match the contract: DynamicUser= forces it", demand.key);
    let finding = Finding::new(message, by.at.clone(), demand.at.clone())
        .expected(written_demand(demand))
        .observed(written(by))
        .mend(Remedy::decide(format!(
            "decide whether the service has a user of its own, or whether {}= may be {value}",
            demand.key
        )));
    Ok(Some(finding.into()))
}

/// A list that lacks words. An empty one is `unit-setting-missing`'s.
fn list(view: &ServiceView, unit: &EffectiveUnit, demand: &SettingDemand, words: &[String]) -> Outcome {
    let held = unit.words(&demand.section, &demand.key);
    let Some((_, last)) = held.last() else {
        return Outcome::not_applicable("it is not set (reported by unit-setting-missing)");
    };
    let at = last.at.clone();
    let held: Vec<String> = held.into_iter().map(|(word, _)| word).collect();
    let missing = missing_words(&held, words);
    if missing.is_empty() {
        return Outcome::Pass;
    }
    let missing = missing.join(" ");
    let remedy = match demand.section.as_str() {
        "Install" => view.install(unit, &demand.key, &missing),
        _ => view.add(unit, &demand.section, &demand.key, std::slice::from_ref(&missing)),
    };
    Finding::new(format!("{}= lacks {missing}", demand.key), at, demand.at.clone())
        .expected(format!("{}= with {}", demand.key, words.join(" ")))
        .observed(format!("{}={}", demand.key, held.join(" ")))
        .mend(remedy)
        .into()
}
