//! "Did you mean …": the known word nearest to an unknown one.

/// The candidate with the fewest edits to `word`, if it is near enough to be meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.chars().take(64).collect();
    let limit = 1 + word.len() / 4;
    candidates
        .into_iter()
        .filter_map(|candidate| edits(&word, candidate, limit).map(|edits| (edits, candidate)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, case ignored, up to a
/// limit.
fn edits(word: &[char], candidate: &str, limit: usize) -> Option<usize> {
    let other: Vec<char> = candidate.chars().take(80).collect();
    if word.len().abs_diff(other.len()) > limit {
        return None;
    }
    let same = |a: char, b: char| a.eq_ignore_ascii_case(&b);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in word.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(!same(*a, *b));
            let mut best = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped = row > 0 && column > 0 && same(*a, other[column - 1]) && same(word[row - 1], *b);
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let keys = ["owner", "group", "mode", "not_under", "outside_repository"];
        assert_eq!(nearest("onwer", keys), Some("owner"));
        assert_eq!(nearest("Owner", keys), Some("owner"));
        assert_eq!(nearest("not-under", keys), Some("not_under"));
        assert_eq!(nearest("outside_repo", keys), None);
        assert_eq!(nearest("zebra", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
