//! Demands on values in force against what a booted systemd shows: of every service of the machine, and of two that are made
//! here, a demand of the shown value passes and a demand of another one fails. `make test` boots Debian 12 and 13;
//! `GOLDEN_REBOOT=all` boots every version of systemd that golden has tables for.

use crate::support::machine::{self, Image, Machine, Suite};
use crate::support::starts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use golden::audit::{Selection, audit};
use golden::facts::gather::gather;
use golden::model::Said;
use golden::system::DiskSystem;

/// The rules about them.
const RULES: [&str; 3] = ["unit-setting-ignored", "unit-setting-missing", "unit-setting-wrong"];

/// A setting, the property that shows it, and two values that systemd takes, as it shows them.
type Setting = (&'static str, &'static str, &'static str, &'static str);

/// Settings of `[Unit]`.
const OF_UNITS: &[Setting] = &[
    ("AllowIsolate", "AllowIsolate", "no", "yes"),
    ("CollectMode", "CollectMode", "inactive", "inactive-or-failed"),
    ("DefaultDependencies", "DefaultDependencies", "yes", "no"),
    ("FailureAction", "FailureAction", "none", "reboot"),
    ("SuccessAction", "SuccessAction", "none", "reboot"),
    ("IgnoreOnIsolate", "IgnoreOnIsolate", "no", "yes"),
    ("JobTimeoutSec", "JobTimeoutUSec", "infinity", "7min"),
    ("JobTimeoutAction", "JobTimeoutAction", "none", "reboot"),
    ("OnFailureJobMode", "OnFailureJobMode", "replace", "fail"),
    ("RefuseManualStart", "RefuseManualStart", "no", "yes"),
    ("RefuseManualStop", "RefuseManualStop", "no", "yes"),
    ("StartLimitAction", "StartLimitAction", "none", "reboot"),
    ("StartLimitBurst", "StartLimitBurst", "5", "9"),
    ("StartLimitIntervalSec", "StartLimitIntervalUSec", "10s", "33s"),
    ("StopWhenUnneeded", "StopWhenUnneeded", "no", "yes"),
];

/// Settings of `[Service]`. `WatchdogUSec` is not among them: systemd shows what is in force of it, which is none before the
/// service starts.
const OF_SERVICES: &[Setting] = &[
    ("Type", "Type", "simple", "oneshot"),
    ("Restart", "Restart", "no", "on-failure"),
    ("RestartSec", "RestartUSec", "100ms", "7s"),
    ("TimeoutStartSec", "TimeoutStartUSec", "1min 30s", "41s"),
    ("TimeoutStopSec", "TimeoutStopUSec", "1min 30s", "42s"),
    ("TimeoutAbortSec", "TimeoutAbortUSec", "1min 30s", "43s"),
    ("RuntimeMaxSec", "RuntimeMaxUSec", "infinity", "44min"),
    ("UMask", "UMask", "0022", "0077"),
    ("Nice", "Nice", "0", "3"),
    ("OOMScoreAdjust", "OOMScoreAdjust", "0", "-20"),
    ("OOMPolicy", "OOMPolicy", "stop", "continue"),
    ("LimitNOFILE", "LimitNOFILE", "1024:524288", "4321"),
    ("LimitCORE", "LimitCORE", "infinity", "4096"),
    ("MemoryMax", "MemoryMax", "infinity", "1073741824"),
    ("MemoryHigh", "MemoryHigh", "infinity", "1073741824"),
    ("MemorySwapMax", "MemorySwapMax", "infinity", "1073741824"),
    ("CPUQuota", "CPUQuotaPerSecUSec", "infinity", "500ms"),
    ("CPUWeight", "CPUWeight", "[not set]", "77"),
    ("IOWeight", "IOWeight", "[not set]", "78"),
    ("NoNewPrivileges", "NoNewPrivileges", "no", "yes"),
    ("PrivateTmp", "PrivateTmp", "no", "yes"),
    ("PrivateDevices", "PrivateDevices", "no", "yes"),
    ("PrivateNetwork", "PrivateNetwork", "no", "yes"),
    ("PrivateUsers", "PrivateUsers", "no", "yes"),
    ("PrivateMounts", "PrivateMounts", "no", "yes"),
    ("ProtectSystem", "ProtectSystem", "no", "full"),
    ("ProtectHome", "ProtectHome", "no", "read-only"),
    ("ProtectKernelTunables", "ProtectKernelTunables", "no", "yes"),
    ("ProtectKernelModules", "ProtectKernelModules", "no", "yes"),
    ("ProtectKernelLogs", "ProtectKernelLogs", "no", "yes"),
    ("ProtectControlGroups", "ProtectControlGroups", "no", "yes"),
    ("ProtectClock", "ProtectClock", "no", "yes"),
    ("ProtectHostname", "ProtectHostname", "no", "yes"),
    ("ProtectProc", "ProtectProc", "default", "invisible"),
    ("ProcSubset", "ProcSubset", "all", "pid"),
    ("RestrictRealtime", "RestrictRealtime", "no", "yes"),
    ("RestrictSUIDSGID", "RestrictSUIDSGID", "no", "yes"),
    ("RestrictNamespaces", "RestrictNamespaces", "no", "yes"),
    ("LockPersonality", "LockPersonality", "no", "yes"),
    ("MemoryDenyWriteExecute", "MemoryDenyWriteExecute", "no", "yes"),
    ("RemoveIPC", "RemoveIPC", "no", "yes"),
    ("DynamicUser", "DynamicUser", "no", "yes"),
    ("KillMode", "KillMode", "control-group", "mixed"),
    ("KillSignal", "KillSignal", "15", "2"),
    ("FinalKillSignal", "FinalKillSignal", "9", "6"),
    ("WatchdogSignal", "WatchdogSignal", "6", "9"),
    ("SendSIGKILL", "SendSIGKILL", "yes", "no"),
    ("SendSIGHUP", "SendSIGHUP", "no", "yes"),
    ("IgnoreSIGPIPE", "IgnoreSIGPIPE", "yes", "no"),
    ("StandardInput", "StandardInput", "null", "tty"),
    ("StandardOutput", "StandardOutput", "journal", "null"),
    ("StandardError", "StandardError", "inherit", "null"),
    ("SyslogLevel", "SyslogLevel", "6", "3"),
    ("SyslogFacility", "SyslogFacility", "3", "2"),
    ("SyslogLevelPrefix", "SyslogLevelPrefix", "yes", "no"),
    ("LogLevelMax", "LogLevelMax", "-1", "4"),
    ("RemainAfterExit", "RemainAfterExit", "no", "yes"),
    ("GuessMainPID", "GuessMainPID", "yes", "no"),
    ("NotifyAccess", "NotifyAccess", "none", "all"),
    ("RuntimeDirectoryMode", "RuntimeDirectoryMode", "0755", "0710"),
    ("StateDirectoryMode", "StateDirectoryMode", "0755", "0711"),
    ("RuntimeDirectoryPreserve", "RuntimeDirectoryPreserve", "no", "restart"),
    ("Delegate", "Delegate", "no", "yes"),
    ("Slice", "Slice", "system.slice", "other.slice"),
    ("CPUSchedulingPolicy", "CPUSchedulingPolicy", "0", "3"),
    ("IOSchedulingClass", "IOSchedulingClass", "0", "3"),
    ("KeyringMode", "KeyringMode", "private", "shared"),
    ("UtmpMode", "UtmpMode", "init", "login"),
    ("TimeoutStartFailureMode", "TimeoutStartFailureMode", "terminate", "abort"),
    ("TimeoutStopFailureMode", "TimeoutStopFailureMode", "terminate", "abort"),
];

fn settings() -> impl Iterator<Item = (&'static str, &'static Setting)> {
    let of = |section, all: &'static [Setting]| all.iter().map(move |setting| (section, setting));
    of("Unit", OF_UNITS).chain(of("Service", OF_SERVICES))
}

/// A service that states nothing, and one that states the second value of everything.
fn made() -> [(&'static str, String); 2] {
    let mut all = String::from("[Service]\nExecStart=/usr/bin/sleep infinity\n");
    for (section, (key, _, _, value)) in settings() {
        let _ = writeln!(all, "[{section}]\n{key}={}", as_written(key, value).unwrap_or(value));
    }
    [("bare.service", "[Service]\nExecStart=/usr/bin/sleep infinity\n".to_owned()), ("all.service", all)]
}

/// What `systemctl show` prints is not always what a unit may say; none where a unit cannot say it.
fn as_written(key: &str, shown: &'static str) -> Option<&'static str> {
    match (key, shown) {
        ("CPUQuota", "500ms") => Some("50%"),
        ("CPUQuota", _) | ("LogLevelMax", "-1") => None,
        (_, "[not set]") => None,
        (_, shown) => Some(shown),
    }
}

/// What the machine shows of each service: property and value.
type Shown = BTreeMap<String, BTreeMap<String, String>>;

fn shown(machine: &Machine) -> Shown {
    let list = "{ systemctl list-units --all --plain --no-legend --type=service; systemctl list-unit-files --no-legend --type=service; } \
                | awk '{print $1}' | grep -v '@\\.' | sort -u";
    let names: BTreeSet<String> = machine.sh_ok(list).lines().map(str::to_owned).collect();
    let properties: Vec<&str> = settings().map(|(_, (_, property, ..))| *property).collect();
    let mut command = vec!["systemctl".to_owned(), "show".to_owned(), "--no-pager".to_owned()];
    command.push(format!(
        "--property=Id,LoadState,FragmentPath,LimitNOFILESoft,LimitCORESoft,{}",
        properties.join(",")
    ));
    command.push("--".to_owned());
    command.extend(names);
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let blocks = machine.ok(&words);
    let read = |block: &str| {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        let mut unit: BTreeMap<String, String> =
            pairs.map(|(key, value)| (key.into(), value.into())).collect();
        // Of a limit both ends count.
        for key in ["LimitNOFILE", "LimitCORE"] {
            let (soft, hard) = (unit[&format!("{key}Soft")].clone(), unit[key].clone());
            unit.insert(key.to_owned(), if soft == hard { hard } else { format!("{soft}:{hard}") });
        }
        unit
    };
    let units = blocks.split("\n\n").map(read);
    // What a generator made is not on the disk of a machine that is off.
    let counts = |unit: &BTreeMap<String, String>| {
        unit["LoadState"] == "loaded" && !unit["FragmentPath"].starts_with("/run/")
    };
    units.filter(counts).map(|unit| (unit["Id"].clone(), unit)).collect()
}

/// The name of a unit as the name of a service.
fn plain(unit: &str) -> String {
    unit.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// A demand on one setting of one unit.
struct Demand {
    unit: String,
    section: &'static str,
    key: &'static str,
    value: String,
    /// It is what systemd shows.
    is_shown: bool,
}

/// Each shown value, and another one.
fn demands(shown: &Shown) -> Vec<Demand> {
    let mut all = Vec::new();
    for (unit, properties) in shown {
        for (section, (key, property, one, other)) in settings() {
            // A version that does not know the property shows nothing.
            let Some(is) = properties.get(*property) else { continue };
            let mut add = |value: &str, is_shown| {
                all.push(Demand { unit: unit.clone(), section, key, value: value.to_owned(), is_shown });
            };
            let written = [*one, *other]
                .into_iter()
                .find(|known| known == is)
                .map_or(Some(is.as_str()), |known| as_written(key, known));
            if let Some(value) = written.filter(|value| !value.is_empty() && !value.starts_with('[')) {
                add(value, true);
            }
            if let Some(value) = as_written(key, if is == one { other } else { one }) {
                add(value, false);
            }
        }
    }
    all
}

/// An outcome in a few words.
fn word(said: &Said) -> String {
    match said {
        Said::Pass => "passes".to_owned(),
        Said::Fail(failure) => format!("fails: {}", failure.finding.message),
        Said::Undecided(undecided) => format!("undecided: {}", undecided.why),
        Said::NotApplicable(why) => format!("not applicable: {why}"),
    }
}

/// How many demands on a setting were undecided, and why the first was.
type Open = BTreeMap<&'static str, (usize, String)>;

/// What golden says otherwise, and how many demands it left undecided, by setting.
fn complaints(suite: Suite) -> (Vec<String>, Open, usize) {
    let machine = Machine::boot(Image::Base, suite, &[]);
    for (name, text) in made() {
        machine.write(&format!("/etc/systemd/system/{name}"), text, 0o644, "root:root");
    }
    machine.sh_ok("systemctl daemon-reload; systemctl is-system-running --wait || true");
    let shown = shown(&machine);
    let all = demands(&shown);
    let system = DiskSystem::rooted(machine.root()).unwrap();
    let (mut wrong, mut undecided) = (Vec::new(), Open::new());
    for is_shown in [true, false] {
        let services: BTreeMap<String, String> = all
            .iter()
            .filter(|demand| demand.is_shown == is_shown)
            .fold(BTreeMap::new(), |mut text, demand| {
                let Demand { unit, section, key, value, .. } = demand;
                let table = text.entry(unit.clone()).or_insert_with(|| {
                    format!("[services.{}]\nkind = \"executable\"\nunit.name = \"{unit}\"\n", plain(unit))
                });
                let _ = writeln!(
                    table,
                    "unit.{section}.{key} = {{ equals = \"{value}\", presence = \"effective\" }}"
                );
                text
            });
        let contract = starts::contract(&services.into_values().collect::<Vec<_>>().join("\n"));
        let rules = RULES.iter().map(|rule| (*rule).to_owned()).collect();
        let selection = Selection { rules, ..Selection::default() };
        let facts = gather(&system, &contract, selection.needs(&contract));
        let report = audit(&contract, &facts, &selection, false);
        let mut said: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for result in report.results.iter() {
            let about =
                (result.subject.label().to_string(), result.key.as_deref().unwrap_or_default().to_owned());
            said.entry(about).or_default().push(word(&result.said));
        }
        for demand in all.iter().filter(|demand| demand.is_shown == is_shown) {
            let said = said.remove(&(plain(&demand.unit), demand.key.to_owned())).unwrap_or_default();
            let fails = said.iter().any(|word| word.starts_with("fails"));
            let why = said.iter().find(|word| word.starts_with("undecided"));
            if let (Some(why), false) = (why, fails) {
                let (count, first) = undecided.entry(demand.key).or_insert((0, why.clone()));
                *count += 1;
                first.truncate(160);
            } else if fails == is_shown || said.is_empty() {
                let Demand { unit, section, key, value, .. } = demand;
                wrong.push(format!(
                    "{} {unit} {section}.{key}={value} (shown: {is_shown}): {said:?}",
                    suite.systemd()
                ));
            }
        }
    }
    (wrong, undecided, all.len())
}

#[test]
fn a_demand_of_what_is_in_force_passes_and_of_another_value_fails() {
    if machine::skipped() {
        return;
    }
    assert!(settings().count() >= 60);
    for suite in Suite::of("GOLDEN_REBOOT").iter().copied() {
        let (wrong, undecided, count) = complaints(suite);
        let open: usize = undecided.values().map(|(count, _)| count).sum();
        println!("demands on systemd {}: {count} judged, {open} undecided: {undecided:#?}", suite.systemd());
        assert!(wrong.is_empty(), "{} of {count}: {}", wrong.len(), wrong.join("\n"));
    }
}
