//! Whether the runtime of a service is the one that its files ask for.

use crate::facts::misfit::Misfit;
use crate::rules::reach::has_own_root;
use crate::rules::prelude::*;

rule! {
    /// The runtime of a service is not installed in the version that is asked for, or does not load its modules.
    ///
    /// rbenv, pyenv and nodenv put a stand-in for each program into `shims`. It starts the version that a variable
    /// (`RBENV_VERSION`), a file on the way up from the working directory (`.ruby-version`) or the manager's own
    /// file asks for, and ends where that is not installed: as after a pull that changed the file. Bundler keeps gems by
    /// the version of Ruby's interface (`vendor/bundle/ruby/3.1.0`), and a module of Node.js is built for one
    /// `NODE_MODULE_VERSION`: after an upgrade of the runtime neither is found. Where files do not tell a version,
    /// nothing is said.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app --host 127.0.0.1 --port 8000
    /// + ExecStart=/opt/rbenv/shims/bundle exec puma
    /// file /opt/rbenv/shims/bundle root:root 0755
    /// | #!/bin/sh
    /// file /home/qt/quantum_trader/.ruby-version qt:qt 0644
    /// | 3.3.5
    /// dir /opt/rbenv/versions/3.2.2/bin root:root 0755
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app --host 127.0.0.1 --port 8000
    /// + ExecStart=/opt/rbenv/shims/bundle exec puma
    /// file /opt/rbenv/shims/bundle root:root 0755
    /// | #!/bin/sh
    /// file /home/qt/quantum_trader/.ruby-version qt:qt 0644
    /// | 3.2.2
    /// dir /opt/rbenv/versions/3.2.2/bin root:root 0755
    /// ```
    id: "start-runtime-unfit",
    section: D,
    severity: Must,
    needs: [Units, Start, EnvFiles],
    cause: Host,
    why: "the next start ends at once, again and again",
    see: ["systemctl show -p ExecStart,WorkingDirectory {unit}", "journalctl -u {unit} -n 20"],
    mend: "Install the version, or build the modules again as the service's user.",
    man: ["systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let misfits = view.misfits(&view.service.unit.value)?;
    Ok(Outcome::from_findings(misfits.iter().map(|misfit| finding(view, misfit)).collect()))
}

fn finding(view: &ServiceView, misfit: &Misfit) -> Finding {
    let demanded = view.service.command.as_ref().map_or(&view.service.unit.at, |command| &command.at);
    match misfit {
        Misfit::NotInstalled { program, version, asked_by, place } => Finding::new(
            format!("cannot start: {program} is to start version {version}, which is not installed"),
            Location::file(place.as_str()),
            demanded.clone(),
        )
        .key(program.as_str())
        .expected(format!("the version that {asked_by} asks for"))
        .observed(format!("{place} does not exist"))
        .mend(Remedy::decide(format!("install version {version} for the service's user, or correct {asked_by}"))),
        Misfit::BuiltForAnother { runtime, is, built_for, place } => Finding::new(
            format!("cannot start: its modules were built for {runtime} with the interface {built_for}, and it is started with {is}"),
            Location::file(place.as_str()),
            demanded.clone(),
        )
        .key(place.as_str())
        .expected(format!("modules for {is}"))
        .observed(format!("modules for {built_for}"))
        .mend(Remedy::decide(format!(
            "build the modules again as the service's user, or start the service with the {runtime} that they were built for"
        ))),
    }
}
