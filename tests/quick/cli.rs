//! The command line: exit codes, what goes where, and what wrong input ends in.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::skip;
use golden::system::MemorySystem;

fn golden(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_golden"))
        .current_dir("/")
        .env_remove("GOLDEN_CONTRACT")
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn usage_and_unknown_names_are_exit_2_with_a_way_out() {
    for (arguments, says) in [
        (&["audit", "--section", "Z"][..], "A to N"),
        (&["audit", "--service", "nobody"], "ai-engine"),
        (&["audit", "--rule", "no-such-rule"], "golden explain"),
        (&["audit", "--root", "/does/not/exist"], "/does/not/exist"),
        (&["audit", "--section", "M", "--service", "backend"], "no rule is selected"),
        (&["audit", "--nonsense"], "--nonsense"),
        // Nothing below a directory is run, and facts are what was seen.
        (&["audit", "--probe", "--root", "/"], "cannot be used with"),
        (&["facts", "--probe", "--root", "/"], "cannot be used with"),
        (&["audit", "--probe", "--facts", "/etc/passwd"], "cannot be used with"),
        (&["audit", "--probe", "--section", "E"], "would run nothing"),
        (&["audit", "--rule", "venv-does-not-run"], "golden audit --probe"),
        (&["audit", "--rule", "venv-does-not-run", "--root", "/var/empty-or-not"], "/var/empty-or-not"),
        (&["audit", "--contract", "/does/not/exist.toml"], "/does/not/exist.toml"),
        (&["explain", "unit-root"], "unit-runs-as-root"),
        (&["contract", "check", "/etc/passwd"], "/etc/passwd"),
        (&[], "Usage"),
    ] {
        let output = golden(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn help_and_version_are_exit_0_on_stdout() {
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["audit", "--help"],
        &["explain"],
        &["contract", "show"],
        &["contract", "check"],
    ] {
        let output = golden(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_contract_with_errors_names_all_of_them_and_is_used_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.toml");
    std::fs::write(&path, "schema = 1\n[contract]\nnaem = \"x\"\nversion = 3\n").unwrap();
    let path = path.to_str().unwrap();
    for arguments in
        [&["contract", "check", path][..], &["audit", "--contract", path], &["facts", "--contract", path]]
    {
        let output = golden(arguments);
        let says = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {says}");
        assert!(output.stdout.is_empty());
        assert!(says.contains(":3:1") && says.contains(":4:11"), "{says}");
    }
}

#[test]
fn an_empty_root_is_violated_and_never_compliant() {
    let folder = tempfile::tempdir().unwrap();
    let output = golden(&["audit", "--format", "json", "--root", folder.path().to_str().unwrap()]);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}", output.status);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["scope"], "root");
    assert_ne!(report["verdict"], "compliant");
}

#[test]
fn no_colour_goes_into_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    assert!(!golden(&["audit", "--root", root]).stdout.contains(&0x1b));
    assert!(golden(&["audit", "--root", root, "--color", "always"]).stdout.contains(&0x1b));
}

#[test]
fn a_filtered_audit_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        golden(&["audit", "--root", folder.path().to_str().unwrap(), "--section", "E", "--section", "G"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().last().unwrap().contains("for section E, section G only"), "{text}");
}

#[test]
fn facts_are_private_and_hold_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("etc/quantum")).unwrap();
    std::fs::write(root.join("etc/quantum/backend.env"), "API_KEY=5d41402abc4b2a76b9719d911017c592\nA=1\n")
        .unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    let out = folder.path().join("facts.json");
    let output = golden(&["facts", "--root", root.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("API_KEY") && !text.contains("5d41402abc4b2a76"), "{text}");
    assert!(Path::new(&out).exists());
}

#[test]
fn root_does_not_obey_a_contract_that_others_can_write() {
    use std::os::unix::fs::PermissionsExt;
    if skip::without_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.toml");
    std::fs::write(&path, golden(&["contract", "show", "--text"]).stdout).unwrap();
    let shown = path.to_str().unwrap();
    assert_eq!(golden(&["contract", "show", "--contract", shown]).status.code(), Some(0));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let output = golden(&["contract", "show", "--contract", shown]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("root does not use"), "{}", stderr(&output));
    // The contract of the directory one stands in is ignored with a word, not obeyed.
    let here = Command::new(env!("CARGO_BIN_EXE_golden"))
        .current_dir(folder.path())
        .args(["contract", "show"])
        .output()
        .unwrap();
    assert!(stderr(&here).contains("is not used by root") && here.status.success(), "{}", stderr(&here));
}

#[test]
fn a_place_that_another_user_can_replace_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("golden.toml");
    let text = "schema = 1\n[contract]\nname = \"shop\"\nversion = \"1\"\n[identity]\nuser = \"app\"\ngroup = \"app\"\n\
                [layout.live]\npath = \"/srv/live\"\nowner = \"app\"\n\
                [layout.keys]\npath = \"/srv/live/keys\"\nowner = \"root\"\n";
    std::fs::write(&path, text).unwrap();
    let output = golden(&["contract", "check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("app can replace it"), "{}", stderr(&output));
    assert!(stderr(&output).contains("golden.toml:12:8"), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no errors"));
    std::fs::write(&path, text.replace("owner = \"root\"", "owner = \"app\"")).unwrap();
    let output = golden(&["contract", "check", path.to_str().unwrap()]);
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    // The home that golden makes is that user's too, and a place without an owner is made as root's.
    let home = "schema = 1\n[contract]\nname = \"shop\"\nversion = \"1\"\n[identity]\nuser = \"app\"\ngroup = \"app\"\n\
                [layout.venvs]\npath = \"/srv/shop/venvs\"\n[provision]\nhome = \"/srv/shop\"\n";
    for (text, warned) in
        [(home.to_owned(), true), (home.replace("home = \"/srv/shop\"", "home = \"/srv/app\""), false)]
    {
        std::fs::write(&path, text).unwrap();
        let output = golden(&["contract", "check", path.to_str().unwrap()]);
        assert_eq!(
            stderr(&output).contains("below /srv/shop, which app owns"),
            warned,
            "{}",
            stderr(&output)
        );
    }
}

/// What is no file stays what it is: a pipe here, /dev/null on a bad day.
#[test]
fn what_is_no_file_is_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let (root, pipe, link) =
        (folder.path().join("root"), folder.path().join("pipe"), folder.path().join("link"));
    std::fs::create_dir(&root).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for out in [&pipe, &link, &root] {
        let output = golden(&["facts", "--root", root.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{out:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("is not replaced"), "{}", stderr(&output));
    }
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(std::fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
}

/// A `golden.toml` that cannot be used is said to be so, and never passed over for another contract.
#[test]
fn an_unusable_contract_is_named_and_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.toml");
    let show = |more: &[&str]| {
        let mut golden = Command::new(env!("CARGO_BIN_EXE_golden"));
        golden.current_dir(folder.path()).args(["contract", "show"]).args(more).output().unwrap()
    };
    let says = |more: &[&str], why: &str| {
        let output = show(more);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains(why) && stderr(&output).contains("golden.toml"),
            "{}",
            stderr(&output)
        );
    };
    assert_eq!(show(&[]).status.code(), Some(0));
    std::fs::create_dir(&path).unwrap();
    says(&[], "no regular file");
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    says(&[], "cannot be read");
    std::fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    says(&[], "no regular file");
    says(&["--contract", path.to_str().unwrap()], "a pipe without a writer");
}

#[test]
fn explain_takes_a_subject_as_reports_name_it() {
    let page = |subject: &str| {
        let output = golden(&["--contract", "builtin:quantum", "explain", "unit-not-active", subject]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for subject in ["backend", "service:backend"] {
        let (code, text) = page(subject);
        assert!(code == Some(0) && text.contains("systemctl status quantum-backend.service"), "{text}");
    }
    for subject in ["host", "file:/etc/passwd"] {
        let (code, text) = page(subject);
        assert!(code == Some(0) && text.contains("systemctl status"), "{text}");
    }
    for subject in ["", "service:", "service:nowhere", "model:nowhere", "no such"] {
        assert_eq!(page(subject).0, Some(2), "{subject:?}");
    }
}

/// A disk is planned for without a change to it, or to the host that does so.
#[test]
fn a_disk_is_planned_for_and_left_alone() {
    if skip::without_root() {
        return;
    }
    let (disk, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = MemorySystem::from_manifest(include_str!("../field/base.host")).unwrap();
    crate::support::lay::lay(disk.path(), &host);
    let contract = folder.path().join("golden.toml");
    let (root, contract) = (disk.path().to_str().unwrap(), contract.to_str().unwrap());
    std::fs::write(contract, include_str!("../field/base.toml")).unwrap();
    let plan = |more: &str| {
        std::fs::write(contract, include_str!("../field/base.toml").to_owned() + more).unwrap();
        golden(&["--contract", contract, "plan", "--root", root])
    };
    let nothing = plan("provision = { rendered = false }\n");
    let said = String::from_utf8_lossy(&nothing.stdout).into_owned();
    assert!(said.contains(&format!("nothing to do on the host below {root}")), "{said}{}", stderr(&nothing));
    assert_eq!(nothing.status.code(), Some(0));
    let files =
        || std::process::Command::new("find").arg(root).args(["-printf", "%p %m %U %s %T@\n"]).output();
    let before = files().unwrap().stdout;
    let some = plan("provision = { rendered = false }\nunit = { Service = { MemoryMax = \"1G\" } }\n");
    let said = String::from_utf8_lossy(&some.stdout).into_owned();
    assert!(said.contains("+MemoryMax=1G"), "{said}{}", stderr(&some));
    assert!(said.contains("`golden apply` on that host does it"), "{said}");
    assert_eq!(some.status.code(), Some(1), "{said}");
    assert_eq!(files().unwrap().stdout, before, "the disk is as it was");
}
