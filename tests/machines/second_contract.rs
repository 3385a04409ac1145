//! Another system than the example: nginx that forks, a service of Node, a root job under a waiver, other names
//! and paths, no Redis, no repository. It is described by `examples/contracts/web.toml` alone: a booted machine
//! of it is compliant, and its breaks are caught.
//!
//! It proves that nothing is special about the first system: `demo/web` is described by `examples/contracts/web.toml`
//! alone.

use crate::support::machine;
use crate::support::report;

use std::path::Path;
use std::process::Command;

use machine::{Image, Machine, Suite};
use report::Report;
use report::remedy::is_a_persons;

/// One thing that goes wrong.
struct Break {
    shell: &'static str,
    /// Rule, subject, place that must be named.
    expect: (&'static str, &'static str, &'static str),
    /// Rules that the same break breaks by its nature.
    also: &'static [&'static str],
}

const BREAKS: &[Break] = &[
    Break {
        shell: "mkdir $U/web-shop.service.d; printf '[Service]\\nUser=root\\n' >$U/web-shop.service.d/hurry.conf; \
                systemctl daemon-reload; systemctl restart web-shop",
        expect: ("unit-runs-as-root", "service:shop", "/etc/systemd/system/web-shop.service.d/hurry.conf:2"),
        also: &["process-user-wrong"],
    },
    Break {
        shell: "systemctl stop web-certificates.timer",
        expect: ("timer-not-active", "service:certificates", "/etc/systemd/system/web-certificates.timer"),
        also: &[],
    },
    Break {
        // The unit is right again, but its last run was not.
        shell: "D=/run/systemd/system/web-certificates.service.d; mkdir -p $D; \
                printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"exit 3\"\\n' >$D/x.conf; systemctl daemon-reload; \
                systemctl start web-certificates || true; rm -r $D; systemctl daemon-reload",
        expect: (
            "unit-last-run-failed",
            "service:certificates",
            "/etc/systemd/system/web-certificates.service",
        ),
        also: &[],
    },
    Break {
        // Its configuration opens it to the network, past the proxy before it.
        shell: "sed -i 's/^HOST=.*/HOST=0.0.0.0/' /etc/web/shop.env; systemctl restart web-shop",
        expect: ("port-not-declared", "service:shop", "/etc/systemd/system/web-shop.service"),
        also: &["env-variable-wrong"],
    },
    Break {
        shell: "sed -i 's/^PORT=.*/PORT=3001/' /etc/web/shop.env; systemctl restart web-shop; sleep 6",
        expect: ("port-not-listening", "service:shop", "/etc/systemd/system/web-shop.service"),
        also: &["port-not-declared"],
    },
    Break {
        shell: "chmod 0777 /etc/web",
        expect: ("place-mode-wrong", "host", "/etc/web"),
        also: &["account-writes-system"],
    },
    Break {
        shell: "sed -i '/^NODE_ENV=/d' /etc/web/shop.env; systemctl restart web-shop",
        expect: ("env-variable-missing", "service:shop", "/etc/web/shop.env"),
        also: &[],
    },
    Break {
        shell: "echo NODE_OPTIONS=--inspect >>/etc/web/shop.env; systemctl restart web-shop",
        expect: ("env-variable-wrong", "service:shop", "/etc/web/shop.env:5"),
        // The debugger's own.
        also: &["port-not-declared"],
    },
    Break {
        shell: "cp /usr/bin/node /srv/web/node; mkdir $U/web-shop.service.d; \
                printf '[Service]\\nExecStart=\\nExecStart=/srv/web/node /srv/web/site/server.js\\n' \
                    >$U/web-shop.service.d/faster.conf; systemctl daemon-reload; systemctl restart web-shop",
        expect: ("unit-exec-wrong", "service:shop", "/etc/systemd/system/web-shop.service.d/faster.conf:3"),
        also: &[],
    },
    Break {
        // The unit is right again, but what it was an hour ago still runs.
        shell: "cp /usr/bin/node /srv/web/node; D=/run/systemd/system/web-shop.service.d; mkdir -p $D; \
                printf '[Service]\\nExecStart=\\nExecStart=/srv/web/node /srv/web/site/server.js\\n' >$D/x.conf; \
                systemctl daemon-reload; systemctl restart web-shop; rm -r $D; systemctl daemon-reload",
        expect: ("process-executable-wrong", "service:shop", "/etc/systemd/system/web-shop.service"),
        also: &[],
    },
    Break {
        shell: "sed -i 's/^Restart=.*/&\\nType=notify/' $U/nginx.service.d/web.conf; systemctl daemon-reload",
        expect: ("unit-setting-wrong", "service:nginx", "/etc/systemd/system/nginx.service.d/web.conf:7"),
        also: &["process-older-than-unit"],
    },
    Break {
        shell: "sed -i 's/^After=.*/After=pm2-app.service/' $U/nginx.service.d/web.conf; systemctl daemon-reload; \
                systemctl restart nginx",
        expect: ("unit-word-forbidden", "service:nginx", "/etc/systemd/system/nginx.service.d/web.conf:2"),
        also: &["unit-order-missing"],
    },
    Break {
        shell: "sed -i 's/^ExecStart=.*/& --force/' $U/web-certificates.service; systemctl daemon-reload",
        expect: ("unit-exec-wrong", "service:certificates", "/etc/systemd/system/web-certificates.service:9"),
        also: &[],
    },
    Break {
        // The waiver ends: what it covered is a violation again.
        shell: "sed -i 's/^expires = .*/expires = 2026-03-02/' /etc/golden/golden.toml",
        expect: (
            "unit-runs-as-root",
            "service:certificates",
            "/etc/systemd/system/web-certificates.service:7",
        ),
        also: &[],
    },
];

#[test]
fn another_system_is_compliant_and_its_breaks_are_caught_on_systemd_252() {
    judge(Suite::Bookworm);
}

#[test]
fn another_system_is_compliant_and_its_breaks_are_caught_on_systemd_257() {
    judge(Suite::Trixie);
}

fn judge(suite: Suite) {
    if machine::skipped() {
        return;
    }
    let shop = Shop::boot(suite);
    shop.assert_compliant();
    let wrong: Vec<String> = BREAKS.iter().filter_map(|entry| shop.complaint(entry)).collect();
    let caught = BREAKS.len() - wrong.len();
    println!("breaks of the second contract: caught {caught}/{} (systemd {})", BREAKS.len(), suite.systemd());
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

struct Shop {
    machine: Machine,
}

impl Shop {
    fn boot(suite: Suite) -> Self {
        let mut machine = Machine::prepare(&machine::image(Image::Web, suite));
        let install = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/web/install"))
            .arg(env!("CARGO_BIN_EXE_golden"))
            .env("GOLDEN_ROOT", machine.root())
            .output()
            .expect("demo/web/install");
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        far_future(&machine.root().join("etc/golden/golden.toml"));
        machine.up(&[]);
        let shop = Self { machine };
        shop.assert_it_works();
        shop.machine.sh_ok(&format!("tar -C / -cf /before.tar {KEPT}"));
        shop
    }

    /// A request goes through nginx to the shop and leaves a file there; the timer has started its job.
    fn assert_it_works(&self) {
        self.machine.wait_until(
            "nginx passes a request on to the shop",
            "test \"$(curl -sk https://localhost/)\" = '{\"shop\":\"open\",\"uploads\":0}'",
        );
        let answer = "curl -s -o /dev/null -w '%{http_code}' --data-binary order http://localhost/";
        assert_eq!(self.machine.sh_ok(answer), "201");
        assert_eq!(self.machine.sh_ok("cat /srv/web/uploads/*"), "order");
        self.wait_for_the_job();
    }

    /// While the job runs its process has the rights that are waived for its unit alone.
    fn wait_for_the_job(&self) {
        self.machine.wait_until(
            "the timer's job has run",
            "systemctl show web-certificates >/tmp/job; grep -qx ActiveState=inactive /tmp/job && \
             grep -qx Result=success /tmp/job && ! grep -qx ExecMainExitTimestampMonotonic=0 /tmp/job",
        );
    }

    fn audit(&self, more: &[&str]) -> Report {
        Report::of(&self.machine.run(&[&["golden", "audit", "--format", "json"], more].concat()))
    }

    fn assert_compliant(&self) {
        let report = self.audit(&[]);
        assert_eq!(report.failures(), [], "failures");
        assert_eq!(report.undecided(), [], "undecided");
        let waived = report.waived();
        assert_eq!(waived.len(), 1, "{waived:#?}");
        assert_eq!(
            (waived[0].rule.as_str(), waived[0].subject.as_str()),
            ("unit-runs-as-root", "service:certificates")
        );
        assert_eq!(report.code, 0);
        assert!(report.passes() >= 150, "{} passes", report.passes());
    }

    /// Why a break does not count as caught; the machine is put back in any case.
    fn complaint(&self, entry: &Break) -> Option<String> {
        self.machine.sh_ok(&format!("U=/etc/systemd/system\n{}", entry.shell));
        let complaint = self.judge(entry).or_else(|| self.mend(entry));
        self.put_back();
        complaint.map(|why| format!("{}: {why}", entry.shell))
    }

    fn judge(&self, entry: &Break) -> Option<String> {
        let report = self.audit(&[]);
        let (rule, subject, place) = entry.expect;
        let failures = report.failures();
        if !report.fails(rule, subject, place) || report.code != 1 {
            return Some(format!("{:?} was not said, exit {}: {failures:#?}", entry.expect, report.code));
        }
        let unrelated =
            failures.iter().any(|said| said.rule != rule && !entry.also.contains(&said.rule.as_str()));
        (unrelated || !report.undecided().is_empty())
            .then(|| format!("said beside it: {failures:#?} {:#?}", report.undecided()))
    }

    /// What the finding says mends it: by golden, taken back, and by the shell that a person would copy.
    fn mend(&self, entry: &Break) -> Option<String> {
        let (rule, subject, place) = entry.expect;
        let said = || {
            self.audit(&["--rule", rule]).failures().into_iter().find(|said| said.is(rule, subject, place))
        };
        let remedy = said()?.remedy;
        if is_a_persons(&remedy) {
            let output = self.machine.run(&["golden", "fix", "--yes", "--rule", rule]);
            return (output.status.code() != Some(1))
                .then(|| format!("golden mended what a person must: {remedy}"));
        }
        let fix = format!("golden fix --yes --list --rule {rule} 2>&1");
        let fixed = String::from_utf8_lossy(&self.machine.sh(&fix).stdout).into_owned();
        if said().is_some() {
            return Some(format!("golden fix did not mend it: {fixed}"));
        }
        self.machine.sh_ok("golden apply --undo --quiet 2>&1");
        // What was wrong in a process alone ended with that process.
        if rule.starts_with("process-") {
            self.machine.sh_ok(&format!("U=/etc/systemd/system; {}", entry.shell));
        }
        if said().is_none() {
            return Some(format!("the undo did not take it back: {fixed}"));
        }
        self.machine.sh_ok(&remedy);
        said().is_some().then(|| format!("{remedy:?} did not mend it"))
    }

    /// Starts are counted by systemd, and too many of them refused; reset-failed forgets them.
    fn put_back(&self) {
        self.machine.sh_ok(&format!(
            "cd /; rm -rf {KEPT} /srv/web/node; tar -xpf /before.tar; systemctl daemon-reload; \
             systemctl reset-failed; systemctl restart web-shop nginx; systemctl start web-certificates.timer"
        ));
        self.machine.wait_until("nginx passes a request on to the shop", "curl -sf http://localhost/");
        self.wait_for_the_job();
        self.assert_compliant();
    }
}

/// What breaks change.
const KEPT: &str = "etc/web etc/golden etc/systemd/system";

/// The example's own dates will pass; this test must not fail on that day.
fn far_future(contract: &Path) {
    let text = std::fs::read_to_string(contract).unwrap();
    let dated = |line: &str| line.starts_with("next_review = ") || line.starts_with("expires = ");
    let lines = text.lines().map(|line| match dated(line) {
        true => format!("{} = 2099-12-31\n", line.split(' ').next().unwrap()),
        false => format!("{line}\n"),
    });
    std::fs::write(contract, lines.collect::<String>()).unwrap();
}
