//! What stands in recorded facts where a secret stood: a digest that tells equal secrets of one recording from different
//! ones, and what the rules may say of a secret without knowing it. Everything else about it is unknown, so a
//! judgement that compares a stand-in with something decides nothing.

use std::cell::RefCell;
use std::ops::Range;

use super::secret_shape::Shape;

/// What a stand-in begins with.
const BEGINNING: &str = "hidden:";

/// Digits of its digest.
const DIGITS: usize = 16;

/// What a stand-in says of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// How many characters it has; unknown in facts of golden 0.1.
    pub characters: Option<usize>,
    /// Its shape, where it has a well-known one.
    pub shape: Option<Shape>,
}

/// Writes one: `hidden:0123456789abcdef.24.GitHubToken:`. It is one word to systemd, to a shell and in a URL.
pub fn written(digest: &[u8], secret: &str, shape: Option<Shape>) -> String {
    let hex: String = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    let characters = secret.chars().count();
    let shape = shape.map(|shape| format!(".{shape:?}")).unwrap_or_default();
    format!("{BEGINNING}{hex}.{characters}{shape}:")
}

/// The stand-ins of a text and where they stand.
pub fn all(text: &str) -> impl Iterator<Item = (Range<usize>, StandIn)> + '_ {
    text.match_indices(BEGINNING).filter_map(|(start, _)| {
        let digest = start + BEGINNING.len();
        let hex = text.get(digest..digest + DIGITS)?;
        let is_digest = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let mut end = digest + DIGITS;
        let mut part = |alphabet: fn(&u8) -> bool| {
            let rest = text[end..].strip_prefix('.')?;
            let length = rest.bytes().take_while(alphabet).count();
            end += if length > 0 { length + 1 } else { 0 };
            (length > 0).then(|| &rest[..length])
        };
        let characters = part(u8::is_ascii_digit).and_then(|digits| digits.parse().ok());
        let shape = characters.and_then(|_: usize| part(u8::is_ascii_alphabetic));
        let shape =
            Shape::ALL.into_iter().find(|known| shape.is_some_and(|word| word == format!("{known:?}")));
        end += usize::from(characters.is_some() && text[end..].starts_with(':'));
        is_digest.then_some((start..end, StandIn { characters, shape }))
    })
}

/// Whether a text is a stand-in and nothing else.
pub fn is_stand_in(text: &str) -> bool {
    all(text).next().is_some_and(|(at, _)| at == (0..text.len()))
}

/// Whether a stand-in is in a text.
pub fn is_in(text: &str) -> bool {
    all(text).next().is_some()
}

/// How many characters a text has, stand-ins counted as what they stand for; `None` where one does not say.
pub fn characters(text: &str) -> Option<usize> {
    let (mut count, mut from) = (0, 0);
    for (at, found) in all(text) {
        count += text[from..at.start].chars().count() + found.characters?;
        from = at.end;
    }
    Some(count + text[from..].chars().count())
}

thread_local! {
    /// Whether the judgement under way on this thread is one of recorded facts, and what of them it has missed.
    static MISSED: RefCell<(bool, Option<String>)> = const { RefCell::new((false, None)) };
}

/// Notes that a value was compared. Where a secret was taken out of it, the comparison says nothing.
pub fn compared(value: &str) {
    MISSED.with_borrow_mut(|(is_recorded, missed)| {
        if *is_recorded && missed.is_none() && is_in(value) {
            *missed = Some("the recorded facts hide the value that this depends on".to_owned());
        }
    });
}

/// Runs a judgement, and says whether it has missed a hidden value. Of a running host nothing is hidden, whatever stands
/// in its files.
pub fn noticing_hidden<T>(is_recorded: bool, judge: impl FnOnce() -> T) -> (T, Option<String>) {
    MISSED.set((is_recorded, None));
    let judged = judge();
    (judged, MISSED.replace((false, None)).1)
}

/// Does what decides nothing, such as the choice of a remedy.
pub fn undeciding<T>(work: impl FnOnce() -> T) -> T {
    let before = MISSED.replace((false, None));
    let done = work();
    MISSED.set(before);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let plain = written(&[0xab; 32], "hunter2", None);
        let token = written(&[1; 32], "größer", Some(Shape::GitHubToken));
        assert_eq!(plain, "hidden:abababababababab.7:");
        assert!(is_stand_in(&plain) && is_stand_in(&token) && !is_stand_in(&format!("{plain} ")));
        let text = format!("a={plain} redis://:{token}@h hidden:zz hidden:0123456789abcdef");
        let found: Vec<StandIn> = all(&text).map(|(_, found)| found).collect();
        let shape = Some(Shape::GitHubToken);
        assert_eq!(
            found,
            [
                StandIn { characters: Some(7), shape: None },
                StandIn { characters: Some(6), shape },
                StandIn { characters: None, shape: None },
            ]
        );
        assert_eq!(characters(&format!("x{token}y")), Some(8));
        assert_eq!(characters(&text), None);
        assert_eq!(characters("plain"), Some(5));
    }

    #[test]
    fn only_of_recorded_facts_something_is_missed() {
        let stand_in = written(&[7; 32], "x", None);
        let look = |recorded| noticing_hidden(recorded, || compared(&stand_in)).1;
        assert!(look(true).is_some() && look(false).is_none());
        assert_eq!(noticing_hidden(true, || compared("8000")).1, None);
        assert_eq!(noticing_hidden(true, || undeciding(|| compared(&stand_in))).1, None);
    }
}
