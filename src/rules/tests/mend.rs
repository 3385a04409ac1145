//! The mend commands of findings, run in a shell on the host of the block, after which the rule must be
//! content. The host's directories lie over those of this machine in a mount namespace of their own; what
//! systemctl would do is left out, so commands that enable or only restart are not tried here.

use std::fs::{create_dir_all, write as write_file};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::disk::write;
use super::{RULES, blocks, judge, stage};
use crate::model::Said;
use crate::system::DiskSystem;

/// Directories of this machine over which the host's are laid.
const MOUNTED: &[&str] = &["/etc", "/opt", "/home", "/run"];

fn run(root: &Path, command: &str) -> Result<(), String> {
    let mounts: String = MOUNTED
        .iter()
        .filter(|path| root.join(&path[1..]).exists())
        .map(|path| format!("mount --bind {}{path} {path} && ", root.display()))
        .collect();
    let script = format!("{mounts}export PATH={}/stub:$PATH && {command}", root.display());
    let output =
        Command::new("unshare").args(["-m", "sh", "-c", &script]).output().map_err(|why| why.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Commands that change files, below what is mounted.
fn is_tried(command: &str) -> bool {
    !command.starts_with("a person")
        && !command.starts_with("systemctl")
        && !command.contains("able ")
        && !command.contains("systemd-sysusers")
        && !command.contains("/usr/lib/")
}

#[test]
fn mend_commands_mend() {
    if !rustix::process::geteuid().is_root() {
        return; // Nothing can be mounted.
    }
    let wanted = |id: &str| id.starts_with("unit-") || id.starts_with("start-");
    let mut wrong = Vec::new();
    let mut tried = 0;
    for rule in RULES.iter().filter(|rule| wanted(rule.info.id)) {
        for block in blocks(rule).into_iter().filter(|block| block.kind == "bad") {
            let (host, contract) = stage(&block.text).unwrap();
            let directory = tempfile::tempdir().unwrap();
            write(&host, directory.path(), b"").unwrap();
            let stub = directory.path().join("stub");
            create_dir_all(&stub).unwrap();
            write_file(stub.join("systemctl"), "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(stub.join("systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
            let judged = || {
                let disk = DiskSystem::rooted(directory.path()).unwrap();
                judge(&disk, &contract, &[rule.info.id])
            };
            let mut left = 0;
            for result in judged() {
                let Said::Fail(failure) = &result.said else { continue };
                let command = failure.finding.remedy.as_deref().unwrap_or("");
                if !is_tried(command) {
                    left += 1;
                    continue;
                }
                tried += 1;
                if let Err(why) = run(directory.path(), command) {
                    wrong.push(format!("{}: {command}\n{why}", rule.info.id));
                }
            }
            let still: Vec<_> =
                judged().into_iter().filter(|result| matches!(result.said, Said::Fail(_))).collect();
            if still.len() > left {
                wrong.push(format!("{}:\n{}{still:#?}", rule.info.id, block.text));
            }
        }
    }
    assert!(tried > 30, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried} wrong\n{}", wrong.len(), wrong.join("\n"));
}
