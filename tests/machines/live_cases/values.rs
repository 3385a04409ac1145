//! What the manager of the running host has in force, where files cannot tell it.

use super::{Host, Report};

/// Settings whose default depends on the host, the property that shows them, and what nobody has in force.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("LimitCORE", "LimitCORE", "4321"),
    ("LimitNPROC", "LimitNPROC", "4321"),
    ("LimitMEMLOCK", "LimitMEMLOCK", "4321"),
    ("TasksMax", "TasksMax", "4321"),
];

pub(super) fn values(host: &Host) {
    let contract = |value: &dyn Fn(&(&str, &str, &str)) -> String| {
        let demand = |setting: &(&str, &str, &str)| {
            format!("{} = {{ equals = \"{}\", presence = \"effective\" }}\n", setting.0, value(setting))
        };
        let demands: String = SETTINGS.iter().map(demand).collect();
        format!("schema = 1\nextends = \"quantum\"\n[services.backend.unit.Service]\n{demands}")
    };
    let judged = |contract: String| {
        host.machine.write("/root/values.toml", contract, 0o600, "root:root");
        let words = "golden --contract /root/values.toml audit --format json --rule unit-setting-missing";
        Report::of(&host.machine.run(&words.split(' ').collect::<Vec<_>>()))
    };
    let show = |property: &str| {
        let command = format!("systemctl show --value --property {property} quantum-backend.service");
        host.machine.sh_ok(&command).trim().to_owned()
    };
    let shown = |(_, property, _): &(&str, &str, &str)| match (show(property), property.starts_with("Limit"))
    {
        (hard, true) => {
            let soft = show(&format!("{property}Soft"));
            if soft == hard { hard } else { format!("{soft}:{hard}") }
        }
        (value, false) => value,
    };
    let report = judged(contract(&shown));
    assert_eq!((report.failures(), report.undecided()), (vec![], vec![]));
    let report = judged(contract(&|(_, _, other)| (*other).to_owned()));
    assert_eq!(
        (report.failures().len(), report.undecided()),
        (SETTINGS.len(), vec![]),
        "{:?}",
        report.failures()
    );
    assert!(
        report.failures().iter().all(|said| said.message.contains("in force")),
        "{:?}",
        report.failures()
    );
}
