//! Settings whose effective value is not the contract's.

use crate::rules::compare::{meeting, missing_words, same, written_demand};
use crate::rules::mend::quoted;
use crate::rules::prelude::*;

rule! {
    /// A setting of the unit is not what the contract demands.
    ///
    /// Compares the effective value, after drop-ins, resets and specifiers, with the contract's. Values are
    /// compared as systemd reads them: `10`, `10s` and `10000ms` are one time span (systemd.time(7)), `yes`
    /// and `true` one boolean. A list (`After=`, `WantedBy=`) must hold the demanded words and may hold more.
    ///
    /// Correct the line that wins, or remove the drop-in that overrides the right one.
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
    why: "every unit that differs is one more thing to know at three in the morning",
    check: Setting(check),
}

fn check(view: &ServiceView, demand: &SettingDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if let Form::Contains(words) = &demand.form {
        return Ok(list(view, unit, demand, words));
    }
    let setting = unit.scalar(&demand.section, &demand.key).filter(|setting| !setting.value().is_empty());
    let Some(setting) = setting else {
        return Ok(match demand.form {
            Form::Absent => Outcome::Pass,
            _ => Outcome::not_applicable("it is not stated, which is another rule's word"),
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
    let remedy = match meeting(demand) {
        Some(demanded) => view.mend_in(unit, Some(setting), &demand.section, &demand.key, &demanded),
        None => view
            .mend_by_deleting(unit, &setting.at)
            .unwrap_or_else(|| view.mend_in(unit, Some(setting), &demand.section, &demand.key, "")),
    };
    Ok(Finding::new(
        format!("{} is not what it must be", written(setting)),
        setting.at.clone(),
        demand.at.clone(),
    )
    .expected(written_demand(demand))
    .observed(written(setting))
    .overrode(overridden(setting))
    .mend(remedy)
    .into())
}

/// A list that lacks words. An empty one is `unit-setting-missing`'s.
fn list(view: &ServiceView, unit: &EffectiveUnit, demand: &SettingDemand, words: &[String]) -> Outcome {
    let held = unit.words(&demand.section, &demand.key);
    let Some((_, last)) = held.last() else {
        return Outcome::not_applicable("it is not stated, which is another rule's word");
    };
    let at = last.at.clone();
    let held: Vec<String> = held.into_iter().map(|(word, _)| word).collect();
    let missing = missing_words(&held, words);
    if missing.is_empty() {
        return Outcome::Pass;
    }
    let missing = missing.join(" ");
    let mut remedy = view.mend_by_adding(unit, &demand.section, &[format!("{}={missing}", demand.key)]);
    if demand.section == "Install" {
        remedy = format!("{remedy} && systemctl reenable {}", quoted(&view.service.unit.value));
    }
    Finding::new(format!("{}= lacks {missing}", demand.key), at, demand.at.clone())
        .expected(format!("{}= with {}", demand.key, words.join(" ")))
        .observed(format!("{}={}", demand.key, held.join(" ")))
        .mend(remedy)
        .into()
}
