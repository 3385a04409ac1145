//! The file of those whose signatures count: ssh-keygen(1), *ALLOWED SIGNERS*.
//!
//! A line names people, may say what for and how long, and holds a key. Lines that name no certain person or
//! key (patterns, authorities, what cannot be read) are no signers but defects; fewer lines never approve more.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;

use super::glob;
use crate::model::Location;

/// No clock of the world is further ahead of UTC, or further behind.
const AHEAD: i64 = 14 * 3600;
const BEHIND: i64 = 12 * 3600;

/// What an allowed-signers file says.
#[derive(Debug, Default)]
pub struct AllowedSigners {
    /// Its lines, in order.
    pub signers: Vec<Signer>,
    /// Lines that allow nobody, and why.
    pub defects: Vec<(Location, String)>,
}

/// Somebody whose signatures count.
#[derive(Debug)]
pub struct Signer {
    /// The names of one person.
    pub principals: Vec<String>,
    /// The person's key.
    pub key: PublicKey,
    /// What for, as patterns; anything without.
    namespaces: Option<Vec<String>>,
    valid_after: Option<Moment>,
    valid_before: Option<Moment>,
    /// Its line.
    pub at: Location,
}

/// A time as written. Without a `Z` it is meant in the time zone of whoever reads it, which nobody knows here.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    earliest: i64,
    latest: i64,
    written: String,
}

/// Reads a file. Every line is a signer, a defect, or nothing.
pub fn read(text: &str, path: &str) -> AllowedSigners {
    let mut file = AllowedSigners::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = Location::line(path, number);
        match signer(line, at.clone()) {
            Ok(signer) => file.signers.push(signer),
            Err(why) => file.defects.push((at, why)),
        }
    }
    file
}

impl Signer {
    /// Why signatures of this line do not count now for `namespace`; `Ok` when they do.
    pub fn holds(&self, namespace: &str, now: i64) -> Result<(), String> {
        if self.namespaces.as_ref().is_some_and(|patterns| !permits(patterns, namespace)) {
            return Err(format!("{} does not allow {namespace:?}", self.at));
        }
        if let Some(after) = self.valid_after.as_ref().filter(|after| now < after.latest) {
            return Err(after.passed("does not hold before", now >= after.earliest, &self.at));
        }
        if let Some(before) = self.valid_before.as_ref().filter(|before| now > before.earliest) {
            return Err(before.passed("held until", now <= before.latest, &self.at));
        }
        Ok(())
    }
}

impl Moment {
    fn passed(&self, words: &str, unclear: bool, at: &Location) -> String {
        let zone =
            if unclear { ", in a time zone that it does not say: write a Z after the time" } else { "" };
        format!("{at} {words} {}{zone}", self.written)
    }
}

/// Patterns as ssh_config(5) has them: `*`, `?`, and a leading `!` that no other pattern outweighs.
fn permits(patterns: &[String], namespace: &str) -> bool {
    // Brackets are plain to ssh, and no namespace of ours has any.
    let matches = |pattern: &str| !pattern.contains('[') && glob::matches(pattern, namespace);
    let denied = patterns.iter().any(|pattern| pattern.strip_prefix('!').is_some_and(matches));
    !denied && patterns.iter().any(|pattern| matches(pattern))
}

fn signer(line: &str, at: Location) -> Result<Signer, String> {
    let (names, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a quotation mark is never closed")?,
        None => line.split_once(char::is_whitespace).ok_or("it holds no key")?,
    };
    let rest = rest.trim_start();
    let (options, key) = match PublicKey::from_openssh(rest) {
        Ok(key) => (Vec::new(), key),
        Err(_) => {
            let (options, key) = split_options(rest)?;
            let key = PublicKey::from_openssh(key.trim());
            (options, key.map_err(|error| format!("its key cannot be read: {error}"))?)
        }
    };
    let none = || Signer {
        principals: Vec::new(),
        key,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        at,
    };
    let mut signer = none();
    signer.principals = principals(names)?;
    for option in options {
        take(&mut signer, &option)?;
    }
    match (&signer.valid_after, &signer.valid_before) {
        (Some(after), Some(before)) if after.earliest >= before.latest => {
            Err("it ends before it begins".to_owned())
        }
        _ => Ok(signer),
    }
}

/// The names of one person. A pattern stands for whoever fits it, which is nobody who could be counted.
fn principals(names: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err("it names no person".to_owned());
    }
    match names.iter().find(|name| name.contains(['*', '?', '!'])) {
        Some(pattern) => Err(format!("{pattern:?} is a pattern and names no certain person")),
        None => Ok(names),
    }
}

/// Options up to the first blank outside of quotation marks, and the rest.
fn split_options(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut options = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            ' ' | '\t' if !quoted => return Ok((options, &text[at..])),
            ',' if !quoted => {
                options.push(String::new());
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        if let Some(option) = options.last_mut() {
            option.push(character);
        }
    }
    Err(if quoted { "a quotation mark is never closed" } else { "it holds no key" }.to_owned())
}

fn take(signer: &mut Signer, option: &str) -> Result<(), String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let wanted = || value.ok_or_else(|| format!("{name} needs a value in quotation marks"));
    let again = match name.to_ascii_lowercase().as_str() {
        "cert-authority" => {
            return Err(
                "it trusts a certificate authority; approvals are counted by key, so give each person a line"
                    .to_owned(),
            );
        }
        "namespaces" => {
            let patterns = wanted()?.split(',').map(|pattern| pattern.trim().to_owned()).collect();
            signer.namespaces.replace(patterns).is_some()
        }
        "valid-after" => signer.valid_after.replace(moment(wanted()?)?).is_some(),
        "valid-before" => signer.valid_before.replace(moment(wanted()?)?).is_some(),
        _ => return Err(format!("{option:?} is neither an option nor a key")),
    };
    if again { Err(format!("{name} occurs twice")) } else { Ok(()) }
}

/// `YYYYMMDD[HHMM[SS]][Z]`
fn moment(written: &str) -> Result<Moment, String> {
    let wrong = || format!("{written:?} is not a time: write such as 20261231Z or 202612312359Z");
    let digits = written.strip_suffix(['Z', 'z']).or_else(|| written.strip_suffix("UTC"));
    let zoned = digits.is_some();
    let digits = digits.unwrap_or(written);
    if ![8, 12, 14].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| digits.get(from..to).map_or(Ok(0), str::parse::<i16>);
    let parts = || -> Result<[i16; 6], std::num::ParseIntError> {
        Ok([part(0, 4)?, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?])
    };
    let [year, month, day, hour, minute, second] = parts().map_err(|_| wrong())?;
    let time = DateTime::new(year, month as i8, day as i8, hour as i8, minute as i8, second as i8, 0);
    let time = time.and_then(|time| time.to_zoned(TimeZone::UTC)).map_err(|_| wrong())?;
    let (ahead, behind) = if zoned { (0, 0) } else { (AHEAD, BEHIND) };
    let seconds = time.timestamp().as_second();
    Ok(Moment { earliest: seconds - ahead, latest: seconds + behind, written: written.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5gIuwuMT0jRfVnD0LP5f0dXEUxBPgDyoQ6b6YQQFyc";

    fn one(line: &str) -> Result<Signer, String> {
        let mut file = read(&format!("# head\n\n{line}\n"), "/signers");
        assert_eq!(file.signers.len() + file.defects.len(), 1, "{line}");
        match file.defects.pop() {
            Some((at, why)) => {
                assert_eq!(at.to_string(), "/signers:3");
                Err(why)
            }
            None => Ok(file.signers.remove(0)),
        }
    }

    #[test]
    fn lines_as_ssh_keygen_takes_them() {
        for (line, names) in [
            (format!("a@x {KEY}"), 1),
            (format!("a@x,b@x {KEY} a comment of words"), 2),
            (format!("\"a@x,b c\" {KEY}"), 2),
            (format!("a@x namespaces=\"file,golden-*\",valid-after=\"20200101Z\" {KEY} c"), 1),
            (format!("a@x\tValid-Before=\"20990101\"\t{KEY}"), 1),
        ] {
            let signer = one(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
            assert_eq!(signer.principals.len(), names, "{line}");
            assert_eq!(signer.holds("golden-contract", 1_800_000_000), Ok(()), "{line}");
        }
    }

    #[test]
    fn lines_that_allow_nobody_say_why() {
        for (line, says) in [
            ("a@x".to_owned(), "no key"),
            (format!("*@x {KEY}"), "pattern"),
            (format!("a@x cert-authority {KEY}"), "authority"),
            (format!("a@x CERT-AUTHORITY,namespaces=\"x\" {KEY}"), "authority"),
            (format!("a@x nonsense {KEY}"), "neither an option"),
            (format!("a@x namespaces=golden {KEY}"), "quotation marks"),
            (format!("a@x namespaces=\"golden {KEY}"), "never closed"),
            (format!("\"a@x {KEY}"), "never closed"),
            (format!("a@x valid-after=\"2026\" {KEY}"), "not a time"),
            (format!("a@x valid-after=\"20261301\" {KEY}"), "not a time"),
            (format!("a@x valid-after=\"20270101Z\",valid-before=\"20260101Z\" {KEY}"), "before it begins"),
            (format!("a@x namespaces=\"a\",namespaces=\"b\" {KEY}"), "twice"),
            (format!("a@x {}", KEY.replace("AAAAC3", "AAAA")), "cannot be read"),
            (format!(", {KEY}"), "no person"),
        ] {
            let why = one(&line).expect_err(&line);
            assert!(why.contains(says), "{line}: {why}");
        }
    }

    #[test]
    fn a_time_without_a_zone_counts_only_where_every_zone_agrees() {
        let noon = 1_798_718_400; // 2026-12-31 12:00 UTC
        let holds = |options: &str, now: i64| one(&format!("a {options} {KEY}")).unwrap().holds("n", now);
        assert!(holds("valid-before=\"20261231Z\"", noon - 43_200).is_ok(), "the second itself still holds");
        assert!(holds("valid-before=\"20261231Z\"", noon - 43_199).is_err());
        assert!(holds("valid-after=\"202612311200Z\"", noon).is_ok());
        assert!(
            holds("valid-after=\"202612311200Z\"", noon - 1).unwrap_err().contains("before 202612311200Z")
        );
        assert!(holds("valid-before=\"202612311200\"", noon - AHEAD).is_ok());
        let unclear = holds("valid-before=\"202612311200\"", noon - AHEAD + 1).unwrap_err();
        assert!(unclear.contains("write a Z"), "{unclear}");
        assert!(
            !holds("valid-before=\"202612311200\"", noon + BEHIND + 1).unwrap_err().contains("write a Z")
        );
        assert!(holds("valid-after=\"202612311200\"", noon + BEHIND).is_ok());
        assert!(holds("valid-after=\"202612311200\"", noon).is_err());
    }

    #[test]
    fn namespaces_are_patterns() {
        let permits =
            |list: &str| permits(&list.split(',').map(str::to_owned).collect::<Vec<_>>(), "golden-contract");
        assert!(permits("golden-contract") && permits("file,golden-?ontract") && permits("*"));
        assert!(
            !permits("file")
                && !permits("*,!golden-contract")
                && !permits("[g]olden-contract")
                && !permits("")
        );
    }
}
