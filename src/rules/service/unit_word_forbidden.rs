//! Words that no unit may hold.

use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::systemd::effective;

rule! {
    /// A unit holds a word that the contract forbids.
    ///
    /// Looks at the effective value of every setting for which the contract's `[unit.forbidden]` names words,
    /// for example `docker.service` in `After=`, `Requires=` or `BindsTo=`. Comments do not count; neither does
    /// a line that a later empty assignment has reset.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - [Service]
    /// + After=docker.service
    /// + # redis runs elsewhere
    /// + [Service]
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/docker.conf root:root 0644
    /// | [Unit]
    /// | Requires=docker.service
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - [Service]
    /// + # After=docker.service
    /// + [Service]
    /// ```
    id: "unit-word-forbidden",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "one line of this unit uses what the contract rules out for all",
    see: ["systemctl cat {unit}"],
    mend: "Remove the word. If an empty assignment resets the list, golden states the rest of it in its own \
           drop-in. Otherwise it edits the line, in a file of /etc that serves this unit alone.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings = Vec::new();
    for forbidden in &view.contract.forbidden {
        for (word, setting) in unit.words(&forbidden.section, &forbidden.key) {
            if !forbidden.words.contains(&word) {
                continue;
            }
            let remedy = without(view, unit, forbidden, setting).unwrap_or_else(|| {
                Remedy::decide(format!("remove {word} from {}", setting.at))
                    .candidate("", by_hand(&setting.at))
            });
            let message = format!("{}= names {word}, which is forbidden: {}", forbidden.key, forbidden.why);
            findings.push(
                Finding::new(message, setting.at.clone(), forbidden.at.clone())
                    .key(format!("{}={word}", forbidden.key))
                    .expected(format!("{}= without {word}", forbidden.key))
                    .observed(written(setting))
                    .mend(remedy),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that leaves the forbidden words out of one setting; `None` where that is a person's.
fn without(
    view: &ServiceView,
    unit: &EffectiveUnit,
    forbidden: &Forbidden,
    setting: &Setting,
) -> Option<Remedy> {
    let words = unit.words(&forbidden.section, &forbidden.key);
    let kept = |setting: &Setting| {
        let own = words.iter().filter(|(_, other)| other.at == setting.at).map(|(word, _)| word.as_str());
        let kept: Vec<&str> = own.filter(|word| !forbidden.words.iter().any(|no| no == word)).collect();
        (!kept.is_empty()).then(|| kept.join(" "))
    };
    let is_plain = unit
        .assignments(&forbidden.section, &forbidden.key)
        .all(|setting| !setting.raw().contains(['"', '\'', '\\', '%']));
    if !effective::is_list(&forbidden.section, &forbidden.key) || !is_plain {
        return None;
    }
    // A word that a link below `*.wants` or `*.requires` of the unit stands for.
    if setting.at.line_number().is_none() {
        let own = |name: &str| {
            let kinds = ["wants", "requires"];
            kinds.iter().any(|kind| {
                setting.at.path().starts_with(&format!("/etc/systemd/system/{name}.{kind}/"))
            })
        };
        let is_own = unit.names().any(|name| own(name) && !name.contains("@."));
        let remove = Change::Remove { at: Spot::of_root(setting.at.path()) };
        return is_own.then(|| Remedy::changes([remove, Change::Reload]));
    }
    if effective::is_reset_by_nothing(&forbidden.section, &forbidden.key) {
        return Some(view.replace_each(unit, &forbidden.section, &forbidden.key, kept));
    }
    let line = kept(setting).map(|text| format!("{}={text}", setting.key));
    view.edit_line(unit, &setting.at, line.as_deref())
}
