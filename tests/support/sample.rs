//! What `make test` takes of a catalogue: one entry of every kind. `make test-all` takes them all.

use std::collections::BTreeSet;

/// The first of every kind, in the order of the catalogue.
pub fn one_of_each<T, K: Ord>(all: impl IntoIterator<Item = T>, kind: impl Fn(&T) -> K) -> Vec<T> {
    let mut known = BTreeSet::new();
    all.into_iter().filter(|entry| known.insert(kind(entry))).collect()
}
