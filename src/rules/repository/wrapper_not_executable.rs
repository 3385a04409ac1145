//! Whether the contract's user can start the wrapper.

use crate::rules::files::octal;
use crate::rules::governed::as_owner;
use crate::rules::prelude::*;
use crate::rules::remedy::set_own_mode;

rule! {
    /// The wrapper cannot be executed.
    ///
    /// The contract's user must be able to pass every directory on the way to the wrapper, and to read and
    /// execute it. The interpreter of its `#!` line must exist. A `#!` line that ends in CR LF names an
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
    cause: Host,
    why: "every job and every target of the Makefile fails",
    see: ["namei -l {wrapper}", "head -n 1 {wrapper}"],
    mend: "golden adds the execute bit for the users who may read the wrapper, as its owner. Correct its \
           content yourself.",
    man: ["execve(2)"],
    since: "0.1.0",
    check: Host(check),
}

/// What keeps the wrapper from starting: message, place, what is demanded, what is there, the way out.
struct Fault {
    message: String,
    at: Location,
    expected: &'static str,
    observed: String,
    mend: Remedy,
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
            mend: Remedy::decide(format!("decide how {user} can pass {}", closed.path))
                .candidate("let all users pass it", format!("chmod a+x {}", quoted(&closed.path))),
        }));
    }
    let may = [Access::Read, Access::Execute].iter().all(|access| credentials.may(*access, &step.meta));
    Ok((!may).then(|| Fault {
        message: format!("{user} cannot execute the wrapper"),
        at: Location::file(step.path.clone()),
        expected: "0755",
        observed: octal(step.meta.mode),
        mend: make_executable(view, user, &credentials, lookup, step),
    }))
}

/// Everybody who may read the wrapper may execute it; where that is not enough, whom it is for is a person's to say.
fn make_executable(
    view: &View,
    user: &str,
    credentials: &Credentials,
    lookup: &Lookup,
    step: &Step,
) -> Remedy {
    let present = step.meta.mode;
    let own = if credentials.uid == step.meta.uid { 0o400 } else { 0 };
    let mode = present | own | ((present | own) & 0o444) >> 2;
    let meta = Meta { mode, ..step.meta };
    match [Access::Read, Access::Execute].iter().all(|access| credentials.may(*access, &meta)) {
        true => set_own_mode(view, lookup, mode),
        false => Remedy::decide(format!("decide whether {user} may read and execute {}", step.path))
            .candidate("let all users", format!("chmod a+rx {}", quoted(&step.path))),
    }
}

fn first_line_wrong(view: &View, path: &str) -> Result<Option<Fault>, Undecided> {
    let fault = |message: String, expected, observed: String, question: &str| {
        let at = Location::line(path, 1);
        let mend = Remedy::decide(format!("{question} {path}"));
        Some(Fault { message, at, expected, observed, mend })
    };
    // Which interpreter a script was written for stands nowhere else, and a CR is at the end of all its lines.
    let first_line = "name the right interpreter in the #! line of";
    Ok(match view.program_of(Need::Repository, path)? {
        Some(ProgramFacts::Elf(_)) => None,
        Some(ProgramFacts::Script(shebang)) if shebang.has_carriage_return() => {
            let message = "the wrapper has the line ends of Windows".to_owned();
            fault(message, "LF", "a #! line that ends in CR LF".to_owned(), "take the CR from the end of each line of")
                .map(|fault| Fault { mend: fault.mend.candidate("as its owner", take_cr(view, path)), ..fault })
        }
        Some(ProgramFacts::Script(shebang)) => {
            match view.program_of(Need::Repository, &shebang.interpreter)? {
                Some(_) => None,
                None => {
                    let message = format!("{}, which runs the wrapper, does not exist", shebang.interpreter);
                    fault(message, "an interpreter", shebang.interpreter.clone(), first_line)
                }
            }
        }
        Some(ProgramFacts::Broken(why)) => {
            let message = "the wrapper cannot be executed".to_owned();
            fault(message, "#!/bin/sh", why.clone(), first_line)
        }
        Some(ProgramFacts::Other | ProgramFacts::Empty) | None => {
            let message = "the wrapper has no #! line".to_owned();
            fault(message, "#!/bin/sh", "no #! line".to_owned(), "write a #! line at the top of")
        }
    })
}

/// The command that gives a script the line ends of Unix, as the owner of the repository.
fn take_cr(view: &View, path: &str) -> String {
    let Some(policy) = &view.contract.repository else { return String::new() };
    as_owner(view, policy, &["sed", "-i", r"s/\r$//", path])
}
