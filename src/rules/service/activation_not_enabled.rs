//! The unit that activates a service, and the links that start it at boot.

use crate::rules::prelude::*;

rule! {
    /// The unit that activates a service does not exist or is not enabled.
    ///
    /// A service with `activation = "socket"`, `"timer"` or `"path"` is started by the unit of that type with
    /// its name (systemd.socket(5), systemd.timer(5), systemd.path(5)). That unit must load, and a link below a
    /// target's `.wants` or `.requires`, in `/etc/systemd/system` or a package's directory, must start it at
    /// boot. With `activation = "bus"` the message bus starts the service, and no unit needs to be enabled.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract activation = "socket"
    /// remove /etc/systemd/system/multi-user.target.wants/quantum-backend.service
    /// ```
    /// ```bad
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// | [Install]
    /// | WantedBy=sockets.target
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract activation = "socket"
    /// file /etc/systemd/system/quantum-backend.socket root:root 0644
    /// | [Socket]
    /// | ListenStream=/run/quantum.sock
    /// link /etc/systemd/system/sockets.target.wants/quantum-backend.socket -> ../quantum-backend.socket
    /// ```
    id: "activation-not-enabled",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Process,
    why: "the service does not start after the next boot",
    see: ["systemctl list-unit-files --type=socket,timer,path"],
    mend: "Write the unit if it is missing, then enable it.",
    man: ["systemd.unit(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let (Some(way), Some(name)) = (&view.service.activation, view.service.activated_by()) else {
        return Ok(Outcome::not_applicable("no other unit starts it"));
    };
    let unit = view.effective(&name)?;
    let finding = |message: String, location: Location, expected: &str, observed: String| {
        Finding::new(message, location, way.at.clone())
            .key(name.as_str())
            .expected(expected)
            .observed(observed)
            .mend(
                Remedy::decide(format!("provide {name} and enable it"))
                    .candidate("", format!("systemctl enable --now {}", quoted(name.as_ref()))),
            )
    };
    if !matches!(unit.load, LoadState::Loaded) {
        let (message, at) = match &unit.load {
            LoadState::BadSetting(why, at) | LoadState::Error(why, at) => {
                (format!("{name}, which starts it, does not load: {why}"), at.clone())
            }
            _ => (format!("{name}, which starts it, does not load"), unit.location()),
        };
        return Ok(finding(message, at, "a unit that loads", "no usable unit".into()).into());
    }
    let links = view.enabled_by(&name)?;
    if links.iter().any(|link| !link.starts_with("/run/")) {
        return Ok(Outcome::Pass);
    }
    let observed = if links.is_empty() { "no link".to_owned() } else { links.join(", ") };
    let message = format!("{name}, which starts it, is not enabled");
    Ok(finding(message, unit.location(), "a link below the .wants of a target", observed).into())
}
