//! From an empty directory to a contract of one's own: `golden init` and `golden service`.

use crate::support::machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{Image, Machine, Suite};

/// A directory of a person's, in which golden is called.
struct Desk {
    directory: tempfile::TempDir,
}

/// Exit code, stdout, stderr.
struct Said(i32, String, String);

impl Desk {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("shop").tempdir().unwrap();
        Self { directory }
    }

    fn begun() -> Self {
        let desk = Self::new();
        let Said(code, _, err) = desk.golden(&["init", "--quiet", "--name", "shop"]);
        assert_eq!(code, 0, "{err}");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn golden(&self, words: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_golden"));
        command.args(words).current_dir(self.directory.path()).env_remove("GOLDEN_CONTRACT");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said(output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Calls it, which must be refused with this said, and leave the contract as it was.
    fn refuses(&self, words: &[&str], says: &[&str]) {
        let before = self.read("golden.toml");
        let Said(code, out, err) = self.golden(words);
        assert!((1..=2).contains(&code), "{words:?}: {code} {out}");
        for part in says {
            assert!(err.contains(part), "{words:?}: {part:?} is not in {err}");
        }
        assert_eq!(before, self.read("golden.toml"), "{words:?} has changed the contract");
    }

    fn does(&self, words: &[&str]) -> String {
        let Said(code, out, err) = self.golden(words);
        assert_eq!(code, 0, "{words:?}: {out}{err}");
        out
    }
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path().display().to_string()),
        }
    }
    found.sort();
    found
}

#[test]
fn a_contract_begins_grows_and_shrinks() {
    let desk = Desk::begun();
    assert_eq!(desk.does(&["contract", "check"]).lines().count(), 1);
    assert!(desk.does(&["render", "--check"]).is_empty(), "everything is rendered by init");
    let words =
        ["service", "add", "api", "--exec", "/usr/local/bin/api --port '80 80'", "--title", "The API"];
    let more =
        ["--set", "PORT=8080", "--health", "http://127.0.0.1:8080/health", "--writes", "{layout.data}"];
    let said = desk.does(&[&words[..], &more].concat());
    assert!(said.contains("api is written at ") && said.contains("systemd/units/shop-api.service"), "{said}");
    desk.does(&["service", "add", "worker", "--exec", "python -m worker", "--after", "api"]);
    let timer = ["service", "add", "report", "--runtime", "timer", "--exec", "/usr/bin/report"];
    desk.does(&[&timer[..], &["--schedule", "daily"]].concat());
    let text = desk.read("golden.toml");
    for part in [
        "command = [\"/usr/local/bin/api\", \"--port\", \"80 80\"]",
        "\nworker = \"{layout.venvs}/worker\"\n",
        "\nworker = \"requirements/worker.txt\"\n",
        "# ---- Services, in the order",
        "# ---- Dated exceptions",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = desk.does(&["service", "list"]);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["service", "api", "worker", "report"]);
    desk.does(&["render"]);
    let unit = desk.read("systemd/units/shop-api.service");
    for line in [
        "ExecStart=/usr/local/bin/api --port \"80 80\"",
        "Description=shop: The API",
        "ReadWritePaths=/var/lib/shop",
        "User=shop",
    ] {
        assert!(unit.lines().any(|other| other == line), "{line}: {unit}");
    }
    assert!(
        desk.read("systemd/units/shop-worker.service")
            .contains("After=network-online.target shop-api.service")
    );
    assert!(desk.read("systemd/units/shop-report.timer").contains("OnCalendar=daily"));
    assert!(desk.read("systemd/env/api.env.example").contains("PORT=8080"));
    // What is taken out leaves no file behind.
    let Said(code, difference, _) = desk.golden(&["service", "remove", "report", "--check"]);
    assert!(code == 0 && difference.contains("-[services.report]"), "{difference}");
    desk.does(&["service", "remove", "report"]);
    desk.does(&["service", "remove", "worker"]);
    let Said(code, stale, _) = desk.golden(&["render", "--check"]);
    assert!(code == 1 && stale.contains("systemd/units/shop-report.timer"), "{stale}");
    desk.does(&["render"]);
    assert!(
        files(desk.directory.path()).iter().all(|file| !file.contains("report") && !file.contains("worker"))
    );
    assert!(!desk.read("golden.toml").contains("worker.txt"));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let desk = Desk::begun();
    desk.does(&["service", "add", "api", "--exec", "/usr/bin/api"]);
    let add = |name: &'static str, exec: &'static str| vec!["service", "add", name, "--exec", exec];
    let with = |mut words: Vec<&'static str>, more: &[&'static str]| {
        words.extend(more);
        words
    };
    desk.refuses(&add("api", "/usr/bin/other"), &["already"]);
    desk.refuses(&add("a b", "/usr/bin/x"), &["\"a b\" cannot be a name", "golden.toml:"]);
    desk.refuses(&add("../x", "/usr/bin/x"), &["cannot be a name"]);
    desk.refuses(&add("x", ""), &["--exec"]);
    desk.refuses(&add("x", "/usr/bin/x 'open"), &["--exec"]);
    desk.refuses(&add("x", "-/usr/bin/x"), &["--exec"]);
    desk.refuses(&add("x", "/usr/bin/x ; /usr/bin/y"), &["2 commands"]);
    desk.refuses(&with(add("x", "x"), &["--runtime", "executable"]), &["not an absolute path"]);
    desk.refuses(&with(add("x", "/x"), &["--requires", "redis"]), &["no dependency \"redis\""]);
    desk.refuses(&with(add("x", "/x"), &["--after", "ghost"]), &["\"ghost\"", "known: "]);
    desk.refuses(&with(add("x", "/x"), &["--runtime", "timer"]), &["--schedule"]);
    desk.refuses(&with(add("x", "/x"), &["--schedule", "daily"]), &["--runtime timer"]);
    desk.refuses(&with(add("x", "/x"), &["--set", "PORT"]), &["sets nothing"]);
    desk.refuses(&with(add("x", "/x"), &["--set", "1P=2"]), &["not the name of a variable"]);
    desk.refuses(&with(add("x", "/x"), &["--health", "https://example.org"]), &["golden.toml:"]);
    desk.refuses(&with(add("x", "/x"), &["--user", "no body"]), &["not the name of a user"]);
    desk.refuses(&["service", "remove", "ghost"], &["no service \"ghost\"", "api"]);
    desk.refuses(&["service", "show", "ghost"], &["no service \"ghost\""]);
    desk.does(&["service", "add", "worker", "--exec", "/usr/bin/worker", "--after", "api"]);
    desk.refuses(&["service", "remove", "api"], &["neither a service nor a dependency \"api\""]);
    desk.refuses(&["init"], &["is there already"]);
}

#[test]
fn contracts_that_contradict_themselves_are_refused_with_their_lines() {
    let desk = Desk::begun();
    desk.does(&["service", "add", "api", "--exec", "/usr/bin/api"]);
    desk.does(&["service", "add", "worker", "--exec", "/usr/bin/worker", "--after", "api"]);
    let text = desk.read("golden.toml");
    let broken = |from: &str, to: &str, says: &[&str]| {
        assert!(text.contains(from), "{from}");
        fs::write(desk.path("golden.toml"), text.replacen(from, to, 1)).unwrap();
        for verb in [&["contract", "check"][..], &["render"], &["plan"], &["apply", "--yes"]] {
            let Said(code, out, err) = desk.golden(verb);
            assert!(code == 1 || code == 2, "{verb:?} {from}: {code} {out}");
            // Without root `apply` says that first.
            if verb != ["apply", "--yes"] || rustix::process::geteuid().is_root() {
                for part in says {
                    assert!(err.contains(part), "{verb:?} {from}: {part:?} is not in {err}");
                }
            }
        }
    };
    let api = "[services.api]\n";
    broken(api, "[services.api]\nafter = [\"worker\"]\n", &["golden.toml:", "api", "worker"]);
    broken(
        api,
        "[services.api]\nunit.name = \"shop-worker.service\"\n",
        &["golden.toml:", "shop-worker.service"],
    );
    broken(
        "path = \"/srv/shop/repository\"",
        "path = \"/home/shop/repository\"",
        &["golden.toml:", "ProtectHome", "/home/shop/repository"],
    );
    broken("command = [\"/usr/bin/api\"]", "comand = [\"/usr/bin/api\"]", &["did you mean `command`"]);
}

#[test]
fn a_seed_begins_as_itself() {
    let desk = Desk::new();
    desk.does(&["init", "--from", "quantum", "--quiet"]);
    assert!(desk.does(&["render", "--check"]).is_empty());
    assert!(desk.does(&["contract", "check"]).contains("no errors"));
    let other = Desk::new();
    let Said(code, _, err) = other.golden(&["init", "--from", "nothing"]);
    assert!(code == 2 && err.contains("--from quantum"), "{err}");
    for name in ["Shop", "1shop", "a b", "", "a-name-that-is-much-too-long-for-a-user"] {
        let Said(code, _, err) = other.golden(&["init", "--name", name]);
        assert!(code == 2 && err.contains("cannot be the name"), "{name}: {err}");
    }
    assert!(files(other.directory.path()).is_empty());
}

/// From an empty repository to a compliant host in four commands, on a booted machine.
#[test]
fn a_contract_of_ones_own_becomes_a_compliant_host() {
    if machine::skipped() {
        return;
    }
    let mut machine = Machine::prepare(&machine::image(Image::Base, Suite::Bookworm));
    let program = fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
    machine.write("/usr/local/bin/golden", program, 0o755, "root:root");
    machine.up(&[]);
    let said = machine.sh_ok(
        "git config --system safe.directory '*'; git config --system user.name x; git config --system user.email x@y
         git init --quiet --bare --initial-branch=main /srv/shop.git
         git clone --quiet /srv/shop.git /root/shop 2>/dev/null; cd /root/shop
         golden init --quiet
         golden service add api --exec '/usr/bin/sleep infinity' --title 'The API' --writes '{layout.data}'
         golden service add report --runtime timer --exec /usr/bin/true --schedule daily
         golden render --quiet
         git add --all; git commit --quiet -m first; git push --quiet origin HEAD:main
         golden apply --quiet --yes
         golden audit
         golden plan --list
         golden service show api
         golden service list",
    );
    for part in [
        "COMPLIANT.",
        "nothing to do",
        "User=shop                              /etc/systemd/system/shop-api.service:11",
        "active (running), enabled",
        "inactive (dead), static",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("warning"), "{said}");
    // What is left of a service that is taken out is named, and gone after it.
    let said = machine.sh_ok("cd /root/shop; golden service remove api");
    let commands: Vec<&str> =
        said.lines().filter(|line| line.starts_with("   ")).take(3).map(str::trim).collect();
    assert_eq!(commands[0], "systemctl disable --now shop-api.service", "{said}");
    machine.sh_ok(&commands.join("\n"));
    machine.sh_ok("cd /root/shop; golden render --quiet; golden apply --quiet --yes; golden audit --quiet; ! systemctl cat shop-api.service");
}
