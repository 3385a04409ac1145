//! The name service of the running host (nsswitch.conf(5)), asked by getent(1): no module of the host runs inside golden.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::child::{self, Ended};
use crate::model::Observed;

const PROGRAM: &str = "/usr/bin/getent";

/// A directory server that is silent is not waited for any longer.
const LIMIT: Duration = Duration::from_secs(5);

/// Lines of a few accounts; a group may have thousands of members.
const MOST: usize = 1 << 20;

/// The lines of the names that are known.
pub(super) fn getent(database: &str, names: &[&str]) -> Observed<String> {
    let mut command = Command::new(PROGRAM);
    command.args([database, "--"]).args(names).env_clear().env("LANG", "C.UTF-8").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let unknown = |why: String| Observed::Unreadable(format!("{PROGRAM} {database}: {why}"));
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return unknown(error.to_string()),
    };
    match child::hear(child, LIMIT, MOST) {
        Err(why) => unknown(why),
        Ok(Ended { timed_out: true, .. }) => unknown(format!("no answer within {} s", LIMIT.as_secs())),
        // 2: "One or more supplied key could not be found in the database" (getent(1)).
        Ok(Ended { status, out, .. }) if matches!(status.code(), Some(0 | 2)) && out.len() < MOST => {
            Observed::Found(String::from_utf8_lossy(&out).into_owned())
        }
        Ok(Ended { out, .. }) if out.len() >= MOST => unknown("its answer is too long".to_owned()),
        Ok(Ended { status, .. }) => unknown(format!("it ended with {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known_is_told_and_who_is_not_is_not() {
        let Observed::Found(text) = getent("passwd", &["root", "no-such-user-here"]) else {
            panic!("no answer")
        };
        assert!(text.starts_with("root:") && text.lines().count() == 1, "{text}");
        assert_eq!(getent("passwd", &["--no-such"]), Observed::Found(String::new()));
        assert!(matches!(getent("no-such-database", &["x"]), Observed::Unreadable(_)));
    }
}
