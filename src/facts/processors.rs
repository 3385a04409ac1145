//! The processors and memory nodes of a host, and what units say of them: lists of numbers and ranges (cpuset(7), "List
//! format").

use serde::{Deserialize, Serialize};

/// Numbers from the first to the last.
pub type Range = (u32, u32);

/// What a running host has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processors {
    /// The processors that are online.
    pub cpus: Vec<Range>,
    /// The memory nodes that are online; none where the kernel shows no nodes.
    pub nodes: Vec<Range>,
}

/// Settings that name processors or memory nodes (systemd.exec(5)).
pub const PROCESSOR_SETTINGS: &[&str] = &["CPUAffinity", "NUMAMask"];

/// Reads `0-3,8 10`; `None` where it is no such list.
pub fn ranges(text: &str) -> Option<Vec<Range>> {
    let words = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let range: Range = (first.parse().ok()?, last.parse().ok()?);
        (range.0 <= range.1).then_some(range)
    };
    words.map(range).collect()
}

/// Whether two lists have a number in common.
pub fn overlap(one: &[Range], other: &[Range]) -> bool {
    one.iter().any(|(first, last)| other.iter().any(|(from, to)| first <= to && from <= last))
}

/// A list as it is written.
pub fn written(ranges: &[Range]) -> String {
    let range = |(first, last): &Range| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_and_ranges() {
        assert_eq!(ranges("0-3,8\n"), Some(vec![(0, 3), (8, 8)]));
        assert_eq!(ranges("0 1, 4"), Some(vec![(0, 0), (1, 1), (4, 4)]));
        assert_eq!(ranges(""), Some(vec![]));
        assert_eq!((ranges("numa"), ranges("1-"), ranges("7-4")), (None, None, None));
        assert!(overlap(&[(4, 7)], &[(0, 1), (7, 9)]) && !overlap(&[(4, 7)], &[(0, 3), (8, 9)]));
        assert_eq!(written(&[(0, 3), (8, 8)]), "0-3,8");
    }
}
