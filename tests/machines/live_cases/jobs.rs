//! What a timer starts: when it last succeeded, and whether it is ever started again.

use super::{Host, Report};

/// A job that a boot starts for the first time.
const SERVICE: &str =
    "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 0.1\n[Install]\nWantedBy=multi-user.target\n";

/// An hour after each run.
const TIMER: &str = "[Timer]\nOnUnitActiveSec=1h\n";

const CONTRACT: &str = "schema = 1\nextends = \"quantum\"\n[services.nightly]\nkind = \"timer-job\"\n\
    unit.name = \"nightly.service\"\ntimer = \"nightly.timer\"\nsucceeded_within = \"WITHIN\"\n\
    command = [\"/usr/bin/sleep\"]\nexact = false\n";

/// The outcomes and findings of the two rules about it.
fn judged(host: &Host, within: &str) -> (Vec<String>, Vec<String>) {
    let contract = CONTRACT.replace("WITHIN", within);
    host.machine.write("/root/nightly.toml", contract, 0o600, "root:root");
    let words = "golden --contract /root/nightly.toml audit --format json --rule unit-last-success-old --rule timer-not-active";
    let report = Report::of(&host.machine.run(&words.split(' ').collect::<Vec<_>>()));
    // Of the other services neither says anything.
    let outcome = |rule: &str| {
        let outcomes: Vec<&str> =
            report.outcomes(rule).into_iter().filter(|outcome| *outcome != "not-applicable").collect();
        format!("{rule} {}", outcomes.join(" "))
    };
    let said = report.failures().into_iter().map(|said| said.message).collect();
    (vec![outcome("unit-last-success-old"), outcome("timer-not-active")], said)
}

pub(super) fn jobs(host: &Host) {
    host.machine.write("/etc/systemd/system/nightly.service", SERVICE, 0o644, "root:root");
    host.machine.write("/etc/systemd/system/nightly.timer", TIMER, 0o644, "root:root");
    host.sh("systemctl daemon-reload; systemctl -q enable nightly.service; systemctl start nightly.timer");
    // No boot was since, so the hour that is counted from its first run never begins.
    let (outcomes, said) = judged(host, "26h");
    assert_eq!(outcomes, ["unit-last-success-old undecided", "timer-not-active fail"]);
    assert!(said[0].contains("has no next time"), "{said:?}");
    host.sh("systemctl start nightly.service");
    let (outcomes, said) = judged(host, "26h");
    assert_eq!(
        (outcomes, said),
        (vec!["unit-last-success-old pass".into(), "timer-not-active pass".into()], vec![])
    );
    host.sh("sleep 3");
    let (outcomes, said) = judged(host, "2s");
    assert_eq!(outcomes, ["unit-last-success-old fail", "timer-not-active pass"]);
    assert!(said[0].contains("it last succeeded"), "{said:?}");
    host.sh("systemctl stop nightly.timer; systemctl -q disable nightly.service; rm /etc/systemd/system/nightly.*; systemctl daemon-reload");
}
