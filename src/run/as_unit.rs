//! `--as-unit`: the job as a transient unit of the real systemd, with the identity, environment, limits and sandbox
//! of the service's own unit.
//!
//! Which settings are taken over is read from the effective unit: those that it states, of the table below. Their
//! values come from systemd itself, as it has loaded them. What would make two units fight over one thing is never
//! taken over: runtime, state and cache directories, `PIDFile=`, `BusName=`, sockets, dependencies, restarts.
//!
//! The values are passed on as they are, so golden never has to translate what a property means. The wrapper's own
//! variables go through a file that root alone can read, because every user can read the properties of a unit.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{IsTerminal, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook::iterator::Signals;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{Fd, OwnedObjectPath, OwnedValue, Value};

use super::Refusal;
use super::environment::{Environment, Origin};
use super::process::{self, Ended, FORWARDED, GRACE};
use crate::systemd::effective::EffectiveUnit;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// How often systemd is asked whether the job has ended once its output is closed.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Settings that are taken over under their own name: identity, sandbox, scheduling, limits of the control group.
const TAKEN_OVER: &[&str] = &[
    "AmbientCapabilities",
    "AppArmorProfile",
    "BindPaths",
    "BindReadOnlyPaths",
    "CPUAffinity",
    "CPUSchedulingPolicy",
    "CPUSchedulingPriority",
    "CPUSchedulingResetOnFork",
    "CPUWeight",
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "DevicePolicy",
    "ExecPaths",
    "ExecSearchPath",
    "IOSchedulingClass",
    "IOSchedulingPriority",
    "IOWeight",
    "IOReadBandwidthMax",
    "IOWriteBandwidthMax",
    "IOReadIOPSMax",
    "IOWriteIOPSMax",
    "IPAddressAllow",
    "IPAddressDeny",
    "InaccessiblePaths",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMax",
    "MemoryMin",
    "MemorySwapMax",
    "MountAPIVFS",
    "NUMAPolicy",
    "NetworkNamespacePath",
    "Nice",
    "NoExecPaths",
    "NoNewPrivileges",
    "OOMScoreAdjust",
    "PassEnvironment",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictFileSystems",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "RootDirectory",
    "SecureBits",
    "Slice",
    "SupplementaryGroups",
    "SyslogFacility",
    "SyslogIdentifier",
    "SyslogLevel",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
    "TasksMax",
    "TemporaryFileSystem",
    "TimerSlackNSec",
    "UMask",
    "UnsetEnvironment",
];

/// Settings whose properties have other names.
const RENAMED: &[(&str, &[&str])] = &[
    ("CPUQuota", &["CPUQuotaPerSecUSec"]),
    ("CPUQuotaPeriodSec", &["CPUQuotaPeriodUSec"]),
    ("Environment", &["Environment"]),
    ("LimitAS", &["LimitAS", "LimitASSoft"]),
    ("LimitCORE", &["LimitCORE", "LimitCORESoft"]),
    ("LimitCPU", &["LimitCPU", "LimitCPUSoft"]),
    ("LimitDATA", &["LimitDATA", "LimitDATASoft"]),
    ("LimitFSIZE", &["LimitFSIZE", "LimitFSIZESoft"]),
    ("LimitLOCKS", &["LimitLOCKS", "LimitLOCKSSoft"]),
    ("LimitMEMLOCK", &["LimitMEMLOCK", "LimitMEMLOCKSoft"]),
    ("LimitMSGQUEUE", &["LimitMSGQUEUE", "LimitMSGQUEUESoft"]),
    ("LimitNICE", &["LimitNICE", "LimitNICESoft"]),
    ("LimitNOFILE", &["LimitNOFILE", "LimitNOFILESoft"]),
    ("LimitNPROC", &["LimitNPROC", "LimitNPROCSoft"]),
    ("LimitRSS", &["LimitRSS", "LimitRSSSoft"]),
    ("LimitRTPRIO", &["LimitRTPRIO", "LimitRTPRIOSoft"]),
    ("LimitRTTIME", &["LimitRTTIME", "LimitRTTIMESoft"]),
    ("LimitSIGPENDING", &["LimitSIGPENDING", "LimitSIGPENDINGSoft"]),
    ("LimitSTACK", &["LimitSTACK", "LimitSTACKSoft"]),
];

/// The properties that are taken over for what a unit states.
pub fn properties_of(unit: &EffectiveUnit) -> Vec<&'static str> {
    // An empty assignment is a statement too: no capability, no path.
    let all = || unit.settings.iter().chain(&unit.resets).filter(|setting| &*setting.section == "Service");
    let states = |key: &str| all().any(|setting| &*setting.key == key);
    let same = TAKEN_OVER.iter().copied().filter(|key| states(key));
    let renamed =
        RENAMED.iter().filter(|(key, _)| states(key)).flat_map(|(_, properties)| properties.iter().copied());
    same.chain(renamed).collect()
}

/// A job that is to be a unit.
#[derive(Debug)]
pub struct Transient<'a> {
    /// The job, for the unit's name and description.
    pub job: &'a str,
    /// The unit of the service, as it is written.
    pub like: &'a EffectiveUnit,
    /// Its name.
    pub like_name: &'a str,
    /// Who it runs as, whatever the unit says.
    pub user: &'a str,
    /// See `user`.
    pub group: &'a str,
    /// Program and arguments.
    pub words: Vec<OsString>,
    /// The working directory.
    pub directory: &'a str,
    /// The whole environment; only what systemd would not give by itself is handed over.
    pub environment: &'a Environment,
    /// Env files that the service reads, in order, and whether each may be missing.
    pub env_files: Vec<(String, bool)>,
    /// Seconds it may take.
    pub time_limit: Option<u64>,
}

/// Calls this very program with other words and waits: the checks are made by a process of their own, which
/// becomes the contract's user, while this one stays root to ask systemd.
#[expect(clippy::disallowed_methods, reason = "itself, not something of the host")]
pub fn checked(words: &[OsString]) -> Result<bool, Refusal> {
    let done = std::process::Command::new("/proc/self/exe").args(words).status();
    done.map(|status| status.success())
        .map_err(|error| Refusal::new(format!("golden cannot call itself: {error}")))
}

/// Runs the job as a unit and waits for its end; its output goes to the caller and into the journal.
pub fn run(transient: &Transient<'_>) -> Result<Ended, Refusal> {
    let broken = |error: zbus::Error| {
        Refusal::new(format!("systemd cannot be asked to start {}: {error}", transient.job))
    };
    let connection = Connection::system().map_err(broken)?;
    let manager =
        Proxy::new(&connection, SYSTEMD, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
            .map_err(broken)?;
    manager.call::<_, _, ()>("Subscribe", &()).map_err(broken)?;

    let name = name_of(transient.job);
    let own = OwnVariables::write(&name, transient.environment)?;
    let (out, out_end) = process::pipe()?;
    let (err, err_end) = process::pipe()?;
    let taken_over = taken_over(&connection, &manager, transient).map_err(broken)?;
    let identifier = identifier(&taken_over, transient);
    let properties = properties(transient, taken_over, &own, out_end.into(), err_end.into())?;

    let mut removed = manager.receive_signal("JobRemoved").map_err(broken)?;
    let signals = Signals::new(FORWARDED).map_err(|error| Refusal::new(format!("signals: {error}")))?;
    let none: Vec<(String, Vec<(String, Value<'_>)>)> = Vec::new();
    let job: OwnedObjectPath =
        manager.call("StartTransientUnit", &(&name, "fail", properties, none)).map_err(broken)?;
    #[expect(clippy::disallowed_methods, reason = "what a job writes goes to the caller as it is")]
    let tees = [
        tee(out, std::io::stdout(), stream(&name, &identifier, 6)),
        tee(err, std::io::stderr(), stream(&name, &identifier, 4)),
    ];
    let result = removed.find_map(|message| {
        let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
            message.body().deserialize().ok()?;
        (path == job).then_some(result)
    });
    if result.as_deref() != Some("done") {
        let why = result.unwrap_or_else(|| "the connection was lost".to_owned());
        return Err(Refusal::new(format!("systemd did not start {name}: {why}"))
            .way_out(format!("journalctl --unit {name}")));
    }
    let handle = signals.handle();
    let forwarding = forward(&connection, name.clone(), signals);
    for tee in tees {
        let _ = tee.join();
    }
    let ended = wait(&connection, &manager, &name).map_err(broken);
    handle.close();
    let _ = forwarding.join();
    ended
}

/// The name of the unit that this process makes for a job.
pub fn name_of(job: &str) -> String {
    format!("golden-{}-{}.service", plain(job), std::process::id())
}

/// Characters that a unit's name may hold.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}

type Properties = HashMap<String, OwnedValue>;

fn unit_path(manager: &Proxy<'_>, name: &str) -> zbus::Result<OwnedObjectPath> {
    manager.call("LoadUnit", &(name,))
}

fn get(
    connection: &Connection,
    path: &OwnedObjectPath,
    interface: &str,
    name: &str,
) -> zbus::Result<OwnedValue> {
    let unit = Proxy::new(connection, SYSTEMD, path, "org.freedesktop.DBus.Properties")?;
    unit.call("Get", &(interface, name))
}

/// The service's own properties, as systemd has loaded them.
fn taken_over(
    connection: &Connection,
    manager: &Proxy<'_>,
    transient: &Transient<'_>,
) -> zbus::Result<Properties> {
    let path = unit_path(manager, transient.like_name)?;
    let properties = properties_of(transient.like).into_iter();
    properties.map(|property| Ok((property.to_owned(), get(connection, &path, SERVICE, property)?))).collect()
}

/// The identifier under which the service itself logs.
fn identifier(taken_over: &Properties, transient: &Transient<'_>) -> String {
    let stated = taken_over.get("SyslogIdentifier").and_then(|value| value.downcast_ref::<&str>().ok());
    stated.filter(|stated| !stated.is_empty()).unwrap_or(transient.job).to_owned()
}

fn properties<'a>(
    transient: &'a Transient<'_>,
    taken_over: Properties,
    own: &OwnVariables,
    out: OwnedFd,
    err: OwnedFd,
) -> Result<Vec<(String, Value<'a>)>, Refusal> {
    let words: Option<Vec<String>> =
        transient.words.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let words = words.ok_or_else(|| Refusal::new("systemd takes no argument that is not UTF-8"))?;
    let program = words.first().cloned().unwrap_or_default();
    let mut env_files: Vec<(String, bool)> = transient.env_files.clone();
    env_files.push((own.path.display().to_string(), false));
    let mut all: Vec<(String, Value<'a>)> =
        taken_over.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    let mut put = |name: &str, value: Value<'a>| {
        all.retain(|(other, _)| other != name);
        all.push((name.to_owned(), value));
    };
    put("Description", format!("{} of {}, by golden", transient.job, transient.like_name).into());
    put("Type", "exec".into());
    put("User", transient.user.into());
    put("Group", transient.group.into());
    put("WorkingDirectory", transient.directory.into());
    put("EnvironmentFiles", env_files.into());
    // Arguments are the job's, to the letter: no $ in them is systemd's.
    put("ExecStartEx", vec![(program, words, vec!["no-env-expand".to_owned()])].into());
    put("StandardInputFileDescriptor", Fd::from(stdin()?).into());
    put("StandardOutputFileDescriptor", Fd::from(out).into());
    put("StandardErrorFileDescriptor", Fd::from(err).into());
    // Kept until the end has been read, and gone after it, failed or not.
    put("AddRef", true.into());
    put("CollectMode", "inactive-or-failed".into());
    if let Some(limit) = transient.time_limit {
        put("RuntimeMaxUSec", limit.saturating_mul(1_000_000).into());
        put("TimeoutStopUSec", (GRACE * 1_000_000).into());
    }
    Ok(all)
}

/// The caller's stdin. Never its terminal: systemd would give that to the job's user, for good.
fn stdin() -> Result<OwnedFd, Refusal> {
    if std::io::stdin().is_terminal() {
        return process::typed();
    }
    rustix::io::dup(std::io::stdin()).map_err(|error| Refusal::new(format!("stdin: {error}")))
}

/// What the service does not get by itself: the wrapper's variables and those that the caller passes. They go
/// through a file of root's, because a unit's properties are shown to everybody.
struct OwnVariables {
    path: PathBuf,
}

impl OwnVariables {
    fn write(name: &str, environment: &Environment) -> Result<Self, Refusal> {
        let path = PathBuf::from("/run").join(format!("{name}.env"));
        let failed = |error: std::io::Error| Refusal::new(format!("{}: {error}", path.display()));
        let mut open = OpenOptions::new();
        let mut file = open.write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let own = Self { path: path.clone() };
        let mut text = Vec::new();
        for (name, given) in environment {
            if matches!(given.origin, Origin::Wrapper(_) | Origin::Passed | Origin::Terminal) {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b"=\"");
                for byte in given.value.as_bytes() {
                    if matches!(byte, b'"' | b'\\' | b'$' | b'`') {
                        text.push(b'\\');
                    }
                    text.push(*byte);
                }
                text.extend_from_slice(b"\"\n");
            }
        }
        file.write_all(&text).map_err(failed)?;
        Ok(own)
    }
}

impl Drop for OwnVariables {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A stream into the journal in the name of the unit, as root may open one (journald's stdout protocol).
fn stream(unit: &str, identifier: &str, priority: u8) -> Option<UnixStream> {
    let mut stream = UnixStream::connect("/run/systemd/journal/stdout").ok()?;
    write!(stream, "{identifier}\n{unit}\n{priority}\n1\n0\n0\n0\n").ok()?;
    Some(stream)
}

/// Passes output on, to the caller and into the journal, until the job closes it.
fn tee(from: PipeReader, to: impl Write + Send + 'static, mut journal: Option<UnixStream>) -> JoinHandle<()> {
    process::pass_on(from, to, move |bytes| {
        if journal.as_mut().is_some_and(|journal| journal.write_all(bytes).is_err()) {
            journal = None;
        }
    })
}

/// Signals to golden are meant for the job; the terminal's do not reach it by themselves.
fn forward(connection: &Connection, name: String, mut signals: Signals) -> JoinHandle<()> {
    let connection = connection.clone();
    std::thread::spawn(move || {
        for signal in &mut signals {
            let _ = connection.call_method(
                Some(SYSTEMD),
                "/org/freedesktop/systemd1",
                Some("org.freedesktop.systemd1.Manager"),
                "KillUnit",
                &(&name, "main", signal),
            );
        }
    })
}

/// Waits until the unit has ended; how, as wait(2) would say it.
fn wait(connection: &Connection, manager: &Proxy<'_>, name: &str) -> zbus::Result<Ended> {
    let path: OwnedObjectPath = manager.call("GetUnit", &(name,))?;
    let text = |value: OwnedValue| value.downcast_ref::<&str>().map(str::to_owned).unwrap_or_default();
    loop {
        let state = text(get(connection, &path, UNIT, "ActiveState")?);
        if state == "inactive" || state == "failed" {
            break;
        }
        std::thread::sleep(ASK_AGAIN);
    }
    let code: i32 = get(connection, &path, SERVICE, "ExecMainCode")?.try_into()?;
    let status: i32 = get(connection, &path, SERVICE, "ExecMainStatus")?.try_into()?;
    let timed_out = text(get(connection, &path, SERVICE, "Result")?) == "timeout";
    let status = match code {
        libc::CLD_EXITED => ExitStatus::from_raw(status << 8),
        _ => ExitStatus::from_raw(status),
    };
    Ok(Ended { status, timed_out, complaint: None })
}
