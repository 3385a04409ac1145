//! Somebody looks at the contract again.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rules::prelude::*;

rule! {
    /// The contract's review is overdue.
    ///
    /// A contract that states `next_review` must be reviewed by that day (UTC, of the moment of the look).
    /// Does not concern the built-in contract, which nobody on this host owns.
    ///
    /// A person decides: review the contract with its authority, write what was decided under `[[changes]]`, and
    /// state the next day.
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
    why: "a standard that nobody looks at drifts away from what people do",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    if contract.source.built_in {
        return Ok(Outcome::not_applicable("nobody on this host owns the built-in contract"));
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
