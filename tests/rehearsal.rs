//! The clean-slate test of the example, on both releases: from the bare distribution to compliant by the contract
//! alone, with everything rendered; and what is rendered held against the tools that read it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and looks at the world itself"
)]

#[path = "support/machine.rs"]
mod machine;

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

/// The example as a working copy in which everything that can be rendered is.
fn working_copy(directory: &Path) {
    let copy = format!(
        "tar -C {}/examples/quantum_trader --exclude=__pycache__ -cf - . | tar -C {} -xf -",
        here().display(),
        directory.display()
    );
    success(Command::new("sh").args(["-ec", &copy]));
    // The test's own contract is the built-in one, wherever it runs.
    success(golden().args(["render", "--replace", "--quiet", "--out"]).arg(directory).current_dir(directory));
    for words in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=example",
            "-c",
            "user.email=example@localhost",
            "commit",
            "--quiet",
            "--message=The example",
        ],
    ] {
        success(Command::new("git").arg("-C").arg(directory).args(words));
    }
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

#[test]
fn the_example_is_rehearsed_from_the_bare_distribution() {
    if let Err(why) = machine::machines_available() {
        println!("skipped: {why}");
        return;
    }
    let source = tempfile::tempdir().unwrap();
    working_copy(source.path());
    let machines = std::env::var_os("GOLDEN_MACHINES").map_or(here().join("target/machines"), PathBuf::from);
    // On the second release everything is made twice; on the first one everything dies, too.
    for words in [["--suite=bookworm", "--twice"], ["--suite=trixie", "--twice"]] {
        let mut rehearse = golden();
        rehearse
            .arg("rehearse")
            .args(words)
            .arg("--source")
            .arg(source.path())
            .arg("--wheelhouse")
            .arg(wheelhouse());
        let output = rehearse.env("GOLDEN_MACHINES", &machines).output().unwrap();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", said(&output));
        let acts = String::from_utf8_lossy(&output.stdout).matches('✓').count();
        assert!(acts >= 18, "only {acts} acts");
    }
}

#[test]
fn what_is_rendered_is_read_as_it_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    working_copy(directory.path());
    let inside = |words: &[&str]| {
        let (program, arguments) = words.split_first().unwrap();
        success(Command::new(program).args(arguments).current_dir(directory.path()))
    };
    inside(&["shellcheck", "ops/run.sh"]);
    assert!(inside(&["make", "help"]).contains("train-patchtst"));
    for target in ["quality-gate", "scoreboard", "build-patchtst-dataset", "train-patchtst", "audit"] {
        let recipe = inside(&["make", "--dry-run", target]);
        assert!(recipe.starts_with("ops/run.sh ai-engine "), "{recipe}");
    }
    // Rendered again, nothing differs; edited, the difference is shown.
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
    assert!(text.contains("nothing says what extra starts") || text.contains("root does not obey"), "{text}");
    assert!(!directory.path().join("Makefile").exists());
}
