//! All outcomes of one audit, in the order of a report.

use super::{RuleResult, Section};

/// Outcomes by section, subject, rule and key. There may be a million of them, so they stay in the pieces in
/// which they were taken down: each piece is in order and of one section, and the pieces are in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    pieces: Vec<Vec<RuleResult>>,
}

impl Results {
    /// Lays down another piece, which is of one section, in order, and follows all so far.
    pub fn append(&mut self, piece: Vec<RuleResult>) {
        let last = self.iter().next_back();
        debug_assert!(piece.iter().all(|result| result.rule.section == piece[0].rule.section));
        debug_assert!(last.into_iter().chain(&piece).is_sorted_by(|a, b| a.order() <= b.order()));
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// Puts one more outcome where it belongs.
    pub fn add(&mut self, result: RuleResult) {
        let at = self.pieces.partition_point(|piece| piece[piece.len() - 1].order() < result.order());
        match self.pieces.get_mut(at) {
            Some(piece) if piece[0].rule.section == result.rule.section => {
                let place = piece.partition_point(|before| before.order() <= result.order());
                piece.insert(place, result);
            }
            _ => self.pieces.insert(at, vec![result]),
        }
    }

    /// Every outcome, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &RuleResult> {
        self.pieces.iter().flatten()
    }

    /// Every outcome, to be amended in place; what orders it must stay.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut RuleResult> {
        self.pieces.iter_mut().flatten()
    }

    /// The outcomes of one section.
    pub fn of_section(&self, section: Section) -> impl Iterator<Item = &RuleResult> {
        self.pieces.iter().filter(move |piece| piece[0].rule.section == section).flatten()
    }

    /// Whether nothing was judged.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl IntoIterator for Results {
    type Item = RuleResult;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<RuleResult>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::model::{Cause, RuleInfo, RuleResult, Said, Section, Severity, Subject};

    static ONE: RuleInfo = RuleInfo {
        id: "one",
        section: Section::A,
        severity: Severity::Must,
        cause: Cause::Host,
        why: "",
        see: &[],
        mend: "",
        man: &[],
        since: "",
        doc: "",
    };
    static TWO: RuleInfo = RuleInfo {
        id: "two",
        section: Section::B,
        severity: Severity::Must,
        cause: Cause::Host,
        why: "",
        see: &[],
        mend: "",
        man: &[],
        since: "",
        doc: "",
    };

    fn result(rule: &'static RuleInfo, service: &str) -> RuleResult {
        let subject = Subject::Service(service.into());
        RuleResult { rule, severity: Severity::Must, subject, key: None, said: Said::Pass }
    }

    #[test]
    fn an_outcome_that_comes_late_finds_its_place() {
        let mut results = Results::default();
        results.append(vec![result(&ONE, "b"), result(&ONE, "c")]);
        results.append(Vec::new());
        results.append(vec![result(&TWO, "b")]);
        for late in
            [result(&TWO, "c"), result(&ONE, "a"), result(&ONE, "d"), result(&TWO, "a"), result(&ONE, "b")]
        {
            results.add(late);
        }
        let order: Vec<String> =
            results.iter().map(|found| format!("{} {}", found.rule.id, found.subject)).collect();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(order, sorted);
        assert_eq!(order.len(), 8);
        assert_eq!(results.of_section(Section::B).count(), 3);
    }
}
