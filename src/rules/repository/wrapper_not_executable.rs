//! Whether the contract's user can start the wrapper.

use crate::rules::files::octal;
use crate::rules::prelude::*;

rule! {
    /// The wrapper cannot be started.
    ///
    /// The contract's user must be able to pass every directory on the way to the wrapper, to read and to
    /// execute it, and the interpreter of its `#!` line must exist. A `#!` line that ends in CR LF names an
    /// interpreter with a CR in its name, which does not exist (execve(2)).
    ///
    /// ```bad
    /// mode /home/qt/quantum_trader/ops/run.sh 0644
    /// ```
    /// ```bad
    /// data /home/qt/quantum_trader/ops/run.sh qt:qt 0755
    /// | #!/bin/sh\r\nexec true\r\n
    /// ```
    /// ```bad
    /// file /home/qt/quantum_trader/ops/run.sh qt:qt 0755
    /// | #!/opt/shells/bin/bash
    /// | exec true
    /// ```
    /// ```bad
    /// owner /home/qt/quantum_trader/ops/run.sh root:root
    /// mode /home/qt/quantum_trader/ops/run.sh 0700
    /// ```
    /// ```good
    /// mode /home/qt/quantum_trader/ops/run.sh 0700
    /// ```
    id: "wrapper-not-executable",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    why: "every job and every target of the Makefile fails",
    check: Host(check),
}

/// What keeps the wrapper from starting: message, place, what is demanded, what is there, the way out.
struct Fault {
    message: String,
    at: Location,
    expected: &'static str,
    observed: String,
    mend: String,
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let Some(wrapper) = &policy.wrapper else {
        return Ok(Outcome::not_applicable("the contract names no wrapper"));
    };
    let path = format!("{}/{}", policy.path.value, wrapper.value);
    let lookup = view.path(Need::Repository, &path)?;
    let Some(step) = lookup.node()?.filter(|step| step.meta.kind == NodeKind::File) else {
        return Ok(crate::rules::files::does_not_exist());
    };
    let fault = match closed_to_user(view, lookup, step)? {
        Some(fault) => Some(fault),
        None => first_line_wrong(view, &path)?,
    };
    Ok(fault.map_or(Outcome::Pass, |fault| {
        Finding::new(fault.message, fault.at, wrapper.at.clone())
            .expected(fault.expected)
            .observed(fault.observed)
            .mend(fault.mend)
            .into()
    }))
}

/// A user whom the host does not have is another rule's matter.
fn closed_to_user(view: &View, lookup: &Lookup, step: &Step) -> Result<Option<Fault>, Undecided> {
    let user = &view.contract.identity.user.value;
    let Some(credentials) = view.credentials(user)? else { return Ok(None) };
    if let Some(closed) = credentials.stopped_at(lookup) {
        return Ok(Some(Fault {
            message: format!("{user} cannot pass {} to the wrapper", closed.path),
            at: Location::file(closed.path.clone()),
            expected: "an x bit",
            observed: octal(closed.meta.mode),
            mend: format!("chmod a+x {}", quoted(&closed.path)),
        }));
    }
    let may = [Access::Read, Access::Execute].iter().all(|access| credentials.may(*access, &step.meta));
    Ok((!may).then(|| Fault {
        message: format!("{user} cannot execute the wrapper"),
        at: Location::file(step.path.clone()),
        expected: "0755",
        observed: octal(step.meta.mode),
        mend: format!("chmod a+rx {}", quoted(&step.path)),
    }))
}

fn first_line_wrong(view: &View, path: &str) -> Result<Option<Fault>, Undecided> {
    let fault = |message: String, expected, observed: String, script: &str| {
        let at = Location::line(path, 1);
        Some(Fault { message, at, expected, observed, mend: format!("sed -i '{script}' {}", quoted(path)) })
    };
    Ok(match view.program_of(Need::Repository, path)? {
        Some(ProgramFacts::Elf(_)) => None,
        Some(ProgramFacts::Script(shebang)) if shebang.has_carriage_return() => {
            let message = "the wrapper has the line ends of Windows".to_owned();
            fault(message, "LF", "a #! line that ends in CR LF".to_owned(), r"s/\r$//")
        }
        Some(ProgramFacts::Script(shebang)) => {
            match view.program_of(Need::Repository, &shebang.interpreter)? {
                Some(_) => None,
                None => {
                    let message = format!("{}, which runs the wrapper, does not exist", shebang.interpreter);
                    fault(message, "an interpreter", shebang.interpreter.clone(), "1s|.*|#!/bin/sh|")
                }
            }
        }
        Some(ProgramFacts::Broken(why)) => {
            let message = "the wrapper cannot be executed".to_owned();
            fault(message, "#!/bin/sh", why.clone(), "1s|.*|#!/bin/sh|")
        }
        Some(ProgramFacts::Other | ProgramFacts::Empty) | None => {
            let message = "the wrapper has no #! line".to_owned();
            fault(message, "#!/bin/sh", "no #! line".to_owned(), "1i#!/bin/sh")
        }
    })
}
