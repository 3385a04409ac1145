//! Log files beside the journal are rotated.

use crate::facts::logs::PLACE;
use crate::rules::prelude::*;
use crate::syntax::glob;

rule! {
    /// Log files grow without limit.
    ///
    /// Applies to a contract with a place named `logs`, on a host where that place exists. The log file of each
    /// service there must match a pattern of logrotate(8) in /etc/logrotate.conf or a file that it includes.
    ///
    /// ```bad
    /// remove /etc/logrotate.d/quantum
    /// ```
    /// ```bad
    /// file /etc/logrotate.d/quantum root:root 0644
    /// | # /var/log/quantum/*.log { weekly }
    /// | /var/log/quantum/*.txt {
    /// |     weekly
    /// | }
    /// ```
    /// ```good
    /// file /etc/logrotate.d/quantum root:root 0644
    /// | "/var/log/quantum/*.log"
    /// | /var/log/other.log
    /// | {
    /// |     weekly
    /// | }
    /// ```
    /// ```good na
    /// remove /var/log/quantum
    /// remove /etc/logrotate.d/quantum
    /// ```
    id: "log-rotation-missing",
    section: A,
    severity: Should,
    needs: [Logs],
    cause: Host,
    why: "a full disk stops every service on the host",
    see: ["logrotate --debug /etc/logrotate.conf"],
    mend: "Decide how long you keep logs. The command adds an entry that keeps eight weeks.",
    man: ["logrotate(8)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    let Some(place) = contract.layout.get(PLACE) else {
        return Ok(Outcome::not_applicable("the layout has no place for logs"));
    };
    let directory = &place.path.value;
    if view.path(Need::Logs, directory)?.node()?.is_none() {
        return Ok(Outcome::not_applicable("there are no log files beside the journal"));
    }
    let patterns = view.logs()?.rotated.known()?.map_or(&[][..], |patterns| patterns.as_slice());
    let rotated = |log: &String| patterns.iter().any(|(pattern, _)| glob::matches(pattern, log));
    let logs = contract.services.iter().map(|service| format!("{directory}/{}.log", service.name));
    let left: Vec<String> = logs.filter(|log| !rotated(log)).collect();
    let Some(first) = left.first() else { return Ok(Outcome::Pass) };
    let stanza = [
        format!("{directory}/*.log {{"),
        format!("    su {} {}", contract.identity.user.value, contract.identity.group.value),
        "    weekly".to_owned(),
        "    rotate 8".to_owned(),
        "    compress".to_owned(),
        "    missingok".to_owned(),
        "    notifempty".to_owned(),
        "    copytruncate".to_owned(),
        "}".to_owned(),
    ];
    let lines: Vec<String> = stanza.iter().map(|line| quoted(line)).collect();
    let file = format!("/etc/logrotate.d/{}", contract.name.value);
    Ok(Finding::new(format!("{first} is not rotated"), Location::file(file.as_str()), place.at.clone())
        .expected(format!("a logrotate entry for {directory}/*.log"))
        .observed(format!("{} of {} log files match no pattern", left.len(), contract.services.len()))
        .mend(
            Remedy::decide(format!("decide how long the log files in {directory} are kept"))
                .candidate("", format!("printf '%s\\n' {} >> {}", lines.join(" "), quoted(&file))),
        )
        .into())
}
