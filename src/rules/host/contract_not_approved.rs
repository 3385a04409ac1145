//! The contract is the one that was approved.

use crate::rules::approval::{Weighed, weigh, writable_by_others};
use crate::rules::prelude::*;

rule! {
    /// The contract in force is not approved.
    ///
    /// Where the contract has an `[approval]`, as many different people as it requires must have signed its
    /// digest. The signatures lie beside the contract (`golden.toml.sig`). They are SSH signatures
    /// (ssh-keygen(1), `-Y sign`) in the namespace `golden-contract`. A signature counts only if the signers'
    /// file names its key, for this use and at the time of the audit. Only root may be able to write that file
    /// and the directories above it. Keys under the same name count as one person.
    ///
    /// ```bad
    /// contract [approval]
    /// contract signers = "/etc/golden/allowed_signers"
    /// file /etc/golden/allowed_signers root:root 0644
    /// | tester@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
    /// ```
    /// ```bad
    /// contract [approval]
    /// contract signers = "/etc/golden/allowed_signers"
    /// contract required = 2
    /// signed
    /// file /etc/golden/allowed_signers root:root 0644
    /// | tester@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
    /// ```
    /// ```bad
    /// contract [approval]
    /// contract signers = "/etc/golden/allowed_signers"
    /// signed
    /// file /etc/golden/allowed_signers qt:qt 0644
    /// | tester@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
    /// ```
    /// ```good
    /// contract [approval]
    /// contract signers = "/etc/golden/allowed_signers"
    /// signed
    /// file /etc/golden/allowed_signers root:root 0644
    /// | tester@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
    /// ```
    /// ```good na
    /// contract # no approval is demanded
    /// ```
    id: "contract-not-approved",
    section: N,
    severity: Must,
    needs: [Contract],
    cause: Host,
    why: "one person alone can change what this host is judged by",
    see: ["golden contract verify"],
    mend: "Let the missing people sign the contract (`golden contract sign`).",
    man: ["ssh-keygen(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(demand) = &view.contract.approval else {
        return Ok(Outcome::not_applicable("the contract demands no approval"));
    };
    let source = &view.contract.source;
    let facts = view.approval()?;
    if view.path(Need::Contract, &source.path)?.node()?.is_none() {
        return Err(Undecided::new(format!("{} is not on the host that was looked at", source.path)));
    }
    let signers = &demand.signers.value;
    let lookup = view.path(Need::Contract, signers)?;
    if let Some((step, why)) = writable_by_others(lookup, None) {
        return Ok(untrusted(demand, step, &why));
    }
    let Some(allowed) = facts.signers.known()? else {
        return Ok(nobody_may(demand));
    };
    let signatures = facts.signatures.known()?.map_or("", String::as_str);
    let weighed = weigh(source, signatures, (allowed, signers), view.now());
    if weighed.people.len() >= demand.required.value as usize {
        return Ok(Outcome::Pass);
    }
    let text = quoted(&source.path);
    Ok(Finding::new("the contract is not approved", missing_at(source, &weighed), demand.at.clone())
        .expected(format!("signatures of {} of those in {signers}", people(demand.required.value as usize)))
        .observed(observed(&weighed))
        .mend(
            Remedy::decide(format!("read {} and decide whether to approve it", source.path))
                .candidate("", format!("golden contract sign {text}")),
        )
        .into())
}

/// Whoever can write the file of signers approves whatever they like.
fn untrusted(demand: &Approval, step: &Step, why: &str) -> Outcome {
    let path = quoted(&step.path);
    let mend = match step.meta.kind {
        NodeKind::Link => Remedy::decide(format!(
            "look where {} leads, and replace it with a file that root owns",
            step.path
        )),
        _ => Remedy::decide(format!(
            "read {}, since others could write it, and then decide who may write {}",
            demand.signers.value, step.path
        ))
        .candidate("root alone", format!("chown root:root {path} && chmod go-w {path}")),
    };
    Finding::new("who may approve can be decided by others than root", Location::file(step.path.clone()), demand.signers.at.clone())
        .expected(format!("{} and all above it writable by root alone", demand.signers.value))
        .observed(format!("{} {why}", step.path))
        .mend(mend)
        .into()
}

fn nobody_may(demand: &Approval) -> Outcome {
    let signers = &demand.signers.value;
    Finding::new("the contract has no approvers", Location::file(signers.as_str()), demand.signers.at.clone())
        .expected("a file of those who may approve, as ssh-keygen(1) describes ALLOWED SIGNERS")
        .observed("there is none")
        .mend(Remedy::decide(format!("name them in {signers}, one line each: alice@example.com ssh-ed25519 AAAA…")))
        .into()
}

/// The signature that does not count, or the file that is missing.
fn missing_at(source: &Source, weighed: &Weighed) -> Location {
    weighed.refused.first().map_or_else(|| Location::file(source.signature_path()), |first| first.at.clone())
}

fn people(number: usize) -> String {
    if number == 1 { "one person".to_owned() } else { format!("{number} different people") }
}

/// The longest list that a finding shows.
const SHOWN: usize = 4;

fn observed(weighed: &Weighed) -> String {
    let approved = weighed.people.iter().map(|person| format!("approved by {}", person.names.join(",")));
    let refused = weighed.refused.iter().map(|refused| format!("{}: {}", refused.who, refused.why));
    let defects = weighed.defects.iter().map(|(at, why)| format!("{at}: {why}"));
    let mut all: Vec<String> = approved.chain(refused).chain(defects).collect();
    let left = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    if left > 0 {
        all.push(format!("and {left} more (golden contract verify)"));
    }
    if all.is_empty() { "no signature".to_owned() } else { all.join("; ") }
}
