//! The proof of a deployment: the journal of the services is clean since it began, and the audit passes.

use std::collections::BTreeSet;

use super::look;
use crate::contract::Contract;
use crate::facts::gather::gather;
use crate::facts::leads::named_paths;
use crate::facts::view::View;
use crate::facts::{Need, Needs};
use crate::model::report::Said;
use crate::model::{End, Report, Severity, Verdict};
use crate::plan::{Failed, Watch};
use crate::report::human::{self, Style};
use crate::system::hand::{Call, Hand};
use crate::system::{System, Walker};

/// Watches over a deployment.
pub struct Deployed<'a> {
    /// What changes the host.
    pub hand: &'a dyn Hand,
    /// What looks at it.
    pub system: &'a dyn System,
    /// What it is held against.
    pub contract: &'a Contract,
    /// When it began, in seconds since the epoch.
    pub began: i64,
}

impl Watch for Deployed<'_> {
    fn may_start(&mut self, _unit: &str) -> Result<(), String> {
        // The proof in the end undoes a deployment whose services do not start.
        Ok(())
    }

    fn proof(&mut self, _skipped: &[(String, String)]) -> Result<(), Failed> {
        self.clean_start()?;
        let report = look(self.system, self.contract, &BTreeSet::new());
        match report.verdict() {
            Verdict::Compliant => Ok(()),
            _ => {
                let style = Style { color: false, verbose: false, quiet: true, width: 110 };
                Err(Failed {
                    why: format!("the audit does not pass after it: {}", worst(&report)),
                    said: human::render(&report, style).to_string(),
                })
            }
        }
    }
}

impl Deployed<'_> {
    /// What the services have written to the journal as an error since the deployment began.
    fn clean_start(&self) -> Result<(), Failed> {
        let mut words: Vec<String> =
            ["journalctl", "--quiet", "--no-pager", "--output=short", "--priority=err"]
                .map(str::to_owned)
                .to_vec();
        words.push(format!("--since=@{}", self.began));
        let units = self.contract.services.iter().filter(|service| service.runs_by_itself());
        words.extend(units.map(|service| format!("--unit={}", service.unit.value)));
        let call = Call { words, identity: None, environment: Vec::new(), limit: 60 };
        let ended = self.hand.run(&call, &mut |_| {})?;
        match (ended.code, ended.said.trim()) {
            (Some(0), "") => Ok(()),
            (Some(0), said) => Err(Failed {
                why: "the journal shows errors since the start".to_owned(),
                said: said.to_owned(),
            }),
            _ => Err(Failed { why: "the journal cannot be read".to_owned(), said: ended.said }),
        }
    }
}

/// Services of a contract, by name, of which nothing leads into the repository: no path that a setting or a variable
/// names, by whatever links, and no venv whose python may import from it. What cannot be read may lead there.
pub fn elsewhere(system: &dyn System, contract: &Contract) -> BTreeSet<String> {
    let Some(repository) = &contract.repository else { return BTreeSet::new() };
    let needs = Needs::of(&[Need::Units, Need::EnvFiles]);
    let facts = gather(system, contract, needs);
    let view = View::new(contract, &facts, needs);
    let walker = Walker::new(system);
    let real = |path: &str| {
        let lookup = walker.lookup(path);
        let unread = matches!(lookup.end, End::Unreadable(..));
        (!unread).then(|| lookup.real().map_or_else(|| path.to_owned(), str::to_owned))
    };
    let stated = repository.path.value.as_str();
    let Some(home) = real(stated) else { return BTreeSet::new() };
    let is_elsewhere = |path: &String| {
        let leads_in = |path: &str| [stated, &home].iter().any(|place| path.starts_with(place));
        !leads_in(path) && real(path).is_some_and(|real| !leads_in(&real))
    };
    let mut found = BTreeSet::new();
    for service in contract.services.iter().filter(|service| service.venv.is_none()) {
        if named_paths(&view, service).is_ok_and(|paths| paths.iter().all(is_elsewhere)) {
            found.insert(service.name.to_string());
        }
    }
    found
}

fn worst(report: &Report) -> String {
    let grave = |severity| {
        report.results.iter().find(|result| {
            result.severity == severity && matches!(&result.said, Said::Fail(of) if of.waiver.is_none())
        })
    };
    grave(Severity::Must).map_or_else(
        || "something is undecided".to_owned(),
        |result| format!("{} ({})", result.rule.id, result.subject),
    )
}
