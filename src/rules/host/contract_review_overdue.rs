//! Somebody looks at the contract again.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rules::prelude::*;

rule! {
    /// The contract's review is overdue.
    ///
    /// A contract that states `next_review` must be reviewed by that day (UTC, at the time of the audit). The
    /// rule does not apply to the built-in contract, which has no owner on this host.
    ///
    /// ```bad
    /// contract [contract]
    /// contract next_review = 2026-02-01
    /// now 1769990400
    /// ```
    /// ```good
    /// contract [contract]
    /// contract next_review = 2026-02-02
    /// now 1770076799
    /// ```
    id: "contract-review-overdue",
    section: M,
    severity: Should,
    needs: [],
    cause: Host,
    why: "an old contract no longer describes what the team really does",
    see: ["grep -n next_review {contract}"],
    mend: "Review the contract with its authority, write the decision under `[[changes]]`, and set the next \
           date.",
    man: ["date(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    if contract.source.built_in {
        return Ok(Outcome::not_applicable("the built-in contract has no owner on this host"));
    }
    let Some(review) = &contract.next_review else {
        return Ok(Outcome::not_applicable("the contract names no day of review"));
    };
    let Ok(now) = Timestamp::from_second(view.now()) else {
        return Err(Undecided::new("the host's clock shows no day of any calendar"));
    };
    let today = now.to_zoned(TimeZone::UTC).date();
    if today <= review.value {
        return Ok(Outcome::Pass);
    }
    let authority = contract.authority.as_ref().map_or("its authority", |authority| authority.value.as_str());
    Ok(Finding::new("the contract's review is overdue", review.at.clone(), review.at.clone())
        .expected(format!("a review by {}", review.value))
        .observed(format!("today is {today}"))
        .mend(Remedy::decide(format!(
            "review {} with {authority}, and then state the next day at {}",
            contract.source.path, review.at
        )))
        .into())
}
