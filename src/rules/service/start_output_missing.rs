//! Files that systemd opens for the service before it starts: standard input, output and error.

use crate::facts::made::own_directories;
use crate::facts::start::{STREAM_SETTINGS, lies_under, stream_file};
use crate::model::End;
use crate::rules::prelude::*;
use crate::rules::remedy::{by_hand, gap};
use crate::systemd::version::SystemdVersion;

rule! {
    /// A file for standard input, output or error cannot be opened.
    ///
    /// `StandardOutput=file:PATH`, `append:` and `truncate:` create the file, but not its directory. The file
    /// of `StandardInput=file:` must exist. systemd opens them as root before the program starts: otherwise the
    /// start ends with 208/STDIN, 209/STDOUT or 222/STDERR (systemd.exec(5), "PROCESS EXIT CODES"). This
    /// happens before systemd makes the directories of `LogsDirectory=` and similar settings (measured on 252
    /// and 257), so those settings do not help the first start, nor a later one.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/out.conf root:root 0644
    /// | [Service]
    /// | StandardError=append:/var/log/nowhere/err.log
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/out.conf root:root 0644
    /// | [Service]
    /// | LogsDirectory=late
    /// | StandardError=append:/var/log/late/err.log
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/in.conf root:root 0644
    /// | [Service]
    /// | StandardInput=file:/opt/quantum/nothing
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/out.conf root:root 0644
    /// | [Service]
    /// | StandardError=append:/var/log/quantum/err.log
    /// ```
    id: "start-output-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 209/STDOUT, and the log file that would show the error is missing",
    see: ["systemctl show -p StandardInput,StandardOutput,StandardError {unit}"],
    mend: "Create the directory with tmpfiles.d(5), or write to the journal.",
    man: ["systemd.exec(5)", "tmpfiles.d(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings: Vec<Finding> = Vec::new();
    for (key, status) in STREAM_SETTINGS {
        let Some(setting) = unit.scalar("Service", key) else { continue };
        let Some(path) = stream_file(setting.value()) else { continue };
        let Some(fault) = fault(view, unit, key, &path)? else { continue };
        let question = format!("make {}, or let {} write to the journal", fault.wants, setting.at);
        findings.push(
            Finding::new(
                format!("cannot start ({status}): {}", fault.what),
                setting.at.clone(),
                view.service.unit.at.clone(),
            )
            .key(*key)
            .expected(fault.wants)
            .observed(written(setting))
            .overrode(overridden(setting))
            .mend(Remedy::decide(question).candidate("", by_hand(&setting.at))),
        );
    }
    Ok(Outcome::from_findings(findings))
}

struct Fault {
    what: String,
    wants: String,
}

/// What keeps systemd from opening a file for a stream.
fn fault(
    view: &ServiceView,
    unit: &EffectiveUnit,
    key: &str,
    path: &str,
) -> Result<Option<Fault>, Undecided> {
    let lookup = view.start_of(unit).before(path)?;
    let is_input = key == "StandardInput";
    if let Some(node) = lookup.node()? {
        let is_directory = node.meta.kind == NodeKind::Directory && !is_input;
        return Ok(is_directory.then(|| Fault {
            what: format!("{path} of {key}= is a directory"),
            wants: format!("a file {path}"),
        }));
    }
    if is_input {
        view.is_on_disk_alone(path)?;
        let what = format!("{path} of {key}= does not exist");
        return Ok(Some(Fault { what, wants: format!("a file {path}") }));
    }
    let missing = gap(&lookup).map_or_else(|| path.to_owned(), |gap| gap.path);
    let End::Absent(first) = &lookup.end else { return Ok(None) };
    if let Some(file) = lookup.steps.last().filter(|step| step.meta.kind != NodeKind::Directory) {
        let what = format!("{}, where {key}= writes, is {}", file.path, file.meta.kind.word());
        return Ok(Some(Fault { what, wants: format!("a directory {}", file.path) }));
    }
    // What is missing is the file alone, which systemd makes.
    if **first == *missing {
        return Ok(None);
    }
    let directory = missing.rsplit_once('/').map_or("/", |(directory, _)| directory).to_owned();
    let own = own_directories(unit).into_iter().find(|own| lies_under(&directory, &own.path));
    let Some(own) = own else {
        let what = format!("{directory}, where {key}= writes, does not exist");
        return Ok(Some(Fault { what, wants: format!("a directory {directory}") }));
    };
    let version = view.systemd().known()?.copied().unwrap_or_default();
    if version > SystemdVersion::NEWEST {
        return Err(Undecided::new(format!(
            "it was not measured whether systemd {version} makes the directory of {} before it opens {path}",
            written(own.setting)
        )));
    }
    let what = format!("systemd opens {path} before {}= makes {directory}", own.setting.key);
    Ok(Some(Fault { what, wants: format!("a directory {directory}") }))
}
