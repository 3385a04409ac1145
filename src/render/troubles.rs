//! Why systemd refuses a start, from the manual of the rules themselves: the status that a person sees in
//! `systemctl status`, and the rule that says where it comes from before it happens.

use std::collections::BTreeMap;

use crate::contract::Contract;
use crate::model::RuleInfo;
use crate::rules::RULES;

/// A status of systemd.exec(5), such as `203/EXEC`, with the rules that foresee it.
pub(super) fn failed_starts(contract: &Contract) -> BTreeMap<&'static str, Vec<&'static RuleInfo>> {
    let mut found: BTreeMap<&str, Vec<&RuleInfo>> = BTreeMap::new();
    let infos = RULES.iter().map(|rule| &rule.info);
    for info in infos.filter(|info| contract.severity_of(info).is_some()) {
        for status in info.why.split([' ', ',']).filter(|word| is_status(word)) {
            found.entry(status).or_default().push(info);
        }
    }
    found
}

fn is_status(word: &str) -> bool {
    word.split_once('/').is_some_and(|(number, name)| {
        number.len() == 3
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}
