//! The clean-slate test of section K: a throwaway machine with nothing but the distribution becomes compliant by the
//! contract alone, twice, and stays so when things die. Every act is a question with a yes or a no.

mod copy;
mod machine;

use std::time::{Duration, Instant};

pub use copy::still;
pub use machine::{Ground, Machine, NoMachine, STORE};

use crate::contract::Contract;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// Delete everything, and do it again.
    pub twice: bool,
    /// Where wheels lie in the machine.
    pub wheelhouse: Option<&'a str>,
    /// Nothing dies.
    pub calm: bool,
}

/// How an act ended.
#[derive(Clone, Debug)]
pub struct Act {
    /// The claim.
    pub title: String,
    /// What it took.
    pub took: Duration,
    /// Why it is not true, with what was said.
    pub failed: Option<String>,
}

/// Seconds until everything must be back after something died: `RestartSec=` of each in a row, and a start.
const BACK_WITHIN: u64 = 120;

/// Plays every act on a machine that is up. `heard` hears of each when it has ended; the rest is not played after
/// the first that fails.
pub fn play(machine: &Machine, rehearsal: &Rehearsal<'_>, heard: &mut dyn FnMut(&Act)) -> Vec<Act> {
    let mut played = Vec::new();
    let scenes = scenes(rehearsal);
    for (title, scene) in scenes {
        let began = Instant::now();
        let failed = scene(machine).err();
        let act = Act { title, took: began.elapsed(), failed };
        heard(&act);
        let stop = act.failed.is_some();
        played.push(act);
        if stop {
            break;
        }
    }
    played
}

type Scene<'a> = Box<dyn Fn(&Machine) -> Result<(), String> + 'a>;

fn scenes<'a>(rehearsal: &'a Rehearsal<'a>) -> Vec<(String, Scene<'a>)> {
    let contract = rehearsal.contract;
    let mut scenes: Vec<(String, Scene<'a>)> = Vec::new();
    let mut add = |title: String, scene: Scene<'a>| scenes.push((title, scene));
    let named = named(contract);
    let golden = move |words: &[&str]| -> Vec<String> {
        let all = ["golden"].iter().chain(words).map(|word| (*word).to_owned());
        named.iter().fold(all.collect(), |mut all: Vec<String>, name| {
            all.extend(["--contract".to_owned(), name.clone()]);
            all
        })
    };
    let (plan, again) = (golden(&["plan", "--list"]), golden(&["plan", "--list"]));
    let mut words = golden(&["apply", "--quiet", "--yes"]);
    words
        .extend(rehearsal.wheelhouse.iter().flat_map(|path| ["--wheelhouse".to_owned(), (*path).to_owned()]));
    // What a package brings can only be changed when it is there: what the first call reveals waits for the next.
    let apply = move |machine: &Machine| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let plan: Vec<&str> = plan.iter().map(String::as_str).collect();
        for _ in 0..CALLS {
            machine.expect(&words, 0)?;
            if machine.run(&plan).map_err(|error| error.to_string())?.code == Some(0) {
                return Ok(());
            }
        }
        machine.expect(&plan, 0)
    };
    let apply = std::rc::Rc::new(apply);
    let first = std::rc::Rc::clone(&apply);
    add("the contract is applied".into(), Box::new(move |machine| first(machine)));
    add(
        "applying again changes nothing".into(),
        Box::new(move |machine| machine.expect(&again.iter().map(String::as_str).collect::<Vec<&str>>(), 0)),
    );
    add("the audit passes".into(), Box::new(audit));
    if let Some(policy) = &contract.repository {
        add(
            "the repository holds what the contract makes".into(),
            Box::new(move |machine| {
                machine.expect(&["golden", "render", "--check", "--out", &policy.path.value], 0)
            }),
        );
    }
    for unit in units(contract).filter(|_| !rehearsal.calm) {
        add(
            format!("{unit} is killed, and everything comes back"),
            Box::new(move |machine| {
                machine.expect(&["systemctl", "kill", "--signal=KILL", unit], 0)?;
                back(machine, contract)
            }),
        );
    }
    let bound = contract.dependencies.values().filter_map(|dependency| dependency.unit.as_ref());
    for unit in bound.filter(|_| !rehearsal.calm) {
        add(
            format!("{} is restarted, and everything comes back", unit.value),
            Box::new(move |machine| {
                machine.expect(&["systemctl", "restart", &unit.value], 0)?;
                back(machine, contract)
            }),
        );
    }
    if !rehearsal.calm {
        let reboot = move |machine: &Machine| {
            machine.reboot()?;
            back(machine, contract)
        };
        add("the machine reboots, and everything comes back".into(), Box::new(reboot));
    }
    // Jobs come last: by now the services have made what jobs work on.
    for job in &contract.provision.rehearse {
        let name = &job.value;
        add(format!("job {name} runs"), Box::new(move |machine| machine.expect(&["golden", "job", name], 0)));
    }
    add("the audit passes again".into(), Box::new(audit));
    if rehearsal.twice {
        add("everything that was made is deleted".into(), Box::new(move |machine| delete(machine, contract)));
        add("the contract is applied to what is left".into(), Box::new(move |machine| apply(machine)));
        add("the audit passes after that".into(), Box::new(audit));
    }
    scenes
}

/// How the contract is named to verbs that change a host; nothing where it is installed.
fn named(contract: &Contract) -> Option<String> {
    contract.source.built_in.then(|| format!("builtin:{}", contract.name.value))
}

/// How often a plan is carried out until there is nothing left to do.
const CALLS: usize = 4;

fn audit(machine: &Machine) -> Result<(), String> {
    machine.expect(&["golden", "audit", "--color", "never", "--quiet"], 0)
}

/// Units that must be alive: of dependencies and of services.
fn units(contract: &Contract) -> impl Iterator<Item = &str> {
    let dependencies = contract
        .dependencies
        .values()
        .filter_map(|dependency| Some(dependency.unit.as_ref()?.value.as_str()));
    let services = contract.services.iter().filter(|service| service.runs_by_itself());
    dependencies.chain(services.map(|service| service.unit.value.as_str()))
}

/// Waits until every unit is active.
fn back(machine: &Machine, contract: &Contract) -> Result<(), String> {
    let began = Instant::now();
    loop {
        // is-active is content with one of several, so each is asked.
        let mut dead = Vec::new();
        for unit in units(contract) {
            let asked = machine.run(&["systemctl", "is-active", "--quiet", unit]);
            if asked.map_err(|error| error.to_string())?.code != Some(0) {
                dead.push(unit);
            }
        }
        if dead.is_empty() {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(BACK_WITHIN) {
            let said =
                machine.run(&[&["systemctl", "status", "--no-pager", "--lines=5"][..], &dead].concat());
            let said = said.map(|ended| ended.said).unwrap_or_default();
            return Err(format!("{} not back after {BACK_WITHIN} s\n{said}", dead.join(", ")));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The clean slate: repository, venvs, units and env files are gone; data and accounts stay.
fn delete(machine: &Machine, contract: &Contract) -> Result<(), String> {
    let artefacts = crate::render::artefacts(contract).map_err(|gaps| format!("{} gaps", gaps.len()))?;
    for service in contract.services.iter().rev().filter(|service| service.runs_by_itself()) {
        machine.expect(&["systemctl", "disable", "--quiet", "--now", &service.unit.value], 0)?;
    }
    let files = artefacts.iter().filter_map(|artefact| Some(artefact.on_host.as_ref()?.path.as_str()));
    let venvs = contract.venvs.values().map(|venv| venv.path.value.as_str());
    let repository = contract.repository.iter().map(|policy| policy.path.value.as_str());
    let words: Vec<&str> =
        ["rm", "-rf", "--"].into_iter().chain(files).chain(venvs).chain(repository).collect();
    machine.expect(&words, 0)?;
    machine.expect(&["systemctl", "daemon-reload"], 0)
}
