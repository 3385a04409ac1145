//! Whether the interpreter of a venv would run, without running it.

use crate::facts::unit::OF_THIS_MACHINE;
use crate::model::End;
use crate::rules::files::{is_under, made_anew, octal};
use crate::rules::prelude::*;
use crate::rules::remedy::{set_mode, spot};
use crate::rules::strangers::part_of;
use crate::syntax::elf::{Elf, Loader};

rule! {
    /// The python of a venv cannot run.
    ///
    /// Decided without running it. `bin/python` must lead to a regular file that the service's user can
    /// execute, whose name is that of a python, and that is a binary for this machine with an existing loader.
    /// The standard library of its version must lie beside it; otherwise python ends with "No module named
    /// encodings".
    ///
    /// ```bad
    /// remove /usr/bin/python3.11
    /// ```
    /// ```bad
    /// elf /usr/bin/false root:root 0755
    /// remove /opt/quantum/venvs/ai-engine/bin/python
    /// link /opt/quantum/venvs/ai-engine/bin/python -> /bin/false
    /// ```
    /// ```bad
    /// mode /usr/bin/python3.11 0644
    /// ```
    /// ```bad
    /// remove /opt/quantum/venvs/ai-engine/bin/python
    /// file /opt/quantum/venvs/ai-engine/bin/python root:root 0755
    /// | #!/bin/sh
    /// | exec python3 "$@"
    /// ```
    /// ```bad
    /// remove /usr/lib/python3.11
    /// ```
    /// ```bad
    /// mode /opt/quantum/venvs/ai-engine 0700
    /// ```
    /// ```good
    /// move /usr/bin/python3.11 -> /opt/python/bin/python3.11
    /// move /usr/lib/python3.11 -> /opt/python/lib/python3.11
    /// link /usr/bin/python3.11 -> /opt/python/bin/python3.11
    /// ```
    id: "venv-python-broken",
    section: B,
    severity: Must,
    needs: [Venvs, Accounts],
    cause: Host,
    why: "the next restart of the service fails",
    see: ["namei -l {venv}/bin/python", "runuser -u {user} -- {venv}/bin/python --version"],
    mend: "If the link has no target and a python of the same version exists, golden links that one. \
           Otherwise choose another python, or make the venv again.",
    man: ["python3(1)"],
    since: "0.1.0",
    check: Service(check),
}

/// What is wrong with the interpreter: message, expected, observed.
struct Fault {
    message: String,
    expected: String,
    observed: String,
}

fn fault(
    message: impl Into<String>,
    expected: impl Into<String>,
    observed: impl Into<String>,
) -> Option<Fault> {
    Some(Fault { message: message.into(), expected: expected.into(), observed: observed.into() })
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    if view.venv(&venv.value)?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let path = format!("{}/bin/python", venv.value);
    let lookup = view.path(Need::Venvs, &path)?;
    let finding = |fault: Fault, mend: Remedy| {
        Finding::new(fault.message, lookup.location(), venv.at.clone())
            .expected(fault.expected)
            .observed(fault.observed)
            .mend(mend)
    };
    let Some(step) = lookup.node()? else {
        let observed = lookup.links().last().map_or("nothing".to_owned(), |link| {
            format!("{} -> {}", link.path, link.target.as_deref().unwrap_or(""))
        });
        let message = format!("{path} leads to nothing");
        let fault = Fault { message, expected: "an interpreter".to_owned(), observed };
        return Ok(finding(fault, relink(view, &venv.value, &path, lookup)?).into());
    };
    if let Some(closed) = closed_to_user(view, lookup)? {
        let user = &view.service.user.value;
        let message = format!("{user} cannot pass {}", closed.path);
        let fault =
            Fault { message, expected: format!("{user} can run it"), observed: octal(closed.meta.mode) };
        let remedy = open(view, &venv.value, lookup, closed, 0o011);
        return Ok(finding(fault, remedy).into());
    }
    if let Some(fault) = not_executable(view, step)? {
        let mend = match step.meta.kind {
            NodeKind::File => open(view, &venv.value, lookup, step, 0o555),
            _ => anew(view, &venv.value),
        };
        return Ok(finding(fault, mend).into());
    }
    let fault = match (not_a_python(step), not_of_this_machine(view, &path, step)?) {
        (Some(fault), _) | (None, Some(fault)) => Some(fault),
        (None, None) => match without_library(view, &venv.value, step)? {
            Some(fault) => return Ok(finding(fault, restore_library(view, &venv.value, step)).into()),
            None => None,
        },
    };
    Ok(match fault {
        Some(fault) => finding(fault, anew(view, &venv.value)).into(),
        None => Outcome::Pass,
    })
}

/// The first directory on the way that the service's user cannot pass; a user whom the host does not have
/// is another rule's matter.
fn closed_to_user<'a>(view: &ServiceView<'a>, lookup: &'a Lookup) -> Result<Option<&'a Step>, Undecided> {
    let credentials = view.credentials(&view.service.user.value)?;
    Ok(credentials.and_then(|credentials| credentials.stopped_at(lookup)))
}

fn not_executable(view: &ServiceView, step: &Step) -> Result<Option<Fault>, Undecided> {
    if step.meta.kind != NodeKind::File {
        return Ok(fault(format!("{} is not a file", step.path), "an interpreter", step.meta.kind.word()));
    }
    let user = &view.service.user.value;
    let Some(credentials) = view.credentials(user)? else { return Ok(None) };
    if credentials.may(Access::Execute, &step.meta) {
        return Ok(None);
    }
    let message = format!("{user} cannot execute {}", step.path);
    Ok(fault(message, "an execute bit", octal(step.meta.mode)))
}

/// A venv's python is chosen by name; a link to anything else answers to all calls and does nothing.
fn not_a_python(step: &Step) -> Option<Fault> {
    let name = step.path.rsplit('/').next().unwrap_or("");
    let version = ["python", "pypy"].iter().find_map(|family| name.strip_prefix(family));
    let is_version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || ".dtm-".contains(c));
    match version.is_some_and(is_version) {
        true => None,
        false => {
            fault(format!("it leads to {}, which is not a python", step.path), "a python", step.path.as_ref())
        }
    }
}

fn not_of_this_machine(view: &ServiceView, path: &str, step: &Step) -> Result<Option<Fault>, Undecided> {
    let elf = match view.program_of(Need::Venvs, path)? {
        Some(ProgramFacts::Elf(elf)) => elf,
        Some(ProgramFacts::Script(shebang)) => {
            let observed = format!("a script of {}", shebang.interpreter);
            return Ok(fault(format!("{} is not a binary", step.path), "a binary of this machine", observed));
        }
        Some(ProgramFacts::Broken(why)) => {
            return Ok(fault(format!("{} is broken", step.path), "a binary of this machine", why.as_str()));
        }
        Some(ProgramFacts::Empty) => {
            return Ok(fault(format!("{} is empty", step.path), "a binary of this machine", "an empty file"));
        }
        Some(ProgramFacts::Other) | None => {
            return Ok(fault(
                format!("{} is not a binary", step.path),
                "a binary of this machine",
                "something else",
            ));
        }
    };
    if let Some(ProgramFacts::Elf(shell)) = view.program_of(Need::Venvs, OF_THIS_MACHINE)?
        && (shell.machine, shell.is_64_bit) != (elf.machine, elf.is_64_bit)
    {
        let word = |elf: &Elf| format!("{:?}, {} bits", elf.machine, if elf.is_64_bit { 64 } else { 32 });
        return Ok(fault(format!("{} is for another machine", step.path), word(shell), word(elf)));
    }
    let Loader::Path(loader) = &elf.loader else { return Ok(None) };
    Ok(match view.program_of(Need::Venvs, loader)? {
        Some(_) => None,
        None => {
            fault(format!("{loader}, which loads {}, does not exist", step.path), loader.as_str(), "nothing")
        }
    })
}

/// The standard library, in the first of the places python looks in.
fn without_library(view: &ServiceView, venv: &str, step: &Step) -> Result<Option<Fault>, Undecided> {
    let libraries = view.venv(venv)?.map_or(&[][..], |facts| facts.libraries.as_slice());
    for library in libraries {
        if view.path(Need::Venvs, library)?.node()?.is_some() {
            return Ok(None);
        }
    }
    let Some(first) = libraries.first() else {
        return Err(Undecided::new(format!("the version of {} is written nowhere", step.path))
            .or_run(format!("{venv}/bin/python --version")));
    };
    Ok(fault(format!("the standard library of {} is gone", step.path), first.as_ref(), "nothing"))
}

/// The remedy for a python that must be another one: a person decides which.
fn anew(view: &ServiceView, venv: &str) -> Remedy {
    let question = format!("restore the python of {venv}, or make the venv again with its packages");
    made_anew(view, Remedy::decide(question), venv)
}

/// The remedy that opens what the venv itself holds; what lies elsewhere, a person opens.
fn open(view: &ServiceView, venv: &str, lookup: &Lookup, step: &Step, bits: u32) -> Remedy {
    let mode = step.meta.mode | bits;
    // What others can write is narrowed first: venv-open.
    if is_under(&step.path, venv) && mode & 0o002 == 0 {
        return set_mode(view, &part_of(lookup, step), mode);
    }
    let shell = Change::Mode { at: Spot::of_root(&*step.path), mode }.shell();
    let user = &view.service.user.value;
    let question = match step.meta.kind {
        NodeKind::Directory => format!("decide whether {user} may pass {}", step.path),
        _ => format!("decide whether {user} may run {}", step.path),
    };
    Remedy::decide(question)
        .candidate("for all accounts", shell)
}

/// The remedy that links a python of the same version into the venv, where there is one.
fn relink(view: &ServiceView, venv: &str, path: &str, lookup: &Lookup) -> Result<Remedy, Undecided> {
    let Some(target) = same_version(view, venv)? else { return Ok(anew(view, venv)) };
    let is_inside = |step: &&std::sync::Arc<Step>| is_under(&step.path, venv) && step.meta.kind == NodeKind::Link;
    let link = lookup.steps.iter().rposition(|step| is_inside(&step));
    let before = match link {
        Some(index) => index,
        None => lookup.steps.len(),
    };
    let at = link.and_then(|index| lookup.steps.get(index)).map_or(path, |link| &*link.path);
    let walk = Lookup { asked: at.into(), steps: lookup.steps[..before].to_vec(), end: End::Absent(at.into()) };
    Ok(match spot(view, &walk) {
        Ok(at @ Spot { user: None, .. }) => Change::Link { at, target }.into(),
        Ok(at) => Remedy::decide(format!("link {} to a python again: it is not root's alone", at.path))
            .candidate("", Change::Link { at, target }.shell()),
        Err(person) => person,
    })
}

/// A python of the version that the venv was made with.
fn same_version(view: &ServiceView, venv: &str) -> Result<Option<String>, Undecided> {
    let Some(facts) = view.venv(venv)? else { return Ok(None) };
    let Some(config) = facts.config.known()? else { return Ok(None) };
    let Some(version) = &config.version else { return Ok(None) };
    let [major, minor] = version.value.split('.').take(2).collect::<Vec<&str>>()[..] else { return Ok(None) };
    let home = config.home.as_ref().map(|home| home.value.trim_end_matches('/'));
    for directory in home.into_iter().chain(["/usr/bin"]) {
        let program = format!("{directory}/python{major}.{minor}");
        // Facts of an older golden do not hold it.
        let Ok(lookup) = view.path(Need::Venvs, &program) else { continue };
        if lookup.node()?.is_some_and(|node| node.meta.kind == NodeKind::File) {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// The distribution's library comes back with its package; any other python must be installed again.
fn restore_library(view: &ServiceView, venv: &str, step: &Step) -> Remedy {
    match step.path.strip_prefix("/usr/bin/") {
        Some(name) => {
            let packages = format!("lib{}-minimal lib{}-stdlib", quoted(name), quoted(name));
            Remedy::decide(format!("restore the standard library of {}", step.path))
                .candidate("with its packages", format!("apt-get install --yes --reinstall {packages}"))
        }
        None => anew(view, venv),
    }
}
