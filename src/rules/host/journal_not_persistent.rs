//! The journal survives a reboot.

use crate::rules::prelude::*;

rule! {
    /// The journal does not survive a reboot.
    ///
    /// journald keeps its files in /var/log/journal when that directory exists and `Storage=` is `auto`
    /// (the default), or always when it is `persistent`; otherwise they lie in /run and end with the host
    /// (journald.conf(5)). Services that log to the journal alone then leave no trace of why it went down.
    ///
    /// ```bad
    /// remove /var/log/journal
    /// ```
    /// ```bad
    /// file /etc/systemd/journald.conf.d/small.conf root:root 0644
    /// | [Journal]
    /// | Storage=volatile
    /// ```
    /// ```good
    /// remove /var/log/journal
    /// file /etc/systemd/journald.conf root:root 0644
    /// | [Journal]
    /// | #Storage=volatile
    /// | Storage=persistent
    /// ```
    id: "journal-not-persistent",
    section: A,
    severity: Should,
    needs: [Logs],
    why: "after a crash of the host nobody can read what led to it",
    check: Host(check),
}

/// The name of our drop-in; later than any that people choose.
const OURS: &str = "zz-golden.conf";

fn check(view: &View) -> Ruling {
    let storage = view.logs()?.storage.known()?;
    let directory = view.path(Need::Logs, "/var/log/journal")?.node()?;
    let there = directory.is_some_and(|step| step.meta.kind == NodeKind::Directory);
    let (message, location, observed) = match storage {
        Some((value, _)) if value == "persistent" => return Ok(Outcome::Pass),
        Some((value, at)) if value != "auto" => {
            (format!("the journal's storage is {value}"), at.clone(), format!("Storage={value}"))
        }
        _ if there => return Ok(Outcome::Pass),
        _ => {
            ("the journal lies in /run".to_owned(), Location::file("/var/log/journal"), "nothing".to_owned())
        }
    };
    let name = location.path.rsplit('/').next().unwrap_or("");
    let mut ours = OURS.to_owned();
    while location.path.contains(".conf.d/") && name > ours.as_str() {
        ours.insert(0, 'z');
    }
    let directory = "/etc/systemd/journald.conf.d";
    let mend = format!(
        "mkdir -p {directory} && printf '%s\\n' '[Journal]' Storage=persistent > {directory}/{ours} && \
         systemctl restart systemd-journald"
    );
    Ok(Finding::new(message, location, demand(view))
        .expected("Storage=persistent, or a directory /var/log/journal")
        .observed(observed)
        .mend(mend)
        .into())
}

/// Section A says where logs go; the journal itself has no line of its own.
fn demand(view: &View) -> Location {
    let logs = view.contract.layout.get(crate::facts::logs::PLACE);
    logs.map_or_else(|| Location::file(view.contract.source.path.clone()), |place| place.at.clone())
}
