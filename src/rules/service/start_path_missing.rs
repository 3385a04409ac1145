//! Paths of the sandbox that are not there.

use crate::facts::start::{NAMESPACE_SETTINGS, lies_under, namespace_paths};
use crate::rules::mend::{quoted, replace_in_line};
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;

rule! {
    /// The sandbox of a unit names a path that does not exist.
    ///
    /// `ReadWritePaths=`, `ReadOnlyPaths=`, `InaccessiblePaths=`, `BindPaths=` and their kin are mounts that
    /// systemd makes before the program starts; a path that is not there ends the start with status
    /// 226/NAMESPACE unless a `-` stands before it (systemd.exec(5)).
    ///
    /// Make the directory, or put a `-` before a path that need not exist.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadWritePaths=/opt/quantum/data /opt/quantum/nowhere
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | BindReadOnlyPaths=/srv/nowhere:/opt/quantum/data
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadWritePaths=-/opt/quantum/nowhere /opt/quantum/data
    /// ```
    id: "start-path-missing",
    section: D,
    severity: Must,
    needs: [Units, Start],
    why: "the next start fails with 226/NAMESPACE",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let (user, group) = (&view.service.user.value, &view.service.group.value);
    let mut findings = Vec::new();
    for path in namespace_paths(unit, NAMESPACE_SETTINGS) {
        if path.optional || view.path(Need::Start, &path.source)?.node()?.is_some() {
            continue;
        }
        let source = &path.source;
        let written_to = view.service.writes.iter().find(|written| lies_under(source, &written.value));
        let at = written_to.map_or(&view.service.unit.at, |written| &written.at);
        let remedy = match (written_to, path.setting.at.line) {
            (Some(_), _) => view.and_take_up(format!(
                "install -d -o {} -g {} -m 0755 {}",
                quoted(user),
                quoted(group),
                quoted(source)
            )),
            (None, Some(line))
                if path.setting.at.path.starts_with("/etc/")
                    && path.setting.raw().contains(source.as_str()) =>
            {
                let command =
                    replace_in_line(&path.setting.at.path, line.get(), source, &format!("-{source}"));
                view.and_take_up(command)
            }
            _ => format!(
                "a person must decide whether {source} is to be made or taken out of {}",
                path.setting.at
            ),
        };
        findings.push(
            Finding::new(
                format!("cannot start: {source} of {}= does not exist", path.key),
                path.setting.at.clone(),
                at.clone(),
            )
            .key(format!("{}={source}", path.key))
            .expected(format!("{source} exists, or a - before it"))
            .observed(written(path.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
