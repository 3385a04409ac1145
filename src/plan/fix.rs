//! Findings made into a plan: the command that each names as its mend, with the paths that it names kept before.
//!
//! Every mend of a unit ends in taking it up (reload, restart). That is done once for all of them, at the end: between
//! two mends a service may be broken in a way that the second one mends.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Plan, Step, UnitVerb};
use crate::contract::Contract;
use crate::model::report::{RuleResult, Said};
use crate::model::{Report, Severity, Subject};

/// How a mend begins that no machine can do.
const PERSON: &str = "a person must";

/// What can be mended, and what a person must.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixes {
    /// The mends.
    pub plan: Plan,
    /// Findings that a person must decide: rule and subject, and what to do.
    pub left: Vec<(String, String)>,
}

/// The findings of a report that count: not waived, and warnings where they are wanted.
pub fn findings(report: &Report, warnings: bool) -> Vec<&RuleResult> {
    let counts = |result: &&RuleResult| {
        let failed = matches!(&result.said, Said::Fail(failure) if failure.waiver.is_none());
        failed && (warnings || result.severity == Severity::Must)
    };
    report.results.iter().filter(counts).collect()
}

/// What a finding may only follow from, by how its rule is called: a service whose unit reads no env file lacks every
/// variable of it, and one that lacks its env file does not run.
fn stage(rule: &str) -> u8 {
    match rule {
        _ if rule.starts_with("process-") || rule == NOT_ACTIVE => 3,
        _ if rule.starts_with("env-v") || rule.starts_with("env-line") || rule.contains("-named-") => 2,
        _ if rule.starts_with("unit-") || rule.starts_with("env-") || rule.starts_with("start-") => 1,
        _ => 0,
    }
}

/// A service that does not run.
const NOT_ACTIVE: &str = "unit-not-active";

/// Whatever belongs to an account waits until there is one.
const NO_ACCOUNT: [&str; 3] = ["account-missing", "start-user-missing", "start-group-missing"];

/// The findings of a subject that may be causes of its others; those are judged again when these are mended.
pub fn causes<'r>(findings: &[&'r RuleResult]) -> Vec<&'r RuleResult> {
    let accounts = findings.iter().filter(|one| NO_ACCOUNT.contains(&one.rule.id));
    let accounts: Vec<&RuleResult> = accounts.copied().collect();
    if !accounts.is_empty() {
        return accounts;
    }
    let first = |subject: &Subject| {
        findings.iter().filter(|one| one.subject == *subject).map(|one| stage(one.rule.id)).min()
    };
    findings.iter().filter(|one| Some(stage(one.rule.id)) == first(&one.subject)).copied().collect()
}

/// The plan that mends findings. Of several about one line the gravest is mended: what is left of the others is told
/// by the next look. `again` says that something was mended already, after which what died of it may start.
pub fn plan(contract: &Contract, findings: &[&RuleResult], again: bool) -> Fixes {
    let mut findings = findings.to_vec();
    findings.sort_by_key(|result| result.severity != Severity::Must);
    let mut fixes = Fixes::default();
    let mut seen = BTreeSet::new();
    let mut lines = BTreeSet::new();
    let mut reload = false;
    let mut verbs: BTreeMap<String, UnitVerb> = BTreeMap::new();
    for result in findings {
        let Said::Fail(failure) = &result.said else { continue };
        let name = format!("{} ({})", result.rule.id, result.subject);
        let command = failure.finding.remedy.clone().unwrap_or_default();
        let unit =
            contract.services.iter().find(|service| result.subject == Subject::Service(service.name.clone()));
        if let Some(service) = unit.filter(|_| again && result.rule.id == NOT_ACTIVE) {
            verbs.insert(service.unit.value.clone(), UnitVerb::Restart);
            continue;
        }
        if command.is_empty() || command.starts_with(PERSON) {
            fixes.left.push((name, command));
            continue;
        }
        let place = &failure.finding.location;
        if place.line.is_some_and(|line| !lines.insert((place.path.clone(), line))) {
            continue;
        }
        let mut kept = Vec::new();
        for part in parts(&command) {
            match taken_up(part) {
                Some(Up::Reload) => reload = true,
                Some(Up::Unit(verb, unit)) => {
                    // A restart does all that a start does.
                    let stronger = verbs.get(unit) == Some(&UnitVerb::Restart);
                    if !stronger {
                        verbs.insert(unit.to_owned(), verb);
                    }
                }
                None => kept.push(part),
            }
        }
        let command = kept.join(" && ");
        if !command.is_empty() && seen.insert(command.clone()) {
            let paths = paths(&command);
            let subject = result.subject.to_string();
            fixes.plan.steps.push(Step { subject, why: name, action: Action::Mend { command, paths } });
        }
    }
    let mut then = |subject: &str, why: &str, action| {
        fixes.plan.steps.push(Step { subject: subject.to_owned(), why: why.to_owned(), action });
    };
    if reload {
        then("host", "unit files have changed", Action::Reload);
    }
    for (unit, verb) in verbs {
        then(&unit, "what it runs from has changed", Action::Unit { verb, unit: unit.clone() });
        if let Some(service) = contract.services.iter().find(|service| service.unit.value == unit) {
            let health = service.provision.health.clone();
            then(&unit, "it was started", Action::Healthy { unit: unit.clone(), health });
        }
    }
    fixes
}

/// What takes a change up.
enum Up<'c> {
    Reload,
    Unit(UnitVerb, &'c str),
}

fn taken_up(part: &str) -> Option<Up<'_>> {
    if part == "systemctl daemon-reload" {
        return Some(Up::Reload);
    }
    [UnitVerb::Restart, UnitVerb::Start].into_iter().find_map(|verb| {
        let unit = part.strip_prefix("systemctl ")?.strip_prefix(verb.word())?.strip_prefix(' ')?;
        let is_one = !unit.contains(|c: char| c.is_whitespace() || "'\"$;|&<>-".contains(c) && c != '-');
        is_one.then_some(Up::Unit(verb, unit))
    })
}

/// The commands of an and-list; quotes are respected.
fn parts(command: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut quote: Option<char> = None;
    let mut from = 0;
    let mut rest = command.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match (quote, c) {
            (None, '\\') | (Some('"'), '\\') => {
                rest.next();
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '&') if rest.peek().is_some_and(|(_, next)| *next == '&') => {
                found.push(command[from..at].trim());
                rest.next();
                from = at + 2;
            }
            _ => {}
        }
    }
    found.push(command[from..].trim());
    found
}

/// Directories that are never kept as a whole, however a command names them: of those owner and mode are.
const NEVER_WHOLE: &[&str] = &[
    "/",
    "/etc",
    "/usr",
    "/var",
    "/home",
    "/opt",
    "/run",
    "/srv",
    "/root",
    "/bin",
    "/sbin",
    "/lib",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/var/lib",
];

/// Whether only owner and mode of a directory are kept.
pub(super) fn never_whole(path: &str) -> bool {
    path == "/" || NEVER_WHOLE.contains(&path.trim_end_matches('/'))
}

/// The paths whose state a command may change: those it names, accounts where it changes them, and links of units.
fn paths(command: &str) -> Vec<String> {
    let mut found: BTreeSet<String> =
        words(command).into_iter().filter(|word| word.starts_with('/')).collect();
    let calls = crate::syntax::shell_words::calls(command, 1);
    let accounts = [
        "gpasswd",
        "usermod",
        "useradd",
        "groupadd",
        "groupmod",
        "groupdel",
        "userdel",
        "systemd-sysusers",
        "deluser",
        "adduser",
    ];
    if calls.iter().any(|call| accounts.contains(&call.name())) {
        for file in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"] {
            // The tools keep the file before under the name with a dash.
            found.extend([file.to_owned(), format!("{file}-")]);
        }
    }
    if calls.iter().any(|call| call.name() == "systemctl") {
        found.insert("/etc/systemd/system".to_owned());
        // Where a unit has a script of the old kind too, systemctl has its links turned as well.
        found.extend(["0", "1", "2", "3", "4", "5", "6", "S"].map(|level| format!("/etc/rc{level}.d")));
    }
    let programs: BTreeSet<&str> = calls.iter().map(|call| call.program.as_str()).collect();
    found.retain(|path| {
        !programs.contains(path.as_str()) && !path.starts_with("/dev/") && !path.starts_with("/proc/")
    });
    let all: Vec<String> = found.into_iter().collect();
    // A path below another one is kept with it.
    let is_below = |path: &String| {
        let mut wholes = all.iter().filter(|other| !never_whole(other));
        wholes.any(|other| path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    all.iter().filter(|path| !is_below(path)).cloned().collect()
}

/// The words of a command with their quotes off; operators and redirections part them.
fn words(command: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, '\\') => word.extend(rest.next()),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                found.push(std::mem::take(&mut word))
            }
            _ => word.push(c),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_up_is_told_from_mending() {
        let command = "sed -i 's/a && b/c/' /etc/x.service && systemctl daemon-reload && systemctl restart quantum-x.service";
        assert_eq!(parts(command).len(), 3);
        assert!(matches!(
            taken_up("systemctl restart quantum-x.service"),
            Some(Up::Unit(UnitVerb::Restart, "quantum-x.service"))
        ));
        assert!(taken_up("systemctl restart a b").is_none());
        assert!(taken_up("systemctl enable --now a").is_none());
    }

    #[test]
    fn what_a_command_names_is_kept() {
        let named = |command| paths(command);
        assert_eq!(named("printf '%s\\n' 'A=1' >> /etc/quantum/a.env"), ["/etc/quantum/a.env"]);
        assert_eq!(named("rm -f '/etc/a b' && mkdir -p /opt/x/y /opt/x"), ["/etc/a b", "/opt/x"]);
        assert_eq!(named("gpasswd -d qt docker")[..2], ["/etc/group", "/etc/group-"]);
        assert_eq!(named("systemctl enable quantum-x.service").last().unwrap(), "/etc/systemd/system");
        assert_eq!(named("chmod o+x /root && rm /root/x/y"), ["/root", "/root/x/y"]);
        assert_eq!(named("/usr/bin/python3 -m venv /opt/v"), ["/opt/v"]);
    }
}
