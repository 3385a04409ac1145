//! The journal survives a reboot.

use crate::rules::prelude::*;
use crate::rules::remedy::{gap, spot};

rule! {
    /// The journal does not survive a reboot.
    ///
    /// journald keeps its files in /var/log/journal when that directory exists and `Storage=` is `auto` (the
    /// default), or always when `Storage=` is `persistent`. Otherwise the files lie in /run and are lost at
    /// shutdown (journald.conf(5)). Services that log only to the journal then leave no trace.
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
    needs: [Logs, Accounts],
    cause: Host,
    why: "after a crash of the host, the log of what led to it is lost",
    see: ["stat /var/log/journal", "systemd-analyze cat-config systemd/journald.conf"],
    mend: "With `Storage=auto` golden creates the directory; journald uses it from the next boot on, or \
           after `journalctl --flush`. If `Storage=` has another value, change it yourself.",
    man: ["journald.conf(5)"],
    since: "0.1.0",
    check: Host(check),
}

/// Where journald keeps what is to survive a boot.
const DIRECTORY: &str = "/var/log/journal";

fn check(view: &View) -> Ruling {
    let storage = view.logs()?.storage.known()?;
    let lookup = view.path(Need::Logs, DIRECTORY)?;
    let there = lookup.node()?.is_some_and(|step| step.meta.kind == NodeKind::Directory);
    let (message, location, observed, mend) = match storage {
        Some((value, _)) if value == "persistent" => return Ok(Outcome::Pass),
        Some((value, at)) if value != "auto" => {
            (format!("the journal's storage is {value}"), at.clone(), format!("Storage={value}"), set_storage(at))
        }
        _ if there => return Ok(Outcome::Pass),
        _ => (
            "the journal lies in /run".to_owned(),
            Location::file(DIRECTORY),
            lookup.node()?.map_or("nothing", |step| step.meta.kind.word()).to_owned(),
            make_directory(view, lookup),
        ),
    };
    Ok(Finding::new(message, location, demand(view))
        .expected("Storage=persistent, or a directory /var/log/journal")
        .observed(observed)
        .mend(mend)
        .into())
}

/// The directory as systemd's own tmpfiles.d has it.
fn make_directory(view: &View, lookup: &Lookup) -> Remedy {
    let make = |at: Spot| Change::Directory {
        at,
        owner: "root".to_owned(),
        group: "systemd-journal".to_owned(),
        mode: 0o2755,
    };
    match (spot(view, lookup), gap(lookup)) {
        (Ok(at @ Spot { user: None, .. }), Some(gap)) if gap.link.is_none() => {
            make(Spot { path: gap.path, ..at }).into()
        }
        _ => Remedy::decide(format!("see what lies at {DIRECTORY}, and put a directory there that root owns"))
            .candidate("", format!("{} && journalctl --flush", make(Spot::of_root(DIRECTORY)).shell())),
    }
}

/// A drop-in of journald holds for the whole host: a person writes it, later than the one that it overrides.
fn set_storage(at: &Location) -> Remedy {
    let over = at.path().contains(".conf.d/").then(|| at.path().rsplit('/').next()).flatten();
    let directory = "/etc/systemd/journald.conf.d";
    let file = format!("{directory}/{}", crate::model::change::drop_in_name(over));
    Remedy::decide(format!("decide whether the journal may be kept on the disk: {at} says no")).candidate(
        "",
        format!(
            "mkdir -p {directory} && printf '%s\\n' '[Journal]' Storage=persistent > {} && \
             systemctl restart systemd-journald",
            quoted(&file)
        ),
    )
}

/// Section A says where logs go; the journal itself has no line of its own.
fn demand(view: &View) -> Location {
    let logs = view.contract.layout.get(crate::facts::logs::PLACE);
    logs.map_or_else(|| Location::file(view.contract.source.path.clone()), |place| place.at.clone())
}
