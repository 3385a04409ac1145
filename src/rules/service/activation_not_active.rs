//! Whether the unit that activates a service waits, as systemd says.

use crate::rules::prelude::*;
use crate::rules::triggers::{self, Activator};

rule! {
    /// The unit that activates a service is not active.
    ///
    /// Asks systemd for the state of the socket, timer or path unit that starts the service. `active` is right:
    /// listening, waiting or running (systemd.socket(5)). The service itself need not run.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// unit quantum-backend.socket LoadState=loaded ActiveState=failed SubState=failed
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// unit quantum-backend.socket LoadState=loaded ActiveState=active SubState=listening
    /// unit quantum-backend.service ActiveState=inactive SubState=dead MainPID=0
    /// ```
    id: "activation-not-active",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Process,
    why: "the service does not start when it is needed",
    see: ["systemctl list-units --all --type=socket,timer,path"],
    mend: "Find out why the unit is not active, then start it.",
    man: ["systemd.socket(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(Activator { way, name, unit }) = triggers::activator(view)? else {
        return Ok(triggers::no_activator(view));
    };
    let state = view.state(&name)?;
    if state.active_state == "active" {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new(format!("{name}, which starts it, is not active"), unit.location(), way.at.clone())
        .key(name.as_str())
        .expected("active")
        .observed(format!("{} ({})", state.active_state, state.sub_state))
        .mend(Remedy::decide("find out why it is not active").candidate("", format!("systemctl status {}", quoted(&name))))
        .into())
}
