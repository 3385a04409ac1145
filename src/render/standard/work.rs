//! Sections F to I and K to N: models, jobs, the audit, deployments, the clean slate, what is forbidden, and whose word
//! the contract is.

use super::heading;
use crate::contract::{Assignment, Contract, Gate, JobProgram, Model, NAMESPACE, Safety};
use crate::model::Section;
use crate::render::markdown::{Page, anchor, capital, code, codes, count, prose};
use crate::render::words::percent;
use crate::render::{audit_timer, commands, forbidden as never, words};

/// Section F.
pub(super) fn safety(page: &mut Page, contract: &Contract) {
    let Some(safety) = &contract.safety else {
        return page.say("The contract guards no models.");
    };
    let place =
        contract.model_place().map_or_else(|| code(&safety.models.value), |place| code(&place.path.value));
    page.say(&format!(
        "No program activates a model. A model goes from its checkpoint into `shadow`, where the gate judges it. A person starts its canary, and a person promotes it. Models lie in {place}, reports of gate and scoreboard in {}. \
         golden makes a backup before a model changes, and never overwrites one.",
        code(&safety.reports.value)
    ));
    telemetry(page, safety);
    page.heading(3, "The gate");
    page.say("Its exit code is 0 if the model passes and 2 if it is blocked, for any reason. A model is blocked if:");
    page.table(["Measure", "Blocked"], &gate(&safety.gate, &safety.telemetry.hold.value));
    page.say(&format!(
        "Each figure has its {} interval; if a limit lies within it, the gate warns. It also warns if a model has drifted \
         from its approved baseline: a population stability index above {}, or a Kolmogorov–Smirnov distance above {}.",
        percent(safety.gate.interval.value),
        safety.gate.drift_psi_above.value,
        safety.gate.drift_ks_above.value
    ));
    page.heading(3, "The scoreboard");
    let board = &safety.scoreboard;
    page.table(
        ["Word", "When"],
        &[
            [
                "GO".to_owned(),
                format!(
                    "it passes the gate, the ensemble agrees to {} – {}, and opposite answers occur in less than {} of the events",
                    percent(board.agreement_min.value),
                    percent(board.agreement_max.value),
                    percent(board.hard_disagreement_below.value)
                ),
            ],
            ["WAIT".to_owned(), "it passes the gate, and the rest is missing or differs".to_owned()],
            ["NO-GO".to_owned(), "the gate blocks it".to_owned()],
        ],
    );
    guarded(page, contract);
    page.heading(3, "When a change is undone");
    page.list([
        "the gate blocks the model after it".to_owned(),
        format!("an hour loses more than {}", percent(safety.rollback.max_loss_per_hour.value)),
        format!("more than {} of operations fail", percent(safety.rollback.max_error_share.value)),
        "a service does not start, or the audit fails".to_owned(),
    ]);
}

/// The models whose lifecycle golden guards.
fn guarded(page: &mut Page, contract: &Contract) {
    if contract.models.is_empty() {
        return;
    }
    page.heading(3, "Activation");
    page.say(
        "`golden model shadow` registers an artefact by its digest. `golden model canary` starts to use it: this needs a recent verdict of the gate on this artefact in the ledger, a clean audit, and a person who types the model's name. It keeps the old artefact, copies the registered one into `active`, changes exactly these variables, restarts the service and watches it. \
         `golden model promote` makes the canary the active artefact and archives the one before it.",
    );
    let set = |set: &[Assignment]| {
        let all: Vec<String> = set.iter().map(|one| format!("{}={}", one.name, one.value.value)).collect();
        codes(all.iter().map(String::as_str))
    };
    let row = |model: &Model| {
        [
            code(&model.name),
            code(&model.service.value),
            code(&format!("active/{}", model.artefact.value)),
            format!("{}: {}", code(&model.env_file), set(&model.canary)),
            words::span(model.gate_within.value),
        ]
    };
    let rows: Vec<[String; 5]> = contract.models.iter().map(row).collect();
    page.table(["Model", "Service", "Artefact", "A canary sets", "A verdict counts for"], &rows);
}

fn telemetry(page: &mut Page, safety: &Safety) {
    let from = &safety.telemetry;
    let inside = match from.inside.is_empty() {
        true => String::new(),
        false => {
            format!(
                ", or that of the JSON in {}",
                codes(from.inside.iter().map(|field| field.value.as_str()))
            )
        }
    };
    page.say(&format!(
        "The proof is the newest {} events of the stream {} in {}: the field {}{inside}. It holds each model's action ({}) \
         and its confidence from 0 to 1. If the newest event is older than {}, the gate blocks.",
        from.window.value,
        code(&from.stream.value),
        code(&from.dependency.value),
        code(&from.field.value),
        codes(from.actions.value.iter().map(String::as_str)),
        words::span(from.stale_after.value),
    ));
}

fn gate(gate: &Gate, hold: &str) -> Vec<[String; 2]> {
    [
        ("events of the model", format!("fewer than {}", gate.min_events.value)),
        ("any event", "without an answer that can be read, or with a value out of range".to_owned()),
        (
            "share of one action",
            format!("more than {} (majority bias)", percent(gate.max_action_share.value)),
        ),
        (
            "share of the action that does nothing",
            format!("{} in more than {} (dead zone)", code(hold), percent(gate.max_hold_share.value)),
        ),
        (
            "standard deviation of the confidence",
            format!(
                "less than {} (collapsed), less than {} (constant)",
                gate.collapsed_below.value, gate.constant_below.value
            ),
        ),
        (
            "p90 − p10 of the confidence",
            format!("less than {} (narrow), 0 (constant)", gate.narrow_below.value),
        ),
        (
            "a figure of a model that was blocked before",
            format!(
                "within its limit, but not proven to be; all looks together err in at most {}",
                percent(gate.repeated_error.value)
            ),
        ),
    ]
    .map(|(measure, blocked)| [measure.to_owned(), blocked])
    .to_vec()
}

/// Section G.
pub(super) fn operations(page: &mut Page, contract: &Contract) {
    if contract.repository.is_none() && contract.jobs.is_empty() {
        return page.say("The contract governs no repository and declares no job.");
    }
    let wrapper = contract.repository.as_ref().and_then(|policy| policy.wrapper.as_ref());
    let way = match wrapper {
        Some(wrapper) => {
            format!("{}, which is `golden run`", code(&format!("{} SERVICE SCRIPT [ARGS]", wrapper.value)))
        }
        None => "`golden run SERVICE SCRIPT [ARGS]`".to_owned(),
    };
    page.say(&format!(
        "Every job runs through the wrapper: {way}, or `golden job NAME`. It becomes the service's user, judges everything that the job will use by the rules of this document, and only then starts it, in the repository, with the program of the service's venv and the environment that \
         systemd gives the service. If a check fails or is undecided, the wrapper starts nothing and ends with 1. Otherwise the exit code is the job's own. A missing database is a warning, unless the job needs it."
    ));
    if contract.jobs.is_empty() {
        return page.say("The contract declares no job.");
    }
    let rows: Vec<[String; 6]> = contract
        .jobs
        .iter()
        .map(|job| {
            let runs = match &job.runs {
                JobProgram::Script(script) => code(&script.value),
                JobProgram::BuiltIn(name) => match job.replaces.is_empty() {
                    true => format!("golden's own {}", code(&name.value)),
                    false => format!(
                        "golden's own {}, in place of {}",
                        code(&name.value),
                        codes(job.replaces.iter().map(|path| path.value.as_str()))
                    ),
                },
            };
            let mut limits = Vec::new();
            if job.single_flight {
                limits.push("never two at a time".to_owned());
            }
            limits.extend(job.time_limit.map(|limit| format!("{} at most", words::span(limit))));
            [
                code(&job.name),
                code(&job.service.value),
                runs,
                codes(job.needs.iter().map(|need| need.value.as_str())),
                limits.join(", "),
                job.make_target
                    .as_ref()
                    .map_or_else(String::new, |target| code(&format!("make {}", target.value))),
            ]
        })
        .collect();
    page.table(["Job", "As", "Runs", "Needs", "Limits", "Target"], &rows);
}

/// Section H.
pub(super) fn audit(page: &mut Page, contract: &Contract) {
    let job = commands::audit_job(contract).and_then(|job| commands::ways(contract, job).into_iter().next());
    let job = job.map_or_else(String::new, |way| format!(" (in the repository also {})", code(&way)));
    let itself = if contract.repository.is_some() { ", which `golden deploy` sees to" } else { "" };
    page.say(&format!(
        "`sudo golden audit`{job} judges the host: before every deployment{itself}; after every change of a \
         configuration; and by itself, by {} ({}).",
        code(&audit_timer(contract)),
        code(&format!("OnCalendar={}", contract.provision.audit.value)),
    ));
    page.table(
        ["Exit code", "Verdict", "Then"],
        &[
            ["0", "compliant", "deploy"],
            [
                "1",
                "violated; something may be undecided too",
                "mend it first: `sudo golden fix`, or what the report prints",
            ],
            [
                "2",
                "not decided: something could not be looked at, or the contract has errors",
                "look at what is undecided",
            ],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.heading(3, "Exceptions");
    if contract.waivers.is_empty() {
        return page
            .say("None. An exception is a waiver in the contract, with a reason, an owner and a last day.");
    }
    let rows: Vec<[String; 5]> = contract
        .waivers
        .iter()
        .map(|waiver| {
            let key = waiver.key.as_deref().map_or_else(String::new, |key| format!(" ({})", code(key)));
            [
                code(&waiver.rule),
                format!("{}{key}", code(&waiver.subject.to_string())),
                waiver.expires.to_string(),
                prose(&waiver.owner),
                prose(&waiver.reason),
            ]
        })
        .collect();
    page.table(["Rule", "For", "Last day (UTC)", "Owner", "Reason"], &rows);
}

/// Section I.
pub(super) fn deployment(page: &mut Page, contract: &Contract) {
    let section = |section: Section| format!("[{section}](#{})", anchor(&heading(section)));
    let judged: Vec<String> =
        [Section::A, Section::B, Section::C, Section::D, Section::E, Section::G, Section::J]
            .map(section)
            .to_vec();
    if contract.repository.is_some() {
        page.say(
            "`sudo golden deploy REF` brings another commit onto the host. It audits before and after. If one line of this list does not hold, it stops and leaves the host unchanged.",
        );
    } else {
        page.say("Do not deploy if one line of this list does not hold.");
    }
    let mut list = vec![
        format!("[ ] `sudo golden audit` ends with 0, and so every demand of {} holds", judged.join(", ")),
        "[ ] `golden render --check` ends with 0: what lies in the repository is what the contract makes"
            .to_owned(),
    ];
    if contract.approval.is_some() {
        list.push("[ ] `golden contract verify` ends with 0: the contract is approved".to_owned());
    }
    page.list(list);
}

/// Section K.
pub(super) fn repeatability(page: &mut Page, contract: &Contract) {
    let parts = [
        ("accounts", true),
        ("directories", true),
        ("packages", !contract.provision.packages.is_empty()),
        ("repository", contract.repository.is_some()),
        ("venvs", !contract.venvs.is_empty()),
        ("env files", contract.services.iter().any(|service| !service.env_files.is_empty())),
    ];
    let parts: Vec<&str> = parts.iter().filter(|(_, is_there)| *is_there).map(|(part, _)| *part).collect();
    page.say(&format!(
        "The contract is enough to make the host again. On a new host, with only the distribution and golden, these commands make {} and units, and the audit passes. Only the values of secrets must be written by hand.",
        parts.join(", ")
    ));
    let mut lines = commands::put_in_force(contract);
    lines.extend(["plan", "apply"].map(|verb| commands::sudo(contract, verb)));
    lines.push("sudo golden audit".to_owned());
    page.code("sh", &lines.join("\n"));
    let jobs = &contract.provision.rehearse;
    let jobs = match jobs.is_empty() {
        true => String::new(),
        false => format!(" It also runs {}.", codes(jobs.iter().map(|job| job.value.as_str()))),
    };
    page.say(&format!(
        "`golden rehearse --twice` proves it on a throwaway machine, which is made, emptied and made again.{jobs} If it fails, the contract is broken."
    ));
    let packages = &contract.provision.packages;
    if !packages.is_empty() {
        page.say(&format!(
            "Of the distribution it takes {}.",
            codes(packages.iter().map(|package| package.value.as_str()))
        ));
    }
}

/// Section L.
pub(super) fn forbidden(page: &mut Page, contract: &Contract) {
    let rows: Vec<[String; 3]> = never::all(contract)
        .into_iter()
        .map(|never| {
            let rule = never.rule.map_or_else(|| "*a person checks this*".to_owned(), |rule| code(rule.id));
            [capital(&never.what), never.instead, rule]
        })
        .collect();
    page.say("What the other sections forbid, and what to use instead:");
    page.table(["Never", "Instead", "Found by"], &rows);
}

/// Section M.
pub(super) fn changes(page: &mut Page, contract: &Contract) {
    if contract.changes.is_empty() {
        page.say("The contract lists no changes.");
    }
    let rows: Vec<[String; 3]> = contract
        .changes
        .iter()
        .map(|change| [prose(&change.version), change.date.to_string(), prose(&change.text)])
        .collect();
    page.table(["Version", "Date", "Change"], &rows);
    page.say(match contract.next_review {
        Some(_) => "`golden contract diff OLD NEW` says which demands a change adds or removes, and whether the version and the change log mention it. An overdue review is a warning.",
        None => "`golden contract diff OLD NEW` says which demands a change adds or removes, and whether the version and the change log mention it. The contract has no date for its next review.",
    });
}

/// Section N.
pub(super) fn approval(page: &mut Page, contract: &Contract) {
    let whose = contract.authority.as_ref().map_or_else(
        || "The contract names no authority".to_owned(),
        |authority| format!("{} answers for this contract", prose(&authority.value)),
    );
    let Some(approval) = &contract.approval else {
        return page.say(&format!(
            "{whose}, and it demands no signatures. With `[approval]` it demands them, and an unapproved contract is a violation."
        ));
    };
    let required = approval.required.value as usize;
    page.say(&format!(
        "{whose}. A change is in force with the signatures of {} of those in {}, over the digest of its text, in the namespace {}.",
        match required {
            1 => "one".to_owned(),
            _ => count(required, "different person").replace("persons", "people"),
        },
        code(&approval.signers.value),
        code(NAMESPACE)
    ));
    page.code("sh", "golden contract sign\ngolden contract verify");
}

/// What is signed, at the end of the document.
pub(super) fn signature_block(page: &mut Page, contract: &Contract) {
    let named = format!("{} {}", prose(&contract.name.value), contract.version.value);
    let mut rows: Vec<[String; 2]> = Vec::new();
    rows.extend(contract.authority.as_ref().map(|name| ["Authority".to_owned(), prose(&name.value)]));
    rows.push(["sha256 of its text".to_owned(), code(&contract.source.digest)]);
    let signatures = match &contract.approval {
        Some(_) => format!("{} beside the contract", code("golden.toml.sig")),
        None => "none demanded".to_owned(),
    };
    rows.push(["Signatures".to_owned(), signatures]);
    page.say("What is signed:");
    page.table(["Contract", &named], &rows);
}
