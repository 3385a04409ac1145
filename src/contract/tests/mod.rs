//! The built-in contract and what every contract can rely on.

mod arbitrary;
mod broken;
mod inherit;

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
    service.settings.iter().map(|demand| demand.as_ref()).filter(|demand| *demand.key == *key).collect()
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
    assert_eq!(contract.jobs.len(), 7);
    assert!(contract.safety.is_some() && contract.waivers.is_empty());
    assert!(demanded(engine, "User").is_empty(), "the user is judged by a rule of its own");
}

#[test]
fn common_demands_are_shared() {
    let contract = Contract::built_in();
    let restart = |index: usize| {
        let service: &Service = &contract.services[index];
        service.settings.iter().find(|demand| demand.key.as_ref() == "Restart").unwrap().clone()
    };
    assert!(std::sync::Arc::ptr_eq(&restart(0), &restart(1)));
}

/// A contract with many services, written as a person would.
fn many(count: usize) -> String {
    let mut text = Contract::built_in_text().replace("schema = 1", "schema = 1 # many");
    for index in 0..count {
        text.push_str(&format!(
            "[services.worker-{index}]\n\
             title = \"Worker number {index}\"\n\
             kind = \"python\"\n\
             venv = \"backend\"\n\
             command = [\"python\", \"-m\", \"src.worker_{index}.main\"]\n\
             env_files = [\"{{layout.env}}/common.env\", \"{{layout.env}}/worker-{index}.env\"]\n\
             requires = [\"redis\"]\n\
             after = [\"{}\"]\n\n",
            if index == 0 { "backend".to_owned() } else { format!("worker-{}", index - 1) },
        ));
    }
    text
}

#[test]
fn ten_thousand_services_are_read() {
    let text = many(10_000);
    let contract = Contract::parse(&text, "golden.toml", false, &|_| Err(String::new())).unwrap();
    assert_eq!(contract.services.len(), 10_004);
    let last = contract.services.last().unwrap();
    assert_eq!(last.unit.value, "quantum-worker-9999.service");
    let of_kind = |service: &Service| {
        service.settings.iter().find(|demand| demand.key.as_ref() == "Type").unwrap().clone()
    };
    assert!(std::sync::Arc::ptr_eq(&of_kind(last), &of_kind(&contract.services[0])));
}

#[test]
fn the_contract_of_another_system_is_sound() {
    let text = include_str!("../../../examples/contracts/web.toml");
    let parsed = Contract::parse(text, "web.toml", false, &|_| Err("stands alone".into()));
    let contract = parsed.unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!((contract.services.len(), contract.waivers.len()), (3, 1));
    assert!(contract.repository.is_none() && contract.dependencies.is_empty() && contract.safety.is_none());
    for word in ["quantum", "qt", "redis", "6379", "python"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn every_key_of_the_format_is_in_its_manual() {
    let manual = include_str!("../../../docs/contract-file.md");
    for table in schema::ALL {
        for key in table.keys {
            let ways = [format!("`{key}`"), format!("`[{key}]`"), format!("`[[{key}]]`")];
            assert!(
                ways.iter().any(|way| manual.contains(way)),
                "`{key}` of {} is not explained",
                table.table
            );
        }
    }
    for word in schema::BUILT_IN_JOBS.iter().chain(schema::DEPENDENCY_KINDS) {
        assert!(manual.contains(&format!("`{word}`")), "`{word}` is not explained");
    }
}

/// How old a success may be is demanded of what systemd keeps loaded alone.
#[test]
fn a_last_success_is_demanded_of_what_is_started_for_one_task() {
    let read = |service: &str| {
        let text = format!(
            "schema = 1\nextends = \"quantum\"\n[services.x]\nunit.name = \"x.service\"\n{service}\n"
        );
        let base = |_: &str| Ok(Contract::built_in_text().to_owned());
        Contract::parse(&text, "/etc/golden/golden.toml", false, &base)
    };
    for service in ["kind = \"timer-job\"", "kind = \"executable\"\nactivation = \"path\""] {
        let contract = read(&format!("{service}\nsucceeded_within = \"1d 2h\"")).unwrap();
        let service = contract.services.iter().find(|service| &*service.name == "x").unwrap();
        assert_eq!(service.succeeded_within.as_ref().unwrap().value, 26 * 3_600);
    }
    for service in ["kind = \"executable\"", "kind = \"job\"", "kind = \"executable\"\nactivation = \"bus\""]
    {
        let errors = read(&format!("{service}\nsucceeded_within = \"26h\"")).unwrap_err();
        assert!(errors[0].message.contains("its last run is forgotten"), "{errors:#?}");
    }
    assert!(read("kind = \"timer-job\"\nsucceeded_within = \"soon\"").is_err());
}

/// Two services cannot listen at one place, and what is no place is refused.
#[test]
fn a_port_belongs_to_one_service() {
    let read = |one: &str, other: &str| {
        let service = |name: &str, ports: &str| {
            format!(
                "[services.{name}]\nkind = \"executable\"\ncommand = [\"/usr/bin/true\"]\nports = {ports}\n"
            )
        };
        let text = format!("schema = 1\nextends = \"quantum\"\n{}{}", service("x", one), service("y", other));
        let base = |_: &str| Ok(Contract::built_in_text().to_owned());
        Contract::parse(&text, "/etc/golden/golden.toml", false, &base)
    };
    for (one, other) in
        [(r#"["127.0.0.1:80"]"#, r#"["127.0.0.2:80", "[::1]:80", "81"]"#), (r#"[]"#, r#"["80"]"#)]
    {
        assert!(read(one, other).is_ok(), "{one} {other}");
    }
    for (one, other) in
        [(r#"["80"]"#, r#"["80"]"#), (r#"["80"]"#, r#"["127.0.0.1:80"]"#), (r#"["[::1]:80"]"#, r#"["80"]"#)]
    {
        let errors = read(one, other).unwrap_err();
        assert!(errors[0].message.contains("x and y are both to listen at"), "{errors:#?}");
    }
    let twice = read(r#"["80", "0.0.0.0:80"]"#, "[]").unwrap_err();
    assert!(twice[0].message.contains("x is to listen at *:80 twice"), "{twice:#?}");
    for wrong in [r#"["localhost:80"]"#, r#"["0"]"#, "[80]"] {
        assert!(read(wrong, "[]").is_err(), "{wrong}");
    }
}
