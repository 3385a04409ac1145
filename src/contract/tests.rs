//! The built-in contract and what every contract can rely on.

use super::*;
use crate::model::Severity;

#[test]
fn the_built_in_contract_has_no_errors() {
    let nothing = |_: &str| Err("nothing is extended".to_owned());
    let parsed = Contract::parse(Contract::built_in_text(), "quantum.toml (built in)", true, &nothing);
    if let Err(errors) = parsed {
        let shown: Vec<String> = errors.iter().map(|error| error.render(Contract::built_in_text())).collect();
        panic!("{}", shown.join("\n"));
    }
}

/// The demands of a service on one setting.
fn demanded<'s>(service: &'s Service, key: &str) -> Vec<&'s SettingDemand> {
    service.settings.iter().map(|demand| demand.as_ref()).filter(|demand| demand.key == key).collect()
}

#[test]
fn a_service_of_the_built_in_contract_is_complete() {
    let contract = Contract::built_in();
    let names: Vec<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
    assert_eq!(names, ["backend", "ai-engine", "execution", "rl-agent"]);
    let engine = &contract.services[1];
    assert_eq!(engine.unit.value, "quantum-ai-engine.service");
    assert_eq!(engine.user.value, "qt");
    assert_eq!(engine.env_files[0].path, "/etc/quantum/ai-engine.env");
    assert_eq!(engine.venv.as_ref().unwrap().value, "/opt/quantum/venvs/ai-engine");
    assert_eq!(engine.working_directory.as_ref().unwrap().value, "/home/qt/quantum_trader");
    let after: Vec<&str> = engine.after_units.iter().map(|unit| unit.value.as_str()).collect();
    assert_eq!(after, ["redis-server.service", "quantum-backend.service"]);
    assert_eq!(engine.binds_to.len(), 1);
    let description = demanded(engine, "Description");
    assert_eq!(description[0].form, Form::Present);
    assert_eq!(description[1].form, Form::Equals("Quantum Trading System - AI Engine".into()));
    assert_eq!(description[1].severity, Severity::Should);
    assert_eq!(demanded(engine, "SyslogIdentifier")[0].form, Form::Equals("quantum-ai-engine".into()));
    assert_eq!(engine.variables.len(), 12);
    assert_eq!(contract.jobs.len(), 5);
    assert!(contract.safety.is_some() && contract.waivers.is_empty());
    assert!(demanded(engine, "User").is_empty(), "the user is judged by a rule of its own");
}

#[test]
fn common_demands_are_shared() {
    let contract = Contract::built_in();
    let restart = |index: usize| {
        let service: &Service = &contract.services[index];
        service.settings.iter().find(|demand| demand.key == "Restart").unwrap().clone()
    };
    assert!(std::sync::Arc::ptr_eq(&restart(0), &restart(1)));
}
