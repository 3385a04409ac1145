//! Whether a person stands behind a call: what lets a model be obeyed is never done by a program.
//!
//! A person is a terminal on which the model's name is typed, without a builder's variable and without a service of
//! systemd around it; or a signature (`golden-model`) over exactly this transition after exactly this entry
//! (`cli::model::approved`). Root could defeat this, and the ledger would say who did.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::output;

/// Variables that builders set where no person is.
const BUILDERS: [&str; 9] = [
    "CI",
    "CONTINUOUS_INTEGRATION",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "BUILDKITE",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "BUILD_NUMBER",
];

/// Services of systemd in which a person logs in.
const LOGINS: [&str; 10] = [
    "getty@",
    "serial-getty@",
    "console-getty.",
    "container-getty@",
    "user@",
    "systemd-nspawn@",
    "ssh.",
    "sshd.",
    "ssh@",
    "sshd@",
];

/// Why this is the call of a program; `None` where nothing says so.
pub(super) fn program() -> Option<String> {
    let builder = BUILDERS.iter().find(|name| {
        let value = std::env::var(name).unwrap_or_default();
        !matches!(value.as_str(), "" | "0" | "false")
    });
    if let Some(name) = builder {
        return Some(format!("the variable {name} says that a builder calls"));
    }
    let cgroup = crate::system::state::read_regular(std::path::Path::new("/proc/self/cgroup"), 64 << 10);
    match cgroup.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) {
        Ok(text) => service(&text).map(|unit| format!("systemd's unit {unit} calls")),
        Err(error) => Some(format!("the caller is unknown: /proc/self/cgroup: {error}")),
    }
}

/// The service of systemd in which a process is, unless a person logs in there (cgroups(7), `/proc/PID/cgroup`).
fn service(cgroup: &str) -> Option<&str> {
    // systemd's own hierarchy is the unified one, a named one, or both.
    let lines = cgroup.lines().filter(|line| line.starts_with("0::") || line.contains(":name=systemd:"));
    let paths = lines.filter_map(|line| line.splitn(3, ':').nth(2));
    // Groups of another host's have names that nobody here can place.
    let mut units = paths
        .filter(|path| !path.starts_with("/.."))
        .filter_map(|path| path.split('/').find(|part| part.ends_with(".service")));
    units.find(|unit| !LOGINS.iter().any(|login| unit.starts_with(login)))
}

/// Whether somebody can be asked here: golden reads from a terminal and writes to one.
pub(super) fn can_be_asked() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether a person types this name.
pub(super) fn types(name: &str, what: &str) -> bool {
    output::talk(&format!("{what}\nType the model's name to do it: "));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == name
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn a_service_is_no_person_and_a_login_is_one() {
        for (cgroup, expected) in [
            ("0::/system.slice/run-u5.service\n", Some("run-u5.service")),
            ("12:pids:/\n1:name=systemd:/system.slice/cron.service\n", Some("cron.service")),
            ("0::/user.slice/user-0.slice/session-3.scope\n", None),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.service\n", None),
            ("0::/system.slice/system-getty.slice/getty@tty1.service\n", None),
            ("0::/system.slice/ssh.service\n", None),
            ("0::/system.slice/system-sshd.slice/sshd@3.service\n", None),
            ("0::/system.slice/ssh-deploys-models.service\n", Some("ssh-deploys-models.service")),
            ("9:name=systemd:/\n0::/system.slice/run-u2.service\n", Some("run-u2.service")),
            ("0::/../../payload.service\n", None),
            ("0::/\n", None),
            ("", None),
        ] {
            assert_eq!(service(cgroup), expected, "{cgroup:?}");
        }
    }
}
