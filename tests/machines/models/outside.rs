//! Heads of the ledger that a command of the installed contract takes to another place, and asks for there.

use super::{Host, SHADOW};

const LEDGER: &str = "/var/lib/golden/ledger.jsonl";
const CONTRACT: &str = "schema = 1\nextends = \"quantum\"\n[ledger]\n\
                        send = [\"/usr/local/sbin/send-head\", \"--to\", \"$HOME; b\"]\n\
                        recall = [\"/usr/local/sbin/last-head\"]\n";
const SEND: &str = "#!/bin/sh\n[ \"$1 $2\" = '--to $HOME; b' ] && [ $# = 3 ] || exit 9\n\
                    env >/srv/environment\nprintf '%s\\n' \"$3\" >>/srv/outside\n";

/// What looks with a contract in force, and with the same one that only lies there.
const GOLDEN: &str = "export GOLDEN_CONTRACT=/etc/golden/golden.toml; golden";
const OTHER: &str = "golden --contract /root/other.toml";

fn program(host: &Host, name: &str, text: &str) {
    host.machine.write(&format!("/usr/local/sbin/{name}"), text, 0o755, "root:root");
}

/// Whether the audit says that the head is outside; what it says.
fn audited(host: &Host, code: i32) -> String {
    host.expect(&format!("{GOLDEN} audit --rule ledger-not-anchored"), code)
}

fn registered_by(host: &Host, golden: &str, version: &str) {
    host.artefact(&format!("[1.4, 0.{}]", &version[1..]));
    host.expect(&format!("{golden} model shadow {SHADOW} --version {version}"), 0);
}

pub fn taken_outside(host: &Host) {
    program(host, "send-head", SEND);
    program(host, "last-head", "#!/bin/sh\ntail -n 1 /srv/outside\n");
    host.machine.write("/etc/golden/golden.toml", CONTRACT, 0o644, "root:root");
    host.machine.write("/root/other.toml", CONTRACT, 0o600, "root:root");
    registered_by(host, "golden", "v30");
    assert!(audited(host, 1).contains("was not taken outside"));
    // A contract that somebody only looks with starts nothing.
    host.expect(&format!("{OTHER} ledger anchor"), 0);
    registered_by(host, OTHER, "v31");
    host.shell("! test -e /srv/outside");
    let said = host.expect(&format!("{OTHER} ledger verify"), 2);
    assert!(said.contains("outside: not compared") && said.contains("that is installed"), "{said}");
    host.expect(&format!("{GOLDEN} ledger anchor"), 0);
    audited(host, 0);
    registered_by(host, &format!("export MY_SECRET=1; {GOLDEN}"), "v32");
    assert_eq!(host.shell("wc -l </srv/outside; grep -c MY_SECRET /srv/environment || true"), "2\n0\n");
    audited(host, 0);
    let said = host.expect(&format!("{GOLDEN} ledger verify"), 0);
    assert!(said.contains("outside: holds heads up to entry"), "{said}");
    shortened(host);
    what_fails(host);
    host.shell(
        "rm -f /etc/golden/golden.toml /root/other.toml /srv/outside /srv/environment /usr/local/sbin/*-head",
    );
}

/// What lies outside knows better than the host.
fn shortened(host: &Host) {
    host.shell(&format!("cp -p {LEDGER} /root/whole; sed -i '$d' {LEDGER}"));
    let said = host.expect(&format!("{GOLDEN} ledger verify"), 1);
    assert!(said.contains("outside: entry") && said.contains("what followed was taken away"), "{said}");
    assert!(audited(host, 1).contains("what followed was taken away"));
    host.shell(&format!("mv /root/whole {LEDGER}"));
    // It has an older head than the ledger, or says nothing.
    for says in ["head -n 1 /srv/outside", "true"] {
        program(host, "last-head", &format!("#!/bin/sh\n{says}\n"));
        host.expect(&format!("{GOLDEN} ledger verify"), 1);
    }
    program(host, "last-head", "#!/bin/sh\necho no route; exit 5\n");
    let said = host.expect(&format!("{GOLDEN} ledger verify"), 2);
    assert!(said.contains("it ended with 5: no route"), "{said}");
}

/// A command that fails, hangs, or may be another's stops nothing but is missed.
fn what_fails(host: &Host) {
    program(host, "send-head", "#!/bin/sh\nsleep 300\n");
    let begun = std::time::Instant::now();
    registered_by(host, GOLDEN, "v33");
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    assert!(audited(host, 1).contains("was not taken outside"));
    program(host, "send-head", SEND);
    for (spoil, why) in [
        ("chmod 0777", "others than root can write it"),
        ("chown qt", "others than root can write it"),
        ("rm", "/usr/local/sbin/send-head"),
    ] {
        host.shell(&format!("{spoil} /usr/local/sbin/send-head"));
        let said = host.expect(&format!("{GOLDEN} ledger anchor"), 2);
        assert!(said.contains(why), "{spoil}: {said}");
        program(host, "send-head", SEND);
    }
    host.expect(&format!("{GOLDEN} ledger anchor"), 0);
    audited(host, 0);
}
