//! The record of what golden did is whole.

use super::plan_interrupted::{by_root, demand};
use crate::facts::state::LEDGER;
use crate::rules::prelude::*;

rule! {
    /// The ledger is damaged.
    ///
    /// Each line of /var/lib/golden/ledger.jsonl holds the digest of the line before it. A changed, removed or
    /// moved line breaks this chain, and golden starts no new change on this host until you accept what is left
    /// with `golden ledger repair`, which keeps the broken part in a file beside it. golden never refuses an
    /// undo. A last line that is incomplete, because golden was killed or the disk was full, is reported too;
    /// the next change sets it aside. Lines that were removed from the end are not visible here.
    /// `ledger-not-anchored` finds them where the contract names an anchor, and `golden ledger verify` finds
    /// them by the heads in the journal, or by a head that you noted elsewhere (`--against DIGEST`).
    ///
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","digest":"00"}
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// | {"schema":2,"num
    /// ```
    /// ```good
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```good na
    /// remove /var/lib/golden
    /// ```
    id: "ledger-broken",
    section: H,
    severity: Must,
    needs: [State],
    cause: Host,
    why: "the record of changes cannot be trusted, and golden refuses new changes",
    see: ["golden ledger verify"],
    mend: "Find out what changed the file, then run `golden ledger repair`.",
    man: ["sha256sum(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(ledger) = view.state_of_golden()?.ledger.known().map_err(by_root)? else {
        return Ok(Outcome::not_applicable("golden has changed nothing on this host"));
    };
    let Some(defect) = &ledger.defect else { return Ok(Outcome::Pass) };
    let line = u32::try_from(defect.line).unwrap_or(u32::MAX);
    let message = match defect.torn {
        true => "the last line of the ledger is incomplete",
        false => "the ledger is not as golden wrote it",
    };
    Ok(Finding::new(message, Location::line(LEDGER, line), demand(view))
        .expected("each line follows the one before it")
        .observed(format!("line {line}: {}; {} entries before it are whole", defect.why, ledger.entries))
        .mend(Remedy::decide("look at it, and accept what is left of it").candidate("", "golden ledger repair"))
        .into())
}
