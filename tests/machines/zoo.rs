//! Every unit of a booted Debian full of daemons: what we read from its files against what its systemd says.

use crate::support::machine;
use crate::support::shown;
use crate::support::units;

use std::collections::{BTreeMap, BTreeSet};

use golden::facts::HostFacts;
use golden::system::DiskSystem;
use golden::systemd::command_line;
use golden::systemd::effective::EffectiveUnit;
use machine::{Image, Machine, Suite};

/// Settings with one value: the property, where it is set, and what systemd has where it is not. `@` names a
/// property of the manager.
const SCALARS: &[(&str, &str, &str, &str)] = &[
    ("User", "Service", "User", ""),
    ("Group", "Service", "Group", ""),
    ("WorkingDirectory", "Service", "WorkingDirectory", ""),
    ("RootDirectory", "Service", "RootDirectory", ""),
    ("Type", "Service", "Type", "simple"),
    ("Restart", "Service", "Restart", "no"),
    ("RestartUSec", "Service", "RestartSec", "@DefaultRestartUSec"),
    ("TimeoutStartUSec", "Service", "TimeoutStartSec", "@DefaultTimeoutStartUSec"),
    ("TimeoutStopUSec", "Service", "TimeoutStopSec", "@DefaultTimeoutStopUSec"),
    ("RuntimeMaxUSec", "Service", "RuntimeMaxSec", "infinity"),
    ("WatchdogUSec", "Service", "WatchdogSec", ""),
    ("UMask", "Service", "UMask", "0022"),
    ("Nice", "Service", "Nice", "0"),
    ("OOMScoreAdjust", "Service", "OOMScoreAdjust", "@DefaultOOMScoreAdjust"),
    ("LimitNOFILE", "Service", "LimitNOFILE", "@DefaultLimitNOFILE"),
    ("LimitCORE", "Service", "LimitCORE", "@DefaultLimitCORE"),
    ("LimitMEMLOCK", "Service", "LimitMEMLOCK", "@DefaultLimitMEMLOCK"),
    ("LimitNPROC", "Service", "LimitNPROC", "@DefaultLimitNPROC"),
    ("MemoryMax", "Service", "MemoryMax", "infinity"),
    ("MemoryHigh", "Service", "MemoryHigh", "infinity"),
    ("TasksMax", "Service", "TasksMax", "@DefaultTasksMax"),
    ("CPUQuotaPerSecUSec", "Service", "CPUQuota", "infinity"),
    ("NoNewPrivileges", "Service", "NoNewPrivileges", "no"),
    ("PrivateTmp", "Service", "PrivateTmp", "no"),
    ("PrivateDevices", "Service", "PrivateDevices", "no"),
    ("PrivateNetwork", "Service", "PrivateNetwork", "no"),
    ("ProtectSystem", "Service", "ProtectSystem", "no"),
    ("ProtectHome", "Service", "ProtectHome", "no"),
    ("ProtectKernelTunables", "Service", "ProtectKernelTunables", "no"),
    ("DynamicUser", "Service", "DynamicUser", "no"),
    ("KillMode", "Service", "KillMode", "control-group"),
    ("KillSignal", "Service", "KillSignal", "15"),
    ("SendSIGKILL", "Service", "SendSIGKILL", "yes"),
    ("StandardOutput", "Service", "StandardOutput", "journal"),
    ("StandardError", "Service", "StandardError", "inherit"),
    ("SyslogIdentifier", "Service", "SyslogIdentifier", ""),
    ("RemainAfterExit", "Service", "RemainAfterExit", "no"),
    ("GuessMainPID", "Service", "GuessMainPID", "yes"),
    ("PIDFile", "Service", "PIDFile", ""),
    ("BusName", "Service", "BusName", ""),
    ("StartLimitIntervalUSec", "Unit", "StartLimitIntervalSec", "@DefaultStartLimitIntervalUSec"),
    ("StartLimitBurst", "Unit", "StartLimitBurst", "@DefaultStartLimitBurst"),
    ("RefuseManualStart", "Unit", "RefuseManualStart", "no"),
    ("ProtectKernelModules", "Service", "ProtectKernelModules", "no"),
    ("ProtectControlGroups", "Service", "ProtectControlGroups", "no"),
    ("ProtectHostname", "Service", "ProtectHostname", "no"),
    ("ProtectClock", "Service", "ProtectClock", "no"),
    ("ProtectProc", "Service", "ProtectProc", "default"),
    ("PrivateUsers", "Service", "PrivateUsers", "no"),
    ("RestrictRealtime", "Service", "RestrictRealtime", "no"),
    ("RestrictSUIDSGID", "Service", "RestrictSUIDSGID", "no"),
    ("RestrictNamespaces", "Service", "RestrictNamespaces", "no"),
    ("LockPersonality", "Service", "LockPersonality", "no"),
    ("MemoryDenyWriteExecute", "Service", "MemoryDenyWriteExecute", "no"),
    ("RuntimeDirectoryMode", "Service", "RuntimeDirectoryMode", "0755"),
    ("RuntimeDirectoryPreserve", "Service", "RuntimeDirectoryPreserve", "no"),
    ("SuccessExitStatus", "Service", "SuccessExitStatus", ""),
    ("RestartPreventExitStatus", "Service", "RestartPreventExitStatus", ""),
    ("NotifyAccess", "Service", "NotifyAccess", "none"),
    ("OOMPolicy", "Service", "OOMPolicy", "stop"),
    ("Slice", "Service", "Slice", "system.slice"),
    ("Delegate", "Service", "Delegate", "no"),
    ("IgnoreSIGPIPE", "Service", "IgnoreSIGPIPE", "yes"),
    ("DefaultDependencies", "Unit", "DefaultDependencies", "yes"),
    ("CollectMode", "Unit", "CollectMode", "inactive"),
    ("JobTimeoutUSec", "Unit", "JobTimeoutSec", "infinity"),
    ("FailureAction", "Unit", "FailureAction", "none"),
    ("Description", "Unit", "Description", ""),
    ("StopWhenUnneeded", "Unit", "StopWhenUnneeded", "no"),
];

/// Lists that are all of the unit's own.
const LISTS: &[(&str, &str, &str)] = &[
    ("ReadWritePaths", "Service", "ReadWritePaths"),
    ("ReadOnlyPaths", "Service", "ReadOnlyPaths"),
    ("InaccessiblePaths", "Service", "InaccessiblePaths"),
    ("SupplementaryGroups", "Service", "SupplementaryGroups"),
    ("PassEnvironment", "Service", "PassEnvironment"),
    ("Environment", "Service", "Environment"),
    ("EnvironmentFiles", "Service", "EnvironmentFile"),
    ("RuntimeDirectory", "Service", "RuntimeDirectory"),
    ("StateDirectory", "Service", "StateDirectory"),
    ("LogsDirectory", "Service", "LogsDirectory"),
    ("CacheDirectory", "Service", "CacheDirectory"),
    ("BindPaths", "Service", "BindPaths"),
    ("AmbientCapabilities", "Service", "AmbientCapabilities"),
];

/// Lists to which systemd adds.
const CONTAINED: &[&str] = &["After", "Before", "Wants", "Requires", "BindsTo", "Conflicts", "PartOf"];

const EXEC: &[&str] = &[
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];

/// Property to its lines in `systemctl show`.
type Shown = BTreeMap<String, Vec<String>>;

fn show(machine: &Machine, names: &[&str], properties: &[&str]) -> Vec<Shown> {
    let list = format!("--property=Id,Names,{}", properties.join(","));
    let mut found = Vec::new();
    for names in names.chunks(200) {
        let mut command = vec!["systemctl", "show", "--no-pager", &list, "--"];
        command.extend(names);
        let text = machine.ok(&command);
        let mut units: Vec<Shown> = text.split("\n\n").map(block).collect();
        units.retain(|unit| !unit.is_empty());
        assert_eq!(units.len(), names.len());
        found.append(&mut units);
    }
    found
}

fn block(text: &str) -> Shown {
    let mut shown = Shown::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        shown.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    shown
}

fn first<'a>(shown: &'a Shown, property: &str) -> &'a str {
    shown.get(property).and_then(|lines| lines.first()).map_or("", String::as_str)
}

struct Zoo {
    facts: HostFacts,
    manager: Shown,
    /// Every name to the unit's own name, as systemd has it.
    own_names: BTreeMap<String, String>,
    compared: usize,
    differences: Vec<String>,
}

impl Zoo {
    fn compare(&mut self, unit: &str, property: &str, theirs: &str, ours: &str) {
        self.compared += 1;
        if theirs != ours {
            self.differences.push(format!("{unit} {property}: systemd {theirs:?}, ours {ours:?}"));
        }
    }

    fn default(&self, text: &'static str) -> String {
        let Some(property) = text.strip_prefix('@') else { return text.to_owned() };
        match first(&self.manager, property) {
            // Older managers do not say it.
            "" => match property {
                "DefaultRestartUSec" => "100ms".to_owned(),
                "DefaultOOMScoreAdjust" => "0".to_owned(),
                other => panic!("the manager has no {other}"),
            },
            value => value.to_owned(),
        }
    }

    fn unit(&mut self, name: &str, shown: &Shown) {
        let Some(unit) =
            self.facts.units.get(name).map(|facts| facts.effective.known().unwrap().unwrap().clone())
        else {
            panic!("{name} was not gathered");
        };
        let load = shown::load_word(&unit);
        self.compare(name, "LoadState", first(shown, "LoadState"), load);
        if load != "loaded" || first(shown, "LoadState") != "loaded" {
            return;
        }
        self.compare(name, "Id", first(shown, "Id"), unit.name.as_str());
        let names: BTreeSet<String> = unit.names().map(str::to_owned).collect();
        let theirs: BTreeSet<String> = shown::unquoted(first(shown, "Names")).into_iter().collect();
        self.compare(name, "Names", &format!("{theirs:?}"), &format!("{names:?}"));
        let real = |path: &str| match path.strip_prefix("/lib/") {
            Some(rest) => format!("/usr/lib/{rest}"),
            None => path.to_owned(),
        };
        let fragment = unit.fragment.as_deref().unwrap_or("");
        self.compare(name, "FragmentPath", &real(first(shown, "FragmentPath")), &real(fragment));
        let ours: Vec<String> = unit.drop_ins.iter().map(|path| real(path)).collect();
        let theirs: Vec<String> =
            shown::unquoted(first(shown, "DropInPaths")).iter().map(|path| real(path)).collect();
        self.compare(name, "DropInPaths", &theirs.join(" "), &ours.join(" "));
        self.contained(name, &unit, shown);
        if unit.name.kind() == "service" {
            self.scalars(name, &unit, shown);
            self.lists(name, &unit, shown);
            self.commands(name, &unit, shown);
        }
    }

    fn contained(&mut self, name: &str, unit: &EffectiveUnit, shown: &Shown) {
        for property in CONTAINED {
            let theirs: BTreeSet<&str> = first(shown, property).split(' ').collect();
            let words: Vec<String> = unit.words("Unit", property).into_iter().map(|(word, _)| word).collect();
            let lacking: Vec<&String> = words
                .iter()
                .filter(|word| {
                    let own = self.own_names.get(*word).unwrap_or(word);
                    own != unit.name.as_str() && !theirs.contains(own.as_str())
                })
                .collect();
            self.compare(name, property, "[]", &format!("{lacking:?}"));
        }
    }

    fn scalars(&mut self, name: &str, unit: &EffectiveUnit, shown: &Shown) {
        let text =
            |section: &str, key: &str| unit.scalar(section, key).map(|setting| setting.value().to_owned());
        let kind = text("Service", "Type").unwrap_or_else(|| {
            let starts = unit.assignments("Service", "ExecStart").next().is_some();
            let bus = text("Service", "BusName").is_some();
            if !starts {
                "oneshot"
            } else if bus {
                "dbus"
            } else {
                "simple"
            }
            .to_owned()
        });
        let dynamic = text("Service", "DynamicUser").as_deref() == Some("yes");
        let is_notifying = kind.starts_with("notify") || text("Service", "WatchdogSec").is_some();
        let reads_from_elsewhere = text("Service", "StandardInput").is_some_and(|input| input != "null");
        for (property, section, key, default) in SCALARS {
            let stated = text(section, key);
            let is_share = stated.as_ref().is_some_and(|value| value.ends_with('%'));
            // A share of this machine's memory or tasks; and what is not said of a service that does not run.
            if is_share && *property != "SyslogIdentifier" || *property == "WatchdogUSec" {
                continue;
            }
            let default = match *property {
                "Type" => kind.clone(),
                "TimeoutStartUSec" if kind == "oneshot" => "infinity".to_owned(),
                "NotifyAccess" if is_notifying => "main".to_owned(),
                "StandardOutput" if reads_from_elsewhere => "inherit".to_owned(),
                "Slice" => match unit.name.template() {
                    Some(template) => format!("system-{}.slice", template.prefix()),
                    None => default.to_string(),
                },
                "OOMPolicy" if text("Service", "Delegate").is_some_and(|value| value != "no") => {
                    "continue".to_owned()
                }
                "RestrictSUIDSGID" if dynamic => "yes".to_owned(),
                "NoNewPrivileges" | "PrivateTmp" if dynamic => "yes".to_owned(),
                "ProtectSystem" if dynamic => "strict".to_owned(),
                "ProtectHome" if dynamic => "read-only".to_owned(),
                "User" if dynamic => unit.name.prefix().to_owned(),
                "Group" if dynamic => text("Service", "User").unwrap_or(unit.name.prefix().to_owned()),
                _ => self.default(default),
            };
            // A dynamic user has at least these.
            let ours = match *property {
                "NoNewPrivileges" | "PrivateTmp" | "ProtectSystem" if dynamic => default,
                "ProtectHome" if dynamic && stated.as_deref() == Some("no") => default,
                _ => shown::ours(unit, section, key, property, &default),
            };
            self.compare(name, property, &shown::theirs(property, first(shown, property)), &ours);
        }
    }

    fn lists(&mut self, name: &str, unit: &EffectiveUnit, shown: &Shown) {
        for (property, section, key) in LISTS {
            let lines = shown.get(*property).map(|lines| lines.join("\n")).unwrap_or_default();
            let ours = shown::ours(unit, section, key, property, "");
            self.compare(name, property, &shown::theirs(property, &lines), &ours);
        }
    }

    fn commands(&mut self, name: &str, unit: &EffectiveUnit, shown: &Shown) {
        for property in EXEC {
            let mut ours = Vec::new();
            for setting in unit.assignments("Service", property) {
                for command in command_line::parse(setting.value()).commands {
                    let mut argv = vec![command.argv0];
                    argv.extend(command.words);
                    let ignore = if command.prefixes.ignore_failure { "yes" } else { "no" };
                    ours.push(format!(
                        "{{ path={} ; argv[]={} ; ignore_errors={ignore}",
                        command.program,
                        argv.join(" ")
                    ));
                }
            }
            let lines = shown.get(*property).cloned().unwrap_or_default();
            let theirs: Vec<String> = lines
                .iter()
                .filter(|line| !line.is_empty())
                .map(|line| line.split(" ; start_time=").next().unwrap_or(line).to_owned())
                .collect();
            self.compare(name, property, &theirs.join("\n"), &ours.join("\n"));
        }
    }
}

/// The names of all units, of files and of what is loaded; not templates, which are no units.
fn names(machine: &Machine) -> BTreeSet<String> {
    let listed = machine.sh_ok(
        "systemctl list-unit-files --no-legend --no-pager --full | awk '{print $1}'
         systemctl list-units --all --no-legend --no-pager --full --plain | awk '{print $1}'",
    );
    let kinds = ["service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice"];
    listed
        .lines()
        .filter(|name| name.rsplit_once('.').is_some_and(|(_, kind)| kinds.contains(&kind)))
        .filter(|name| !name.contains("@."))
        .map(str::to_owned)
        .collect()
}

/// Lays what the machine's generators wrote, on file systems of its own, where its files lie.
fn bring_run(machine: &Machine) {
    machine.sh_ok("cd / && tar -cf /var/tmp/run.tar --ignore-failed-read run/systemd/*generator* run/systemd/system* run/systemd/transient 2>/dev/null || true");
    let output = std::process::Command::new("tar")
        .arg("-xf")
        .arg(machine.root().join("var/tmp/run.tar"))
        .arg("-C")
        .arg(machine.root())
        .output()
        .expect("tar is there");
    assert!(output.status.success(), "{output:?}");
}

fn compare_all(kind: Image, suite: Suite) {
    if machine::skipped() {
        return;
    }
    let machine = Machine::boot(kind, suite, &[]);
    bring_run(&machine);
    let names = names(&machine);
    let mut properties = vec!["LoadState", "FragmentPath", "DropInPaths"];
    properties.extend(SCALARS.iter().map(|(property, ..)| *property));
    properties.extend(LISTS.iter().map(|(property, ..)| *property));
    properties.extend(CONTAINED);
    properties.extend(EXEC);
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = show(&machine, &asked, &properties);

    let system = DiskSystem::rooted(machine.root()).unwrap();
    let facts = units::gather(&system, &names);
    assert_eq!(facts.systemd.known().unwrap().unwrap().0, suite.systemd());

    let words: BTreeSet<String> = facts
        .units
        .values()
        .filter_map(|unit| unit.effective.known().ok().flatten())
        .flat_map(|unit| CONTAINED.iter().flat_map(|key| unit.words("Unit", key)))
        .map(|(word, _)| word)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let own_names = show(&machine, &words, &[])
        .iter()
        .zip(&words)
        .map(|(shown, word)| ((*word).to_owned(), first(shown, "Id").to_owned()))
        .collect();
    let manager = block(&machine.ok(&["systemctl", "show", "--no-pager"]));
    let mut zoo = Zoo { facts, manager, own_names, compared: 0, differences: Vec::new() };
    for (name, shown) in names.iter().zip(&shown) {
        // The root's and the kernel's own units have no files.
        if !first(shown, "FragmentPath").is_empty() || first(shown, "LoadState") != "loaded" {
            zoo.unit(name, shown);
        }
    }
    println!(
        "zoo: {} units, {} values compared, {} differences (systemd {})",
        names.len(),
        zoo.compared,
        zoo.differences.len(),
        suite.systemd()
    );
    assert!(zoo.differences.is_empty(), "{:#?}", zoo.differences);
    let (least_units, least_values) = match kind {
        Image::Zoo => (300, 8000),
        Image::Base | Image::Web | Image::Servers => (150, 4000),
    };
    assert!(names.len() >= least_units && zoo.compared >= least_values);
}

#[test]
fn every_unit_of_a_debian_full_of_daemons_reads_as_systemd_252_reads_it() {
    compare_all(Image::Zoo, Suite::Bookworm);
}

#[test]
fn every_unit_of_a_plain_debian_reads_as_systemd_257_reads_it() {
    compare_all(Image::Base, Suite::Trixie);
}
