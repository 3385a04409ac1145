//! `golden model watch`: whether a rollback is due, looked at once or again and again.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{life, model, obeyed, rollback};
use crate::cli::change::{Confirm, Host};
use crate::cli::{CANNOT, Failure, Global, output};
use crate::contract::{Contract, Dependency, DependencyKind, Model, NumberSource, Query};
use crate::ledger::Chain;
use crate::ledger::models::Lifecycle;
use crate::model::answers::RedisQuestion;
use crate::model::{Observed, Verdict};
use crate::operate;
use crate::report::{Paint, Shown};
use crate::safety::models::watch::{self, Stands, Trigger};
use crate::system::hand::{Call, Hand as _, interrupted};
use crate::system::{System as _, Walker};

/// What is watched, and how often.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes with --once: 0 nothing is due, 1 a rollback is due, 2 undecided.")]
pub(super) struct WatchArgs {
    /// The model's name in the contract; optional if there is only one model.
    name: Option<String>,
    /// Look once and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
}

/// What one look has seen.
type Seen = Vec<(Trigger, Stands)>;

/// Watches.
pub(super) fn run(global: &Global, args: &WatchArgs) -> Result<ExitCode, Failure> {
    let contract = obeyed(global)?;
    let model = model(&contract, args.name.as_deref())?;
    let host = Host::live()?;
    let mut before = None;
    loop {
        let chain = super::chain()?;
        let life = life(&chain, model);
        if life.live().is_none() {
            output::print(&format!(
                "{}: no artefact that golden activated is live; nothing is watched\n",
                model.name
            ))?;
        } else {
            let looked = look(&host, &contract, model, &chain, &life);
            // What stands as before is said in one line.
            let is_new = before.as_ref() != Some(&looked);
            output::print(shown(model, &life, &looked, is_new || args.once, output::style(global).color))?;
            let _ = std::io::stdout().flush();
            let is_due = looked.iter().any(|(_, stands)| matches!(stands, Stands::Due(_)));
            // A broken ledger would not tell that it was rolled back, and the next look would do it again.
            let may = chain.broken.is_none() && model.rolls_back.as_ref().is_some_and(|stated| stated.value);
            if is_due && may {
                output::talk("the contract lets golden roll back by itself\n");
                let confirm = Confirm { yes: true, ..Confirm::default() };
                return rollback::roll(global, Some(&model.name), None, &confirm);
            }
            // A broken ledger is violated by itself, and does not tell whether this artefact is live.
            if args.once && chain.broken.is_none() {
                return Ok(code(&looked));
            }
            before = Some(looked);
        }
        // What a broken ledger no longer tells may be live all the same.
        let told = super::shown::answer(&chain);
        if args.once {
            return Ok(told);
        }
        for _ in 0..args.every * 5 {
            if interrupted() {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn code(looked: &Seen) -> ExitCode {
    let any = |is: fn(&Stands) -> bool| looked.iter().any(|(_, stands)| is(stands));
    if any(|stands| matches!(stands, Stands::Due(_))) {
        return ExitCode::from(super::REFUSED);
    }
    match any(|stands| matches!(stands, Stands::Unknown(_))) {
        true => ExitCode::from(CANNOT),
        false => ExitCode::SUCCESS,
    }
}

fn look(host: &Host, contract: &Contract, model: &Model, chain: &Chain, life: &Lifecycle) -> Seen {
    let window = i64::try_from(model.watch.window.value).unwrap_or(i64::MAX);
    let live = life
        .live()
        .and_then(|step| step.at.parse::<jiff::Timestamp>().ok())
        .map_or(0, jiff::Timestamp::as_second);
    // What was before the activation says nothing of it.
    let since = host.system.now().saturating_sub(window).max(live);
    let (loss, errors) = contract.safety.as_ref().map_or((0.0, 0.0), watch::limits);
    let unit = contract.services.iter().find(|service| *service.name == *model.service.value);
    let unit = unit.map_or("", |service| service.unit.value.as_str());
    vec![
        (Trigger::Gate, watch::gate(&chain.lines, model, life)),
        (
            Trigger::Loss,
            match &model.watch.loss {
                Some(source) => watch::share(number(host, contract, source, since), loss, "lost"),
                None => Stands::Unwatched("the contract names no source of it".to_owned()),
            },
        ),
        (
            Trigger::Errors,
            match &model.watch.errors {
                Some(source) => watch::share(number(host, contract, source, since), errors, "failed"),
                None => {
                    watch::share(in_journal(host, unit, since), errors, "of the journal's lines are errors")
                }
            },
        ),
        (Trigger::Service, service(host, unit)),
        (
            Trigger::Audit,
            match &chain.broken {
                // It fails for that alone, and a rollback mends no ledger.
                Some(_) => Stands::Unknown("the ledger is broken: golden ledger verify".to_owned()),
                None => audit(host, contract),
            },
        ),
    ]
}

fn service(host: &Host, unit: &str) -> Stands {
    let Some(ask) = host.system.ask() else {
        return Stands::Unknown("there is no running systemd".to_owned());
    };
    match ask.units(&[unit]) {
        Observed::Found(states) => watch::service(states.get(unit), unit),
        Observed::Absent => Stands::Unknown("systemd does not answer".to_owned()),
        Observed::Unreadable(why) => Stands::Unknown(format!("systemd: {why}")),
    }
}

fn audit(host: &Host, contract: &Contract) -> Stands {
    let report = operate::look(&host.system, contract, &BTreeSet::new());
    match report.verdict() {
        Verdict::Compliant => Stands::Fine("compliant".to_owned()),
        Verdict::Undecided => Stands::Unknown("the audit is undecided: golden audit".to_owned()),
        Verdict::Violated => {
            let first = operate::failed(&report, false).into_iter().next();
            let (rule, subject, _) = first.unwrap_or_default();
            Stands::Due(format!("violated: {rule} ({subject})"))
        }
    }
}

/// The number that a source gives.
fn number(
    host: &Host,
    contract: &Contract,
    source: &NumberSource,
    since: i64,
) -> Result<Option<f64>, String> {
    let name = source.dependency.value.as_str();
    let dependency =
        contract.dependencies.get(name).ok_or_else(|| format!("there is no dependency {name}"))?;
    let answer = match (&dependency.kind, &source.query) {
        (DependencyKind::Sqlite { path, .. }, Query::Sql(sql)) => {
            let lookup = Walker::new(&host.system).lookup(&path.value);
            if let Some(why) = crate::system::walk::untrusted(&lookup) {
                return Err(why);
            }
            let Some(real) = lookup.real() else { return Ok(None) };
            crate::system::os::sqlite_number(std::path::Path::new(real), sql, since)
        }
        (DependencyKind::Redis { .. }, Query::Key(key)) => redis(host, contract, dependency, key),
        _ => return Err(format!("{name} cannot be asked this")),
    };
    match answer {
        Observed::Found(text) => text
            .trim()
            .parse::<f64>()
            .map(Some)
            .map_err(|_| format!("{name} answers {text:?}, which is not a number")),
        Observed::Absent => Ok(None),
        Observed::Unreadable(why) => Err(format!("{name}: {why}")),
    }
}

/// The value of a key, from the unit of the dependency alone, with its password where it has one.
fn redis(host: &Host, contract: &Contract, dependency: &Dependency, key: &str) -> Observed<String> {
    let DependencyKind::Redis { address, password, .. } = &dependency.kind else {
        return Observed::Unreadable("it is not a Redis server".to_owned());
    };
    let password = password.as_ref().map(|(file, key)| {
        crate::facts::gather::redis_password(&host.system, contract, &file.value, &key.value)
    });
    let password = match password.transpose() {
        Ok(password) => password,
        Err(why) => return Observed::Unreadable(why),
    };
    let server = RedisQuestion {
        address: &address.value,
        password: password.as_deref(),
        parameters: None,
        unit: dependency.unit.as_ref().map(|unit| unit.value.as_str()),
        is_stated: true,
    };
    crate::system::os::redis_says(&server, &["get", key])
}

/// The share of errors among the lines that the service has written since.
fn in_journal(host: &Host, unit: &str, since: i64) -> Result<Option<f64>, String> {
    let lines = |priority: &str| -> Result<u64, String> {
        let (since, priority) = (format!("--since=@{since}"), format!("--priority={priority}"));
        let words = [
            "journalctl",
            "--quiet",
            "--no-pager",
            "--output=cat",
            &since,
            &priority,
            &format!("_SYSTEMD_UNIT={unit}"),
        ];
        let mut count = 0;
        let ended =
            host.hand.run(&Call::new(&words, 60), &mut |_| count += 1).map_err(|error| error.to_string())?;
        match ended.code {
            Some(0) => Ok(count),
            // Nothing matches (journalctl(1)).
            Some(1) if count == 0 => Ok(0),
            _ => Err(format!("the journal cannot be read: {}", ended.said.trim())),
        }
    };
    let (errors, all) = (lines("err")?, lines("debug")?);
    #[expect(clippy::cast_precision_loss, reason = "a share of lines needs no more than 52 bits")]
    Ok(Some(if all == 0 { 0.0 } else { errors as f64 / all as f64 }))
}

fn shown(model: &Model, life: &Lifecycle, looked: &Seen, all: bool, color: bool) -> Shown {
    let mut text = Shown::new();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let live =
        life.live().map_or(String::new(), |step| format!("{} {}", step.artefact.version, step.state.word()));
    let due = looked.iter().filter(|(_, stands)| matches!(stands, Stands::Due(_))).count();
    let word = if due > 0 {
        format!("ROLLBACK IS DUE: golden model rollback {}", model.name)
    } else {
        "nothing is due".to_owned()
    };
    text.line(format_args!("{now}  {} {live}  {word}", model.name));
    if !all {
        return text;
    }
    for (trigger, stands) in looked {
        let (mark, words, paint) = match stands {
            Stands::Fine(words) => ("✓", words, Paint::Green),
            Stands::Due(words) => ("✗", words, Paint::Red),
            Stands::Unknown(words) => ("?", words, Paint::Yellow),
            Stands::Unwatched(words) => ("–", words, Paint::Dim),
        };
        text.push("  ");
        text.paint(mark, color.then_some(paint));
        text.line(format_args!(" {:<8} {words}", trigger.word()));
    }
    text
}
