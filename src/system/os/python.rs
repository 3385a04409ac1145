//! A python of a venv, run as the user of its service: the one program of a user's that is started to look at a host, and
//! only when somebody asks for it (`--probe`).
//!
//! It gets nothing of the caller's: no variable, no descriptor, no terminal, no privilege, and no way to one. It has a
//! session of its own and a time limit, after which everything it started is ended with it. What it is given to do
//! imports nothing of the service and writes nothing; what a path file (`*.pth`) of the venv does at the start of
//! every python, it does here too, as the user as whom the service would do it.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use super::child::{self, Ended};
use crate::model::Observed;
use crate::model::answers::{PythonAnswer, PythonEnd, PythonQuestion, PythonSaid};
use crate::system::strays::Strays;

/// How long one may take, in seconds. A healthy one needs a twentieth of one.
const LIMIT: u64 = 10;

/// How many run at a time.
const AT_ONCE: usize = 8;

/// How much of what it writes is kept, in bytes, and how much of its complaint goes into the facts.
const KEPT: usize = 16 << 10;
const COMPLAINT: usize = 2 << 10;

/// What a service gets where nobody says otherwise (systemd.exec(5)).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// What its answer begins and ends with.
const MARK: &str = "golden-python";

/// What it is given to do. `find_spec` of a name without a dot looks for a module and imports nothing.
const PROGRAM: &str = r#"
import os, sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
def found(name):
    try:
        return find_spec(name) or PathFinder.find_spec(name, sys.argv[2:])
    except Exception:
        return None
missing = [name for name in sys.argv[1].split(",") if name and not found(name)]
said = ["golden-python", "%d.%d.%d" % sys.version_info[:3], sys.prefix, sys.executable,
        str(os.getuid()), str(os.getgid()), ",".join(map(str, os.getgroups())), ",".join(missing), "golden-python"]
os.write(1, b"\0".join(map(os.fsencode, said)))
"#;

/// Asks all of them, a few at a time; nothing that they started is left when this returns.
pub(super) fn ask_all(questions: &[PythonQuestion]) -> Vec<Observed<PythonAnswer>> {
    let strays = Strays::expect();
    let next = AtomicUsize::new(0);
    let mut answers: Vec<Option<Observed<PythonAnswer>>> = vec![None; questions.len()];
    std::thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(question) = questions.get(at) else { return mine };
                mine.push((at, ask(question)));
            }
        };
        let workers: Vec<_> = (0..questions.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(mine) => mine.into_iter().for_each(|(at, answer)| answers[at] = Some(answer)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    strays.end();
    let unknown = || Observed::Unreadable("it was not run".to_owned());
    answers.into_iter().map(|answer| answer.unwrap_or_else(unknown)).collect()
}

/// Runs one.
fn ask(question: &PythonQuestion) -> Observed<PythonAnswer> {
    let caller = rustix::process::geteuid();
    if caller != rustix::process::getuid() {
        return Observed::Unreadable("golden must not be installed set-uid".into());
    }
    if question.uid == 0 {
        return Observed::Unreadable("golden does not run a venv as root".into());
    }
    if !caller.is_root() && caller.as_raw() != question.uid {
        return Observed::Unreadable(format!(
            "only root and {} can run {} as {}",
            question.user, question.program, question.user
        ));
    }
    let child = match command(question, caller.is_root()).spawn() {
        Ok(child) => child,
        Err(error) if is_about_the_program(&error) => {
            let end = PythonEnd::NotExecuted(error.to_string());
            return Observed::Found(PythonAnswer { end, said: None, complaint: String::new() });
        }
        Err(error) => {
            let what = format!("{} cannot be run as {}: {error}", question.program, question.user);
            return Observed::Unreadable(what);
        }
    };
    match watch(child) {
        Ok(heard) => Observed::Found(heard),
        Err(why) => Observed::Unreadable(format!("{}: {why}", question.program)),
    }
}

/// Errors that execve(2) alone has; what the change of identity has are others. A file that is being written
/// (ETXTBSY) says nothing of what it will be.
fn is_about_the_program(error: &std::io::Error) -> bool {
    let of_exec = [
        libc::ENOENT,
        libc::EACCES,
        libc::ENOEXEC,
        libc::ENOTDIR,
        libc::ELOOP,
        libc::EISDIR,
        libc::ELIBBAD,
        libc::ENAMETOOLONG,
    ];
    error.raw_os_error().is_some_and(|number| of_exec.contains(&number))
}

#[expect(unsafe_code, reason = "identity, session and limits must be set between fork and exec")]
fn command(question: &PythonQuestion, change_identity: bool) -> Command {
    let mut command = Command::new(&question.program);
    command.args(["-I", "-B", "-c", PROGRAM]).arg(question.modules.join(",")).args(&question.roots);
    command.env_clear().envs([
        ("PATH", PATH),
        ("HOME", &question.home),
        ("USER", &question.user),
        ("LOGNAME", &question.user),
        ("LANG", "C.UTF-8"),
    ]);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let groups: Vec<Gid> = question.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(question.uid), Gid::from_raw(question.gid));
    let account = change_identity.then_some((uid, gid, groups));
    // SAFETY: the closure makes system calls, each of which is async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(move || Ok(become_the_service(account.as_ref())?));
    }
    command
}

/// Between fork and exec: nothing of the caller's but the program is left after this.
#[expect(unsafe_code, reason = "no safe binding of close_range(2); it touches no memory")]
fn become_the_service(account: Option<&(Uid, Gid, Vec<Gid>)>) -> rustix::io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    if let Some((uid, gid, groups)) = account {
        rustix::thread::set_thread_groups(groups)?;
        rustix::thread::set_thread_res_gid(*gid, *gid, *gid)?;
        rustix::thread::set_thread_res_uid(*uid, *uid, *uid)?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)?;
    // A set-uid program that a path file starts stays what its caller is.
    rustix::thread::set_no_new_privs(true)?;
    // It ends with golden. The kernel forgets this when the identity changes, so it comes last.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: plain integers in, an integer out; with CLOEXEC no descriptor in use here is closed.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) } {
        0 => Ok(()),
        _ => Err(rustix::io::Errno::NOSYS),
    }
}

/// Hears it to its end, or ends it.
fn watch(child: Child) -> Result<PythonAnswer, String> {
    let Ended { status, timed_out, out, err } = child::hear(child, Duration::from_secs(LIMIT), KEPT)?;
    Ok(PythonAnswer { end: end_of(status, timed_out), said: said(&out), complaint: as_text(&err) })
}

fn end_of(status: ExitStatus, timed_out: bool) -> PythonEnd {
    match (timed_out, status.signal()) {
        (true, _) => PythonEnd::TimedOut(LIMIT),
        (false, Some(signal)) => PythonEnd::Signalled(signal),
        (false, None) => PythonEnd::Exited(status.code().unwrap_or(-1)),
    }
}

/// The end of a text, of whole characters.
fn as_text(kept: &[u8]) -> String {
    let text = String::from_utf8_lossy(kept);
    let over = text.len().saturating_sub(COMPLAINT);
    let from = (over..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[from..].trim().to_owned()
}

/// What it said between its marks, whatever else was written before and after.
fn said(out: &[u8]) -> Option<PythonSaid> {
    let text = String::from_utf8_lossy(out);
    let (before, _) = text.rsplit_once(&format!("\0{MARK}"))?;
    let (_, words) = before.rsplit_once(&format!("{MARK}\0"))?;
    let words: Vec<&str> = words.split('\0').collect();
    let [version, prefix, executable, uid, gid, groups, missing] = words.as_slice() else { return None };
    let listed = |words: &'_ str| -> Vec<String> {
        words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let mut groups: Vec<u32> = listed(groups).iter().filter_map(|gid| gid.parse().ok()).collect();
    groups.sort_unstable();
    Some(PythonSaid {
        version: (*version).to_owned(),
        prefix: (*prefix).to_owned(),
        executable: (*executable).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        groups,
        missing: listed(missing),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A host's python as this process's own user, root excepted: for root it is nobody.
    fn question(program: &str) -> PythonQuestion {
        let own = rustix::process::getuid().as_raw();
        let (uid, gid) = match own {
            0 => (65534, 65534),
            own => (own, rustix::process::getgid().as_raw()),
        };
        PythonQuestion {
            program: program.to_owned(),
            user: "nobody".into(),
            home: "/nonexistent".into(),
            uid,
            gid,
            groups: vec![gid],
            modules: vec!["json".into(), "no_such_module".into()],
            roots: vec!["/nonexistent".into()],
        }
    }

    fn script(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        for path in [folder.path(), &path] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    fn answer(question: &PythonQuestion) -> PythonAnswer {
        // Another test that forks just now may hold the script open.
        for _ in 0..100 {
            match ask(question) {
                Observed::Unreadable(why) if why.contains("busy") => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Observed::Found(answer) => return answer,
                other => panic!("{other:?}"),
            }
        }
        panic!("{} stays busy", question.program)
    }

    #[test]
    fn a_python_says_what_and_as_whom_it_runs() {
        if !std::path::Path::new("/usr/bin/python3").exists()
            && crate::skip::skips("python", "there is no /usr/bin/python3")
        {
            return;
        }
        let question = question("/usr/bin/python3");
        let answer = answer(&question);
        let said = answer.said.unwrap();
        assert_eq!((answer.end, said.prefix.as_str()), (PythonEnd::Exited(0), "/usr"));
        assert_eq!((said.uid, said.gid, &said.groups), (question.uid, question.gid, &question.groups));
        assert_eq!(said.missing, ["no_such_module"]);
    }

    #[test]
    fn ends_are_told_apart() {
        for (text, end, complaint) in [
            ("echo x >&2; exit 3", PythonEnd::Exited(3), "x"),
            ("kill -SEGV $$", PythonEnd::Signalled(11), ""),
            ("exit 0", PythonEnd::Exited(0), ""),
            // A pipe full of words is no answer.
            ("head -c 300000 /dev/zero | tr '\\0' y; exit 4", PythonEnd::Exited(4), ""),
        ] {
            let (_folder, path) = script(text);
            let answer = answer(&question(&path));
            assert_eq!(
                (answer.end, answer.complaint.as_str(), answer.said),
                (end, complaint, None),
                "{text}"
            );
        }
        let refused = answer(&question("/nonexistent/python"));
        assert!(matches!(refused.end, PythonEnd::NotExecuted(_)), "{refused:?}");
    }

    #[test]
    fn nothing_of_the_callers_is_passed_on() {
        let (_folder, path) = script(
            "exec >&2; env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; ls /proc/self/fd | wc -l; \
             readlink /proc/self/fd/0; grep -E '^(NoNewPrivs|CapEff|CapPrm|CapInh)' /proc/self/status | tr -d '\\t'",
        );
        let held = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&held, rustix::io::FdFlags::empty()).unwrap();
        let complaint = answer(&question(&path)).complaint;
        let none = "0000000000000000";
        let expected = format!(
            "HOME LANG LOGNAME PATH PWD USER /\n4\n/dev/null\nCapInh:{none}\nCapPrm:{none}\nCapEff:{none}\nNoNewPrivs:1"
        );
        assert_eq!(complaint, expected);
    }

    #[test]
    fn nobody_is_run_as_somebody_whom_golden_may_not_become() {
        let mut question = question("/bin/true");
        question.uid = if rustix::process::getuid().is_root() { 0 } else { question.uid + 1 };
        assert!(matches!(ask(&question), Observed::Unreadable(_)));
    }

    #[test]
    fn an_answer_is_found_among_other_words_and_half_an_answer_is_none() {
        let whole =
            "noise\ngolden-python\x003.11.2\0/v\0/v/bin/python\x001\x002\x002,4\0a,b\0golden-python more";
        let found = said(whole.as_bytes()).unwrap();
        assert_eq!((found.prefix.as_str(), found.uid, found.gid), ("/v", 1, 2));
        assert_eq!((found.groups, found.missing), (vec![2, 4], vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(said(&whole.as_bytes()[..40]), None);
        assert_eq!(said(b""), None);
    }
}
