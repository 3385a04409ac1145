//! No plan of golden's was cut off half-way.

use crate::facts::state::{OpenPlan, PLANS, STATE, Stands};
use crate::rules::prelude::*;

rule! {
    /// A change of this host was interrupted.
    ///
    /// `golden apply`, `fix` and `deploy` write down in /var/lib/golden/plans what they will do, and when it is
    /// done. A plan that began and did not end was cut off: golden was killed, or the host went down. Some of
    /// its steps are done, others are not. A plan whose process still runs is not interrupted. Under `--root`
    /// no process runs.
    ///
    /// A journal that golden cannot understand is reported too, because it may belong to a plan that was cut
    /// off.
    ///
    /// ```bad
    /// file /var/lib/golden/plans/20261101T101500/journal.json root:root 0600
    /// | {"schema": "golden.journal/1", "id": "20261101T101500", "verb": "fix", "contract": "c", "progress": "begun", "steps": []}
    /// ```
    /// ```bad
    /// file /proc/sys/kernel/random/boot_id root:root 0444
    /// | 7f1e
    /// file /proc/4242/stat root:root 0444
    /// | 4242 (golden) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0
    /// file /var/lib/golden/plans/20261101T101500/journal.json root:root 0600
    /// | {"id": "20261101T101500", "verb": "fix", "runner": {"pid": 4242, "started": 555, "boot": "7f1e"}, "progress": "begun", "steps": []}
    /// ```
    /// ```bad
    /// file /var/lib/golden/plans/20261101T101500/journal.json root:root 0600
    /// | {"schema": "golden.jour
    /// ```
    /// ```good
    /// file /var/lib/golden/plans/20261101T101500/journal.json root:root 0600
    /// | {"schema": "golden.journal/1", "id": "20261101T101500", "verb": "fix", "contract": "c", "progress": "done", "steps": []}
    /// file /var/lib/golden/plans/20261101T101600/journal.json root:root 0600
    /// | {"schema": "golden.journal/1", "id": "20261101T101600", "verb": "apply", "contract": "c", "progress": "undone", "steps": []}
    /// ```
    /// ```good
    /// file /proc/sys/kernel/random/boot_id root:root 0444
    /// | 7f1e
    /// file /proc/4242/stat root:root 0444
    /// | 4242 (golden) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 555 0
    /// file /var/lib/golden/plans/20261101T101500/journal.json root:root 0600
    /// | {"id": "20261101T101500", "verb": "fix", "runner": {"pid": 4242, "started": 555, "boot": "7f1e"}, "progress": "begun", "steps": []}
    /// ```
    /// ```good
    /// dir /var/lib/golden/plans/20261101T101500 root:root 0700
    /// ```
    /// ```good na
    /// remove /var/lib/golden
    /// ```
    id: "plan-interrupted",
    section: H,
    severity: Must,
    needs: [State],
    cause: Host,
    why: "the host is half changed, and a service may start with the wrong half",
    see: ["ls /var/lib/golden/plans", "golden apply --list"],
    mend: "Run `golden apply --recover`, which takes the finished steps back. The next command that changes \
           this host does it first.",
    man: ["ls(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(open) = view.state_of_golden()?.open_plans.known().map_err(by_root)? else {
        return Ok(Outcome::not_applicable("golden has carried out no plan on this host"));
    };
    let mut wrong = open.iter().filter(|plan| plan.stands != Stands::Running);
    let Some(first) = wrong.next() else { return Ok(Outcome::Pass) };
    let OpenPlan { id, verb, stands } = first;
    let others = match wrong.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let at = Location::file(format!("{PLANS}/{id}/journal.json"));
    let finding = |message: &str| {
        Finding::new(message, at, demand(view)).expected("every plan is done or undone")
    };
    Ok(match stands {
        Stands::Unknown(why) => finding("the journal of a plan cannot be understood")
            .observed(format!("{why}{others}"))
            .mend(Remedy::decide("check it, and move it away").candidate("", format!("mv {PLANS}/{} /root/", quoted(id)))),
        _ => finding("a change of this host was interrupted")
            .observed(format!("the plan {id} ({verb}) began and did not end{others}"))
            .mend(Remedy::decide("decide when it is taken back").candidate("", "golden apply --recover")),
    }
    .into())
}

/// Only root may look into golden's directory.
pub(super) fn by_root(undecided: Undecided) -> Undecided {
    Undecided::new(format!("{STATE} could not be read: {}", undecided.why)).or_run("sudo golden audit")
}

/// No line of a contract speaks of golden's own record; the contract as a whole is what is carried out.
pub(super) fn demand(view: &View) -> Location {
    Location::file(view.contract.source.path.clone())
}
