//! Words that no unit may hold.

use crate::rules::mend::{quoted, replace_in_line};
use crate::rules::prelude::*;

rule! {
    /// A unit holds a word that the contract forbids.
    ///
    /// Looks at the effective value of every setting for which the contract's `[unit.forbidden]` names
    /// words, for example `docker.service` in `After=`, `Requires=` or `BindsTo=`. Comments do not count, and
    /// neither does a line that a later empty assignment has reset.
    ///
    /// Take the word out of the line.
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
    why: "what the contract rules out comes back through one line of one unit",
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
            let remedy = match setting.at.line {
                Some(line) if ["/etc/", "/run/"].iter().any(|place| setting.at.path.starts_with(place)) => {
                    view.and_take_up(replace_in_line(&setting.at.path, line.get(), &word, ""))
                }
                _ => format!(
                    "a person must decide: {} belongs to a package; copy the unit to /etc/systemd/system ({}) and take \
                     {word} out of it",
                    setting.at.path,
                    quoted(&view.service.unit.value),
                ),
            };
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
