//! Services that run are asked whether they are well.

use crate::model::answers::ServerAnswer;
use crate::rules::looks::Looks;
use crate::rules::prelude::*;

rule! {
    /// A running service does not answer where the contract says that its health is asked (`health` with `tcp` or `http`).
    ///
    /// A process that hangs, or that has lost what it needs, is active to systemd all the same. golden connects, and asks an
    /// `http` address with GET: a status from 200 to 299 is well. Nothing is asked of a service that does not run, because
    /// a connection may start it. One that has not been up for as long as `within` allows may still come: that is undecided,
    /// and so is one that takes the connection and says nothing in time. Which process answers is not looked at: a
    /// proxy may stand before the service.
    ///
    /// ```bad
    /// server 127.0.0.1:8000 says answers GET /health with 503
    /// ```
    /// ```bad
    /// deaf 8000
    /// ```
    /// ```good
    /// server 127.0.0.1:8000 is HTTP/1.1 200 OK
    /// ```
    id: "service-not-answering",
    section: D,
    severity: Must,
    needs: [Units, Bus, Processes, Servers],
    cause: Process,
    why: "it runs and does not do its work, and systemd sees nothing of it",
    see: ["systemctl status {unit}", "journalctl -u {unit} -n 50"],
    mend: "Read its journal and mend the cause, then restart it.",
    man: ["systemctl(1)", "journalctl(1)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(health) = view.service.health.as_deref().filter(|health| health.answers()) else {
        return Ok(Outcome::not_applicable("the contract does not say where it answers"));
    };
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let state = view.state(&view.service.unit.value)?;
    if state.active_state != "active" {
        return Ok(Outcome::not_applicable("it does not run"));
    }
    let Some(answers) = view.answers()? else {
        return Err(Undecided::new("services were not asked for their health when these facts were recorded"));
    };
    let mut looks = Looks::default();
    let up = view.now().saturating_sub(state.started);
    let may_still_come = health.may_still_come(state.started, view.now());
    for ((address, _, at), answer) in health.questions().into_iter().zip(answers) {
        looks.add(wrong(answer).and_then(|wrong| match wrong {
            Some(wrong) if may_still_come => {
                let why = format!("{address}: {wrong}, and it was started {up} s ago");
                Err(Undecided::new(why).or_run("golden audit"))
            }
            wrong => Ok(wrong.map(|wrong| finding(view, unit, &address, at, wrong))),
        }));
    }
    looks.ruling()
}

/// What an answer lacks; `None` where it is one.
fn wrong(answer: &Observed<ServerAnswer>) -> Result<Option<String>, Undecided> {
    Ok(match answer.known()? {
        Some(Ok(_)) => None,
        Some(Err(said)) => Some(said.clone()),
        None => Some("nothing listens there".to_owned()),
    })
}

fn finding(view: &ServiceView, unit: &EffectiveUnit, address: &str, at: &Location, wrong: String) -> Finding {
    let name = quoted(&view.service.unit.value);
    let remedy = Remedy::decide("find out why it does not answer")
        .candidate("", format!("journalctl -u {name} -n 50"))
        .candidate("once that is mended", format!("systemctl restart {name}"));
    Finding::new(format!("it runs, but {address}: {wrong}"), unit.location(), at.clone())
        .expected(format!("an answer on {address}"))
        .observed(wrong)
        .mend(remedy)
}
