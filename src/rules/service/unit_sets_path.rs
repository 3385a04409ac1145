//! `Environment=PATH=…`.

use crate::rules::prelude::*;

rule! {
    /// A unit sets PATH.
    ///
    /// `Environment=PATH=…` makes the programs that a service calls depend on the order of directories in one
    /// unit. Exec lines name programs by their full path, and the wrapper sets the PATH of jobs.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/path.conf root:root 0644
    /// | [Service]
    /// | Environment=PATH=/opt/quantum/venvs/backend/bin:/usr/bin
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/path.conf root:root 0644
    /// | [Service]
    /// | Environment="A=1 2" "PATH=/usr/bin"
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/path.conf root:root 0644
    /// | [Service]
    /// | Environment=PATH=/usr/bin
    /// | Environment=
    /// | Environment=MY_PATH=/usr/bin "B=PATH=1"
    /// ```
    id: "unit-sets-path",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the order of directories in the unit decides which program runs",
    see: ["systemctl show -p Environment {unit}"],
    mend: "Remove the assignment, and name programs by their path. golden states the list without PATH in \
           its own drop-in.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let words = unit.words("Service", "Environment");
    let Some((_, setting)) = words.iter().find(|(word, _)| word.starts_with("PATH=")) else {
        return Ok(Outcome::Pass);
    };
    // Lines without PATH stay as they are written.
    let mut kept: Vec<String> = Vec::new();
    for line in unit.assignments("Service", "Environment") {
        let own: Vec<&str> =
            words.iter().filter(|(_, of)| of.at == line.at).map(|(word, _)| word.as_str()).collect();
        let rest: Vec<String> =
            own.iter().filter(|word| !word.starts_with("PATH=")).map(|word| assignment(word)).collect();
        match rest.len() {
            0 => {}
            all if all == own.len() => kept.push(line.raw().to_owned()),
            _ => kept.push(rest.join(" ")),
        }
    }
    let remedy = view.replace_list(unit, None, "Service", "Environment", &kept);
    Ok(Finding::new("sets PATH", setting.at.clone(), view.contract.runtime.forbidden_programs.at.clone())
        .expected("no PATH in Environment=")
        .observed(written(setting))
        .overrode(overridden(setting))
        .mend(remedy)
        .into())
}

/// A word of `Environment=` as a unit must write it.
fn assignment(word: &str) -> String {
    let text = word.replace('\\', r"\\").replace('%', "%%").replace('"', "\\\"");
    format!("\"{text}\"")
}
