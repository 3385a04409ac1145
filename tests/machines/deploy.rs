//! `golden deploy` on a booted machine with a contract of one's own: what runs nothing that differs goes on running, what
//! answered before is asked after, a bad version goes back soon, and a commit may bring its contract.

use crate::support::machine;

use machine::{Image, Machine, Suite};

/// A web service whose answers its code decides; it says the same until it is restarted.
const API: &str = r#"import http.server, pathlib
HERE = pathlib.Path(__file__).parent
STATUS = {path: int((HERE / name).read_text()) for path, name in (("/health", "health"), ("/", "answer"))}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(STATUS.get(self.path, 404)); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"#;

/// What stands in front of it, and runs nothing of the repository.
const FRONT: &str = r#"#!/usr/bin/python3
import http.server, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try: status = urllib.request.urlopen("http://127.0.0.1:8080/", timeout=2).status
        except Exception: status = 502
        self.send_response(status); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 8081), Handler).serve_forever()
"#;

/// A repository with its contract, applied on a host.
const BEGIN: &str = r#"
git config --system safe.directory '*'; git config --system user.name x; git config --system user.email x@y
git init --quiet --bare --initial-branch=main /srv/shop.git
git clone --quiet /srv/shop.git /root/shop 2>/dev/null; cd /root/shop
mkdir -p api worker docs; cp /root/api.py api/api.py; echo 200 >api/health; echo 200 >api/answer
printf '#!/bin/sh\nexec sleep infinity\n' >worker/run; chmod 0755 worker/run; echo read >docs/README
golden init --quiet
sed -i 's/^forbidden_programs = .*/forbidden_programs = []/' golden.toml
add() { golden service add "$@" >/dev/null; }
add api --exec '/usr/bin/python3 /srv/shop/repository/api/api.py' --health http://127.0.0.1:8080/health
add front --exec /usr/local/bin/front --after api --health http://127.0.0.1:8081/
add worker --exec /srv/shop/repository/worker/run
add clock --exec '/usr/bin/sleep infinity'
sed -i 's|^\[services.api\]|&\ncode = ["api"]|; s|^\[services.worker\]|&\ncode = ["worker"]|; s|^\[services.front\]|&\ncode = []|' golden.toml
ln -s /srv/shop/repository /opt/shop; add linked --exec /opt/shop/worker/run
printf '\n[services.linked.unit.Service]\nWorkingDirectory = "/"\n' >>golden.toml
printf '\n[services.clock.unit.Service]\nWorkingDirectory = "/"\n' >>golden.toml
sed -i 's|health = { http = "http://127.0.0.1:8080/health" }|health = { http = "http://127.0.0.1:8080/health", within = "6s" }|' golden.toml
sed -i 's|health = { http = "http://127.0.0.1:8081/" }|health = { http = "http://127.0.0.1:8081/", within = "6s" }|' golden.toml
golden render --quiet
git add --all; git commit --quiet -m first; git push --quiet origin HEAD:main
golden apply --quiet --yes; cd /; golden audit --quiet
"#;

struct Host(Machine);

/// Exit code and all that was said.
struct Said(i32, String);

impl Host {
    fn begun() -> Self {
        let mut machine = Machine::prepare(&machine::image(Image::Base, Suite::Bookworm));
        let program = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
        machine.write("/usr/local/bin/golden", program, 0o755, "root:root");
        machine.write("/root/api.py", API, 0o644, "root:root");
        machine.write("/usr/local/bin/front", FRONT, 0o755, "root:root");
        machine.up(&[]);
        machine.sh_ok(BEGIN);
        Self(machine)
    }

    /// A commit of the remote.
    fn commit(&self, script: &str) {
        self.0.sh_ok(&format!(
            "cd /root/shop; {script}; git add --all; git commit --quiet -m more; git push --quiet origin HEAD:main"
        ));
    }

    fn said(&self, script: &str) -> Said {
        let output = self.0.sh(&format!("{{ {script}; }} 2>&1"));
        Said(output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Deploys the newest commit, which must end with this code and say this.
    fn deploy(&self, words: &str, code: i32, says: &[&str]) -> String {
        let Said(ended, said) = self.said(&format!("golden deploy main {words} </dev/null"));
        assert_eq!(ended, code, "{words}: {said}");
        for part in says {
            assert!(said.contains(part), "{words}: {part:?} is not in {said}");
        }
        said
    }

    /// Which units have another main process than before.
    fn restarted_by(&self, act: impl FnOnce()) -> Vec<&'static str> {
        const UNITS: [&str; 5] = ["api", "clock", "front", "linked", "worker"];
        let ids =
            || UNITS.map(|unit| self.0.sh_ok(&format!("systemctl show --value -p MainPID shop-{unit}")));
        let before = ids();
        act();
        let after = ids();
        (0..UNITS.len()).filter(|&at| before[at] != after[at]).map(|at| UNITS[at]).collect()
    }

    fn checked_out(&self) -> String {
        self.0.sh_ok("git -C /srv/shop/repository rev-parse HEAD")
    }
}

#[test]
fn a_deployment_restarts_what_differs_and_asks_what_answered() {
    if machine::skipped() {
        return;
    }
    let host = Host::begun();
    // What the contract does not tell of may run anything of the repository, also by a link to it; the rest says what it runs.
    host.commit("echo more >>docs/README");
    let restarted = host.restarted_by(|| {
        host.deploy("", 0, &["keeps running, because its code is unchanged", "shop-clock.service"]);
    });
    assert_eq!(restarted, ["linked"]);

    host.commit("echo '# more' >>api/api.py");
    let restarted = host.restarted_by(|| {
        host.deploy("", 0, &["is deployed in place of"]);
    });
    assert_eq!(restarted, ["api", "linked"]);

    // A version that starts and does not answer goes back as soon as it had to be healthy.
    let before = host.checked_out();
    host.commit("echo 500 >api/health");
    host.deploy(
        "",
        1,
        &["shop-api.service is not healthy after 6 s", "answers GET /health with 500", "runs as before"],
    );
    assert_eq!(host.checked_out(), before);
    host.0.sh_ok("golden audit --quiet");

    // A version that is healthy itself and breaks what stands in front of it.
    host.commit("echo 200 >api/health; echo 500 >api/answer");
    host.deploy("", 1, &["shop-front.service is not healthy after 6 s", "answers GET / with 502"]);
    assert_eq!(host.checked_out(), before);
    host.0.sh_ok("systemctl is-active shop-front && curl --fail --silent http://127.0.0.1:8081/ || python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:8081/\")'");

    // Only one of two.
    host.commit("echo 200 >api/answer; echo '# yet more' >>api/api.py; echo '# more' >>worker/run");
    let restarted = host.restarted_by(|| {
        host.deploy(
            "--service worker",
            0,
            &["keeps running with its old code: shop-api.service, shop-linked.service"],
        );
    });
    assert_eq!(restarted, ["worker"]);
    let restarted = host.restarted_by(|| {
        host.deploy("--service api", 0, &["is deployed in place of"]);
    });
    assert_eq!(restarted, ["api"]);
    host.deploy("", 0, &["nothing to do"]);
    let Said(code, said) = host.said("golden deploy main --service nothing </dev/null");
    assert!(code == 1 && said.contains("no service \"nothing\""), "{said}");

    no_place_to_write(&host);
    a_persons_work_stays(&host);

    // What stands in front does not answer any more once it is undone: that is said.
    host.commit("echo 'exit 1' >worker/run");
    host.0.sh_ok("(for n in $(seq 400); do grep -q 'exit 1' /srv/shop/repository/worker/run && break; sleep 0.05; done; chmod 0000 /usr/local/bin/front; systemctl kill -s KILL shop-front) >/dev/null 2>&1 &");
    host.deploy("", 1, &["it is not as before: shop-front.service"]);
    host.0.sh_ok("chmod 0755 /usr/local/bin/front; systemctl restart shop-front");
}

/// A disk that is full or read-only keeps a deployment from beginning or takes it back; an undo goes on when there is place.
fn no_place_to_write(host: &Host) {
    const READ_ONLY: &str = "mount --bind /srv/shop/repository /srv/shop/repository && mount -o remount,ro,bind /srv/shop/repository";
    let state = || {
        host.0.sh_ok("cd /srv/shop/repository && git status --porcelain && git rev-parse HEAD && find . -path ./.git -prune -o -type d -printf '%p %U:%G %#m\\n' -o -printf '%y %p %U:%G %#m %s\\n' | sort && systemctl is-active shop-api shop-front shop-worker shop-clock shop-linked")
    };
    let before = state();
    host.commit("echo '# much more' >>api/api.py; mkdir -p new/er; echo new >new/er/file");
    for (begin, end, says) in [
        (
            "mount -t tmpfs -o size=4k,mode=0700 tmpfs /var/lib/golden/plans",
            "umount /var/lib/golden/plans",
            "No space left",
        ),
        (READ_ONLY, "umount --lazy /srv/shop/repository", "Read-only"),
    ] {
        host.0.sh_ok(begin);
        let Said(code, said) = host.said("golden deploy main </dev/null");
        host.0.sh_ok(end);
        assert!(code == 1 && said.contains(says), "{begin}: {code}: {said}");
        assert_eq!(state(), before, "{begin}: {said}");
        host.0.sh_ok("golden audit --quiet");
    }
    // There is place for what git writes first, and none for what it checks out.
    host.0.sh_ok(
        "cp -a /srv/shop/repository /root/copy && mount -t tmpfs -o size=64m,mode=0755 tmpfs /srv/shop/repository \
         && cp -dR --preserve=mode,ownership,timestamps -T /root/copy /srv/shop/repository; rm -r /root/copy",
    );
    host.commit("head -c 3000000 /dev/urandom >large");
    host.0.sh_ok(
        "golden deploy main --check >/dev/null </dev/null; cd /srv/shop/repository/.git \
         && { cat /dev/zero >full 2>/dev/null || true; } && truncate -s -1M full && chown --reference=HEAD full",
    );
    let Said(code, said) = host.said("golden deploy main </dev/null");
    host.0.sh_ok("rm /srv/shop/repository/.git/full");
    assert!(code == 1 && said.contains("are undone"), "a full work tree: {code}: {said}");
    assert_eq!(state(), before, "a full work tree: {said}");
    host.0.sh_ok(
        "umount --lazy /srv/shop/repository; systemctl restart shop-api shop-linked; golden audit --quiet",
    );
    host.commit("git rm --quiet large");

    host.deploy("", 0, &["is deployed in place of"]);
    let deployed = host.checked_out();
    host.0.sh_ok(READ_ONLY);
    let Said(code, said) = host.said("golden apply --undo");
    host.0.sh_ok("umount --lazy /srv/shop/repository");
    assert!(code == 1 && said.contains("`golden apply --undo` brings the rest back"), "{code}: {said}");
    assert_eq!(host.checked_out(), deployed);
    host.0.sh_ok("golden apply --undo");
    assert_eq!(state(), before);
}

/// An undo takes back what a deployment left, and nothing that somebody did since.
fn a_persons_work_stays(host: &Host) {
    let as_owner = |script: &str| {
        host.0.sh_ok(&format!("cd /srv/shop/repository && runuser -u shop -- sh -ec '{script}'"))
    };
    host.deploy("", 0, &["is deployed in place of"]);
    let deployed = host.checked_out();
    as_owner("echo mine >>api/api.py");
    let Said(code, said) = host.said("golden apply --undo");
    assert!(code == 0 && said.contains("api/api.py was changed since"), "{code}: {said}");
    assert_eq!(host.checked_out(), deployed);
    assert_eq!(as_owner("tail -n1 api/api.py"), "mine\n");
    as_owner("git checkout --quiet api/api.py");

    host.commit("echo again >>docs/README");
    host.deploy("", 0, &["is deployed in place of"]);
    as_owner("git -c user.name=x -c user.email=x@y commit --quiet --allow-empty -m mine");
    let own = host.checked_out();
    let Said(code, said) = host.said("golden apply --undo");
    assert!(code == 0 && said.contains("was checked out since"), "{code}: {said}");
    assert_eq!(host.checked_out(), own);
    as_owner("git reset --quiet --hard HEAD~1");
    host.0.sh_ok("systemctl restart shop-api shop-worker shop-linked; golden audit --quiet");
}

#[test]
fn a_commit_brings_its_contract() {
    if machine::skipped() {
        return;
    }
    let host = Host::begun();
    let before = host.0.sh_ok("sha256sum /etc/golden/golden.toml; ls /etc/systemd/system");
    let commit = host.checked_out();
    host.commit(
        "printf '#!/bin/sh\\nexec sleep infinity\\n' >mailer; chmod 0755 mailer; \
         golden service add mailer --exec /srv/shop/repository/mailer >/dev/null; golden render --quiet",
    );
    // Nobody can be asked.
    host.deploy("", 1, &["the commit brings another contract", "--without-contract", "service:mailer"]);
    assert_eq!(host.checked_out(), commit);
    host.deploy("--check", 0, &["service:mailer", "Nothing was changed"]);
    // A person says no, and yes.
    let on_a_terminal =
        |answer: &str| host.said(&format!("echo {answer} | script -qec 'golden deploy main' /dev/null"));
    let Said(code, said) = on_a_terminal("n");
    assert!(code == 1 && said.contains("nothing was changed"), "{said}");
    let Said(code, said) = on_a_terminal("y");
    assert!(code == 0 && said.contains("is deployed in place of"), "{code} {said}");
    host.0.sh_ok("systemctl is-active shop-mailer && golden audit --quiet && cmp /root/shop/golden.toml /etc/golden/golden.toml && golden plan");
    // Code and contract go back together.
    host.0.sh_ok("golden apply --undo --quiet");
    assert_eq!(host.checked_out(), commit);
    assert_eq!(host.0.sh_ok("sha256sum /etc/golden/golden.toml; ls /etc/systemd/system"), before);
    host.0.sh_ok("! systemctl is-active shop-mailer && golden audit --quiet");
    // The code alone.
    host.deploy("--without-contract", 0, &["is deployed in place of"]);
    assert_eq!(host.0.sh_ok("sha256sum /etc/golden/golden.toml; ls /etc/systemd/system"), before);
}

/// A key pair of OpenSSH's own.
fn key() -> (Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("pub")).unwrap())
}

#[test]
fn a_contract_that_demands_signatures_is_installed_with_them() {
    if machine::skipped() {
        return;
    }
    let host = Host::begun();
    for name in ["alice", "mallory"] {
        let (private, public) = key();
        host.0.write(&format!("/root/{name}"), private, 0o600, "root:root");
        host.0.write(&format!("/root/{name}.pub"), public, 0o644, "root:root");
    }
    host.0.sh_ok(
        "printf 'alice@example.com %s\\n' \"$(cut -d' ' -f1,2 /root/alice.pub)\" >/etc/golden/allowed_signers
         cd /root/shop; printf '\\n[approval]\\nsigners = \"/etc/golden/allowed_signers\"\\n' >>golden.toml
         golden apply --quiet --yes 2>/root/said && exit 9; grep -q 'contract is not approved' /root/said || exit 8
         golden contract sign golden.toml --key /root/alice >/dev/null
         golden apply --quiet --yes; golden render --quiet; git add --all; git commit --quiet -m signed
         git push --quiet origin HEAD:main; golden audit --quiet; cd /; golden deploy main </dev/null",
    );
    // A contract that no longer demands them needs them once more; so does a fix under one that lost them.
    let Said(code, said) = host.said("mkdir /root/other; grep -v -e '^.approval' -e '^signers' /root/shop/golden.toml >/root/other/golden.toml; golden --contract /root/other/golden.toml apply --yes");
    assert!(code == 2 && said.contains("has 0 of 1 approvals"), "{code} {said}");
    // Nor does one that names signers of its own, or switches the rule off.
    let Said(code, said) = host.said("cut -d' ' -f1,2 /root/mallory.pub | sed 's/^/mallory@example.com /' >/root/other/signers; sed 's|^signers = .*|signers = \"/root/other/signers\"|' /root/shop/golden.toml >/root/other/golden.toml; golden contract sign /root/other/golden.toml --key /root/mallory >/dev/null; golden --contract /root/other/golden.toml apply --yes");
    assert!(code == 2 && said.contains("has 0 of 1 approvals"), "{code} {said}");
    let Said(code, said) = host.said("mv /etc/golden/golden.toml.sig /root/; chmod 0666 /etc/shop/api.env; golden fix --yes; r=$?; mv /root/golden.toml.sig /etc/golden/; chmod 0640 /etc/shop/api.env; exit $r");
    assert!(code == 2 && said.contains("the contract is not approved"), "{code} {said}");
    let change = "sed -i 's/^MemoryMax *= .*/MemoryMax = \"256M\"/' golden.toml; golden render --quiet";
    host.commit(&format!("{change}; golden contract sign golden.toml --key /root/mallory >/dev/null"));
    host.deploy("", 1, &["has 0 of 1 approvals", "golden contract sign"]);
    // A terminal does not stand in for them.
    let Said(code, said) = host.said("echo y | script -qec 'golden deploy main' /dev/null");
    assert!(code == 1 && said.contains("has 0 of 1 approvals"), "{said}");
    host.commit("golden contract sign golden.toml --key /root/alice >/dev/null");
    host.deploy("", 0, &["is deployed in place of"]);
    host.0.sh_ok("grep -q 256M /etc/golden/golden.toml && golden audit --quiet && golden plan");
}
