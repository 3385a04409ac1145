//! Variables of a command line that nothing sets.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::facts::environment::files_of;
use crate::facts::start::{EXEC_SETTINGS, commands};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::systemd::command_line::expand_arguments;

rule! {
    /// A command line uses a variable that is not set.
    ///
    /// systemd replaces an unset `${VAR}` with nothing and still starts the program: `--config=${CONF_FILE}`
    /// becomes `--config=` (systemd.service(5), "COMMAND LINES"). golden looks at `Environment=`, the env files
    /// and `PassEnvironment=`. The variables that systemd itself sets (systemd.exec(5), "ENVIRONMENT VARIABLES
    /// IN SPAWNED PROCESSES") count as set. A `$OPTIONS` that is a word of its own may stay empty if an env
    /// file could set it: distributions write their units in this way.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/usr/bin/true --config=${CONF_FILE}
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | Environment=CONF_FILE=/etc/quantum/conf
    /// | ExecStartPre=/usr/bin/true --config=${CONF_FILE} ${HOME} $OPTIONS $$ARGS
    /// | ExecReload=/usr/bin/true ${MAINPID}
    /// ```
    id: "unit-variable-unset",
    section: D,
    severity: Should,
    needs: [Units, EnvFiles],
    cause: Unit,
    why: "the program gets an empty argument instead of a value",
    see: ["systemctl show -p ExecStart,Environment,EnvironmentFiles {unit}"],
    mend: "Set the variable, correct its name, or write `$$` if the program must see a dollar sign.",
    man: ["systemd.service(5)", "systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

/// What systemd sets for every service, for some, and what the host's own settings may.
const OF_SYSTEMD: &[&str] = &[
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "EXIT_CODE",
    "EXIT_STATUS",
    "FDSTORE",
    "HOME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "LOGS_DIRECTORY",
    "MAINPID",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NOTIFY_SOCKET",
    "PATH",
    "PIDFILE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "RUNTIME_DIRECTORY",
    "SERVICE_RESULT",
    "SHELL",
    "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "TZ",
    "USER",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "XDG_RUNTIME_DIR",
];

/// Families of such variables.
const PREFIXES: &[&str] = &["LC_", "LISTEN_", "MONITOR_", "TRIGGER_", "XDG_"];

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut unset: Vec<(String, &Setting)> = Vec::new();
    let commands = commands(unit, EXEC_SETTINGS);
    if commands.iter().all(|started| started.command.words.iter().all(|word| !word.contains('$'))) {
        return Ok(Outcome::Pass);
    }
    let environment = view.named_by_commands(unit)?;
    let passed: BTreeSet<String> =
        unit.words("Service", "PassEnvironment").into_iter().map(|(word, _)| word).collect();
    let is_set = |name: &str| {
        OF_SYSTEMD.contains(&name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || passed.contains(name)
            || environment.get(name).and_then(Option::as_ref).is_some_and(|layers| !layers.is_empty())
    };
    let has_env_file = !files_of(unit).is_empty();
    for started in &commands {
        let asked = RefCell::new(Vec::new());
        expand_arguments(&started.command, &|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        for name in asked.into_inner() {
            let word = format!("${name}");
            let may_be_empty = has_env_file && started.command.words.contains(&word);
            if environment.get(&name) == Some(&None) {
                return Err(Undecided::new(format!(
                    "whether this systemd fills in {name} before UnsetEnvironment= was not measured"
                )));
            }
            if !is_set(&name) && !may_be_empty && !unset.iter().any(|(other, _)| *other == name) {
                unset.push((name, started.setting));
            }
        }
    }
    let findings = unset.into_iter().map(|(name, setting)| {
        Finding::new(
            format!("nothing sets {name}, which {}= uses", setting.key),
            setting.at.clone(),
            view.service.unit.at.clone(),
        )
        .key(name.clone())
        .expected(format!("a value of {name}"))
        .observed(setting.raw().to_owned())
        .mend(
            Remedy::decide(format!("set {name}, correct its name, or write $$ for a dollar sign"))
                .candidate("", by_hand(&setting.at)),
        )
    });
    Ok(Outcome::from_findings(findings.collect()))
}
