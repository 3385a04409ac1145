//! The bytes that an entry's digest is taken over.
//!
//! Every field is its name and its value, each with its length before it, in one fixed order; a list begins with the number
//! of its members. So no two different entries have the same bytes, and nothing depends on how JSON spells them.

use std::collections::BTreeMap;

use super::entry::{By, Entry, Who};

/// The first bytes of each entry, so that they are never mistaken for those of something else.
pub(super) const DOMAIN: &str = "golden.ledger/2";

/// The bytes of an entry that stands at this place behind the entry with this digest.
pub(super) fn bytes(number: u64, previous: &str, entry: &Entry) -> Vec<u8> {
    // Every field is taken by its name: one that is added and forgotten here does not compile.
    let Entry { at, by, event, verb, plan, plan_number, contract, steps, result, left, facts } = entry;
    // Most entries find room in it; a long ledger is gone over line by line.
    let mut out = Vec::with_capacity(2_048);
    sized(&mut out, DOMAIN);
    field(&mut out, "number", number.to_be_bytes());
    field(&mut out, "previous", previous);
    field(&mut out, "at", at);
    inside(&mut out, "by", |out| caller(out, by));
    field(&mut out, "event", event.word());
    field(&mut out, "verb", verb);
    field(&mut out, "plan", plan);
    field(&mut out, "plan_number", plan_number.to_be_bytes());
    field(&mut out, "contract", contract);
    inside(&mut out, "steps", |out| list(out, steps));
    field(&mut out, "result", result);
    inside(&mut out, "left", |out| list(out, left));
    inside(&mut out, "facts", |out| map(out, facts));
    out
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u64).to_be_bytes());
}

fn sized(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    count(out, bytes.as_ref().len());
    out.extend_from_slice(bytes.as_ref());
}

fn field(out: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>) {
    sized(out, name);
    sized(out, value);
}

/// A field whose value is made of others: its length is put before it when it is known.
fn inside(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    sized(out, name);
    let start = out.len();
    count(out, 0);
    value(out);
    let length = (out.len() - start - 8) as u64;
    out[start..start + 8].copy_from_slice(&length.to_be_bytes());
}

fn list(out: &mut Vec<u8>, members: &[String]) {
    count(out, members.len());
    members.iter().for_each(|member| sized(out, member));
}

fn map(out: &mut Vec<u8>, members: &BTreeMap<String, String>) {
    count(out, members.len());
    for (name, value) in members {
        field(out, name, value);
    }
}

/// Something that may be missing is a list of none or one.
fn optional(out: &mut Vec<u8>, value: Option<impl AsRef<[u8]>>) {
    count(out, usize::from(value.is_some()));
    value.iter().for_each(|value| sized(out, value));
}

fn caller(out: &mut Vec<u8>, by: &By) {
    match by {
        By::Who(Who { login_uid, login, sudo, uid, euid }) => {
            field(out, "kind", "who");
            inside(out, "login_uid", |out| optional(out, login_uid.map(u32::to_be_bytes)));
            inside(out, "login", |out| optional(out, login.as_ref()));
            inside(out, "sudo", |out| optional(out, sudo.as_ref()));
            field(out, "uid", uid.to_be_bytes());
            field(out, "euid", euid.to_be_bytes());
        }
        By::Name(name) => {
            field(out, "kind", "name");
            field(out, "name", name);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::entry::Event;

    /// Reads canonical bytes back. That it gives the same entry again is the proof that no two have the same bytes.
    struct Back<'a>(&'a [u8]);

    impl Back<'_> {
        fn raw(&mut self, length: usize) -> Vec<u8> {
            let (taken, rest) = self.0.split_at(length);
            self.0 = rest;
            taken.to_vec()
        }

        fn number(&mut self) -> u64 {
            u64::from_be_bytes(self.raw(8).try_into().unwrap())
        }

        fn sized(&mut self) -> Vec<u8> {
            let length = self.number();
            self.raw(usize::try_from(length).unwrap())
        }

        fn text(&mut self) -> String {
            String::from_utf8(self.sized()).unwrap()
        }

        fn field(&mut self, name: &str) -> Vec<u8> {
            assert_eq!(self.text(), name);
            self.sized()
        }

        fn words(&mut self, name: &str) -> String {
            String::from_utf8(self.field(name)).unwrap()
        }

        fn list(&mut self, name: &str) -> Vec<String> {
            let value = self.field(name);
            let mut inside = Back(&value);
            let members = (0..inside.number()).map(|_| inside.text()).collect();
            assert!(inside.0.is_empty());
            members
        }
    }

    fn u32_of(bytes: &[u8]) -> u32 {
        u32::from_be_bytes(bytes.try_into().unwrap())
    }

    fn caller_back(bytes: &[u8]) -> By {
        let mut back = Back(bytes);
        let by = match back.words("kind").as_str() {
            "name" => By::Name(back.words("name")),
            _ => {
                let one = |value: Vec<u8>| {
                    let mut inside = Back(&value);
                    let found = (inside.number() == 1).then(|| inside.sized());
                    assert!(inside.0.is_empty());
                    found
                };
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                By::Who(Who {
                    login_uid: one(back.field("login_uid")).map(|bytes| u32_of(&bytes)),
                    login: one(back.field("login")).map(text),
                    sudo: one(back.field("sudo")).map(text),
                    uid: u32_of(&back.field("uid")),
                    euid: u32_of(&back.field("euid")),
                })
            }
        };
        assert!(back.0.is_empty());
        by
    }

    fn back(bytes: &[u8]) -> (u64, String, Entry) {
        let mut back = Back(bytes);
        assert_eq!(back.text(), DOMAIN);
        let number = u64::from_be_bytes(back.field("number").try_into().unwrap());
        let previous = back.words("previous");
        let (at, by) = (back.words("at"), caller_back(&back.field("by")));
        let (event, verb, plan) = (Event::from(back.words("event")), back.words("verb"), back.words("plan"));
        let plan_number = u64::from_be_bytes(back.field("plan_number").try_into().unwrap());
        let (contract, steps) = (back.words("contract"), back.list("steps"));
        let (result, left) = (back.words("result"), back.list("left"));
        let value = back.field("facts");
        let mut inside = Back(&value);
        let facts = (0..inside.number()).map(|_| (inside.text(), inside.text())).collect();
        assert!(inside.0.is_empty() && back.0.is_empty());
        let entry = Entry { at, by, event, verb, plan, plan_number, contract, steps, result, left, facts };
        (number, previous, entry)
    }

    /// Short texts of few letters, so that entries that differ in where a text ends are common.
    fn text() -> impl Strategy<Value = String> {
        "[ab\u{0}\"\\\\\u{e9},]{0,3}"
    }

    fn who() -> impl Strategy<Value = By> {
        let name = || proptest::option::of(text());
        let who = (proptest::option::of(0_u32..3), name(), name(), 0_u32..3, 0_u32..3);
        let who = who.prop_map(|(login_uid, login, sudo, uid, euid)| {
            By::Who(Who { login_uid, login, sudo, uid, euid })
        });
        prop_oneof![text().prop_map(By::Name), who]
    }

    pub(in crate::ledger) fn entry() -> impl Strategy<Value = Entry> {
        let event = prop_oneof![text(), Just("applied".to_owned()), Just("repaired".to_owned())];
        let list = || proptest::collection::vec(text(), 0..3);
        let facts = proptest::collection::btree_map(text(), text(), 0..3);
        let head = (text(), who(), event, text(), text(), 0_u64..3);
        (head, (text(), list(), text(), list(), facts)).prop_map(
            |((at, by, event, verb, plan, plan_number), (contract, steps, result, left, facts))| Entry {
                at,
                by,
                event: Event::from(event),
                verb,
                plan,
                plan_number,
                contract,
                steps,
                result,
                left,
                facts,
            },
        )
    }

    proptest! {
        #[test]
        fn bytes_can_be_read_back(entry in entry(), number in 0_u64..3, previous in text()) {
            let bytes = bytes(number, &previous, &entry);
            prop_assert_eq!(back(&bytes), (number, previous, entry));
        }

        #[test]
        fn different_entries_have_different_bytes(one in entry(), other in entry()) {
            prop_assert_eq!(one == other, bytes(1, "x", &one) == bytes(1, "x", &other));
        }
    }

    #[test]
    fn a_text_that_moves_from_one_field_to_the_next_is_seen() {
        let with = |steps: &[&str], left: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let (by, event) = (By::Name(String::new()), Event::Applied);
            let empty = String::new;
            bytes(
                1,
                "",
                &Entry {
                    at: empty(),
                    by,
                    event,
                    verb: empty(),
                    plan: empty(),
                    plan_number: 0,
                    contract: empty(),
                    steps: owned(steps),
                    result: empty(),
                    left: owned(left),
                    facts: BTreeMap::new(),
                },
            )
        };
        assert_ne!(with(&["a", "b"], &[]), with(&["ab"], &[]));
        assert_ne!(with(&["a"], &["b"]), with(&[], &["a", "b"]));
        assert_ne!(with(&[""], &[]), with(&[], &[]));
    }
}
