//! Heads of the ledger that a command takes to another host, and one that asks there for them.
//!
//! Only the contract that was put in force on this host can name such commands: a contract that somebody only looks with
//! must not become a program of root's. The program must be root's own, it gets words and no shell, no terminal and no
//! variables of the caller, and it has an end.

use std::io;
use std::sync::OnceLock;

use super::anchor::Anchor;
use crate::system::act::Act;
use crate::system::hand::{Call, DiskHand, Hand as _, Node};
use crate::system::state::{Folder, PRIVATE, STATE};

/// The file beside the ledger in which golden notes the last head that the command took: an audit runs nothing.
pub const NOTE: &str = "sent-head";

/// Seconds that taking a head may last. The ledger is held meanwhile, and others wait ten.
const SEND_LIMIT: u64 = 8;

/// Seconds that the answer may take.
const RECALL_LIMIT: u64 = 60;

/// The commands of the contract in force.
struct Commands {
    send: Vec<String>,
    recall: Vec<String>,
}

static COMMANDS: OnceLock<Commands> = OnceLock::new();

/// Lets every head that this process writes be taken outside by these words.
pub fn obey(send: &[String], recall: &[String]) {
    // A process obeys one contract.
    let _ = COMMANDS.set(Commands { send: send.to_vec(), recall: recall.to_vec() });
}

/// Takes a head outside, where the contract in force says how, and notes it.
pub(super) fn send(act: &Act, head: &Anchor) -> io::Result<()> {
    let Some(commands) = COMMANDS.get() else { return Ok(()) };
    let line = head.line();
    let words: Vec<&str> = commands.send.iter().map(String::as_str).chain([line.as_str()]).collect();
    run(&words, SEND_LIMIT)?;
    let folder = Folder::make(act, STATE, PRIVATE)?;
    let mut file = folder.file(NOTE)?;
    file.set_len(0)?;
    io::Write::write_all(&mut file, format!("{line}\n").as_bytes())?;
    file.sync_all()
}

/// The heads that lie outside, the newest last; an error where nothing may be asked or no answer came.
pub fn recall() -> io::Result<String> {
    let commands = COMMANDS.get().ok_or_else(|| {
        io::Error::other("only the commands of the contract that is installed on this host are run")
    })?;
    run(&commands.recall.iter().map(String::as_str).collect::<Vec<_>>(), RECALL_LIMIT)
}

/// Runs a command as root; what it said.
fn run(words: &[&str], limit: u64) -> io::Result<String> {
    let program = words.first().copied().unwrap_or_default();
    let refused = |why: String| io::Error::other(format!("{program}: {why}"));
    let hand = DiskHand::live();
    only_roots(&hand, program).map_err(refused)?;
    let ended =
        hand.run(&Call::new(words, limit), &mut |_| {}).map_err(|error| refused(error.to_string()))?;
    match ended.code {
        Some(0) => Ok(ended.said),
        _ if ended.too_long => Err(refused(format!("it did not end within {limit} seconds"))),
        code => {
            let last = ended.said.trim_end().lines().next_back().unwrap_or_default();
            let code = code.map_or("by a signal".to_owned(), |code| format!("with {code}"));
            Err(refused(format!("it ended {code}: {last}")))
        }
    }
}

/// Whether only root can change what a name starts; why not. Links of root's are followed, one after the other.
fn only_roots(hand: &DiskHand, program: &str) -> Result<(), String> {
    const MOST_LINKS: usize = 16;
    let mut path = program.to_owned();
    for _ in 0..MOST_LINKS {
        let way = hand.way(&path).map_err(|error| error.to_string())?;
        if let Some(user) = way.user {
            return Err(format!("uid {user} can replace it"));
        }
        path = match hand.node(&way.path).map_err(|error| error.to_string())? {
            Node::Link { target, uid: 0, .. } if target.starts_with('/') => target,
            Node::Link { target, uid: 0, .. } => {
                let directory = way.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                format!("{directory}/{target}")
            }
            Node::File { rights, .. } if rights.uid == 0 && rights.mode & 0o022 == 0 => return Ok(()),
            Node::File { .. } => return Err("others than root can write it".to_owned()),
            other => return Err(format!("it is {}, where a program belongs", other.word())),
        };
    }
    Err("too many links lead to it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_of_roots_is_run_and_it_ends() {
        if crate::skip::without_root() {
            return;
        }
        assert_eq!(run(&["/bin/echo", "a", "$HOME; b"], 5).unwrap(), "a $HOME; b\n");
        // Others can write in /tmp.
        let home = tempfile::tempdir_in("/run").unwrap();
        let place = home.path().join("program").display().to_string();
        let below = Act::below(std::path::Path::new("/"));
        let put = |uid: u32, mode: u32| {
            let rights = crate::system::act::Rights { uid, gid: 0, mode };
            below.write(&place, b"#!/bin/sh\necho ran\n", rights).unwrap();
        };
        put(0, 0o755);
        assert_eq!(run(&[&place], 5).unwrap(), "ran\n");
        for (uid, mode) in [(1, 0o755), (0, 0o777), (0, 0o775)] {
            put(uid, mode);
            let said = run(&[&place], 5).unwrap_err().to_string();
            assert!(said.contains("root"), "{said}");
        }
        for (words, why) in [
            (&["/bin/sh", "-c", "echo no; exit 3"][..], "it ended with 3: no"),
            (&["/bin/sleep", "60"], "within 1 seconds"),
            (&["/bin"], "/bin"),
            (&["/no/such/program"], "/no/such/program"),
            (&[], ""),
        ] {
            let said = run(words, 1).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
        assert!(recall().is_err(), "no contract names commands");
    }
}
