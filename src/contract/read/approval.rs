//! `[approval]`: whose signatures a contract needs. `[ledger]`: where the head of golden's record is left.

use super::places::path_value;
use super::{Cx, Fields, unstated};
use crate::contract::tree::Node;
use crate::contract::{Approval, Outside, schema};
use crate::model::Stated;

/// More people than ever sign one file; a larger number is a slip that would lock everybody out.
const MOST: u64 = 32;

/// `[approval]`
pub(super) fn approval<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Option<Approval> {
    let entry = root.get("approval")?;
    let fields = cx.fields(&entry.node, entry.at, "", &schema::APPROVAL)?;
    let at = cx.at(fields.at);
    let signers = fields.need(cx, "signers", "\"/etc/golden/allowed_signers\"", path_value);
    let required = match fields.opt(cx, "required", Cx::count) {
        None => unstated(1, &at),
        Some(count) if (1..=MOST).contains(&count.value) => Stated::new(count.value as u32, count.at),
        Some(count) => {
            let way_out =
                format!("write how many people must sign, from 1 to {MOST}; no approval: no `[approval]`");
            cx.error_at(&count.at, format!("`required` is {}", count.value), way_out);
            unstated(1, &count.at)
        }
    };
    Some(Approval { signers: signers?, required, at })
}

/// `[ledger]`: the file of heads, and the commands that take them outside.
pub(super) fn ledger<'a>(
    cx: &mut Cx<'a>,
    root: &Fields<'_, 'a>,
) -> (Option<Stated<String>>, Option<Outside>) {
    let Some(entry) = root.get("ledger") else { return (None, None) };
    let Some(fields) = cx.fields(&entry.node, entry.at, "", &schema::LEDGER) else { return (None, None) };
    if ["anchor", "send", "recall"].iter().all(|key| fields.get(key).is_none()) {
        let way_out = "add such as `anchor = \"/mnt/elsewhere/golden-heads\"`, or `send` and `recall`";
        cx.missing(fields.at, "`[ledger]` says nowhere where the head is left", way_out);
    }
    (fields.opt(cx, "anchor", elsewhere), outside(cx, &fields))
}

fn elsewhere<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    let path = path_value(cx, node, key)?;
    const OWN: [&str; 3] = ["/var/lib/golden", "/run/golden", "/etc/golden"];
    if let Some(own) = OWN.iter().find(|own| std::path::Path::new(&path.value).starts_with(own)) {
        let message =
            format!("`anchor` lies in golden's own {own}: who rewrites the ledger rewrites it along with it");
        cx.error_at(&path.at, message, "name a file elsewhere, best on a file system of another host");
    }
    Some(path)
}

/// `send` and `recall`: one without the other would prove nothing.
fn outside<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Outside> {
    fields.get("send").or_else(|| fields.get("recall"))?;
    let mut command = |key: &str, example: &str| {
        fields.need(cx, key, example, |_, _, _| Some(()))?;
        let words = fields.texts(cx, key);
        let is_path = words.value.first().is_some_and(|program| program.starts_with('/'));
        if !is_path || words.value.iter().any(|word| word.contains('\0')) {
            let message = format!("`{key}` does not begin with the path of a program");
            cx.error_at(
                &words.at,
                message,
                format!("write its words, such as `{key} = {example}`; there is no shell"),
            );
        }
        Some(words)
    };
    let send = command("send", "[\"/usr/bin/logger\", \"--server\", \"loghost\"]");
    let recall = command("recall", "[\"/usr/local/sbin/last-head\"]");
    Some(Outside { send: send?, recall: recall? })
}
