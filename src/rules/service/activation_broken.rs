//! Whether the unit that activates a service can start it.

use crate::rules::prelude::*;
use crate::rules::triggers::{self, Activator};
use crate::rules::remedy::by_hand;

rule! {
    /// The unit that activates a service cannot start it, or starts another one.
    ///
    /// A socket, timer or path unit starts the service of its own name, or the one of `Service=` or `Unit=`
    /// (systemd.socket(5), systemd.timer(5), systemd.path(5)). A socket with `Accept=yes` starts an instance of
    /// a template for each connection: "a service template unit … must exist", and the service without an
    /// instance never runs. `SocketUser=` and `SocketGroup=` are looked up when the socket starts, which fails
    /// if they do not exist. systemd ignores an address or a path that it cannot read.
    ///
    /// A unit that does not load is reported by `activation-not-enabled`.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// | Service=quantum-other.service
    /// link /etc/systemd/system/sockets.target.wants/quantum-backend.socket -> ../quantum-backend.socket
    /// ```
    /// ```bad
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=8000
    /// | Accept=yes
    /// link /etc/systemd/system/sockets.target.wants/quantum-backend.socket -> ../quantum-backend.socket
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// | SocketUser=qt
    /// | Service=quantum-backend.service
    /// link /etc/systemd/system/sockets.target.wants/quantum-backend.socket -> ../quantum-backend.socket
    /// ```
    id: "activation-broken",
    section: D,
    severity: Must,
    needs: [Units, Accounts],
    cause: Host,
    why: "the service does not start when it is needed",
    see: ["systemctl list-sockets --all", "systemctl list-paths --all"],
    mend: "Correct the line. Only you know what the service must listen on.",
    man: ["systemd.socket(5)", "systemd.timer(5)", "systemd.path(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(Activator { way, name, unit }) = triggers::activator(view)? else {
        return Ok(triggers::no_activator(view));
    };
    let trouble = match starts_another(view, unit, &name)?.or_else(|| passed_over(unit, &name)) {
        Some(trouble) => Some(trouble),
        None => lacks_account(view, unit, &name)?,
    };
    let Some((message, at, observed)) = trouble else { return Ok(Outcome::Pass) };
    Ok(Finding::new(message, at.clone(), way.at.clone())
        .key(name.as_str())
        .expected(format!("{name} that starts {}", view.service.unit.value))
        .observed(observed)
        .mend(Remedy::decide(format!("decide what starts {}, and correct {name}", view.service.unit.value)).candidate("", by_hand(&at)))
        .into())
}

/// What is wrong: a sentence, where, and what stands there.
type Trouble = (String, Location, String);

/// Another service, or instances of a template.
fn starts_another(
    view: &ServiceView,
    unit: &EffectiveUnit,
    name: &str,
) -> Result<Option<Trouble>, Undecided> {
    let service = view.service.unit.value.as_str();
    let accepts = unit.scalar("Socket", "Accept").filter(|setting| setting.value() == "yes");
    if let Some(setting) = accepts.filter(|_| !service.contains('@')) {
        let stem = service.trim_end_matches(".service");
        let message = format!("{name} starts an instance of {stem}@.service for each connection, never {service}");
        return Ok(Some((message, setting.at.clone(), written(setting))));
    }
    let Some((started, setting)) = unit.started() else { return Ok(None) };
    if view.names_unit(&[&started], service)? {
        return Ok(None);
    }
    let message = format!("{name}, which should start it, starts {started}");
    let at = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
    Ok(Some((message, at, setting.map_or_else(|| format!("{} of that name", unit.name), written))))
}

/// A line of what it waits for that systemd cannot read.
fn passed_over(unit: &EffectiveUnit, name: &str) -> Option<Trouble> {
    let ignored = unit.passed_over_trigger()?;
    let message = format!("systemd ignores {} of {name}: {}", ignored.text, ignored.why);
    Some((message, ignored.at.clone(), ignored.text.clone()))
}

/// An account of a socket that the host does not have.
fn lacks_account(view: &ServiceView, unit: &EffectiveUnit, name: &str) -> Result<Option<Trouble>, Undecided> {
    for (key, what) in [("SocketUser", "user"), ("SocketGroup", "group")] {
        let Some(setting) = unit.scalar("Socket", key).filter(|setting| !setting.value().is_empty()) else {
            continue;
        };
        let account = setting.value();
        // A number needs no entry.
        let exists = account.parse::<u32>().is_ok()
            || match key {
                "SocketUser" => view.user(account)?.is_some(),
                _ => view.group(account)?.is_some(),
            };
        if !exists {
            let message = format!("{name}, which starts it, cannot start: there is no {what} {account:?}");
            return Ok(Some((message, setting.at.clone(), written(setting))));
        }
    }
    Ok(None)
}
