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
    let finding = |message: String, location: Location, expected: &str, observed: String, mend: String| {
        Ok(Finding::new(message, location, wrapper.at.clone())
            .expected(expected)
            .observed(observed)
            .mend(mend)
            .into())
    };
    let user = &view.contract.identity.user.value;
    if let Some(credentials) = view.credentials(user)? {
        let on_the_way = Location::file(step.path.clone());
        if let Some(closed) = credentials.stopped_at(lookup) {
            let message = format!("{user} cannot pass {} to the wrapper", closed.path);
            let mend = format!("chmod a+x {}", quoted(&closed.path));
            return finding(
                message,
                Location::file(closed.path.clone()),
                "an x bit",
                octal(closed.meta.mode),
                mend,
            );
        }
        if ![Access::Read, Access::Execute].iter().all(|access| credentials.may(*access, &step.meta)) {
            let message = format!("{user} cannot execute the wrapper");
            let mend = format!("chmod a+rx {}", quoted(&step.path));
            return finding(message, on_the_way, "0755", octal(step.meta.mode), mend);
        }
    }
    let first_line = Location::line(path.as_str(), 1);
    match view.program_of(Need::Repository, &path)? {
        Some(ProgramFacts::Elf(_)) => Ok(Outcome::Pass),
        Some(ProgramFacts::Script(shebang)) if shebang.has_carriage_return() => {
            let mend = format!("sed -i 's/\\r$//' {}", quoted(&path));
            let observed = "#! line that ends in CR LF".to_owned();
            finding("the wrapper has the line ends of Windows".to_owned(), first_line, "LF", observed, mend)
        }
        Some(ProgramFacts::Script(shebang)) => {
            match view.program_of(Need::Repository, &shebang.interpreter)? {
                Some(_) => Ok(Outcome::Pass),
                None => {
                    let message = format!("{}, which runs the wrapper, does not exist", shebang.interpreter);
                    let mend = format!("sed -i '1s|.*|#!/bin/sh|' {}", quoted(&path));
                    finding(message, first_line, "an interpreter", shebang.interpreter.clone(), mend)
                }
            }
        }
        Some(ProgramFacts::Broken(why)) => {
            let mend = format!("sed -i '1s|.*|#!/bin/sh|' {}", quoted(&path));
            finding(
                "the wrapper's first line is broken".to_owned(),
                first_line,
                "#!/bin/sh",
                why.clone(),
                mend,
            )
        }
        Some(ProgramFacts::Other | ProgramFacts::Empty) | None => {
            let mend = format!("sed -i '1i#!/bin/sh' {}", quoted(&path));
            finding(
                "the wrapper has no #! line".to_owned(),
                first_line,
                "#!/bin/sh",
                "no #! line".to_owned(),
                mend,
            )
        }
    }
}
