//! The clean-slate test of the example, on both releases: from the bare distribution to compliant by the contract
//! alone, with everything rendered; and what is rendered held against the tools that read it.

use crate::support::machine;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn golden() -> Command {
    Command::new(env!("CARGO_BIN_EXE_golden"))
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn success(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The example as a team's working copy.
fn working_copy(directory: &Path) {
    success(Command::new(here().join("tools/example/source")).arg(directory));
}

/// The locked wheels, fetched by the script that the example brings.
fn wheelhouse() -> PathBuf {
    let wheels = here().join("target/wheelhouse");
    let script = here().join("examples/quantum_trader/requirements/wheelhouse.sh");
    if !wheels.is_dir() || std::fs::read_dir(&wheels).unwrap().count() < 2 {
        success(Command::new(script).arg(&wheels));
    }
    wheels
}

/// A machine that a rehearsal has left running.
struct Kept {
    name: String,
}

impl Kept {
    fn tool(verb: &str, name: &str) -> Command {
        let mut command = Command::new(here().join("tools/machine"));
        command.args([verb, name]);
        command
    }

    fn run(&self, script: &str) -> (i32, String) {
        // The contract is the built-in one, which verbs that change a host want to be named.
        let script = format!("export GOLDEN_CONTRACT=builtin:quantum; {script}");
        let output = Self::tool("exec", &self.name).args(["/bin/sh", "-ec", &script]).output().unwrap();
        (output.status.code().unwrap_or(-1), said(&output))
    }

    fn expect(&self, script: &str, code: i32) -> String {
        let (ended, said) = self.run(script);
        assert_eq!(ended, code, "{script}: {said}");
        said
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = Self::tool("down", &self.name).output();
    }
}

#[test]
fn the_example_is_rehearsed_on_systemd_252() {
    if machine::skipped() {
        return;
    }
    // From a clean slate a second time where all is tried: the other release does that, too.
    match std::env::var("GOLDEN_REHEARSALS").as_deref() {
        Ok("all") => rehearse(&["--suite=bookworm", "--twice"], 19),
        _ => rehearse(&["--suite=bookworm"], 16),
    }
}

#[test]
fn the_example_is_rehearsed_twice_on_systemd_257_and_deployed() {
    if machine::skipped() {
        return;
    }
    // GOLDEN_REHEARSED=NAME takes a machine that `golden rehearse --keep NAME` has left, for whoever writes new cases.
    if let Ok(name) = std::env::var("GOLDEN_REHEARSED") {
        return on_the_rehearsed(&std::mem::ManuallyDrop::new(Kept { name }));
    }
    let kept = Kept { name: format!("rehearsed-{}", std::process::id()) };
    rehearse(&["--suite=trixie", "--twice", "--keep", &kept.name], 19);
    on_the_rehearsed(&kept);
}

/// Rehearses a working copy of the example; all acts pass, so many at the least.
fn rehearse(words: &[&str], least: usize) {
    let source = tempfile::tempdir().unwrap();
    working_copy(source.path());
    let machines = std::env::var_os("GOLDEN_MACHINES").map_or(here().join("target/machines"), PathBuf::from);
    let mut rehearse = golden();
    rehearse.arg("rehearse").args(words);
    // The contract is the built-in one, wherever the test runs.
    rehearse.current_dir(source.path()).args(["--source", ".", "--wheelhouse"]).arg(wheelhouse());
    let output = rehearse.env("GOLDEN_MACHINES", &machines).output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", said(&output));
    let acts = String::from_utf8_lossy(&output.stdout).matches('✓').count();
    assert!(acts >= least, "only {acts} acts");
}

fn on_the_rehearsed(kept: &Kept) {
    let only = std::env::var("GOLDEN_CASES").unwrap_or_default();
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&only)) {
        let start = std::time::Instant::now();
        println!("rehearsed: {name}");
        case(kept);
        println!("           {:.1} s", start.elapsed().as_secs_f32());
    }
}

type Case = fn(&Kept);

/// On the machine that was rehearsed last.
const CASES: &[(&str, Case)] = &[
    ("systemd has nothing to say about the units", nothing_to_say),
    ("no artefact is superfluous", no_artefact_is_superfluous),
    ("uv in place of pip", uv_installs),
    ("nowhere to install from", nowhere_to_install_from),
    ("what may not be deployed", not_deployed),
    ("deployed, and taken back", deployed),
    ("killed while it deploys", killed_while_it_deploys),
];

fn nothing_to_say(kept: &Kept) {
    let said = kept.expect(
        "cd /etc/systemd/system && systemd-analyze verify quantum-*.service golden-audit-quantum.* 2>&1",
        0,
    );
    assert_eq!(said, "", "systemd-analyze verify");
}

/// Everything that is rendered is missed by the audit, the plan or the look at the repository when it is gone.
fn no_artefact_is_superfluous(kept: &Kept) {
    let installed = kept.expect("grep -rl 'Written by `golden render`' /etc | grep -v /etc/golden/", 0);
    assert!(installed.lines().count() >= 13, "{installed}");
    for path in installed.lines() {
        kept.expect(&format!("mv {path} /root/kept; ! golden plan --list >/dev/null 2>&1"), 0);
        let plan = kept.run("golden plan --list").1;
        assert!(plan.contains(&format!("write {path}")), "{path}: {plan}");
        kept.expect(&format!("mv /root/kept {path}"), 0);
    }
    let repository = "/home/qt/quantum_trader";
    let rendered = kept
        .expect(&format!("cd {repository}; grep -rl 'Written by `golden render`' . | grep -v '^./.git/'"), 0);
    assert!(rendered.lines().count() >= 15, "{rendered}");
    let render = format!("golden render --check --out {repository}");
    for path in rendered.lines() {
        kept.expect(&format!("mv {repository}/{path} /root/kept"), 0);
        let (code, said) = kept.run(&render);
        assert!(code == 1 && said.contains(path.trim_start_matches("./")), "{path}: {said}");
        kept.expect(&format!("mv /root/kept {repository}/{path}"), 0);
    }
    kept.expect(&format!("{render} && golden plan --list && golden audit --quiet"), 0);
}

/// The program, from its wheel.
fn uv() -> PathBuf {
    let directory = here().join("target/uv");
    let program = directory.join("uv/bin/uv");
    if !program.exists() {
        std::fs::create_dir_all(&directory).unwrap();
        let fetch = "python3 -m pip download --quiet --no-deps --only-binary=:all: --dest . uv==0.9.5
            python3 -m zipfile -e uv-*.whl unpacked && mkdir -p uv/bin && mv unpacked/*.data/scripts/uv uv/bin/ && chmod 0755 uv/bin/uv";
        success(Command::new("/bin/sh").args(["-ec", fetch]).current_dir(&directory));
    }
    program
}

fn uv_installs(kept: &Kept) {
    let root = success(&mut Kept::tool("root", &kept.name));
    let inside = Path::new(root.trim()).join("usr/local/bin/uv");
    std::fs::copy(uv(), &inside).unwrap();
    kept.expect(
        "printf 'schema = 1\\nextends = \"quantum\"\\n[provision]\\nuv = \"/usr/local/bin/uv\"\\n' >/root/uv.toml
         rm -r /opt/quantum/venvs/backend
         golden --contract /root/uv.toml apply --yes --quiet --wheelhouse /var/cache/golden-rehearsal/wheelhouse",
        0,
    );
    let installers =
        kept.expect("cat /opt/quantum/venvs/backend/lib/python3*/site-packages/fastapi-*/INSTALLER", 0);
    assert_eq!(installers.trim(), "uv");
    assert_eq!(kept.expect("find /opt/quantum/venvs/backend ! -user root | head", 0), "");
    kept.expect("golden audit --quiet; rm /root/uv.toml /usr/local/bin/uv; golden apply --undo; golden --quiet apply --yes --wheelhouse /var/cache/golden-rehearsal/wheelhouse; golden audit --quiet", 0);
}

/// The machine has no network, and nobody says where wheels lie: nothing is half-done.
fn nowhere_to_install_from(kept: &Kept) {
    kept.expect("mv /opt/quantum/venvs/backend /root/venv", 0);
    let said = kept.expect("golden apply --yes", 1);
    assert!(said.contains("No matching distribution") && said.contains("--wheelhouse"), "{said}");
    kept.expect("test ! -e /opt/quantum/venvs/backend && mv /root/venv /opt/quantum/venvs/backend && golden audit --quiet", 0);
}

/// A commit in the repository that the machine fetches from.
fn commit(kept: &Kept, name: &str, change: &str) {
    kept.expect(
        &format!(
            "rm -rf /root/work; git clone --quiet /var/cache/golden-rehearsal/repository.git /root/work; cd /root/work; {change}; \
             git -c user.name=x -c user.email=x@y commit --quiet --all --message '{name}'; \
             git push --quiet origin HEAD:refs/heads/{name} 2>&1"
        ),
        0,
    );
}

const HEAD: &str = "runuser -u qt -- git -C /home/qt/quantum_trader rev-parse HEAD";
const DEPLOY: &str = "golden deploy --wheelhouse /var/cache/golden-rehearsal/wheelhouse";

fn compliant_at(kept: &Kept, head: &str) {
    assert_eq!(kept.expect(HEAD, 0), head);
    // An undo starts what ran before; it may still be on its way.
    kept.expect("for try in $(seq 150); do golden audit --quiet >/dev/null 2>&1 && break; sleep 0.2; done; golden audit --quiet", 0);
}

fn not_deployed(kept: &Kept) {
    let head = kept.expect(HEAD, 0);
    let ledger = "wc -l </var/lib/golden/ledger.jsonl";
    let entries = kept.expect(ledger, 0);
    commit(kept, "good", "sed -i 's/^BEAT_SECONDS = .*/BEAT_SECONDS = 1.5/' src/backend/app.py");
    for (what, script, says) in [
        ("not root", format!("runuser -u qt -- {DEPLOY} good"), "sudo golden deploy"),
        ("no such commit", format!("{DEPLOY} ghost"), "neither a branch nor a tag nor a commit \"ghost\""),
        ("an option for a name", format!("{DEPLOY} -- --upload-pack=x"), "is not the name of a commit"),
        (
            "a change nobody has committed",
            format!(
                "runuser -u qt -- sh -c 'echo >>/home/qt/quantum_trader/README.md'; {DEPLOY} good || code=$?; \
                     runuser -u qt -- git -C /home/qt/quantum_trader checkout --quiet -- README.md; exit $code"
            ),
            "README.md",
        ),
        (
            "a host that is not compliant",
            format!(
                "chmod 0666 /etc/quantum/backend.env; {DEPLOY} good || code=$?; chmod 0640 /etc/quantum/backend.env; exit $code"
            ),
            "env-file-mode-wrong",
        ),
    ] {
        let (code, said) = kept.run(&script);
        assert!(code == 1 && said.contains(says), "{what}: {code} {said}");
        compliant_at(kept, &head);
    }
    let said = kept.expect(&format!("{DEPLOY} --check good"), 0);
    assert!(
        said.contains("Nothing was changed") && said.contains("The git hash of what is deployed"),
        "{said}"
    );
    compliant_at(kept, &head);
    // Commits that come up and must not stay: a program that dies, one that breaks the audit, one without its lock file.
    commit(kept, "dies", "sed -i '1i raise SystemExit(3)' src/rl_agent/main.py");
    commit(kept, "bypasses", "printf 'nightly:\\n\\tpython3 x.py\\n' >>Makefile");
    commit(kept, "unlocked", "git rm --quiet requirements/backend.txt");
    for (name, says) in [
        ("dies", "quantum-rl-agent.service"),
        ("bypasses", "makefile-bypasses-wrapper"),
        ("unlocked", "has no requirements/backend.txt"),
    ] {
        let said = kept.expect(&format!("{DEPLOY} {name}"), 1);
        assert!(said.contains(says) && said.contains("not deployed"), "{name}: {said}");
        compliant_at(kept, &head);
    }
    // Two of them were begun.
    let count = |text: &str| text.trim().parse::<usize>().unwrap();
    assert_eq!(count(&kept.expect(ledger, 0)), count(&entries) + 2);
}

fn deployed(kept: &Kept) {
    let head = kept.expect(HEAD, 0);
    let pid = "systemctl show --property=MainPID --value quantum-backend";
    let before = kept.expect(pid, 0);
    // The lock file differs, too, so the venv is made anew.
    commit(
        kept,
        "better",
        "sed -i 's/^BEAT_SECONDS = .*/BEAT_SECONDS = 1.0/' src/backend/app.py; echo '# checked' >>requirements/backend.txt",
    );
    let said = kept.expect(&format!("{DEPLOY} better"), 0);
    for says in ["make the venv /opt/quantum/venvs/backend", "is deployed in place of", "clean start"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let new = kept.expect(HEAD, 0);
    compliant_at(kept, &new);
    assert_ne!(new, head);
    assert_ne!(kept.expect(pid, 0), before, "the service was not restarted");
    let ledger = kept.expect("cat /var/lib/golden/ledger.jsonl", 0);
    kept.expect("golden ledger", 0);
    let last: serde_json::Value = serde_json::from_str(ledger.lines().last().unwrap()).unwrap();
    assert_eq!((last["verb"].as_str(), last["result"].as_str()), (Some("deploy"), Some("done")));
    assert_eq!(last["event"].as_str(), Some("deployed"));
    let last = &last["facts"];
    assert_eq!((last["from"].as_str(), last["to"].as_str()), (Some(head.trim()), Some(new.trim())));
    assert!(kept.expect(&format!("{DEPLOY} better"), 0).contains("nothing to do"));
    kept.expect("golden apply --undo", 0);
    compliant_at(kept, &head);
    assert_eq!(kept.expect("runuser -u qt -- git -C /home/qt/quantum_trader status --porcelain", 0), "");
}

fn killed_while_it_deploys(kept: &Kept) {
    let head = kept.expect(HEAD, 0);
    for moment in ["\\[1/", "\\[2/", "wait until quantum-ai-engine"] {
        kept.expect(
            &format!(
                "{DEPLOY} good >/tmp/said 2>&1 & \
                 for try in $(seq 4000); do grep -q '{moment}' /tmp/said 2>/dev/null && break; sleep 0.005; done; \
                 kill -9 $!; wait; grep -q '{moment}' /tmp/said"
            ),
            0,
        );
        // The next call brings the old commit back before it does anything else.
        let said = kept.run("golden apply --recover").1;
        assert!(said.contains("was interrupted; what it had done is undone"), "{moment}: {said}");
        compliant_at(kept, &head);
    }
    let new = kept.expect(&format!("{DEPLOY} --quiet good; {HEAD}"), 0);
    assert!(!new.ends_with(&head), "{new}");
}

#[test]
fn what_is_rendered_is_read_as_it_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    working_copy(directory.path());
    let inside = |words: &[&str]| {
        let (program, arguments) = words.split_first().unwrap();
        let mut command = Command::new(program);
        // This test may itself run below a make, which would say where it goes.
        command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        success(command.args(arguments).current_dir(directory.path()))
    };
    inside(&["shellcheck", "ops/run.sh"]);
    assert!(inside(&["make", "help"]).contains("train-patchtst"));
    for target in ["quality-gate", "scoreboard", "build-patchtst-dataset", "train-patchtst", "audit"] {
        let recipe = inside(&["make", "--dry-run", target]);
        assert!(recipe.starts_with("ops/run.sh ai-engine "), "{recipe}");
    }
    // What is committed is fresh; edited, the difference is shown.
    success(
        golden().args(["render", "--check", "--out"]).arg(directory.path()).current_dir(directory.path()),
    );
    let unit = directory.path().join("systemd/units/quantum-backend.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    std::fs::write(&unit, text.replace("Restart=always", "Restart=no")).unwrap();
    let stale = golden()
        .args(["render", "--check", "--out"])
        .arg(directory.path())
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(stale.status.code(), Some(1));
    assert!(said(&stale).contains("-Restart=no\n+Restart=always\n"), "{}", said(&stale));
    // What golden has not written is never replaced unasked.
    std::fs::write(directory.path().join("Makefile"), "all:\n\ttrue\n").unwrap();
    let refused = golden()
        .args(["render", "--out"])
        .arg(directory.path())
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(directory.path().join("Makefile")).unwrap(), "all:\n\ttrue\n");
    assert!(std::fs::read_to_string(&unit).unwrap().contains("Restart=no"), "half of it was written");
}

#[test]
fn a_contract_with_gaps_renders_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let contract = directory.path().join("gaps.toml");
    std::fs::write(
        &contract,
        "schema = 1\nextends = \"quantum\"\n[contract]\nname = \"gaps\"\nversion = \"1\"\n[services.extra]\nkind = \"python\"\nvenv = \"backend\"\n",
    )
    .unwrap();
    let output = golden()
        .arg("--contract")
        .arg(&contract)
        .args(["render", "--out"])
        .arg(directory.path())
        .output()
        .unwrap();
    // Root obeys no contract below a directory that others write.
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("nothing says what extra starts") || text.contains("root does not use"), "{text}");
    assert!(!directory.path().join("Makefile").exists());
}
