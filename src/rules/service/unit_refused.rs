//! Units that systemd reads and does not take.

use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// systemd refuses to load the unit of a service.
    ///
    /// systemd ignores some mistakes with a warning; others make the whole unit unusable: two commands in a
    /// service that is not oneshot, an unbalanced quote in a command, a relative working directory, a broken
    /// section header, text that is not UTF-8 (systemd.service(5), systemd.syntax(7)). The running process
    /// hides it until the next start. In a drop-in such a line only ends that file, which
    /// `unit-setting-ignored` reports; two commands are refused in whichever file they stand.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - WorkingDirectory=/home/qt/quantum_trader
    /// + WorkingDirectory=quantum_trader
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/second.conf root:root 0644
    /// | [Service]
    /// | ExecStart=/usr/bin/true
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - [Service]
    /// + [Service
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/odd.conf root:root 0644
    /// | [X-Notes]
    /// | Anything=goes
    /// ```
    id: "unit-refused",
    section: D,
    severity: Must,
    needs: [Fragments],
    cause: Unit,
    why: "the service runs until it stops, and then cannot start again",
    see: ["systemd-analyze verify {unit}"],
    mend: "Correct the line that the finding names.",
    man: ["systemd.service(5)", "systemd.syntax(7)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let name = &view.service.unit;
    let unit = view.effective(&name.value)?;
    let (location, why) = match &unit.load {
        LoadState::Loaded | LoadState::NotFound | LoadState::Masked => return Ok(Outcome::Pass),
        LoadState::BadSetting(why, at) | LoadState::Error(why, at) => (at.clone(), why.clone()),
    };
    Ok(Finding::new(format!("systemd refuses its unit: {why}"), location.clone(), name.at.clone())
        .expected("a unit that loads")
        .observed(why)
        .mend(
            Remedy::decide(format!("correct {location}"))
                .candidate("", by_hand(&location))
                .candidate("see what systemd says", format!("systemd-analyze verify {}", quoted(&name.value))),
        )
        .into())
}
