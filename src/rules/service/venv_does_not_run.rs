//! Whether the interpreter of a venv runs, by running it.

use crate::model::answers::{PythonAnswer, PythonEnd, PythonSaid};
use crate::rules::files::{does_not_exist, made_anew, no_venv};
use crate::rules::prelude::*;
use crate::syntax::pyvenv_cfg::Entry;

rule! {
    /// The python of a venv, run as the service's user, does not start.
    ///
    /// Judged only on request, with `golden audit --probe`: this is the one rule for which golden runs a
    /// program on the host. `bin/python` is started as the user of the service with that user's groups, in `/`,
    /// with an empty environment and without a way to more privileges, for at most ten seconds. Only root or
    /// that user can ask for it. It must end by itself, report the venv as its prefix, have the version that
    /// `pyvenv.cfg` names (`3.11`; the rest changes with every update of the distribution), and find the
    /// packages whose modules the unit starts. For `src.app.main` it looks for `src` and imports nothing; the
    /// code of the service does not run.
    ///
    /// Code that the venv runs at the start of every python (`*.pth`, `sitecustomize`) does run here;
    /// `venv-python-broken`, which runs nothing, cannot judge it. The sandbox of the unit is not applied.
    /// Nothing of a venv runs as root, so a service of root is not judged.
    ///
    /// ```bad
    /// python /opt/quantum/venvs/backend signal=11
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend exit=1
    /// | Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding
    /// | ModuleNotFoundError: No module named 'encodings'
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend says=nothing
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend seconds=10
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend refused=Exec-format-error
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend prefix=/usr
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend version=3.13.1
    /// ```
    /// ```bad
    /// python /opt/quantum/venvs/backend missing=src
    /// ```
    /// ```good
    /// python /opt/quantum/venvs/backend version=3.11.9
    /// | a path file that talks
    /// ```
    /// ```good
    /// move /opt/quantum/venvs -> /srv/venvs
    /// link /opt/quantum/venvs -> /srv/venvs
    /// python /opt/quantum/venvs/backend prefix=/srv/venvs/backend
    /// ```
    /// ```good na
    /// offline
    /// ```
    id: "venv-does-not-run",
    section: B,
    severity: Must,
    needs: [Probes, Venvs, Accounts, Fragments, EnvFiles],
    cause: Host,
    why: "a python that crashes or hangs is noticed only at the next restart",
    see: ["runuser -u {user} -- {venv}/bin/python -I -c \"import sys; print(sys.prefix)\""],
    mend: "Make the venv again.",
    man: ["python3(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(no_venv()) };
    let Some(facts) = view.venv(&venv.value)? else { return Ok(does_not_exist()) };
    let user = &view.service.user.value;
    let Some(credentials) = view.credentials(user)? else {
        return Ok(Outcome::not_applicable("the host has no such user"));
    };
    if credentials.uid == 0 {
        return Ok(Outcome::not_applicable("it runs as root, and golden does not run a venv as root"));
    }
    let program = format!("{}/bin/python", venv.value);
    let by_hand = by_hand(user, &program);
    let answer = view.python(&view.service.name).map_err(|undecided| undecided.or_run(&*by_hand))?;
    let said = match did_not_come_up(answer) {
        Ok(said) => said,
        Err((message, expected)) => {
            let question = format!("find out why {program} does not start");
            let question = Remedy::decide(question).candidate("see what it says", by_hand);
            let mend = made_anew(view, question, &venv.value);
            return Ok(Finding::new(message, Location::file(program), venv.at.clone())
                .expected(expected)
                .observed(last_word(answer))
                .mend(mend)
                .into());
        }
    };
    if said.uid != credentials.uid {
        return Err(Undecided::new(format!("{program} ran as uid {}, which is not {user}", said.uid)));
    }
    let stated = facts.config.known()?.and_then(|config| config.version.as_ref());
    let mut findings = Vec::new();
    findings.extend(outside(view, venv, said)?);
    findings.extend(stated.and_then(|stated| of_another_version(view, venv, stated, said)));
    findings.extend(said.missing.iter().map(|name| not_found(venv, &program, user, name)));
    Ok(Outcome::from_findings(findings))
}

/// It takes another directory for its own.
fn outside(
    view: &ServiceView,
    venv: &Stated<String>,
    said: &PythonSaid,
) -> Result<Option<Finding>, Undecided> {
    if is_prefix(view, &venv.value, &said.prefix)? {
        return Ok(None);
    }
    let place = Location::file(format!("{}/pyvenv.cfg", venv.value));
    let finding = Finding::new("its python does not use the venv", place, venv.at.clone())
        .key("prefix")
        .expected(format!("sys.prefix = {}", venv.value))
        .observed(format!("sys.prefix = {}", said.prefix))
        .mend(Remedy::decide(
            "find out where python looks: pyvenv.cfg may be broken, or bin may hold another python",
        ));
    Ok(Some(finding))
}

fn of_another_version(
    view: &ServiceView,
    venv: &Stated<String>,
    stated: &Entry,
    said: &PythonSaid,
) -> Option<Finding> {
    if minor(&stated.value) == minor(&said.version) {
        return None;
    }
    let place = Location::line(format!("{}/pyvenv.cfg", venv.value), stated.line);
    let finding = Finding::new("its python has another version than its packages", place, venv.at.clone())
        .key("version")
        .expected(stated.value.as_str())
        .observed(said.version.as_str())
        .mend(made_anew(
            view,
            Remedy::decide("make the venv again with its packages, or restore the python that it was made with"),
            &venv.value,
        ));
    Some(finding)
}

fn not_found(venv: &Stated<String>, program: &str, user: &str, name: &str) -> Finding {
    Finding::new(format!("its python does not find {name}"), Location::file(program), venv.at.clone())
        .key(name)
        .expected(format!("a module {name} that {user} can read"))
        .observed("none in the venv, the working directory and PYTHONPATH")
        .mend(Remedy::decide(format!("install the package that has {name}, or correct the ExecStart")))
}

/// The same start by hand.
fn by_hand(user: &str, program: &str) -> String {
    format!("runuser -u {} -- {} -I -B -c pass", quoted(user), quoted(program))
}

/// What it said, or what is wrong with its end and what was expected of it.
fn did_not_come_up(answer: &PythonAnswer) -> Result<&PythonSaid, (String, &'static str)> {
    let message = match (&answer.end, &answer.said) {
        (PythonEnd::Exited(0), Some(said)) => return Ok(said),
        (PythonEnd::Exited(0), None) => {
            return Err(("its python ends without any output".into(), "output"));
        }
        (PythonEnd::Exited(code), _) => format!("its python ends with exit code {code}"),
        (PythonEnd::Signalled(signal), _) => format!("its python is killed by {}", signal_name(*signal)),
        (PythonEnd::TimedOut(seconds), _) => format!("its python is still not ready after {seconds} s"),
        (PythonEnd::NotExecuted(_), _) => "its python cannot be executed".to_owned(),
    };
    Err((message, "exit code 0"))
}

/// The last line of what it said: of a traceback, the error.
fn last_word(answer: &PythonAnswer) -> String {
    if let PythonEnd::NotExecuted(why) = &answer.end {
        return why.clone();
    }
    let last = answer.complaint.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    last.map_or_else(|| "no output".to_owned(), |line| line.chars().take(200).map(plain).collect())
}

fn signal_name(signal: i32) -> String {
    let names = [
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
        (31, "SIGSYS"),
    ];
    let name = names.iter().find(|(number, _)| *number == signal);
    name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

/// A venv says its path as it was called by, or as it really lies.
fn is_prefix(view: &ServiceView, venv: &str, prefix: &str) -> Result<bool, Undecided> {
    let prefix = prefix.trim_end_matches('/');
    let real = view.path(Need::Venvs, venv)?.real();
    Ok(prefix == venv.trim_end_matches('/') || real == Some(prefix))
}

/// `3.11` of `3.11.2` and of `3.11.2.final.0`.
fn minor(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}
