//! The record of what golden did is the one whose heads were left elsewhere.

use crate::facts::state::{AnchorFacts, LEDGER, SENT};
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
    /// Where the contract names commands (`[ledger] send` and `recall`), golden lets the first take each head to another host, and
    /// notes the last one that it took. An audit runs nothing: it compares the ledger with that note. `golden ledger verify` asks
    /// the other host.
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
    /// ```bad
    /// contract [ledger]
    /// contract send = ["/usr/local/sbin/send-head"]
    /// contract recall = ["/usr/local/sbin/last-head"]
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```bad
    /// contract [ledger]
    /// contract send = ["/usr/local/sbin/send-head"]
    /// contract recall = ["/usr/local/sbin/last-head"]
    /// file /var/lib/golden/sent-head root:root 0600
    /// | golden ledger: entry 2 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","left":[],"number":1,"plan":"p","previous":"0000000000000000000000000000000000000000000000000000000000000000","result":"done","steps":["one"],"verb":"apply","digest":"ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81"}
    /// ```
    /// ```good
    /// contract [ledger]
    /// contract send = ["/usr/local/sbin/send-head"]
    /// contract recall = ["/usr/local/sbin/last-head"]
    /// file /var/lib/golden/sent-head root:root 0600
    /// | golden ledger: entry 1 sha256 ce3fbd11aa393b4ca5eefffaf768154fa69b404e7cc9eea56410b2236a402a81
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

/// One place where heads are left.
struct Place<'v> {
    anchor: &'v AnchorFacts,
    /// The file that holds them, and what the contract demands there.
    file: &'v str,
    at: &'v Location,
    is_outside: bool,
}

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    if contract.anchor.is_none() && contract.outside.is_none() {
        return Ok(Outcome::not_applicable("the contract names no anchor"));
    }
    let state = view.state_of_golden()?;
    let file = contract.anchor.as_ref().map(|path| (&state.anchor, path.value.as_str(), &path.at, false));
    let sent = contract.outside.as_ref().map(|outside| (&state.sent, SENT, &outside.send.at, true));
    let mut outcome = Outcome::not_applicable("the ledger is damaged (reported by ledger-broken)");
    for (anchor, file, at, is_outside) in file.into_iter().chain(sent) {
        let Some(anchor) = anchor.known()? else { continue };
        match judged(&Place { anchor, file, at, is_outside }) {
            Outcome::Pass => outcome = Outcome::Pass,
            other => return Ok(other),
        }
    }
    Ok(outcome)
}

fn judged(place: &Place<'_>) -> Outcome {
    let Place { anchor, file, is_outside, .. } = *place;
    let found = |message: &str, at: Location, observed: String, remedy: Remedy| {
        Finding::new(message, at, place.at.clone())
            .expected("each head that was left is an entry of the ledger, and the last of them is its last")
            .observed(observed)
            .mend(remedy)
            .into()
    };
    if let Some(defect) = &anchor.defect {
        let remedy = Remedy::decide(format!(
            "find out who changed the ledger, then move {file} away and write the head again"
        ));
        let remedy = remedy.candidate("", "golden ledger anchor");
        return found("is not the ledger whose heads were left", Location::file(LEDGER), defect.clone(), remedy);
    }
    if let Some(step) = anchor.replaced.as_ref().filter(|_| !is_outside) {
        let remedy = Remedy::decide(format!("name a file in the contract that only root can replace, in place of {file}"));
        let observed = "a user other than root can change it".to_owned();
        return found("may be forged by others than root", Location::file(step.as_str()), observed, remedy);
    }
    if anchor.left == anchor.entries {
        return Outcome::Pass;
    }
    let (message, why) = match is_outside {
        true => ("was not taken outside up to its last entry", "find out why the command of the contract failed, and leave the head"),
        false => ("does not have the ledger's head", "find out why golden could not write there, and leave the head"),
    };
    let observed = format!("the last head there is entry {}, the ledger has {}", anchor.left, anchor.entries);
    let remedy = Remedy::decide(why).candidate("", "golden ledger anchor");
    found(message, Location::file(file), observed, remedy)
}
