//! What this process has verified of the ledger. A verb reads it more than once and adds to it in the end; bytes that are the
//! same as before are verified once.

use std::sync::{Mutex, PoisonError};

use super::chain::{End, sha256};

/// The longest beginning that was verified, by the digest of its bytes.
static KNOWN: Mutex<Option<(String, End)>> = Mutex::new(None);

/// The part of a text that was verified before; none where its beginning is another one.
pub(super) fn begins(text: &[u8]) -> Option<End> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    known
        .filter(|(digest, end)| text.get(..end.good).is_some_and(|part| sha256(part) == *digest))
        .map(|known| known.1)
}

/// Keeps how far a text was verified, where that is all of it.
pub(super) fn keep(text: &[u8], end: &End) {
    // A last line without its newline goes on in what is added.
    let is_whole = end.broken.is_none() && end.torn.is_none() && text.last() == Some(&b'\n');
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if is_whole && known.as_ref().is_none_or(|(_, known)| known != end) {
        *known = Some((sha256(text), end.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::tests::entry;
    use super::super::chain::{self, FIRST, line, read};

    /// Three lines of entries with these verbs.
    fn ledger(verbs: [&str; 3]) -> String {
        let (mut text, mut head) = (String::new(), FIRST.to_owned());
        for (number, verb) in (1..).zip(verbs) {
            let (line, digest) = line(number, &head, &entry(verb)).unwrap();
            text.push_str(&line);
            head = digest;
        }
        text
    }

    #[test]
    fn what_was_verified_once_hides_no_later_change() {
        let text = ledger(["one", "two", "three"]);
        let cut = text.lines().next().unwrap().len() + 1;
        for known in [&text[..cut], &text] {
            let changed = text.replace("two", "TWO");
            for (other, broken) in
                [(text.as_str(), None), (&changed, Some(2)), (&text[..text.len() - 9], None)]
            {
                assert!(read(known.as_bytes()).is_whole());
                let end = chain::end(other.as_bytes());
                assert_eq!(end.broken.as_ref().map(|broken| broken.line), broken);
                assert!(read(known.as_bytes()).is_whole());
                let chain = read(other.as_bytes());
                assert_eq!(
                    (&chain.broken, chain.torn, chain.good, chain.count),
                    (&end.broken, end.torn, end.good, end.count)
                );
                assert_eq!((chain.head(), chain.last_plan()), (end.head.as_str(), end.last_plan()));
                assert_eq!(chain.lines.len() as u64, end.entries);
            }
        }
    }

    #[test]
    fn a_line_without_its_newline_goes_on_in_what_is_added() {
        let text = ledger(["one", "two", "three"]);
        assert!(read(&text.as_bytes()[..text.len() - 1]).is_whole());
        assert_eq!(chain::end(text.as_bytes()).entries, 3);
    }
}
