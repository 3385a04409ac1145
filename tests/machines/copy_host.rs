//! `golden rehearse --copy-host` on a host with ninety daemons of its own and the example on it: the rehearsal passes, starts
//! nothing but what the contract names, and the host is as it was.

use crate::support::machine;

use std::path::Path;
use std::process::Command;

use machine::{Bind, Image, Machine, Suite};

const WHEELS: &str = "/mnt/wheelhouse";

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn success(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A host as somebody runs it: the example by `golden apply`, its data on a file system of their own, the contract behind a
/// link, start scripts of other times, a drop-in that makes the boot do more, a table of mounts.
fn host() -> Machine {
    let wheels = here().join("target/wheelhouse");
    if !wheels.is_dir() || std::fs::read_dir(&wheels).unwrap().count() < 2 {
        success(Command::new(here().join("examples/quantum_trader/requirements/wheelhouse.sh")).arg(&wheels));
    }
    let copy = tempfile::tempdir().unwrap();
    success(Command::new(here().join("tools/example/source")).arg(copy.path()));
    let contract = Command::new(env!("CARGO_BIN_EXE_golden"))
        .args(["contract", "show", "--text"])
        .output()
        .unwrap()
        .stdout;
    std::fs::write(copy.path().join("golden.toml"), &contract).unwrap();
    let render = "golden=$1; \"$golden\" --contract golden.toml render --out . >/dev/null; git add --all; \
         git -c user.name=x -c user.email=x@y commit --quiet --message 'a contract of our own'";
    success(
        Command::new("/bin/sh")
            .args(["-ec", render, "sh", env!("CARGO_BIN_EXE_golden")])
            .current_dir(copy.path()),
    );
    // GOLDEN_SUITE=trixie is for whoever changes how the copy is made.
    let suite = match std::env::var("GOLDEN_SUITE").as_deref() {
        Ok("trixie") => Suite::Trixie,
        _ => Suite::Bookworm,
    };
    let mut host = Machine::prepare(&machine::image(Image::Zoo, suite));
    let program = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
    host.write("/usr/local/bin/golden", program, 0o755, "root:root");
    let source = host.root().join("srv/source.git");
    success(Command::new("git").args(["clone", "--quiet", "--bare"]).arg(copy.path()).arg(source));
    host.write(
        "/etc/gitconfig",
        "[safe]\n\tdirectory = *\n[url \"/srv/source.git\"]\n\tinsteadOf = https://github.com/binyaminsemerci-ops/quantum_trader.git\n",
        0o644,
        "root:root",
    );
    host.up(&[Bind::read_only(wheels, WHEELS)]);
    host.sh_ok("mkdir /elsewhere; mount --bind /elsewhere /opt; mount -o remount,bind,nosuid /opt; mkdir -m 0755 /srv/golden; ln -s /srv/golden /etc/golden");
    host.write("/srv/golden/golden.toml", contract, 0o644, "root:root");
    host.sh_ok(&format!("for call in 1 2 3; do golden --quiet apply --yes --wheelhouse {WHEELS} >/root/applied 2>&1; done; rm /root/applied; golden audit --quiet || {{ golden audit >&2; exit 1; }}"));
    let oneshot = |path: &str, section: &str| {
        let unit = "[Service]\nType=oneshot\nExecStart=/bin/touch /srv/started-%n\n";
        host.write(path, format!("{unit}{section}"), 0o644, "root:root");
    };
    oneshot("/etc/systemd/system/backup.service", "[Install]\nWantedBy=sysinit.target\n");
    oneshot("/etc/systemd/system/added.service", "");
    host.write(
        "/etc/systemd/system/multi-user.target.d/more.conf",
        "[Unit]\nWants=added.service\n",
        0o644,
        "root:root",
    );
    host.write("/etc/rc.local", "#!/bin/sh\ntouch /srv/started-rc.local\n", 0o755, "root:root");
    host.write(
        "/etc/fstab",
        "/dev/sda1 / ext4 errors=remount-ro 0 1\n/srv/golden /media none bind 0 0\n",
        0o644,
        "root:root",
    );
    // It boots to a target that somebody chose; a single file, a name with a blank and one that no overlay takes are mounted.
    host.sh_ok("ln -sf /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target");
    host.sh_ok("echo bound >/srv/bound; : >/etc/bound; mount --bind /srv/bound /etc/bound");
    host.sh_ok(
        "mkdir '/srv/a b' /srv/a:b; mount --bind /elsewhere '/srv/a b'; mount --bind /elsewhere /srv/a:b",
    );
    host.sh_ok("mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/qt");
    host.sh_ok("systemctl --quiet enable backup.service; systemctl daemon-reload");
    host
}

/// Everything that somebody would call theirs: contents, owners, modes and links of files, and who runs since when.
fn state(host: &Machine) -> String {
    host.sh_ok(
        "cd /; find etc home/qt/quantum_trader opt/quantum/venvs opt/quantum/ai_engine srv usr/local var/lib/golden \
             ! -path '*/quantum/data/*' -printf '%p %u:%g %m %l %y\\n' | sort
         # What services write is theirs, also where a mount shows it a second time.
         find etc home/qt/quantum_trader opt/quantum/venvs srv usr/local var/lib/golden -type f ! -path '*/quantum/data/*' -print0 | sort -z | xargs -0 sha256sum
         systemctl show --property Id,MainPID,ActiveState,NRestarts,ExecMainStartTimestamp 'quantum-*' redis-server ssh cron nginx
         grep -v golden- /proc/self/mountinfo | sort",
    )
}

/// The rehearsal as a service, so that the copy lives in a control group of the host's own.
fn rehearse(host: &Machine, words: &str) -> (i32, String) {
    let script = format!(
        "systemd-run --quiet --wait --pipe --property=KillMode=process golden rehearse --copy-host --calm {words} 2>&1"
    );
    let output = host.sh(&script);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_copy_of_a_host_is_rehearsed_and_the_host_is_as_it_was() {
    if machine::skipped() {
        return;
    }
    let host = host();
    let before = state(&host);
    twice(&host);
    inside(&host);
    interrupted(&host);
    a_contract_that_does_not_hold(&host);
    assert_eq!(before, state(&host), "the host has changed");
    assert_eq!(host.sh_ok("ls -A /var/cache/golden/machines/run"), "", "something is left");
    host.sh_ok("golden audit --quiet");
    tried_first(&host);
    of_a_hostile_user(&host);
}

/// What the service's user leaves for root: every hook of git, a start script, links out, pipes where files are read, and a
/// program that tries what it can once it runs. Each notes who ran it.
const HOSTILE: &str = r#"cd /home/qt/quantum_trader
    printf '#!/bin/sh\nid -u >>/opt/quantum/data/uids\n: >/srv/pwned 2>/dev/null; : >/etc/pwned 2>/dev/null\nexit 0\n' >/home/qt/evil; chmod 0755 /home/qt/evil
    for hook in post-checkout post-commit pre-commit post-merge reference-transaction post-index-change; do cp /home/qt/evil .git/hooks/$hook; done
    git config core.fsmonitor /home/qt/evil; git config core.sshCommand /home/qt/evil; git config diff.external /home/qt/evil
    ln -s /root data-of-root; mkfifo Makefile.local; ln -s /etc/shadow /opt/quantum/data/shadow; mkfifo /opt/quantum/data/pipe
    cp /bin/sh /opt/quantum/data/sh; chmod 4755 /opt/quantum/data/sh
    cat >src/rl_agent/main.py <<'PROGRAM'
import ctypes, os, signal, socket, subprocess, time
open("/opt/quantum/data/uids", "a").write(f"{os.getuid()}\n")
for path in ("/srv/pwned", "/etc/pwned", "/root/pwned", "/var/cache/golden/pwned", "/var/lib/golden/pwned"):
    try: open(path, "w").close()
    except OSError: pass
try: ctypes.CDLL(None).mount(b"none", b"/home/qt", b"tmpfs", 0, None)
except OSError: pass
subprocess.run(["/home/qt/evil"])
for number in range(2, 400):
    if number not in (os.getpid(), os.getppid()):
        try: os.kill(number, signal.SIGKILL)
        except OSError: pass
with open("/opt/quantum/data/filling", "wb") as filling:
    try:
        for _ in range(1 << 10): filling.write(bytes(1 << 20))
    except OSError: pass
time.sleep(600)
PROGRAM"#;

/// A user that was taken over gains nothing by a rehearsal: it boots what the user left, as the user, away from the host.
fn of_a_hostile_user(host: &Machine) {
    host.sh_ok("tar -C / -cpf /root/before.tar home/qt opt/quantum/data; : >/opt/quantum/data/uids; chmod 0666 /opt/quantum/data/uids");
    host.write("/srv/hostile", HOSTILE, 0o755, "root:root");
    host.sh_ok("runuser -u qt -- /bin/bash -e /srv/hostile");
    let before = state(host);
    let (code, said) = rehearse(host, "--keep hostile");
    println!("{said}");
    assert!(said.contains("✓ it boots") && said.contains("✓ the contract is applied"), "{said}");
    let inside = "/var/cache/golden/machines/machine exec hostile /bin/sh -c 'cat /opt/quantum/data/uids; systemctl is-active redis-server'";
    let uids = host.sh_ok(&format!("cat /opt/quantum/data/uids; {inside}"));
    println!("{code}: run by {uids}");
    let qt = host.sh_ok("id -u qt");
    assert!(uids.lines().any(|uid| uid == qt.trim()), "what the user left did not run: {uids}");
    assert!(!uids.lines().any(|uid| uid == "0"), "root ran what the user left: {uids}");
    host.sh_ok("/var/cache/golden/machines/machine down hostile");
    host.sh_ok(
        "for place in /srv /etc /root /var/cache/golden /var/lib/golden; do test ! -e $place/pwned; done",
    );
    assert_eq!(before, state(host), "the host has changed");
    assert_eq!(
        host.sh_ok("ls -A /var/cache/golden/machines/run; grep golden- /proc/self/mountinfo || true"),
        "",
        "something is left"
    );
    host.sh_ok("rm -rf /home/qt /opt/quantum/data/*; tar -C / -xpf /root/before.tar");
}

/// A mend is tried on a copy of the host before the host itself is touched.
fn tried_first(host: &Machine) {
    host.sh_ok("chmod 0666 /etc/quantum/backend.env");
    let output = host.sh(
        "systemd-run --quiet --wait --pipe --property=KillMode=process golden fix --yes --rehearsed --list --rule env-file-mode-wrong 2>&1",
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(said.contains("it worked on the copy") && said.contains("1 change made"), "{said}");
    assert_eq!(
        host.sh_ok("stat -c %a /etc/quantum/backend.env; ls -A /var/cache/golden/machines/run"),
        "640\n"
    );
    host.sh_ok("golden audit --quiet; golden apply --undo");
    assert_eq!(
        host.sh_ok("stat -c %a /etc/quantum/backend.env; chmod 0640 /etc/quantum/backend.env"),
        "666\n"
    );
}

/// From what is there and from a clean slate, without a network.
fn twice(host: &Machine) {
    let (code, said) = rehearse(host, &format!("--twice --wheelhouse {WHEELS}"));
    println!("{said}");
    assert_eq!(code, 0, "{said}");
    for act in [
        "a copy of this host",
        "the audit passes",
        "everything that was made is deleted",
        "the audit passes after that",
    ] {
        assert!(said.lines().any(|line| line.contains(act) && line.contains('✓')), "{act}: {said}");
    }
}

/// What runs in there, and what it could reach.
fn inside(host: &Machine) {
    let (code, said) = rehearse(host, "--keep copy");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("/srv/a:b (overlay) cannot lie below an overlay: it is left out"), "{said}");
    let enter = |script: &str| {
        host.sh_ok(&format!("/var/cache/golden/machines/machine exec copy /bin/sh -ec '{script}'"))
    };
    let started = enter(
        "systemctl list-units --plain --no-legend --no-pager --type=service,timer,socket,path | cut -d\" \" -f1",
    );
    println!("{started}");
    let expected = |unit: &&str| {
        [
            "systemd-",
            "quantum-",
            "dbus.",
            "redis-server.service",
            "golden-audit-quantum.",
            "kmod-static-nodes",
        ]
        .iter()
        .any(|own| unit.starts_with(own))
    };
    let others: Vec<&str> = started.lines().filter(|unit| !expected(unit)).collect();
    assert_eq!(others, Vec::<&str>::new());
    assert!(started.contains("quantum-backend.service") && started.contains("golden-audit-quantum.timer"));
    assert_eq!(enter("ls /srv | grep started || true"), "", "something else has run");
    assert_eq!(enter("ls /sys/class/net"), "lo\n");
    assert_eq!(enter("mknod /srv/disk b 254 0 2>&1 || true"), "mknod: /srv/disk: Operation not permitted\n");
    host.sh_ok(
        "/var/cache/golden/machines/machine exec copy --user qt test -r /opt/quantum/data/quantum_trader.db",
    );
    assert_eq!(enter("systemctl --failed --plain --no-legend"), "");
    assert_ne!(enter("cat /etc/machine-id"), host.sh_ok("cat /etc/machine-id"));
    assert!(enter("cat /etc/gitconfig").contains("/srv/source.git"), "the host's own is still there");
    assert_eq!(
        enter("cat /etc/bound; echo changed >/etc/bound; ls \"/srv/a b\" /srv/a:b"),
        "bound\n/srv/a b:\nquantum\n\n/srv/a:b:\n"
    );
    // Each file system has an overlay of its own, as it was mounted.
    assert!(enter("findmnt --noheadings --output OPTIONS /opt").contains("nosuid,nodev"));
    enter("echo changed >/srv/golden/golden.toml; touch /opt/quantum/new; rm -r /etc/quantum");
    host.sh_ok(
        "test ! -e /opt/quantum/new; test -d /etc/quantum; /var/cache/golden/machines/machine down copy",
    );
}

/// Ctrl-C takes the copy away; what a kill leaves goes with the next rehearsal.
fn interrupted(host: &Machine) {
    let signalled = |signal: &str| {
        let output = host.sh(&format!(
            "rm -f /root/said; systemd-run --quiet --wait --pipe --unit=rehearsal-{signal} golden rehearse --copy-host >/root/said 2>&1 & pid=$!
             until grep -q 'is killed, and everything' /root/said; do sleep 0.05; done
             kill -{signal} $(systemctl show --property MainPID --value rehearsal-{signal}.service)
             code=0; wait $pid || code=$?; cat /root/said; rm /root/said; exit $code"
        ));
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = signalled("INT");
    assert!(code == 1 && said.contains("it was interrupted"), "{code}: {said}");
    assert_eq!(
        host.sh_ok("ls -A /var/cache/golden/machines/run; grep golden- /proc/self/mountinfo || true"),
        ""
    );
    signalled("KILL");
    assert!(host.sh_ok("ls -A /var/cache/golden/machines/run").contains("rehearsal-"), "nothing was killed");
    let (code, said) = rehearse(host, "");
    assert_eq!(code, 0, "{said}");
}

/// A contract is tried on the copy before anything of the host is touched.
fn a_contract_that_does_not_hold(host: &Machine) {
    let contract = "schema = 1\nextends = \"quantum\"\n\n[layout.missing]\npath = \"/opt/quantum/data/quantum_trader.db/x\"\nowner = \"qt\"\n";
    host.write("/root/changed.toml", contract, 0o644, "root:root");
    let script = "systemd-run --quiet --wait --pipe golden --contract /root/changed.toml rehearse --copy-host --calm 2>&1";
    let output = host.sh(script);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("✗ the audit passes") && said.contains("/opt/quantum/data/quantum_trader.db"),
        "{said}"
    );
    host.sh_ok("rm /root/changed.toml");
}
