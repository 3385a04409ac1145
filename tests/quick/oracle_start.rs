//! Whether a unit starts: the offline verdict against what a booted systemd did with it. `tests/oracle/*/start-cases.json` holds
//! units as they were started by hand on a fresh Debian, the state that they came to, and the status of their process. A
//! case with `beyond` ended for what no file shows: the program itself, or another unit.

use crate::support::{oracle, starts};

use std::fmt::Write;

use golden::system::{MemorySystem, manifest};
use serde::Deserialize;

/// A unit and what became of it.
#[derive(Deserialize)]
struct Case {
    name: String,
    unit: String,
    started: bool,
    status: i32,
    beyond: Option<String>,
}

/// What the machine had beside a plain Debian.
const HOST: &str = "\
file /etc/passwd root:root 0644
| root:x:0:0:root:/root:/bin/sh
| daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
| sync:x:4:65534:sync:/bin:/bin/sync
| list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
| irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
| nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
file /etc/group root:root 0644
| root:x:0:
| daemon:x:1:
| list:x:38:
| irc:x:39:
| nogroup:x:65534:
link /etc/mtab -> ../proc/self/mounts
dir /proc/self root:root 0555
file /proc/self/mounts root:root 0444
link /bin -> usr/bin
elf /usr/bin/echo root:root 0755
elf /usr/bin/false root:root 0755
elf /usr/bin/touch root:root 0755
dir /etc/sub root:root 0755
dir /var/cache root:root 0755
dir /var/log/isdir root:root 0755
file /var/lib/asfile root:root 0644
| x
file /etc/sysusers.d/homes.conf root:root 0644
| u at-root 701 - / /bin/sh
| u at-null 702 - /dev/null /bin/sh
| u at-nothing 703 - /nonexistent/x /bin/sh
| u at-gone 704 - /gone /bin/sh
| u at-my 705 - /home/my /bin/sh
dir /srv/empty root:root 0755
dir /srv/my/x root:root 0755
file /srv/my/code root:root 0755
| #!/bin/sh
dir /srv/data/sub root:root 0755
dir /srv/closed root:root 0700
dir /home/my/data root:root 0755
file /srv/f root:root 0644
| x
link /srv/flink -> f
link /srv/mylink -> my
link /srv/mylink2 -> my/gone
link /srv/l -> /srv/nowhere
link /srv/loop -> loop
dir /var/lib/oldstate root:root 0755
link /var/lib/oldlink -> oldstate
dir /run/systemd/journal root:root 0755
file /run/systemd/journal/stdout root:root 0666
link /etc/systemd/system/masked.service -> /dev/null
file /etc/systemd/system/other.service root:root 0644
| [Service]
| Type=oneshot
| RemainAfterExit=yes
| RuntimeDirectory=other
| ExecStart=/bin/true
file /etc/systemd/system/othershort.service root:root 0644
| [Service]
| Type=oneshot
| RuntimeDirectory=othershort
| ExecStart=/bin/true
file /etc/systemd/system/failing.service root:root 0644
| [Service]
| Type=oneshot
| ExecStart=/bin/false
file /etc/systemd/system/assertfail.service root:root 0644
| [Unit]
| AssertPathExists=/nope
| [Service]
| Type=oneshot
| ExecStart=/bin/true
file /etc/systemd/system/condfail.service root:root 0644
| [Unit]
| ConditionPathExists=/nope
| [Service]
| Type=oneshot
| ExecStart=/bin/true
";

/// What keeps the unit from starting, as golden says, and what is undecided.
fn said(case: &Case, version: u32) -> (Vec<String>, Vec<String>) {
    let mut host = MemorySystem::from_manifest(include_str!("../field/base.host")).unwrap();
    let mut change = HOST.to_owned();
    let library = "/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared";
    if version != 257 {
        let _ = writeln!(change, "move {library}-257.so -> {library}-{version}.so");
    }
    change.push_str("file /etc/systemd/system/a.service root:root 0644\n");
    case.unit.lines().for_each(|line| change.extend(["| ", line, "\n"]));
    manifest::apply(&mut host, &change).unwrap();
    let contract = starts::contract("[services.a]\nkind = \"executable\"\nunit.name = \"a.service\"\n");
    starts::said(&starts::report(&host, &contract), "a", false)
}

#[test]
fn a_unit_starts_where_nothing_says_that_it_does_not() {
    // What no file of these hosts can say: a mount that a generator may make, a directory that goes with another unit, what
    // the kernel makes, and what lies in a root of the service's own.
    const UNDECIDED: [&str; 6] = [
        "req-absent-mount",
        "run-othershort",
        "nop-api-vfs",
        "nop-sys-strict",
        "more-rootdir-empty",
        "ns-rootimage-null",
    ];
    let (mut judged, mut differences) = (0, String::new());
    for (version, cases) in oracle::measured::<Case>("start-cases.json") {
        for case in cases.iter().filter(|case| case.beyond.is_none()) {
            let (fails, undecided) = said(case, version);
            judged += 1;
            // What one rule says counts, whatever another one cannot know.
            let is_open = fails.is_empty() && !undecided.is_empty();
            let is_known = is_open == UNDECIDED.contains(&case.name.as_str());
            let is_wrong = !is_known || !is_open && fails.is_empty() != case.started;
            if is_wrong {
                let Case { name, started, status, .. } = case;
                let _ = writeln!(
                    differences,
                    "{version} {name}: started {started}, status {status}; {fails:?} {undecided:?}"
                );
            }
        }
    }
    println!("starts: {judged} compared, {} of each version undecided", UNDECIDED.len());
    assert!(judged >= 500, "{judged}");
    assert!(differences.is_empty(), "{differences}");
}

/// What files cannot show is said of nothing: the unit is there, and healthy.
#[test]
fn what_ends_a_start_beyond_the_files_is_not_called_a_fault_of_them() {
    for (version, cases) in oracle::measured::<Case>("start-cases.json") {
        for case in cases.iter().filter(|case| case.beyond.is_some()) {
            let (fails, _) = said(case, version);
            assert_eq!(fails, Vec::<String>::new(), "{version} {}: {:?}", case.name, case.beyond);
        }
    }
}
