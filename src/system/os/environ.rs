//! The environment that a process was started with, as the kernel shows it in `/proc/PID/environ` (proc_pid_environ(5)).
//!
//! "If, after an execve(2), the process modifies its environment, this file will not reflect those changes", and it shows
//! the memory as it is by now: a program that writes its title there (setproctitle) has overwritten what it was given.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use crate::model::Observed;

/// More than any environment of a service. The kernel takes up to a quarter of the stack's limit (execve(2)).
const MOST: u64 = 4 << 20;

/// These variables of a process; those that are not set are not in it.
pub(super) fn of(pid: u32, wanted: &[&str]) -> Observed<BTreeMap<Arc<str>, String>> {
    if wanted.is_empty() {
        return Observed::Found(BTreeMap::new());
    }
    let path = format!("/proc/{pid}/environ");
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Observed::Unreadable(format!("{path}: {error}")),
        Ok(_) if bytes.len() as u64 > MOST => {
            Observed::Unreadable(format!("{path} holds more than {MOST} bytes"))
        }
        Ok(_) => match variables(&bytes, wanted) {
            Some(found) => Observed::Found(found),
            None => Observed::Unreadable(format!(
                "process {pid} has overwritten the environment that it was given"
            )),
        },
    }
}

/// The wanted variables of an environment, of doubles the first (getenv(3) looks no further); `None` where the bytes are no
/// environment.
fn variables(bytes: &[u8], wanted: &[&str]) -> Option<BTreeMap<Arc<str>, String>> {
    let mut found = BTreeMap::new();
    let Some(entries) = bytes.strip_suffix(b"\0") else { return bytes.is_empty().then_some(found) };
    for entry in entries.split(|byte| *byte == 0) {
        let equals = entry.iter().position(|byte| *byte == b'=')?;
        let name = std::str::from_utf8(&entry[..equals]).unwrap_or_default();
        if wanted.contains(&name) {
            let value = || String::from_utf8_lossy(&entry[equals + 1..]).into_owned();
            found.entry(Arc::from(name)).or_insert_with(value);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_was_started_with_is_read() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("A", "1=2"), ("B", ""), ("SECRET", "x")])
            .spawn()
            .unwrap();
        // Between fork and exec it still is this process.
        let seen = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let seen = of(child.id(), &["A", "B", "C"]);
            (seen.known().ok()??
                == &BTreeMap::from([("A".into(), "1=2".into()), ("B".into(), String::new())]))
                .then_some(seen)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen.is_some());
        assert!(matches!(of(child.id(), &["A"]), Observed::Unreadable(_)));
    }

    #[test]
    fn what_is_no_environment_says_nothing() {
        let read = |bytes: &[u8]| variables(bytes, &["A"]);
        assert_eq!(read(b"A=1\0B=2\0A=3\0").unwrap().get("A").map(String::as_str), Some("1"));
        assert_eq!(read(b"").map(|found| found.len()), Some(0), "env -i");
        for overwritten in ["\0\0\0\0", "rocess\0\0\0\0", "orker process\0A=1\0", "A=1\0\0\0", "A=1", "  "] {
            assert_eq!(read(overwritten.as_bytes()), None, "{overwritten:?}");
        }
    }
}
