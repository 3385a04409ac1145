//! Jobs that cron starts.

use crate::facts::repository::{ShellCommand, ShellScript};
use crate::rules::governed::{call_of, is_past_wrapper};
use crate::rules::prelude::*;

rule! {
    /// cron runs a job of the repository without the wrapper.
    ///
    /// Reads /etc/crontab, /etc/cron.d and the users' crontabs as crontab(5) describes them. A line that calls
    /// a python and names the repository or a venv of the contract runs a job without the wrapper.
    ///
    /// ```bad
    /// file /etc/cron.d/scoreboard root:root 0644
    /// | PATH=/usr/bin:/bin
    /// | 17 * * * * qt cd /home/qt/quantum_trader && /opt/quantum/venvs/ai-engine/bin/python ops/score.py
    /// ```
    /// ```bad
    /// file /var/spool/cron/crontabs/qt qt:qt 0600
    /// | @daily python3 /home/qt/quantum_trader/ops/training/train_patchtst.py
    /// ```
    /// ```good
    /// file /etc/cron.d/scoreboard root:root 0644
    /// | 17 * * * * qt /home/qt/quantum_trader/ops/run.sh ai-engine ops/training/train_patchtst.py
    /// | # 18 * * * * qt python3 /home/qt/quantum_trader/x.py
    /// | 19 * * * * root python3 /usr/share/doc/example.py
    /// ```
    id: "cron-bypasses-wrapper",
    section: G,
    severity: Must,
    needs: [Sources],
    cause: Host,
    why: "the job runs without checks and without the service's environment, and its failures are not \
          noticed",
    see: ["grep -rn python /etc/crontab /etc/cron.d", "crontab -l -u {user}"],
    mend: "Change the line to call the wrapper. golden does not know which service the script belongs to.",
    man: ["crontab(5)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let Some(wrapper) = &policy.wrapper else {
        return Ok(Outcome::not_applicable("the contract names no wrapper"));
    };
    let crontabs = &view.sources()?.crontabs;
    let mut findings = Vec::new();
    for crontab in &crontabs.found {
        for command in crontab.commands.iter().filter(|command| is_past_wrapper(&call_of(command))) {
            if is_of_contract(view, policy, crontab, command.line) {
                findings.push(finding(wrapper, crontab, command));
            }
        }
    }
    match (findings.is_empty(), crontabs.unread.first()) {
        (true, Some((path, why))) => {
            Err(Undecided::new(format!("{path} could not be read: {why}")).or_run("sudo golden audit"))
        }
        _ => Ok(Outcome::from_findings(findings)),
    }
}

/// Whether a line names the repository or a venv of the contract.
fn is_of_contract(view: &View, policy: &RepositoryPolicy, crontab: &ShellScript, line: u32) -> bool {
    let venvs = view.contract.services.iter().filter_map(|service| service.venv.as_ref());
    let places: Vec<&str> = std::iter::once(&policy.path).chain(venvs).map(|place| place.value.as_str()).collect();
    let of_line = crontab.commands.iter().filter(|command| command.line == line);
    of_line.flat_map(|command| &command.words).any(|word| places.iter().any(|place| word.contains(place)))
}

fn finding(wrapper: &Stated<String>, crontab: &ShellScript, command: &ShellCommand) -> Finding {
    let (path, line) = (crontab.path.as_ref(), command.line);
    Finding::new(
        format!("cron calls {}", command.words.first().map_or("", String::as_str)),
        Location::line(path, line),
        wrapper.at.clone(),
    )
    .key(path)
    .expected(format!("{} SERVICE SCRIPT", wrapper.value))
    .observed(command.words.join(" "))
    .mend(
        Remedy::decide(format!("decide what {path}:{line} should run"))
            .candidate(format!("call {} with the service and the script", wrapper.value), "")
            .candidate("delete the line", ""),
    )
}
