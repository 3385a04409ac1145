//! How one works under the contract: the few pages that a person has open at a change, a fault or at night. What is
//! demanded stands in the standard; here stand the commands, with the contract's own names.

use super::markdown::{Page, capital, code, codes, prose};
use super::words::{self, title};
use super::{
    Artefact, ENV_FILES, UNITS, What, commands, document, example, forbidden, rendered, standard, template,
    troubles,
};
use crate::contract::{Contract, Job, JobProgram, Kind, Service};
use crate::model::Section;

/// Where it lies in a governed repository.
const PATH: &str = "docs/SYSTEMD_STANDARD_README.md";

/// The document.
pub(super) fn artefact(contract: &Contract) -> Artefact {
    let about = format!("Working under the standard of {}", contract.name.value);
    document(contract, What::Readme, PATH, &about, |page| {
        page.heading(1, &about);
        page.say(&format!(
            "[The standard]({}) says how every service must be; this page says what to type. `golden VERB --help` has the options, \
             `golden explain RULE` the page of a rule.",
            standard::PATH.rsplit('/').next().unwrap_or(standard::PATH)
        ));
        add_a_service(page, contract);
        run_jobs(page, contract);
        what_breaks(page, contract);
        rollback(page, contract);
        troubleshooting(page, contract);
        emergency(page, contract);
    })
}

/// A service that the contract has, as an example: the first one that runs.
fn some_service(contract: &Contract) -> Option<&Service> {
    rendered(contract).find(|service| service.kind.value.runs()).or_else(|| contract.services.first())
}

/// A name that no service has yet.
fn new_name(contract: &Contract) -> &'static str {
    let is_free = |name: &&str| contract.services.iter().all(|service| *service.name != **name);
    ["reporter", "notifier", "collector"].into_iter().find(is_free).unwrap_or("another")
}

fn add_a_service(page: &mut Page, contract: &Contract) {
    page.heading(2, "Add a service");
    let name = new_name(contract);
    if contract.source.built_in {
        page.say(&format!(
            "The contract in force is part of golden. First make your own copy of it, once: {} writes it into the repository as `golden.toml`.",
            code(&format!("golden init --contract-only --from {}", contract.name.value))
        ));
    }
    page.say("1. In the directory of the contract, add the service and look at the difference:");
    page.code("sh", &format!("{}\ngolden contract check\ngit diff golden.toml", service_add(contract, name)));
    let locked = match example::usual_kind(contract) {
        Kind::Python => {
            "What it imports is locked, with hashes, in the file that `[provision.requirements]` names. "
        }
        _ => "",
    };
    page.say(&format!(
        "{locked}Raise `version`, add an entry to `[[changes]]`, and see what the change means:"
    ));
    let mut lines = vec![
        "git show HEAD:golden.toml >/tmp/old.toml".to_owned(),
        "golden contract diff /tmp/old.toml golden.toml".to_owned(),
    ];
    if contract.approval.is_some() {
        lines.push("golden contract sign".to_owned());
    }
    page.code("sh", &lines.join("\n"));
    page.say(&format!(
        "2. Render its files, and commit both. Units go to {}, examples of env files to {}{}:",
        code(UNITS),
        code(ENV_FILES),
        template::path(contract).map_or_else(String::new, |path| format!(
            "; [the pattern of a unit](../{path}) explains each line"
        ))
    ));
    page.code("sh", "golden render\ngit add --all && git commit");
    page.say("3. On the host, install the contract, read the plan, and apply it:");
    let mut lines = commands::put_in_force(contract);
    lines.extend(["plan", "apply"].map(|verb| commands::sudo(contract, verb)));
    page.code("sh", &lines.join("\n"));
    page.say("4. Write the values of its secrets, if any, into its env file, restart it, and check it:");
    let unit = contract.patterns.get(&example::usual_kind(contract));
    let unit =
        unit.map_or_else(|| format!("{name}.service"), |one| one.unit.value.replace(one.name.as_ref(), name));
    page.code(
        "sh",
        &format!(
            "sudo golden audit --service {name}\ngolden service show {name}\njournalctl -u {unit} -n 20"
        ),
    );
    page.say(&format!(
        "`golden service remove {name}` removes it again, and says what is left of it on the host. `golden service list` shows all."
    ));
}

/// The command that writes a service of the usual kind.
fn service_add(contract: &Contract, name: &str) -> String {
    let kind = example::usual_kind(contract);
    let exec = match kind {
        Kind::Python => format!("python -m {name}"),
        _ => format!("/usr/local/bin/{name}"),
    };
    let shared = example::service(contract, kind);
    let requires: Vec<&str> =
        shared.iter().flat_map(|service| &service.requires).map(|one| one.value.as_str()).collect();
    let requires = match requires.is_empty() {
        true => String::new(),
        false => format!(" --requires {}", requires.join(",")),
    };
    let runtime = if kind == Kind::Python { " --runtime python" } else { "" };
    format!("golden service add {name}{runtime} --exec \"{exec}\"{requires}")
}

fn run_jobs(page: &mut Page, contract: &Contract) {
    page.heading(2, "Run ops safely");
    if contract.repository.is_none() {
        page.say("The contract governs no repository, so only its services run.");
    } else {
        page.say(
            "Run every script and every program of a service through the wrapper, never by hand. The wrapper checks first, becomes the service's user, and gives the job the environment that systemd gives the service. If a check fails, it starts nothing.",
        );
    }
    let rows: Vec<[String; 3]> = contract
        .jobs
        .iter()
        .map(|job| {
            [code(&job.name), about(job), codes(commands::ways(contract, job).iter().map(String::as_str))]
        })
        .collect();
    page.table(["Job", "What it is", "Any of"], &rows);
    if rows.is_empty() && contract.repository.is_some() {
        page.say("The contract declares no jobs; scripts run as a service of it.");
    }
    let Some(service) = some_service(contract) else { return };
    let name = &service.name;
    let some = contract.jobs.iter().find(|job| matches!(job.runs, JobProgram::Script(_)));
    let mut rows = Vec::new();
    if contract.repository.is_some() {
        let what = "a script of the repository that is not a job of the contract";
        rows.push([format!("golden run {name} SCRIPT [ARGS]"), what.to_owned()]);
    }
    rows.push([format!("golden run --preflight-only {name}"), "the checks alone".to_owned()]);
    let what = "what it would find in its environment, and where each value comes from";
    rows.push([format!("golden run --print-env {name}"), what.to_owned()]);
    if let Some(job) = some {
        let how = "with the limits and the sandbox of the service's unit";
        rows.push([format!("sudo golden job --as-unit {}", job.name), how.to_owned()]);
    }
    rows.push([
        "journalctl -t golden".to_owned(),
        "who ran what, when, on which commit, and how it ended".to_owned(),
    ]);
    let rows: Vec<[String; 2]> = rows.into_iter().map(|[command, what]| [code(&command), what]).collect();
    page.table(["Command", "What it does"], &rows);
    if contract.repository.as_ref().is_some_and(|policy| policy.wrapper.is_some()) {
        page.say("As root type `golden job NAME`: the wrapper in the repository is a file that its owner can change.");
    }
}

fn about(job: &Job) -> String {
    let what = match &job.runs {
        JobProgram::Script(script) => code(&script.value),
        JobProgram::BuiltIn(name) => format!("golden's own {}", code(&name.value)),
    };
    let once = if job.single_flight { ", never two at a time" } else { "" };
    format!("{what} as {}{once}", code(&job.service.value))
}

fn what_breaks(page: &mut Page, contract: &Contract) {
    page.heading(2, "What breaks the contract");
    let never = forbidden::all(contract);
    let rows: Vec<[String; 2]> = Section::ALL
        .iter()
        .filter_map(|section| {
            let what: Vec<&str> =
                never.iter().filter(|one| one.section == *section).map(|one| one.what.as_str()).collect();
            (!what.is_empty()).then(|| [standard::link(*section), capital(&what.join("; "))])
        })
        .collect();
    page.table(["Section", "Above all"], &rows);
    page.say(&format!(
        "{} shows what to use instead. This shows what is broken on this host, the line of the contract that demands it, and the command that mends it:",
        standard::link(Section::L)
    ));
    let fix = commands::sudo(contract, "fix --check");
    page.code("sh", &format!("sudo golden audit\nsudo golden audit --section D\n{fix}"));
    page.say(
        "A violation that cannot be mended today is waived in the contract (`[[waivers]]`), with a reason, an owner and a last day, and every report shows it.",
    );
}

fn rollback(page: &mut Page, contract: &Contract) {
    page.heading(2, "Rollback");
    let mut when = vec![
        "after a deployment or an apply the audit is not compliant, or a service does not stay up".to_owned(),
    ];
    if let Some(safety) = &contract.safety {
        when.push(format!(
            "an hour loses more than {}, or more than {} of operations fail",
            words::percent(safety.rollback.max_loss_per_hour.value),
            words::percent(safety.rollback.max_error_share.value)
        ));
        when.push("the gate blocks a model after it was activated".to_owned());
    }
    page.say("When:");
    page.list(when);
    page.say("How:");
    let mut rows = vec![[
        "What `golden apply`, `golden fix` or `golden deploy` changed".to_owned(),
        format!("`{}`, and `--undo PLAN` for an older one", commands::sudo(contract, "apply --undo")),
    ]];
    if contract.repository.is_some() {
        rows.push([
            "The code".to_owned(),
            format!("`{}`, with the commit that ran before", commands::sudo(contract, "deploy REF")),
        ]);
    }
    rows.push([
        "The contract".to_owned(),
        "`git revert` of the commit that changed it, then `golden render` and `sudo golden apply`".to_owned(),
    ]);
    for model in &contract.models {
        let back = commands::sudo(contract, &format!("model rollback {}", model.name));
        rows.push([
            format!("The model `{}`", model.name),
            format!("`{back}`; `--to ENTRY` goes further back. Only what its activation changed comes back"),
        ]);
    }
    if contract.safety.is_some() && contract.models.is_empty() {
        rows.push(["A model".to_owned(), "a person puts back the archived model or the earlier value in the env file, from the backup, and restarts the service".to_owned()]);
    }
    page.table(["What", "Way back"], &rows);
    page.say("`golden apply`, `golden fix` and `golden deploy` undo their changes when a step fails. Accounts, packages and databases that they made stay. Afterwards:");
    let units: Vec<&str> = running(contract).map(|service| service.unit.value.as_str()).collect();
    let status =
        if units.is_empty() { String::new() } else { format!("\nsystemctl status {}", units.join(" ")) };
    let models: String =
        contract.models.iter().map(|model| format!("\nsudo golden model show {}", model.name)).collect();
    page.code("sh", &format!("sudo golden audit{status}{models}"));
    if let Some(model) = contract.models.first() {
        let watch = commands::sudo(contract, &format!("model watch {} --once", model.name));
        page.say(&format!(
            "`{watch}` says whether a rollback is due, and by which of these. After a rollback the service's journal must show the artefact that \
             was live before, `golden model history` the entry, and the audit must pass."
        ));
    }
}

/// Services that run all the time, in the order of the contract.
fn running(contract: &Contract) -> impl Iterator<Item = &Service> {
    contract.services.iter().filter(|service| service.kind.value.runs())
}

fn troubleshooting(page: &mut Page, contract: &Contract) {
    page.heading(2, "Troubleshooting");
    let Some(service) = some_service(contract) else { return page.say("There is no service yet.") };
    let (name, unit) = (&service.name, &service.unit.value);
    page.say(&format!("With {} ({}) as the example:", prose(title(service)), code(name)));
    let rows = [
        ("It does not start", format!("systemctl status {unit}; sudo golden audit --service {name}")),
        ("It starts and dies", format!("journalctl -u {unit} -n 50; golden run --preflight-only {name}")),
        ("It has unexpected settings", format!("golden service show {name}; golden run --print-env {name}")),
        ("It may not read or write something", "sudo golden audit --section A --section J".to_owned()),
        ("It waits for what it relies on", "sudo golden audit --section E".to_owned()),
        ("A job is refused", "the wrapper prints the command that mends it".to_owned()),
        ("The audit is undecided", "sudo golden audit".to_owned()),
        ("The audit names an unknown rule", "golden explain RULE".to_owned()),
        ("A rendered file is stale", "golden render --check; golden render".to_owned()),
        ("The contract has errors", "golden contract check".to_owned()),
    ];
    let is_command = |words: &str| {
        ["golden ", "sudo ", "systemctl ", "journalctl "].iter().any(|one| words.starts_with(one))
    };
    let rows: Vec<[String; 2]> = rows
        .into_iter()
        .map(|(what, how)| {
            let how: Vec<String> =
                how.split("; ").map(|one| if is_command(one) { code(one) } else { one.to_owned() }).collect();
            [what.to_owned(), how.join(", ")]
        })
        .collect();
    page.table(["What you see", "What to type"], &rows);
    page.say("What `systemctl status` says after a failed start:");
    let rows: Vec<[String; 3]> = troubles::failed_starts(contract)
        .into_iter()
        .flat_map(|(status, rules)| {
            rules.into_iter().map(move |rule| [code(status), format!("{}.", rule.summary()), code(rule.id)])
        })
        .collect();
    page.table(["Status", "Because", "Rule"], &rows);
}

fn emergency(page: &mut Page, contract: &Contract) {
    page.heading(2, "Emergency");
    if running(contract).next().is_none() {
        return page.say("This contract has no service that runs all the time.");
    }
    let mut units: Vec<&str> = running(contract).map(|service| service.unit.value.as_str()).collect();
    units.reverse();
    page.say("1. Stop the services that do harm. This stops all of them, in reverse order:");
    page.code("sh", &format!("sudo systemctl stop {}", units.join(" ")));
    page.say("2. Save the evidence before you mend anything:");
    page.code(
        "sh",
        &format!(
            "sudo golden facts --out /root/incident.json\nsudo journalctl --since -1h {} >/root/incident.log",
            running(contract)
                .map(|service| format!("-u {}", service.unit.value))
                .collect::<Vec<_>>()
                .join(" ")
        ),
    );
    page.say("3. Find what differs from the contract, and undo the last change if it caused this:");
    page.code("sh", &format!("sudo golden audit\n{}", commands::sudo(contract, "apply --undo")));
    page.say("4. Start the services in the order of the contract, and audit:");
    units.reverse();
    page.code("sh", &format!("sudo systemctl start {}\nsudo golden audit", units.join(" ")));
    page.say(
        "5. Write down what happened. `/var/lib/golden/ledger.jsonl` has what golden changed, by whom and under which contract; \
         `golden audit --facts /root/incident.json` judges the saved evidence later.",
    );
}
