//! The modes of the layout's directories: not wider than demanded, not so narrow that the user is kept out.

use crate::rules::files::{does_not_exist, octal, parts_that_exist};
use crate::rules::prelude::*;
use crate::rules::remedy::set_own_mode;

rule! {
    /// A place of the layout is open too wide, or its user cannot enter it.
    ///
    /// The contract's mode is an upper bound: where it says 0755, 0750 is right too. The set-group-id and
    /// sticky bits of a directory give no access and are left alone (inode(7)). The user of the contract must
    /// still be able to pass every directory on the way, and to list the place if the demanded owner and mode
    /// allow it.
    ///
    /// ```bad
    /// mode /opt/quantum/data 0777
    /// ```
    /// ```bad
    /// mode /opt/quantum/data 0055
    /// ```
    /// ```bad
    /// mode /opt/quantum 0700
    /// ```
    /// ```good
    /// mode /opt/quantum/data 0700
    /// ```
    /// ```good
    /// mode /opt/quantum/data 2750
    /// ```
    id: "place-mode-wrong",
    section: A,
    severity: Must,
    needs: [Places, Accounts],
    cause: Host,
    why: "other users can change the files, or the service cannot reach them",
    see: ["namei -l {path}"],
    mend: "golden removes the extra bits and keeps the others. If the place itself keeps its user out, \
           golden adds that user's demanded bits. Change the mode of directories on the way yourself.",
    man: ["inode(7)", "path_resolution(7)", "chmod(1)"],
    since: "0.1.0",
    check: Place(check),
}

/// Bits that grant something. Those of a directory beyond 0777 do not.
fn granting(meta: &Meta) -> u32 {
    if meta.kind == NodeKind::Directory { meta.mode & 0o777 } else { meta.mode & 0o7777 }
}

/// The mode without the bits that the bound does not allow.
fn narrowed(meta: &Meta, bound: u32) -> u32 {
    meta.mode & !(granting(meta) & !bound)
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let Some(bound) = &place.mode else { return Ok(Outcome::not_applicable("the contract names no mode")) };
    let parts = parts_that_exist(view)?;
    if parts.is_empty() {
        return Ok(does_not_exist());
    }
    let mut findings = Vec::new();
    for (key, lookup, step) in parts {
        if granting(&step.meta) & !bound.value != 0 {
            findings.push(
                Finding::new(
                    format!("{} is open wider than the contract allows", step.path),
                    Location::file(step.path.clone()),
                    bound.at.clone(),
                )
                .key(key)
                .expected(format!("at most {}", octal(bound.value)))
                .observed(octal(step.meta.mode))
                .mend(set_own_mode(view, lookup, narrowed(&step.meta, bound.value))),
            );
        } else {
            findings.extend(kept_out(view, bound, &key, lookup, step)?);
        }
    }
    findings.dedup_by(|a, b| a.location == b.location);
    Ok(Outcome::from_findings(findings))
}

/// The finding when the contract's user, whom the demanded mode would let in, cannot come in.
fn kept_out(
    view: &PlaceView,
    bound: &Stated<u32>,
    key: &str,
    lookup: &Lookup,
    step: &Step,
) -> Result<Option<Finding>, Undecided> {
    let user = &view.contract.identity.user.value;
    let Some(credentials) = view.credentials(user)? else { return Ok(None) };
    let wanted: &[Access] = match step.meta.kind {
        NodeKind::Directory => &[Access::Read, Access::Execute],
        _ => &[Access::Read],
    };
    let demanded = as_demanded(view, bound.value, step.meta)?;
    if !wanted.iter().all(|access| credentials.may(*access, &demanded)) {
        return Ok(None);
    }
    let finding = |message: String, at: &Step, mend: Remedy| {
        Finding::new(message, Location::file(at.path.clone()), bound.at.clone())
            .key(key)
            .expected(format!("{user} can list {}", step.path))
            .observed(octal(at.meta.mode))
            .mend(mend)
    };
    if let Some(closed) = credentials.stopped_at(lookup) {
        let who = class_of(&credentials, &closed.meta);
        let mend = Remedy::decide(format!("decide how {user} can pass {}, which is not this place", closed.path))
            .candidate("let it pass", format!("chmod {who}+x {}", quoted(&closed.path)));
        return Ok(Some(finding(format!("{} keeps {user} out of {}", closed.path, step.path), closed, mend)));
    }
    if wanted.iter().all(|access| credentials.may(*access, &step.meta)) {
        return Ok(None);
    }
    let mend = let_in(view, bound.value, &credentials, lookup, step)?;
    Ok(Some(finding(format!("{} keeps {user} out", step.path), step, mend)))
}

/// The remedy that gives the user of the contract its part of the demanded mode.
fn let_in(
    view: &PlaceView,
    bound: u32,
    credentials: &Credentials,
    lookup: &Lookup,
    step: &Step,
) -> Result<Remedy, Undecided> {
    let demanded = as_demanded(view, bound, step.meta)?;
    let shift = match class_of(credentials, &demanded) {
        'u' => 6,
        'g' => 3,
        _ => 0,
    };
    let mode = step.meta.mode | bound & (0o7 << shift);
    if (demanded.uid, demanded.gid) != (step.meta.uid, step.meta.gid) {
        return Ok(Remedy::decide(format!(
            "give {} its owner first (see place-owner-wrong): that may be enough",
            step.path
        ))
        .candidate("if it is not", format!("chmod {} {}", octal(mode), quoted(&step.path))));
    }
    Ok(match step.meta.kind {
        NodeKind::Directory => set_own_mode(view, lookup, mode),
        _ => Remedy::decide(format!("decide whether {} may be read by more users", step.path))
            .candidate("", format!("chmod {} {}", octal(mode), quoted(&step.path))),
    })
}

/// The node as the contract wants it.
fn as_demanded(view: &PlaceView, mode: u32, mut meta: Meta) -> Result<Meta, Undecided> {
    let accounts = view.accounts()?;
    let place = view.place;
    if let Some(user) = place.owner.as_ref().and_then(|owner| accounts.user(&owner.value)) {
        meta.uid = user.uid;
    }
    if let Some(group) = place.group.as_ref().and_then(|group| accounts.group(&group.value)) {
        meta.gid = group.gid;
    }
    meta.mode = mode;
    Ok(meta)
}

/// Which of the three classes of permission bits counts for somebody.
fn class_of(credentials: &Credentials, meta: &Meta) -> char {
    match (credentials.uid == meta.uid, credentials.gids.contains(&meta.gid)) {
        (true, _) => 'u',
        (false, true) => 'g',
        (false, false) => 'o',
    }
}
