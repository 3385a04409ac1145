//! Who has approved a contract: signatures beside it, weighed against those who may sign. The rule and
//! `golden contract verify` say the same because both ask here.
//!
//! They weigh the texts in the facts against the digest of the contract that is judged, so old facts never approve a
//! newer contract. The crate ssh-key checks SSHSIG of all usual key types and calculates only with keys that the
//! signers' file names. Keys with passphrases are left to ssh-keygen. A time without a zone counts where all zones
//! agree.

use crate::rules::prelude::*;
use crate::syntax::allowed_signers::{self, AllowedSigners};
use crate::syntax::ssh_signature::{self, Block};

/// What the signatures beside a contract are worth.
#[derive(Debug, Default)]
pub struct Weighed {
    /// Everybody who has approved it, each once.
    pub people: Vec<Person>,
    /// What does not count, and why.
    pub refused: Vec<Refused>,
    /// Lines of the signers' file that allow nobody, and why.
    pub defects: Vec<(Location, String)>,
}

/// Somebody who has approved.
#[derive(Debug)]
pub struct Person {
    /// The names under which the signers' file knows this person.
    pub names: Vec<String>,
    /// The keys that signed.
    pub keys: Vec<String>,
    /// The line that allows the first of them.
    pub at: Location,
}

/// A signature that does not count.
#[derive(Debug)]
pub struct Refused {
    /// Where it lies.
    pub at: Location,
    /// Who made it, as far as anybody knows.
    pub who: String,
    /// Why it does not count.
    pub why: String,
}

/// What is signed.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// For which purpose (ssh-keygen(1), `-n`).
    pub namespace: &'a str,
    /// The text.
    pub message: String,
    /// The file with the signatures.
    pub beside: String,
}

/// Weighs the text of a file of signatures of a contract against the text of a file of signers.
pub fn weigh(source: &Source, signatures: &str, signers: (&str, &str), now: i64) -> Weighed {
    let (message, beside) = (source.signed_message(), source.signature_path());
    weigh_message(&Signed { namespace: NAMESPACE, message, beside }, signatures, signers, now)
}

/// The same for any message.
pub fn weigh_message(signed: &Signed<'_>, signatures: &str, signers: (&str, &str), now: i64) -> Weighed {
    let (signers, path) = signers;
    let allowed = allowed_signers::read(signers, path);
    let mut weighed = Weighed::default();
    for block in ssh_signature::blocks(signatures) {
        let at = Location::line(signed.beside.as_str(), block.line);
        match judge(signed, &allowed, path, &block, now) {
            Ok(person) => count(&mut weighed.people, person),
            Err((who, why)) => weighed.refused.push(Refused { at, who, why }),
        }
    }
    weighed.defects = allowed.defects;
    weighed
}

/// Who approves by one signature; otherwise who it seems to be of, and why it does not count.
fn judge(
    signed: &Signed<'_>,
    allowed: &AllowedSigners,
    path: &str,
    block: &Block,
    now: i64,
) -> Result<Person, (String, String)> {
    let signature = block
        .signature
        .as_ref()
        .map_err(|why| ("a signature that cannot be read".to_owned(), why.clone()))?;
    let key = ssh_signature::fingerprint(signature);
    let of_key = || allowed.signers.iter().filter(|signer| signer.key.key_data() == signature.public_key());
    let Some(first) = of_key().next() else {
        return Err((key, format!("{path} does not name its key")));
    };
    // Only keys that are known are calculated with: a stranger's may be made to cost hours.
    let who = || format!("{} {key}", first.principals.join(","));
    ssh_signature::verify(signature, &first.key, signed.namespace, signed.message.as_bytes())
        .map_err(|why| (who(), why))?;
    let mut names: Vec<String> = Vec::new();
    let mut at = None;
    let mut reasons = Vec::new();
    for signer in of_key() {
        match signer.holds(signed.namespace, now) {
            Ok(()) => {
                names.extend(signer.principals.iter().cloned());
                at.get_or_insert_with(|| signer.at.clone());
            }
            Err(why) => reasons.push(why),
        }
    }
    let at = at.ok_or_else(|| (who(), reasons.join("; ")))?;
    Ok(Person { names, keys: vec![key], at })
}

/// Adds a person, or a further key of one who is there: whoever shares a name is the same person.
fn count(people: &mut Vec<Person>, mut person: Person) {
    let shares = |other: &Person| other.names.iter().any(|name| person.names.contains(name));
    let (same, others): (Vec<Person>, Vec<Person>) = people.drain(..).partition(shares);
    people.extend(others);
    for other in same.into_iter().rev() {
        let (names, keys) = (person.names, person.keys);
        person = other;
        person
            .names
            .extend(names.into_iter().filter(|name| !person.names.contains(name)).collect::<Vec<_>>());
        person.keys.extend(keys.into_iter().filter(|key| !person.keys.contains(key)).collect::<Vec<_>>());
    }
    people.push(person);
}

/// Who but root (and `also`) can change what a path leads to, and at which part of it; `None` when nobody can.
pub fn writable_by_others(lookup: &Lookup, also: Option<u32>) -> Option<(&Step, String)> {
    let trusted = |uid: u32| uid == 0 || Some(uid) == also;
    lookup.steps.iter().map(std::sync::Arc::as_ref).find_map(|step| {
        let meta = &step.meta;
        if !trusted(meta.uid) {
            return Some((step, format!("belongs to uid {}", meta.uid)));
        }
        // The mode of a link means nothing, and in a sticky directory nobody replaces another's entry.
        let open = meta.mode & 0o022 != 0 && meta.kind != NodeKind::Link;
        let sticky = meta.kind == NodeKind::Directory && meta.mode & 0o1000 != 0;
        (open && !sticky).then(|| (step, format!("can be written by others: mode {:04o}", meta.mode)))
    })
}

#[cfg(test)]
mod tests {
    use ssh_key::{HashAlg, LineEnding};

    use super::*;
    use crate::model::Meta;
    use crate::rules::tests::{key, signed};

    const NOW: i64 = 1_800_000_000;

    fn source() -> Source {
        Source {
            path: "/etc/golden/golden.toml".into(),
            built_in: false,
            digest: "ab".repeat(32),
            extended: Vec::new(),
            templates: Vec::new(),
        }
    }

    fn line(names: &str, options: &str, seed: u8) -> String {
        let public = key(seed).public_key().to_openssh().unwrap();
        format!("{names} {options} {public}\n")
    }

    fn weighed(signatures: &str, signers: &str) -> Weighed {
        weigh(&source(), signatures, (signers, "/signers"), NOW)
    }

    fn why(weighed: &Weighed) -> &str {
        assert!(weighed.people.is_empty(), "{weighed:?}");
        &weighed.refused[0].why
    }

    #[test]
    fn each_person_counts_once() {
        let signers = line("a@x", "", 1) + &line("b@x", "", 2) + &line("a@x", "", 3) + &line("c,d", "", 4);
        let by = |seeds: &[u8]| seeds.iter().map(|seed| signed(&source(), *seed)).collect::<String>();
        for (seeds, people) in
            [(&[1][..], 1), (&[1, 1], 1), (&[1, 3], 1), (&[1, 2], 2), (&[3, 2, 1, 4], 3), (&[9], 0), (&[], 0)]
        {
            assert_eq!(weighed(&by(seeds), &signers).people.len(), people, "{seeds:?}");
        }
        let bridge = line("a", "", 1) + &line("b", "", 2) + &line("a,b", "", 3);
        let all = weighed(&by(&[1, 2, 3]), &bridge);
        assert_eq!(
            (all.people.len(), all.people[0].keys.len()),
            (1, 3),
            "a third line says they are one: {all:?}"
        );
        let twice = weighed(&by(&[1]), &(line("a", "", 1) + &line("b", "", 1)));
        assert_eq!(twice.people.len(), 1, "one key, two names: one person");
    }

    #[test]
    fn what_does_not_count_says_why() {
        let other = Source { digest: "cd".repeat(32), ..source() };
        let allowed = line("a@x", "", 1);
        assert!(why(&weighed(&signed(&other, 1), &allowed)).contains("other bytes"));
        assert!(why(&weighed(&signed(&source(), 2), &allowed)).contains("/signers does not name its key"));
        let file = key(1).sign("file", HashAlg::Sha256, source().signed_message().as_bytes()).unwrap();
        let file = file.to_pem(LineEnding::LF).unwrap();
        assert!(why(&weighed(&file, &allowed)).contains("made for \"file\""));
        let one = signed(&source(), 1);
        let cut: String = one.lines().take(4).flat_map(|line| [line, "\n"]).collect();
        assert!(why(&weighed(&cut, &allowed)).contains("cut off"));
        for (options, says) in [
            ("valid-before=\"20200101Z\"", "held until 20200101Z"),
            ("valid-after=\"20400101Z\"", "does not hold before"),
            ("namespaces=\"file,git\"", "does not allow"),
        ] {
            let signers = line("a@x", options, 1);
            assert!(why(&weighed(&one, &signers)).contains(says), "{options}");
        }
        let renewed = line("a@x", "valid-before=\"20200101Z\"", 1) + &allowed;
        assert_eq!(weighed(&one, &renewed).people.len(), 1, "another line of the same key holds");
        let authority = weighed(&one, &line("a@x", "cert-authority", 1));
        assert!(why(&authority).contains("does not name"));
        assert!(authority.defects[0].1.contains("authority"));
    }

    #[test]
    fn a_good_signature_counts_beside_broken_ones() {
        let one = signed(&source(), 1);
        let text = format!("hello\n{}\n{one}", &one[..one.len() / 2]);
        let weighed = weighed(&text, &line("a@x", "", 1));
        assert_eq!((weighed.people.len(), weighed.refused.len()), (1, 2), "{weighed:?}");
        assert_eq!(weighed.people[0].at.to_string(), "/signers:1");
    }

    #[test]
    fn only_root_or_who_is_named_may_write() {
        let step = |path: &str, kind, uid, mode| {
            let meta = Meta { kind, uid, gid: 0, mode, size: 0, modified: 0, links: 1 };
            std::sync::Arc::new(Step { path: path.into(), meta, target: None })
        };
        let walk = |directory: (u32, u32), file: (u32, u32)| Lookup {
            asked: "/d/f".into(),
            steps: vec![
                step("/", NodeKind::Directory, 0, 0o755),
                step("/d", NodeKind::Directory, directory.0, directory.1),
                step("/d/f", NodeKind::File, file.0, file.1),
            ],
            end: crate::model::End::Found,
        };
        let open = |directory, file, also| {
            let walk = walk(directory, file);
            writable_by_others(&walk, also).map(|(step, _)| step.path.to_string())
        };
        assert_eq!(open((0, 0o755), (0, 0o644), None), None);
        assert_eq!(open((0, 0o1777), (0, 0o644), None), None);
        assert_eq!(open((0, 0o777), (0, 0o644), None).as_deref(), Some("/d"));
        assert_eq!(open((0, 0o775), (0, 0o644), Some(7)).as_deref(), Some("/d"));
        assert_eq!(open((7, 0o755), (0, 0o644), None).as_deref(), Some("/d"));
        assert_eq!(open((0, 0o755), (7, 0o644), None).as_deref(), Some("/d/f"));
        assert_eq!(open((7, 0o700), (7, 0o600), Some(7)), None);
        assert_eq!(
            open((0, 0o755), (0, 0o1664), None).as_deref(),
            Some("/d/f"),
            "sticky means nothing on a file"
        );
    }
}
