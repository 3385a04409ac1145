//! A clock that somebody set back, for one program: a container may not set the real one.
use std::process::Command;

/// Where it lies on a machine.
pub const SHIM: &str = "/usr/local/lib/a-day-ago.so";

/// What `time` of the C library says is a day old; how time passes is not touched.
const SOURCE: &str = r"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    long failed = syscall(SYS_clock_gettime, id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec -= 86400;
    return failed;
}
";

/// Builds it, and lays it onto a machine.
pub fn lay(machine: &super::machine::Machine) {
    let directory = tempfile::tempdir().expect("a directory");
    let (source, library) = (directory.path().join("clock.c"), directory.path().join("clock.so"));
    std::fs::write(&source, SOURCE).expect("it can be written");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
    let built = built.expect("cc can be called");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    machine.write(SHIM, std::fs::read(&library).expect("it was built"), 0o755, "root:root");
}
