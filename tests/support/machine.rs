//! Throwaway systemd machines for tests: a Debian image booted by systemd-nspawn, with a real journal, a real
//! D-Bus and a real Redis. `tools/machine` does the work; this holds its handle, so that a machine is taken
//! down even when a test panics.
//!
//! ```ignore
//! use crate::support::machine::{self, Image, Machine, Suite};
//!
//! #[test]
//! fn redis_runs() {
//!     if machine::skipped() {
//!         return;
//!     }
//!     let machine = Machine::boot(Image::Base, Suite::Bookworm, &[]);
//!     assert_eq!(machine.ok(&["systemctl", "is-active", "redis-server"]), "active\n");
//! }
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::expect_used,
    clippy::panic,
    reason = "a test runs programs, says what it skips, and fails by a panic"
)]

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What stands in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// systemd, D-Bus, Redis, Python, git, make.
    Base,
    /// Base, and some ninety packaged daemons.
    Zoo,
    /// systemd, D-Bus, nginx, Node; neither Redis nor Python nor git.
    Web,
    /// The servers that services rely on: PostgreSQL, MariaDB, RabbitMQ, memcached, nginx.
    Servers,
}

/// A Debian release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Debian 11, systemd 247.
    Bullseye,
    /// Debian 12, systemd 252.
    Bookworm,
    /// Debian 12 with the systemd of its backports, 254.
    Backports,
    /// Debian 13, systemd 257.
    Trixie,
    /// Debian 14, systemd 262.
    Forky,
}

impl Suite {
    /// The release that `GOLDEN_SUITE` names; Debian 12 where it names none.
    pub fn chosen() -> Self {
        match std::env::var("GOLDEN_SUITE").as_deref() {
            Ok("trixie") => Self::Trixie,
            Ok("bookworm") | Err(_) => Self::Bookworm,
            Ok(other) => panic!("GOLDEN_SUITE: there is no release {other:?}"),
        }
    }

    /// Debian 12 and 13, or every release where this variable says `all`.
    pub fn of(variable: &str) -> &'static [Self] {
        match std::env::var(variable).as_deref() {
            Ok("all") => &[Self::Bullseye, Self::Bookworm, Self::Backports, Self::Trixie, Self::Forky],
            _ => &[Self::Bookworm, Self::Trixie],
        }
    }

    /// The major version of the release's systemd.
    pub fn systemd(self) -> u32 {
        match self {
            Self::Bullseye => 247,
            Self::Bookworm => 252,
            Self::Backports => 254,
            Self::Trixie => 257,
            Self::Forky => 262,
        }
    }
}

/// A file or directory of this host that the machine sees.
#[derive(Clone, Debug)]
pub struct Bind {
    host: PathBuf,
    inside: String,
}

impl Bind {
    /// `host` at `inside`, for reading.
    pub fn read_only(host: impl Into<PathBuf>, inside: &str) -> Self {
        Self { host: host.into(), inside: inside.to_owned() }
    }
}

/// Whether a test that boots machines is skipped, because this host cannot and `GOLDEN_SKIP=machines` allows it.
pub fn skipped() -> bool {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(|| {
        let output = tool(["require"]).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        // What a test left behind that was killed.
        let _ = tool(["gc"]).status();
        Ok(())
    });
    answer.as_ref().is_err_and(|why| super::skip::skips("machines", why))
}

/// The directory of an image, built when it is not cached.
pub fn image(kind: Image, suite: Suite) -> PathBuf {
    let kind = match kind {
        Image::Base => "base",
        Image::Zoo => "zoo",
        Image::Web => "web",
        Image::Servers => "servers",
    };
    let suite = match suite {
        Suite::Bullseye => "bullseye",
        Suite::Bookworm => "bookworm",
        Suite::Backports => "bookworm-backports",
        Suite::Trixie => "trixie",
        Suite::Forky => "forky",
    };
    PathBuf::from(answer(&mut tool(["image", kind, suite])))
}

/// A machine, up or only laid; taken down when dropped.
#[derive(Debug)]
pub struct Machine {
    name: String,
    root: PathBuf,
    /// The process id of its init, once booted.
    init: Option<u32>,
}

impl Machine {
    /// A booted machine of a cached image.
    pub fn boot(kind: Image, suite: Suite, binds: &[Bind]) -> Self {
        let mut machine = Self::prepare(&image(kind, suite));
        machine.up(binds);
        machine
    }

    /// A machine of the image at `image` whose files can be changed before it boots.
    pub fn prepare(image: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = PathBuf::from(answer(tool(["prepare", &name]).arg(image)));
        Self { name, root, init: None }
    }

    /// Boots it, and waits until systemd says that it is running (or degraded).
    pub fn up(&mut self, binds: &[Bind]) {
        let mut command = tool(["up", &self.name, "--owner", &std::process::id().to_string()]);
        for bind in binds {
            command.arg("--bind-ro").arg(format!("{}:{}", bind.host.display(), bind.inside));
        }
        self.init = Some(number(answer(&mut command)));
    }

    /// Reboots it, and waits until it is up again.
    #[allow(dead_code, reason = "what comes back after a boot is asked of machines of their own")]
    pub fn reboot(&mut self) {
        self.init = None;
        self.init = Some(number(answer(&mut tool(["reboot", &self.name]))));
    }

    /// The name that `tools/machine` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its files lie on this host. What it mounts itself (`/run`, `/tmp`) is not seen there.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A program in the machine as root, for a caller that wants its input or its pieces.
    pub fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = match self.init {
            Some(init) => {
                let mut command = Command::new("nsenter");
                command.args(["--target", &init.to_string(), "--all", "--"]);
                command
            }
            None => {
                let mut command = Command::new("chroot");
                command.arg(&self.root);
                command
            }
        };
        command.args(words).stdin(Stdio::null()).env_clear().envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
            ("TERM", "dumb"),
        ]);
        command
    }

    /// Runs a program in the machine as root.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words.iter().copied()).output().expect("nsenter and chroot are there")
    }

    /// Runs a program in the machine as `user`, with that user's groups and a fresh environment.
    pub fn run_as(&self, user: &str, words: &[&str]) -> Output {
        let group = self.ok(&["id", "-g", user]);
        let (uid, gid) = (format!("--reuid={user}"), format!("--regid={}", group.trim()));
        let identity = ["setpriv", &uid, &gid, "--init-groups", "--reset-env", "--"];
        self.run(&[&identity, words].concat())
    }

    /// Runs a script with the machine's `/bin/sh`, as root.
    pub fn sh(&self, script: &str) -> Output {
        self.run(&["/bin/sh", "-c", script])
    }

    /// What a program printed that must succeed.
    pub fn ok(&self, words: &[&str]) -> String {
        success(&words.join(" "), self.run(words))
    }

    /// What a script printed that must succeed at each of its commands.
    pub fn sh_ok(&self, script: &str) -> String {
        success(script, self.run(&["/bin/sh", "-e", "-c", script]))
    }

    /// Writes a file, and the directories above it, with this mode and owner (`root:root`, `qt:qt`).
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32, owner: &str) {
        let script =
            r#"mkdir -p "${1%/*}/"; rm -f "$1"; umask 077; cat >"$1"; chown "$3" "$1"; chmod "$2" "$1""#;
        let mode = format!("{mode:o}");
        let mut child = self
            .command(["/bin/sh", "-e", "-c", script, "sh", path, &mode, owner])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter and chroot are there");
        child.stdin.take().expect("piped").write_all(content.as_ref()).expect("the machine reads it");
        success(path, child.wait_with_output().expect("it was started"));
    }

    /// The content of a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let output = self.run(&["cat", "--", path]);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Waits until a script succeeds; after half a minute it panics with what `what` says.
    pub fn wait_until(&self, what: impl Display, script: &str) {
        for _ in 0..300 {
            if self.sh(script).status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{what}: not within 30 s: {script}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        match tool(["down", &self.name]).output() {
            Ok(output) if output.status.success() => {}
            other => eprintln!("{} was not taken down: {other:?}", self.name),
        }
    }
}

fn tool<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/machine"));
    command.args(words).stdin(Stdio::null());
    command
}

/// The one line that a verb of the tool prints.
fn answer(command: &mut Command) -> String {
    success(&format!("{command:?}"), command.output().expect("tools/machine is there")).trim_end().to_owned()
}

fn number(text: String) -> u32 {
    text.parse().expect("a process id")
}

fn success(what: &str, output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{errors}{text}", output.status);
    text
}
