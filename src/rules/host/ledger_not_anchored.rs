//! The record of what golden did is the one whose heads were left elsewhere.

use crate::facts::state::LEDGER;
use crate::rules::prelude::*;

rule! {
    /// The ledger does not match its anchor.
    ///
    /// A chain of digests does not show that its last entries were removed, or that all of it was written
    /// again. So golden writes the number and the digest of each head into the file that the contract names
    /// (`[ledger] anchor`). Every head in that file must be an entry of the ledger, and the last head must be
    /// the last entry.
    ///
    /// The anchor proves as much as it is hard to change. Put it where root of this host can only append (an
    /// append-only file, chattr(1), or better a file system of another host). The journal has the heads too;
    /// `golden ledger verify` compares both.
    ///
    /// ```bad
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /mnt/heads root:root 0600
    /// | golden ledger: entry 2 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```bad
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /mnt/heads root:root 0600
    /// | golden ledger: entry 1 sha256 0000000000000000000000000000000000000000000000000000000000000000
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```bad
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /mnt/heads root:root 0600
    /// | golden ledger: entry 1 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81
    /// remove /var/lib/golden
    /// ```
    /// ```bad
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```bad
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /mnt/heads qt:qt 0600
    /// | golden ledger: entry 1 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81 2026-11-01T00:00:00Z
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```good
    /// contract [ledger]
    /// contract anchor = "/mnt/heads"
    /// file /mnt/heads root:root 0600
    /// | golden ledger: entry 1 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81 2026-11-01T00:00:00Z
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```good na
    /// remove /var/lib/golden
    /// ```
    id: "ledger-not-anchored",
    section: H,
    severity: Must,
    needs: [State],
    cause: Host,
    why: "entries may have been removed or replaced",
    see: ["golden ledger verify"],
    mend: "Compare the ledger with a copy from another host. If only the newest head is missing, run \
           `golden ledger anchor`.",
    man: ["chattr(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(path) = &view.contract.anchor else {
        return Ok(Outcome::not_applicable("the contract names no anchor"));
    };
    let Some(anchor) = view.state_of_golden()?.anchor.known()? else {
        return Ok(Outcome::not_applicable("the ledger is damaged (reported by ledger-broken)"));
    };
    let found = |message: &str, at: Location, observed: String, remedy: Remedy| {
        Finding::new(message, at, path.at.clone())
            .expected("each head that was left is an entry of the ledger, and the last of them is its last")
            .observed(observed)
            .mend(remedy)
            .into()
    };
    if let Some(defect) = &anchor.defect {
        let remedy = Remedy::decide(format!(
            "find out who changed the ledger, then move {} away and write the head again",
            path.value
        ));
        let remedy = remedy.candidate("", "golden ledger anchor");
        return Ok(found("is not the ledger whose heads were left", Location::file(LEDGER), defect.clone(), remedy));
    }
    if let Some(step) = &anchor.replaced {
        let remedy = Remedy::decide(format!("name a file in the contract that only root can replace, in place of {}", path.value));
        let observed = "a user other than root can change it".to_owned();
        return Ok(found("may be forged by others than root", Location::file(step.as_str()), observed, remedy));
    }
    if anchor.left == anchor.entries {
        return Ok(Outcome::Pass);
    }
    let observed = format!("the last head there is entry {}, the ledger has {}", anchor.left, anchor.entries);
    let remedy = Remedy::decide("find out why golden could not write there, and leave the head")
        .candidate("", "golden ledger anchor");
    Ok(found("does not have the ledger's head", Location::file(path.value.as_str()), observed, remedy))
}
