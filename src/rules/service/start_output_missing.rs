//! What systemd opens for a service before it starts: standard input, output and error, and files that it hands over.

use crate::facts::start::{Stream, streams};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::rules::streams::{Fault, fault};

rule! {
    /// What systemd is to open for a unit is not there.
    ///
    /// `StandardOutput=file:PATH`, `append:` and `truncate:` create the file, but not its directory. The file
    /// of `StandardInput=file:` must exist. systemd opens them as root before the program starts: otherwise the
    /// start ends with 208/STDIN, 209/STDOUT or 222/STDERR (systemd.exec(5), "PROCESS EXIT CODES"). This
    /// happens before systemd makes the directories of `LogsDirectory=` and similar settings (measured on 252
    /// and 257), so those settings do not help the first start, nor a later one.
    ///
    /// A file of `OpenFile=` must exist (202/FDS), unless it is `graceful`; a directory needs `read-only`. It is
    /// opened before directories of the unit are made (measured on 254 to 262; older ones do not know it).
    ///
    /// The terminal of `tty` (`TTYPath=`, else /dev/console) must be one; what is in /dev only the running host
    /// shows. `socket` takes the descriptor of the one socket unit that starts the service, and that unit must
    /// listen at one place; `fd:NAME` takes the one with that `FileDescriptorName=`. Without it no process runs:
    /// up to systemd 254 the start fails with the result "resources", later the service ends at once (measured
    /// on 247 to 262).
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
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/in.conf root:root 0644
    /// | [Service]
    /// | StandardInput=tty
    /// | TTYPath=/etc/hostname
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/in.conf root:root 0644
    /// | [Service]
    /// | StandardInput=socket
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/out.conf root:root 0644
    /// | [Service]
    /// | StandardError=append:/var/log/quantum/err.log
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/in.conf root:root 0644
    /// | [Service]
    /// | Sockets=backend-in.socket
    /// | StandardInput=fd:work
    /// file /etc/systemd/system/backend-in.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/backend-in.sock
    /// | FileDescriptorName=work
    /// ```
    id: "start-output-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 208/STDIN, 209/STDOUT, 222/STDERR or 202/FDS, before the program runs",
    see: ["systemctl show -p StandardInput,StandardOutput,StandardError,TTYPath,OpenFile {unit}"],
    mend: "Create the directory with tmpfiles.d(5), or write to the journal.",
    man: ["systemd.exec(5)", "tmpfiles.d(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut looks = Looks::default();
    for stream in streams(unit) {
        let found = fault(view, unit, &stream);
        looks.add(found.map(|found| found.map(|fault| finding(view, &stream, fault))));
    }
    looks.ruling()
}

fn finding(view: &ServiceView, stream: &Stream, fault: Fault) -> Finding {
    let setting = stream.setting;
    let status = match stream.end.path() {
        Some(_) => format!(" ({})", stream.status),
        None => String::new(),
    };
    let otherwise = match stream.key {
        "StandardOutput" | "StandardError" => format!("let {} write to the journal", setting.at),
        _ => format!("correct {}", setting.at),
    };
    let question = format!("make {}, or {otherwise}", fault.wants);
    Finding::new(
        format!("cannot start{status}: {}", fault.what),
        setting.at.clone(),
        view.service.unit.at.clone(),
    )
    .key(stream.key)
    .expected(fault.wants)
    .observed(written(setting))
    .overrode(overridden(setting))
    .mend(Remedy::decide(question).candidate("", by_hand(&setting.at)))
}
