//! Units of a system by name, as an audit reads them.

use std::collections::BTreeSet;

use golden::contract::{Contract, Dependency, DependencyKind};
use golden::facts::{HostFacts, Need, Needs, gather};
use golden::model::{Location, Stated};
use golden::system::System;

/// Facts about these units and all that an audit gathers with them.
pub fn gather(system: &dyn System, names: &BTreeSet<String>) -> HostFacts {
    let text = "schema = 1\n[contract]\nname = \"units\"\nversion = \"1.0.0\"\n[identity]\nuser = \"root\"\ngroup = \"root\"\n";
    let mut contract = Contract::parse(text, "units.toml", false, &|_| Err(String::new()))
        .unwrap_or_else(|errors| panic!("{errors:#?}"));
    for name in names {
        let at = Location::file("units.toml");
        let unit = Some(Stated { value: name.clone(), at: at.clone() });
        let dependency = Dependency { name: name.as_str().into(), kind: DependencyKind::Unit, unit, at };
        contract.dependencies.insert(name.as_str().into(), dependency);
    }
    gather::gather(system, &contract, Needs::of(&[Need::Units]))
}
